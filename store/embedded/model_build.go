package embedded

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"penstock"
)

// buildRows is how many stored rows are counted at once at most, six row groups; buildFirst, how many at first; buildBytes, about how many bytes of
// theirs, as those before them were: DuckDB's driver has all of them in memory.
const (
	buildRows  = 6 * RowGroup
	buildFirst = 1000
	buildBytes = 32 << 20
)

// Tend does a piece of what views need beside batches: it counts rows that were stored before a view, shows views that have counted all, merges
// states, brings those of files that are to be removed forward, and deletes what is past its time. It reports whether there is more to do. One call
// at a time.
func (d *Database) Tend(ctx context.Context) (bool, error) {
	more := false
	var all []error
	for _, s := range d.shards {
		for _, m := range s.keptModels().sorted() {
			worked, err := s.tend(ctx, m)
			d.tending.note(m, err)
			more, all = more || worked, append(all, err)
		}
		took, err := s.takeStates(ctx)
		more, all = more || took, append(all, err)
	}
	expired, err := d.expireGroups(ctx)
	all = append(all, err, d.finishModels(ctx), d.holdBoards(ctx))
	return more || expired, errors.Join(all...)
}

// tend does a piece of what a model needs in this shard alone.
func (s *shard) tend(ctx context.Context, m model) (bool, error) {
	built, err := s.build(ctx, m)
	inherited, err2 := s.inherit(ctx, m.ID)
	merged, err3 := s.mergeModels(ctx, m)
	expired, err4 := s.expireWindows(ctx, m)
	return built || inherited || merged || expired, errors.Join(err, err2, err3, err4)
}

// build counts some of the rows that a model still has to, and reports whether it did.
func (s *shard) build(ctx context.Context, m model) (bool, error) {
	if len(m.Todo) == 0 {
		return false, nil
	}
	part := m.Todo[0]
	pace := s.pace[m.ID]
	if pace == 0 {
		pace = buildFirst
	}
	part.To = min(part.To, part.From+pace)
	counted, err := s.count(ctx, m, part)
	if err != nil {
		return false, s.outage("build view "+m.View.Name, err)
	}
	s.pace[m.ID] = max(1, min(4*pace, buildRows, (part.To-part.From)*buildBytes/max(1, counted.bytes)))
	return true, s.addStates(ctx, m.ID, counted)
}

// counted is what a stretch of rows came to.
type counted struct {
	stretch
	sheet  *sheet
	unseen penstock.Micros // rows that were logged before were hidden
	bytes  int64           // of the rows
}

// count folds a stretch of stored rows. Rows of a file that is gone are not counted.
func (s *shard) count(ctx context.Context, m model, part stretch) (counted, error) {
	r := (*s.db.streams.Load())[streamKey{penstock.DefaultTenant, m.View.Stream}]
	one := m.sheet()
	all := counted{stretch: part, sheet: &one, unseen: (*s.db.hidden.Load())[r.ID]}
	folder, err := s.db.o.folder(r.stream(), []model{m})
	if err != nil {
		return all, err
	}
	to := &folding{Folder: folder, models: []model{m}, sheets: []*sheet{&one}}
	for _, f := range s.list() {
		if f.number == part.File {
			if err := s.countIn(ctx, f, r, &all, to); err != nil {
				return all, err
			}
		}
	}
	to.write()
	return all, nil
}

func (s *shard) countIn(ctx context.Context, f *file, r registered, part *counted, to *folding) error {
	c, err := s.db.engine.conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	query := fmt.Sprintf("SELECT id, coalesce(key, ''), epoch_us(time), epoch_us(received_at), CAST(data AS VARCHAR), _partition, _epoch, _offset, epoch_us(_log_time) FROM %s "+
		"WHERE rowid >= %d AND rowid < %d AND _stream = %d", f.table(part.Table), part.From, part.To, r.ID)
	if part.unseen > 0 {
		query += " AND _log_time >= " + timestamp(part.unseen)
	}
	var failed error
	behind(func() {
		failed = c.each(ctx, query, func(scan func(...any) error) error {
			row := penstock.Record{Tenant: r.Tenant, Stream: r.Name}
			err := scan(&row.ID, &row.Key, &row.Time, &row.ReceivedAt, &row.Body, &row.Partition, &row.Position.Epoch, &row.Position.Offset, &row.LogTime)
			if err == nil {
				part.bytes += int64(len(row.Body))
				to.Add(&row)
			}
			return err
		})
	})
	return failed
}

// addStates adds states that were counted, and what is still to be counted then, in one transaction.
func (s *shard) addStates(ctx context.Context, id int32, part counted) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	m, ok := s.models[id]
	if s.closed || !ok || len(m.Todo) == 0 || m.Todo[0].From != part.From || m.Todo[0].File != part.File || m.Todo[0].Table != part.Table {
		return nil // it is another one's by now
	}
	m.Done += part.To - part.From
	m.Unseen = max(m.Unseen, part.unseen)
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
	if err := s.insertSheet(ctx, part.sheet, put); err != nil {
		return s.unsure(ctx, "build view "+m.View.Name, err)
	}
	s.unsafe = true
	s.logged += penstock.Bytes(part.sheet.rows() * stateBytes)
	s.setModels(s.models.with(m))
	s.mu.Lock()
	s.unmerged[id] += part.sheet.rows()
	s.mu.Unlock()
	s.db.tending.built(id, part.To-part.From)
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

// finishModels shows the versions that are built by now, takes away those that they follow, and drops what nobody keeps.
func (d *Database) finishModels(ctx context.Context) error {
	d.declaring.Lock()
	defer d.declaring.Unlock()
	latest := d.readyModels()
	shown := d.shownViews.Load()
	fresh := false
	for name, m := range latest {
		fresh = fresh || shown.ready[name].ID != m.ID
	}
	if fresh {
		if err := d.showModels(ctx); err != nil { // first: nothing that users see may lose its table
			return err
		}
	}
	var remove []int32
	for id, m := range d.allModels() {
		if last, ok := latest[m.View.Name]; ok && id < last.ID {
			remove = append(remove, id)
		}
	}
	for _, s := range d.shards {
		if len(remove) > 0 {
			if err := s.adopt(ctx, nil, remove); err != nil {
				return err
			}
		}
		if err := s.dropTables(ctx); err != nil {
			return err
		}
	}
	return nil
}
