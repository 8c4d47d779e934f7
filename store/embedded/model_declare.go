package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"penstock"
)

// shownViews are the models that users see, by the view's name, and the names of views that are still being built.
type shownViews struct {
	ready    map[string]model
	building map[string]bool
}

// shownModel returns the model that answers for a view.
func (d *Database) shownModel(name string) (model, error) {
	shown := d.shownViews.Load()
	if m, ok := shown.ready[name]; ok {
		return m, nil
	}
	if shown.building[name] {
		return model{}, &penstock.Error{Code: penstock.Unavailable, Op: "ask view " + name, Reason: "view_building"}
	}
	return model{}, &penstock.Error{Code: penstock.NotFound, Op: "ask view", Reason: "unknown_view", Err: fmt.Errorf("there is no view %.64q", name)}
}

// DeclareViews makes views known, changes them, and forgets those that are not named. A view that is new, or that counts something
// else than before, first counts what is stored, beside the version that answers; Tend does that. A version that is still being built when another
// is wanted is given up. What changes only how long a view keeps, or when it is recounted, holds at once. It fails with Invalid, reason bad_view, and
// changes nothing, if a view cannot be: its stream is not there, or it makes no sense.
func (d *Database) DeclareViews(ctx context.Context, views []penstock.View) error {
	d.declaring.Lock()
	defer d.declaring.Unlock()
	change, err := d.compareViews(views)
	if err != nil {
		return err
	}
	for _, m := range change.amend {
		if err := d.amend(ctx, m); err != nil {
			return err
		}
	}
	var remove []int32
	all := d.allModels()
	for id, m := range all {
		if change.keep[id] {
			change.keep[m.From] = true // it may be kept by some shards alone, for this
		}
	}
	for id := range all {
		if !change.keep[id] {
			remove = append(remove, id)
		}
	}
	d.goneStates.Store(&cutoffs{}) // until retention says what is past its time now
	hidden, _ := d.viewCutoffs(d.logTime())
	d.hiddenStates.Store(&hidden)
	return d.adopt(ctx, change.add, remove)
}

// viewChange is what becomes of models when views are declared.
type viewChange struct {
	add, amend []model
	keep       map[int32]bool
}

// compareViews returns what is to be done to have these views. The caller holds declaring.
func (d *Database) compareViews(views []penstock.View) (viewChange, error) {
	change := viewChange{keep: map[int32]bool{}}
	next := d.nextModel()
	ready := d.readyModels()
	for _, v := range views {
		r, ok := (*d.streams.Load())[streamKey{penstock.DefaultTenant, v.Stream}]
		if !ok {
			return change, penstock.Refusef("bad_view", "declare view "+v.Name, "there is no stream %s", v.Stream)
		}
		columns := r.live()
		if _, err := d.o.folder(r.stream(), []model{{View: v, Columns: columns}}); err != nil && d.o.Fold != nil {
			return change, penstock.Refusef("bad_view", "declare view "+v.Name, "%w", err)
		} else if err != nil {
			return change, err
		}
		shown, answers := ready[v.Name]
		last, known := d.lastModel(v.Name)
		if answers {
			change.keep[shown.ID] = true
		}
		switch {
		case known && last.counts(v, columns):
			change.keep[last.ID] = true
		case answers && shown.counts(v, columns):
			last = shown
		default:
			change.add = append(change.add, model{ID: next, Version: last.Version + 1, View: v, Columns: conditionColumns(v, columns)})
			next++
			continue
		}
		for _, m := range []model{shown, last} {
			if m.ID != 0 && change.keep[m.ID] && m.counts(v, columns) && (!sameView(m.View, v) || !slices.Equal(m.Columns, conditionColumns(v, columns))) {
				m.View, m.Columns = v, conditionColumns(v, columns)
				change.amend = append(change.amend, m)
			}
		}
	}
	return change, nil
}

// conditionColumns returns the columns that a model of a view has to remember.
func conditionColumns(v penstock.View, columns []penstock.Column) []penstock.Column {
	if v.Where == "" {
		return nil
	}
	return columns
}

// counts reports whether a model is of a view, when the stream has these columns.
func (m model) counts(v penstock.View, columns []penstock.Column) bool {
	return sameCounts(m.View, v) && sameReads(v.Where, m.Columns, columns)
}

// adopt changes what all shards keep. The caller holds declaring.
func (d *Database) adopt(ctx context.Context, add []model, remove []int32) error {
	if len(add)+len(remove) > 0 {
		for _, s := range d.shards {
			if err := s.adopt(ctx, add, remove); err != nil {
				return err
			}
		}
	}
	return d.showModels(ctx)
}

