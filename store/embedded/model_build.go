package embedded

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"penstock"
)

// buildRows is how many stored rows are counted at once: six row groups.
const buildRows = 6 * RowGroup

// Tend does a piece of what views need beside batches: it counts rows that were stored before a view, shows views that have counted all, and
// merges states. It reports whether there is more to do. One call at a time.
func (d *Database) Tend(ctx context.Context) (bool, error) {
	more := false
	var all []error
	for _, s := range d.shards {
		for _, m := range s.keptModels().sorted() {
			built, err := s.build(ctx, m)
			merged, err2 := s.mergeModels(ctx, m)
			more, all = more || built || merged, append(all, err, err2)
		}
	}
	return more, errors.Join(append(all, d.finishModels(ctx))...)
}

// build counts some of the rows that a model still has to, and reports whether it did.
func (s *shard) build(ctx context.Context, m model) (bool, error) {
	if m.built() {
		return false, nil
	}
	part := m.Todo[0]
	part.To = min(part.To, part.From+buildRows)
	sheet, err := s.count(ctx, m, part)
	if err != nil {
		return false, s.outage("build view "+m.View.Name, err)
	}
	return true, s.addStates(ctx, m.ID, part, sheet)
}

// count folds a stretch of stored rows. Rows of a file that is gone are not counted.
func (s *shard) count(ctx context.Context, m model, part stretch) (*sheet, error) {
	r := (*s.db.streams.Load())[streamKey{penstock.DefaultTenant, m.View.Stream}]
	folder, err := s.db.o.Fold(r.stream(), []penstock.View{m.View})
	if err != nil {
		return nil, err
	}
	one := m.sheet()
	to := &folding{Folder: folder, models: []model{m}, sheets: []*sheet{&one}}
	for _, f := range s.list() {
		if f.number == part.File {
			if err := s.countIn(ctx, f, r, part, to); err != nil {
				return nil, err
			}
		}
	}
	to.write()
	return &one, nil
}

func (s *shard) countIn(ctx context.Context, f *file, r registered, part stretch, to *folding) error {
	c, err := s.db.engine.conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	query := fmt.Sprintf("SELECT id, coalesce(key, ''), epoch_us(time), epoch_us(received_at), CAST(data AS VARCHAR), _partition, _epoch, _offset, epoch_us(_log_time) FROM %s "+
		"WHERE rowid >= %d AND rowid < %d AND _stream = %d", f.table(part.Table), part.From, part.To, r.ID)
	if cutoff := (*s.db.hidden.Load())[r.ID]; cutoff > 0 {
		query += " AND _log_time >= " + timestamp(cutoff)
	}
	var failed error
	behind(func() {
		failed = c.each(ctx, query, func(scan func(...any) error) error {
			row := penstock.Record{Tenant: r.Tenant, Stream: r.Name}
			err := scan(&row.ID, &row.Key, &row.Time, &row.ReceivedAt, &row.Body, &row.Partition, &row.Position.Epoch, &row.Position.Offset, &row.LogTime)
			if err == nil {
				to.Add(&row)
			}
			return err
		})
	})
	return failed
}

// addStates adds states that were counted, and what is still to be counted then, in one transaction.
func (s *shard) addStates(ctx context.Context, id int32, part stretch, from *sheet) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	m, ok := s.models[id]
	if s.closed || !ok || m.built() || m.Todo[0].From != part.From || m.Todo[0].File != part.File {
		return nil // it is another one's by now
	}
	m.Done += part.To - part.From
	rest := m.Todo[0]
	rest.From = part.To
	m.Todo = m.Todo[1:]
	if rest.From < rest.To {
		m.Todo = append([]stretch{rest}, m.Todo...)
	}
	put, err := m.put(s.newest())
	if err != nil {
		return err
	}
	if err := s.insertSheet(ctx, from, put); err != nil {
		return s.outage("build view "+m.View.Name, err)
	}
	s.unsafe = true
	s.setModels(s.models.with(m))
	s.mu.Lock()
	s.unmerged[id] += from.rows()
	s.mu.Unlock()
	return nil
}

// insertSheet adds rows to the newest file, with statements in the same transaction.
func (s *shard) insertSheet(ctx context.Context, one *sheet, statements []string) error {
	return s.conn.Raw(func(raw any) error {
		w := &writing{posting: &posting{shard: s}, file: s.newest(), conn: raw.(driver.Conn)}
		defer w.release()
		if one.used > 0 {
			if err := w.show(one); err != nil {
				return err
			}
		}
		return transact(ctx, w.exec, func() error {
			for _, in := range w.into {
				if err := w.insert(ctx, in); err != nil {
					return err
				}
			}
			for _, statement := range statements {
				if err := w.exec(ctx, statement); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// finishModels shows the versions that have counted everything by now, and takes away those that they follow.
func (d *Database) finishModels(ctx context.Context) error {
	d.declaring.Lock()
	defer d.declaring.Unlock()
	latest := map[string]int32{}
	all := d.allModels()
	for _, m := range all.sorted() {
		if m.built() {
			latest[m.View.Name] = m.ID
		}
	}
	var remove []int32
	shown := d.shownViews.Load()
	fresh := false
	for name, id := range latest {
		fresh = fresh || shown.ready[name].ID != id
	}
	if !fresh {
		return nil
	}
	if err := d.showModels(ctx); err != nil { // first: nothing that users see may lose its table
		return err
	}
	for id, m := range all {
		if last, ok := latest[m.View.Name]; ok && id < last {
			remove = append(remove, id)
		}
	}
	if len(remove) == 0 {
		return nil
	}
	for _, s := range d.shards {
		if err := errors.Join(s.adopt(ctx, nil, remove), s.dropTables(ctx)); err != nil {
			return err
		}
	}
	return nil
}
