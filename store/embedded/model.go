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

// ofModels reports whether a table belongs to models: it has no rows of streams, and nobody declares columns of it.
func (t tableName) ofModels() bool { return t == modelsTable || t[0] == 'v' }

// model is one version of a view, as one shard keeps it: in each file that has states of it a table of its own. It never changes: a
// change makes a new one.
type model struct {
	ID      int32         `json:"-"`
	Version int           `json:"version"` // of the view, from 1 on
	View    penstock.View `json:"view"`

	// Columns are those of the stream when the model was made, if the view has a condition: what its names mean.
	Columns []penstock.Column `json:"columns,omitempty"`

	Todo []stretch `json:"todo,omitempty"` // rows of before the model that are still to be counted
	Done int64     `json:"done,omitempty"` // rows of before it that were looked at

	// Origin is the model that a rebuild follows, From the same until its groups that cannot be counted anew were taken over.
	Origin int32 `json:"origin,omitempty"`
	From   int32 `json:"from,omitempty"`
	// Start is where rows ended when a view began that does not count those of before it.
	Start []stretch `json:"start,omitempty"`

	Taken int   `json:"taken,omitempty"` // the last file whose states were brought forward: they count twice until it is gone
	Holds []int `json:"holds,omitempty"` // files that have got states of older files

	Lost   penstock.Micros `json:"lost,omitempty"`   // log time up to which rows that it may have counted are gone
	Unseen penstock.Micros `json:"unseen,omitempty"` // log time before which rows were hidden when stored ones were counted
	Dying  penstock.Micros `json:"dying,omitempty"`  // groups that did not change since are being deleted in all shards
}

// stretch is a range of a table's rows in a file. Rows keep their numbers, since none is ever deleted.
type stretch struct {
	File  int       `json:"file"`
	Table tableName `json:"table"`
	From  int64     `json:"from"`
	To    int64     `json:"to"` // excluded
}

// built reports whether the model has all that was stored before it.
func (m model) built() bool { return len(m.Todo) == 0 && m.From == 0 }

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

// forget returns the statements that remove a model from a file, but for the number of what was taken: statements that were made before go
// on until its table is dropped.
func (m model) forget(f *file) []string {
	return []string{
		fmt.Sprintf("DELETE FROM %s WHERE id = %d", f.table(modelsTable), m.ID),
		fmt.Sprintf("INSERT INTO %s VALUES (%d, %d, NULL)", f.table(modelsTable), m.ID, m.Taken),
	}
}

// loadModels reads the models that a file keeps.
func (f *file) loadModels(ctx context.Context, c conn) (models, error) {
	if !f.hasModels() {
		return nil, nil
	}
	all := models{}
	err := c.each(ctx, "SELECT id, model FROM "+f.table(modelsTable)+" WHERE model IS NOT NULL", func(scan func(...any) error) error {
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
		stored, err := s.stored(ctx, m.View.Stream)
		if err != nil {
			return s.outage("declare view "+m.View.Name, err)
		}
		m.begin(stored, s.models)
		create, err := m.create(f)
		if err != nil {
			return err
		}
		statements, next = append(statements, create...), next.with(m)
	}
	for _, id := range remove {
		if m, ok := next[id]; ok {
			statements, next = append(statements, m.forget(f)...), next.without(id)
		}
	}
	if err := s.conn.transaction(ctx, func() error { return s.conn.exec(ctx, statements...) }); err != nil {
		return s.outage("declare views", err)
	}
	if err := f.loadTables(context.WithoutCancel(ctx), s.conn); err != nil {
		return s.outage("declare views", err)
	}
	s.setModels(next)
	s.unsafe = true
	s.tryCheckpoint(ctx)
	return nil
}

// begin sets what a new model has to count of the rows that are stored.
func (m *model) begin(stored []stretch, others models) {
	switch origin, ok := others[m.From]; {
	case ok:
		m.Lost, m.Start = origin.Lost, origin.Start
		m.Todo = behindOf(stored, m.Start)
	case m.View.FromNow:
		m.From, m.Start = 0, stored
	default:
		m.From, m.Todo = 0, stored
	}
}

// behindOf returns what of stretches lies behind where others ended.
func behindOf(all, ended []stretch) []stretch {
	var rest []stretch
	for _, one := range all {
		for _, end := range ended {
			if end.File == one.File && end.Table == one.Table {
				one.From = max(one.From, end.To)
			}
		}
		if one.From < one.To {
			rest = append(rest, one)
		}
	}
	return rest
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
			if _, ok := f.columns(table); !ok || f.state.Rows[r.ID] == 0 || table == sharedTable && !r.Shared {
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

// leftovers returns the tables of a file whose models are kept no more.
func (s *shard) leftovers(f *file) []tableName {
	kept := s.keptModels()
	var all []tableName
	for table := range *f.tables.Load() {
		if id, ok := modelOf(table); ok {
			if _, ok := kept[id]; !ok {
				all = append(all, table)
			}
		}
	}
	return all
}

// modelOf returns whose states a table has.
func modelOf(table tableName) (id int32, ok bool) {
	n, _ := fmt.Sscanf(string(table), "v%d", &id)
	return id, n == 1
}

// dropTables drops the tables of models that are kept no more, in the newest file: those of sealed ones go with them. Statements that were made
// when the tables were shown are made anew. Nothing else writes to them: only Tend does, apart from batches, which have none of theirs. The caller
// holds declaring.
func (s *shard) dropTables(ctx context.Context) error {
	if len(s.leftovers(s.newest())) == 0 {
		return nil
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	if s.closed {
		return nil
	}
	s.db.removed.Add(1)
	f := s.newest()
	var all []error
	for _, table := range s.leftovers(f) {
		all = append(all, s.conn.exec(ctx, "DROP TABLE IF EXISTS "+f.table(table)))
	}
	all = append(all, s.conn.exec(ctx, "DELETE FROM "+f.table(modelsTable)+" WHERE model IS NULL"))
	err := errors.Join(append(all, f.loadTables(ctx, s.conn))...)
	s.unsafe = true
	s.tryCheckpoint(ctx)
	return s.outageOrNil("drop tables of views", err)
}

// unsure returns the error of a transaction that changed what is known of models. If it is not known whether it was done they are read again:
// states may not be added twice. The caller holds applying.
func (s *shard) unsure(ctx context.Context, op string, err error) error {
	if penstock.Is(err, penstock.Unknown) {
		all, failed := s.newest().loadModels(context.WithoutCancel(ctx), s.conn)
		if failed == nil {
			s.setModels(all)
		}
		err = penstock.Wrap(penstock.Unavailable, "commit", errors.Join(err, failed))
	}
	return s.outage(op, err)
}
