package embedded

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/duckdb/duckdb-go/v2"

	"penstock"
)

// Query implements penstock.Querier.
func (d *Database) Query(ctx context.Context, q penstock.Query) (penstock.Rows, error) {
	return d.ask(ctx, func(ctx context.Context, r *rows) error { return d.start(ctx, q, r) })
}

// ask starts a statement in a thread that yields to others.
func (d *Database) ask(ctx context.Context, start func(context.Context, *rows) error) (penstock.Rows, error) {
	ctx, end := d.running.begin(ctx)
	for {
		removed := d.removed.Load()
		r := &rows{ctx: ctx, end: end}
		var err error
		behind(func() { err = start(ctx, r) })
		if err == nil {
			r.finish()
			return r, nil
		}
		err = errors.Join(d.report(queryError(ctx, err)), r.release())
		if ctx.Err() == nil && removed != d.removed.Load() {
			continue // a view was read that showed a file which was removed meanwhile
		}
		end()
		return nil, err
	}
}

// start checks and runs a statement. DuckDB has the whole result when it returns, within the instance's memory.
func (d *Database) start(ctx context.Context, q penstock.Query, r *rows) error {
	args, err := arguments(q.Params)
	if err != nil {
		return err
	}
	if err := r.begin(ctx, d.engine); err != nil {
		return err
	}
	known := d.known()
	checked, err := checkStatement(ctx, r.conn.Conn, q.SQL, known)
	if err != nil {
		return err
	}
	if err := checkParameters(checked.Parameters, len(args)); err != nil {
		return err
	}
	if err := checkPatterns(checked.patterns, args); err != nil {
		return err
	}
	// What runs is checked too: that it is the user's statement and nothing else does not depend on where that ends.
	limited := fmt.Sprintf("SELECT * FROM (\n%s\n) LIMIT %d", first(checked.SQL), d.o.QueryRows)
	if _, err := checkStatement(ctx, r.conn.Conn, limited, known); err != nil {
		return err
	}
	if ctx, err = d.withSystemRows(ctx, checked.Tables); err != nil {
		return err
	}
	return r.run(ctx, limited, args)
}

// begin opens a connection with a transaction that only reads.
func (r *rows) begin(ctx context.Context, e *engine) error {
	var err error
	if r.conn, err = e.conn(ctx); err != nil {
		return err
	}
	err = r.conn.exec(ctx, "BEGIN TRANSACTION READ ONLY")
	r.began = err == nil
	return err
}

// run runs a statement that was checked, or that no user wrote.
func (r *rows) run(ctx context.Context, statement string, args []any) error {
	return r.conn.Raw(func(raw any) error {
		a, err := duckdb.NewArrowFromConn(raw.(driver.Conn))
		if err != nil {
			return err
		}
		if r.reader, err = a.QueryContext(ctx, statement, args...); err == nil {
			r.columns = columnsOf(r.reader.Schema())
		}
		return err
	})
}

// finish ends the transaction, which would hinder checkpoints until the last row is read.
func (r *rows) finish() {
	if !r.began {
		return
	}
	r.began = false
	if err := r.conn.exec(context.Background(), "ROLLBACK"); err != nil {
		// A connection in an unknown state is not used again.
		_ = r.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
}

// known returns the tables that a statement may read.
func (d *Database) known() map[string]bool {
	all := map[string]bool{}
	for key := range *d.streams.Load() {
		all[key.name] = true
	}
	for name := range d.shownViews.Load().ready {
		all[name] = true
	}
	for name := range d.systemTables() {
		all["penstock."+name] = true
	}
	return all
}

// first returns the text of the first statement of a text. What follows the semicolon of a text that has only one is
// white space and comments.
func first(text string) string {
	for i := 0; i < len(text); {
		if text[i] == ';' {
			return text[:i]
		}
		i += token(text[i:])
	}
	return text
}

// queryError gives an error of a user's statement its code.
func queryError(ctx context.Context, err error) error {
	const op = "query"
	var known *penstock.Error
	var duck *duckdb.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && context.Cause(ctx) != ctx.Err():
		return context.Cause(ctx)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return penstock.Wrap(penstock.Expired, op, ctx.Err())
	case ctx.Err() != nil:
		return penstock.Wrap(penstock.Unavailable, op, ctx.Err())
	case errors.As(err, &known):
		return err
	case isOutOfMemory(err):
		return penstock.Refusef("query_limit", op, "the statement needs more memory than a query may use")
	case isDamaged(err):
		return penstock.Wrap(penstock.Corrupt, op, err)
	case isBroken(err):
		return penstock.Wrap(penstock.Internal, op, err)
	case errors.As(err, &duck) && userError(duck.Type):
		return penstock.Refusef("bad_query", op, "%s", complaint(duck.Msg))
	}
	return penstock.Wrap(penstock.Internal, op, err)
}

// userError reports whether an error of this type is the statement's own.
func userError(t duckdb.ErrorType) bool {
	switch t {
	case duckdb.ErrorTypeFatal, duckdb.ErrorTypeInternal, duckdb.ErrorTypeIO, duckdb.ErrorTypeInterrupt,
		duckdb.ErrorTypeTransaction, duckdb.ErrorTypePermission, duckdb.ErrorTypeConnection, duckdb.ErrorTypeNetwork:
		return false
	}
	return true
}

// rows is a result. It has its connection until Close.
type rows struct {
	ctx    context.Context
	end    func()
	conn   conn
	began  bool
	reader array.RecordReader // nil after Close
	decode []decoder
	at     int // row of the reader's present record

	columns []penstock.ResultColumn
}

func columnsOf(schema *arrow.Schema) []penstock.ResultColumn {
	columns := make([]penstock.ResultColumn, schema.NumFields())
	for i, f := range schema.Fields() {
		columns[i] = penstock.ResultColumn{Name: f.Name, Type: typeName(f)}
	}
	return columns
}

// Columns implements penstock.Rows.
func (r *rows) Columns() []penstock.ResultColumn { return r.columns }

// Close implements penstock.Rows.
func (r *rows) Close() error {
	defer r.end()
	return r.release()
}

// release gives back what the result holds.
func (r *rows) release() error {
	if r.reader != nil {
		r.reader.Release()
		r.reader = nil
	}
	if r.conn.Conn == nil {
		return nil
	}
	r.finish()
	err := r.conn.Close()
	r.conn = conn{}
	return err
}

// queries are the statements that run.
type queries struct {
	mu  sync.Mutex
	all map[*context.CancelCauseFunc]bool
}

// begin returns the context of a statement and how it ends.
func (q *queries) begin(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.all == nil {
		q.all = map[*context.CancelCauseFunc]bool{}
	}
	q.all[&cancel] = true
	return ctx, func() {
		cancel(nil)
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.all, &cancel)
	}
}

// end ends all statements that run, with the error that they return, and says how many there were.
func (q *queries) end(why error) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	for cancel := range maps.Keys(q.all) {
		(*cancel)(why)
	}
	return len(q.all)
}

// shed ends the statements that run, since a batch found no memory beside them. The batch is tried again.
func (d *Database) shed() {
	n := d.running.end(penstock.Refusef("query_limit", "query", "ended to make room for writes: it used too much memory"))
	if n > 0 && d.o.Trace.Shed != nil {
		d.o.Trace.Shed(n)
	}
}
