package embedded

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"github.com/duckdb/duckdb-go/v2"

	"penstock/internal/failpoint"
)

// commit writes what a posting has on its sheets, and the state that follows, in one transaction of the newest file. If the posting
// has a batch to do it does that meanwhile: DuckDB takes the first rows while those behind them are being made.
func (s *shard) commit(ctx context.Context, p *posting) error {
	sheets, err := p.tables()
	if err != nil {
		p.failed = err
		return err
	}
	return s.conn.Raw(func(raw any) error {
		w := &writing{posting: p, file: s.newest(), conn: raw.(driver.Conn)}
		defer w.release()
		for _, one := range sheets {
			if err := w.show(one); err != nil {
				return err
			}
		}
		return transact(ctx, w.exec, func() error { return w.write(ctx) })
	})
}

// tables returns the sheets that the posting may put rows on, the one that most of them go to first.
func (p *posting) tables() ([]*sheet, error) {
	if len(p.todo.Blocks) == 0 {
		return slices.DeleteFunc(p.shard.sheets(), func(one *sheet) bool { return one.used == 0 }), nil
	}
	var all, views []*sheet
	for _, b := range p.todo.Blocks {
		e, err := p.shard.encoder(p.streams[streamKey{b.Tenant, b.Stream}])
		if err != nil {
			return nil, err
		}
		if !slices.Contains(all, &e.sheet) {
			all = append(all, &e.sheet)
		}
		f, err := p.shard.folding(p.streams[streamKey{b.Tenant, b.Stream}])
		if err != nil {
			return nil, err
		}
		if f != nil && !slices.Contains(views, f.sheets[0]) { // each costs the commit a view, used or not
			views = append(views, f.sheets...)
		}
	}
	return slices.Concat(all, p.shard.ledger.sheets(), views), nil
}

// writing is a transaction that a posting's rows go into.
type writing struct {
	*posting
	file *file
	conn driver.Conn
	into []*inlet
	ends []func()
}

func (w *writing) exec(ctx context.Context, statement string) error {
	_, err := w.conn.(driver.ExecerContext).ExecContext(ctx, statement, nil)
	return err
}

// show makes a sheet's rows a view. The driver makes views for everybody to see, in the connection's schema, internal, and leaves
// them behind with a pointer to what is freed: they are named after the shard, and gone before their rows are.
func (w *writing) show(one *sheet) error {
	arrow, err := duckdb.NewArrowFromConn(w.conn)
	if err != nil {
		return err
	}
	in := newInlet(one)
	w.ends = append(w.ends, in.Release)
	end, err := arrow.RegisterView(in, w.view(one))
	if err != nil {
		return err
	}
	w.ends = append(w.ends, end, func() { _ = w.exec(context.Background(), "DROP VIEW IF EXISTS memory.internal."+w.view(one)) })
	w.into = append(w.into, in)
	return nil
}

func (w *writing) view(one *sheet) string {
	return fmt.Sprintf("incoming_%d_%s", w.shard.number, one.table)
}

func (w *writing) release() {
	for _, end := range slices.Backward(w.ends) {
		end()
	}
}

// write inserts all rows, and the state.
func (w *writing) write(ctx context.Context) error {
	rest := w.into
	if len(w.todo.Blocks) > 0 {
		if err := w.fill(ctx, rest[0]); err != nil {
			return err
		}
		rest = rest[1:]
	}
	for _, in := range rest {
		if in.sheet.used == 0 {
			continue
		}
		if err := w.insert(ctx, in); err != nil {
			return err
		}
	}
	put, err := w.next.put(w.file)
	for _, statement := range put {
		err = errors.Join(err, w.exec(ctx, statement))
	}
	return errors.Join(err, failpoint.Fail("store.before-commit"))
}

// fill takes the batch's records while DuckDB takes the rows that come of them, those of the first table.
func (w *writing) fill(ctx context.Context, in *inlet) error {
	in.open()
	filled := make(chan error, 1)
	go func() {
		err := w.batch(w.todo)
		in.end(err)
		filled <- err
	}()
	err := w.insert(ctx, in)
	in.abandon()
	w.failed = <-filled
	if w.failed != nil {
		return w.failed
	}
	return err
}

func (w *writing) insert(ctx context.Context, in *inlet) error {
	err := w.exec(ctx, "INSERT INTO "+w.file.table(in.sheet.table)+" ("+in.sheet.names+") SELECT * FROM "+w.view(in.sheet))
	if in.broke != nil {
		return in.broke
	}
	return err
}
