package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"penstock"
)

// modelsTable says which models a shard keeps, in its newest file. Files from before there were any lack it.
const modelsTable tableName = "models"

// modelTable returns the table of a model's states in a file.
func modelTable(id int32) tableName { return tableName(fmt.Sprintf("v%d", id)) }

// model is one version of a view, as one shard keeps it: in each file that has states of it a table of its own. It never changes: a
// change makes a new one.
type model struct {
	ID      int32         `json:"-"`
	Version int           `json:"version"` // of the view, from 1 on
	View    penstock.View `json:"view"`

	Todo  []stretch `json:"todo,omitempty"`  // rows of before the model that are still to be counted
	Done  int64     `json:"done,omitempty"`  // rows of before it that were looked at
	Taken int       `json:"taken,omitempty"` // the last file whose states were brought forward: they count twice until it is gone
}

// stretch is a range of a table's rows in a file. Rows keep their numbers, since none is ever deleted.
type stretch struct {
	File  int       `json:"file"`
	Table tableName `json:"table"`
	From  int64     `json:"from"`
	To    int64     `json:"to"` // excluded
}

// built reports whether the model has counted all that was stored before it.
func (m model) built() bool { return len(m.Todo) == 0 }

// left returns how many rows are still to be looked at.
func (m model) left() int64 {
	var n int64
	for _, s := range m.Todo {
		n += s.To - s.From
	}
	return n
}

// models are all that a shard keeps, by number. It never changes: a change makes a new one.
type models map[int32]model

func (all models) sorted() []model {
	return slices.SortedFunc(maps.Values(all), func(a, b model) int { return int(a.ID - b.ID) })
}

func (all models) with(m model) models {
	next := maps.Clone(all)
	if next == nil {
		next = models{}
	}
	next[m.ID] = m
	return next
}

func (all models) without(id int32) models {
	next := maps.Clone(all)
	delete(next, id)
	return next
}

// put returns the statements that write a model into a file.
func (m model) put(f *file) ([]string, error) {
	text, err := json.Marshal(m)
	return []string{
		"DELETE FROM " + f.table(modelsTable) + " WHERE id = " + fmt.Sprint(m.ID),
		"INSERT INTO " + f.table(modelsTable) + " VALUES (" + fmt.Sprint(m.ID) + ", " + fmt.Sprint(m.Taken) + ", " + quote(string(text)) + ")",
	}, err
}

// create returns the statements that make room for a model in a file.
func (m model) create(f *file) ([]string, error) {
	table, err := modelColumns(m)
	if err != nil {
		return nil, err
	}
	put, err := m.put(f)
	return append([]string{
		"CREATE TABLE IF NOT EXISTS " + f.table(modelsTable) + " (id INTEGER, taken INTEGER, model VARCHAR)",
		"CREATE TABLE IF NOT EXISTS " + f.table(modelTable(m.ID)) + " (" + table + ")",
	}, put...), err
}

// loadModels reads the models that a file keeps.
func (f *file) loadModels(ctx context.Context, c conn) (models, error) {
	if !f.hasModels() {
		return nil, nil
	}
	all := models{}
	err := c.each(ctx, "SELECT id, model FROM "+f.table(modelsTable), func(scan func(...any) error) error {
		var m model
		var id int32
		var text string
		if err := scan(&id, &text); err != nil {
			return err
		}
		err := json.Unmarshal([]byte(text), &m)
		m.ID = id
		all[id] = m
		return err
	})
	return all, err
}

func (f *file) hasModels() bool {
	_, ok := f.columns(modelsTable)
	return ok
}

// adopt gives the shard models that it does not have yet, each with all rows to count that are stored now, unless the view begins
// empty, and takes away those that are not wanted. It is one transaction, which stands alone since it makes tables.
func (s *shard) adopt(ctx context.Context, add []model, remove []int32) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	if s.closed {
		return s.ended("declare views")
	}
	next, f := s.models, s.newest()
	var statements []string
	for _, m := range add {
		if !m.View.FromNow {
			var err error
			if m.Todo, err = s.stored(ctx, m.View.Stream); err != nil {
				return s.outage("declare view "+m.View.Name, err)
			}
		}
		create, err := m.create(f)
		if err != nil {
			return err
		}
		statements, next = append(statements, create...), next.with(m)
	}
	for _, id := range remove {
		statements, next = append(statements, "DELETE FROM "+f.table(modelsTable)+" WHERE id = "+fmt.Sprint(id)), next.without(id)
	}
	if err := s.conn.transaction(ctx, func() error { return s.conn.exec(ctx, statements...) }); err != nil {
		return s.outage("declare views", err)
	}
	if err := f.loadTables(ctx, s.conn); err != nil {
		return s.outage("declare views", err)
	}
	s.setModels(next)
	s.unsafe = true
	s.tryCheckpoint(ctx)
	return nil
}

// setModels makes models the present ones. The caller holds applying.
func (s *shard) setModels(next models) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.models = next
	clear(s.foldings) // made anew when a batch needs them
}

// keptModels returns the present models.
func (s *shard) keptModels() models {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.models
}

// stored returns where the rows of a stream are. The caller holds applying.
func (s *shard) stored(ctx context.Context, stream string) ([]stretch, error) {
	r, ok := (*s.db.streams.Load())[streamKey{penstock.DefaultTenant, stream}]
	if !ok {
		return nil, nil
	}
	var all []stretch
	for _, f := range s.list() {
		for _, table := range []tableName{sharedTable, ownTable(r.ID)} {
			if _, ok := f.columns(table); !ok || f.state.Rows[r.ID] == 0 {
				continue
			}
			one := stretch{File: f.number, Table: table}
			if err := s.conn.QueryRowContext(ctx, "SELECT count(*) FROM "+f.table(table)).Scan(&one.To); err != nil {
				return nil, err
			}
			if one.To > 0 {
				all = append(all, one)
			}
		}
	}
	return all, nil
}

// dropTables drops the tables of models that are kept no more, in all files that can be written.
func (s *shard) dropTables(ctx context.Context) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	if s.closed {
		return nil
	}
	f, kept := s.newest(), s.keptModels()
	var all []error
	for table := range *f.tables.Load() {
		var id int32
		if n, _ := fmt.Sscanf(string(table), "v%d", &id); n != 1 {
			continue
		}
		if _, ok := kept[id]; !ok {
			all = append(all, s.conn.exec(ctx, "DROP TABLE IF EXISTS "+f.table(table)))
		}
	}
	return errors.Join(append(all, f.loadTables(ctx, s.conn))...)
}