// shareModels gives every shard the models that only others have: a crash came between them, or a shard is new. One that was removed there already, of
// which tables are left, is not given back, since these would count twice; it is not whole, and does not answer.
func (d *Database) shareModels(ctx context.Context) error {
	all := d.allModels()
	for _, s := range d.shards {
		used := s.usedModels()
		var add []model
		for _, m := range all.sorted() {
			if _, ok := s.keptModels()[m.ID]; !ok && !used[m.ID] {
				add = append(add, model{ID: m.ID, Version: m.Version, View: m.View, Columns: m.Columns, Origin: m.Origin, From: m.Origin})
			}
		}
		if len(add) == 0 {
			continue
		}
		if err := s.adopt(ctx, add, nil); err != nil {
			return err
		}
	}
	return nil
}

// usedModels returns the numbers of the models of which some file has a table.
func (s *shard) usedModels() map[int32]bool {
	used := map[int32]bool{}
	for _, f := range s.list() {
		for table := range *f.tables.Load() {
			if id, ok := modelOf(table); ok {
				used[id] = true
			}
		}
	}
	return used
}

// allModels returns the models that some shard keeps; what is still to be done is that of all shards.
func (d *Database) allModels() models {
	all := models{}
	for _, s := range d.shards {
		for id, m := range s.keptModels() {
			known := all[id]
			m.Todo, m.Done, m.From = slices.Concat(known.Todo, m.Todo), known.Done+m.Done, max(known.From, m.From)
			all[id] = m
		}
	}
	return all
}

// whole reports whether every shard keeps a model.
func (d *Database) whole(id int32) bool {
	for _, s := range d.shards {
		if _, ok := s.keptModels()[id]; !ok {
			return false
		}
	}
	return true
}

// readyModels returns of each view the latest version that is built in all shards.
func (d *Database) readyModels() map[string]model {
	ready := map[string]model{}
	for _, m := range d.allModels().sorted() { // later versions have higher numbers
		if m.built() && d.whole(m.ID) {
			ready[m.View.Name] = m
		}
	}
	return ready
}

// nextModel returns a number that no model has, and of which no file has a table.
func (d *Database) nextModel() int32 {
	next := int32(1)
	for id := range d.allModels() {
		next = max(next, id+1)
	}
	for _, s := range d.shards {
		for id := range s.usedModels() {
			next = max(next, id+1)
		}
	}
	return next
}

// lastModel returns the latest version of a view that all shards keep, or will when they have taken over what they lack.
func (d *Database) lastModel(name string) (model, bool) {
	var last model
	for _, m := range d.allModels() {
		if m.View.Name == name && m.Version > last.Version && d.whole(m.ID) {
			last = m
		}
	}
	return last, last.Version > 0
}

// amend writes a changed definition that counts the same.
func (d *Database) amend(ctx context.Context, changed model) error {
	for _, s := range d.shards {
		if err := s.change(ctx, changed.ID, func(m *model) { m.View, m.Columns = changed.View, changed.Columns }); err != nil {
			return err
		}
	}
	d.boards.drop(changed.ID) // it may not have heard of all batches meanwhile
	return nil
}

// change writes what is new about a model.
func (s *shard) change(ctx context.Context, id int32, how func(*model)) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	return s.changeLocked(ctx, id, how)
}

func (s *shard) changeLocked(ctx context.Context, id int32, how func(*model)) error {
	if s.closed {
		return s.ended("change view")
	}
	m, ok := s.models[id]
	if !ok {
		return nil
	}
	how(&m)
	put, err := m.put(s.newest())
	if err != nil {
		return err
	}
	if err := s.conn.transaction(ctx, func() error { return s.conn.exec(ctx, put...) }); err != nil {
		return s.unsure(ctx, "change view "+m.View.Name, err)
	}
	s.unsafe = true
	s.setModels(s.models.with(m))
	return nil
}

// showModels makes the tables that users see: of each view the latest version that is built in all shards. The caller holds declaring.
func (d *Database) showModels(ctx context.Context) error {
	next := shownViews{d.readyModels(), map[string]bool{}}
	for _, m := range d.allModels() {
		if _, ok := next.ready[m.View.Name]; !ok {
			next.building[m.View.Name] = true
		}
	}
	var all []error
	before := d.shownViews.Load()
	for name := range before.ready {
		if _, ok := next.ready[name]; !ok {
			all = append(all, d.catalog.exec(ctx, "DROP VIEW IF EXISTS memory.main."+ident(name)))
			if r, ok := (*d.streams.Load())[streamKey{penstock.DefaultTenant, name}]; ok { // it was declared before the view was gone
				all = append(all, d.viewStream(ctx, r))
			}
		}
	}
	for _, m := range next.ready {
		all = append(all, d.showModel(ctx, m))
	}
	d.shownViews.Store(&next)
	return errors.Join(all...)
}

// sameCounts reports whether two definitions count the same.
func sameCounts(a, b penstock.View) bool {
	a.Keep, a.Repair, a.FromNow = b.Keep, b.Repair, b.FromNow
	return sameView(a, b)
}

func sameView(a, b penstock.View) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(x) == string(y)
}
