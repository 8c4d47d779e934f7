package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

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
	return model{}, penstock.Refusef("unknown_view", "ask view", "there is no view %s", name)
}

// DeclareViews makes views known, changes them, and forgets those that are not named. A view that is new, or that counts something
// else than before, first counts what is stored, beside its older version; Tend does that. What changes only how long it keeps, or when it is
// recounted, holds at once.
func (d *Database) DeclareViews(ctx context.Context, views []penstock.View) error {
	d.declaring.Lock()
	defer d.declaring.Unlock()
	var add []model
	next := d.nextModel()
	named := map[string]bool{}
	for _, v := range views {
		named[v.Name] = true
		last, known := d.lastModel(v.Name)
		switch {
		case !known, !sameCounts(last.View, v):
			add = append(add, model{ID: next, Version: last.Version + 1, View: v})
			next++
		case !sameView(last.View, v):
			last.View = v
			if err := d.amend(ctx, last); err != nil {
				return err
			}
		}
	}
	var remove []int32
	for id, m := range d.allModels() {
		if !named[m.View.Name] {
			remove = append(remove, id)
		}
	}
	return d.adopt(ctx, add, remove)
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

// shareModels gives every shard the models that only others have: a crash came between them, or a shard is new.
func (d *Database) shareModels(ctx context.Context) error {
	all := d.allModels()
	for _, s := range d.shards {
		var add []model
		for id, m := range all {
			if _, ok := s.keptModels()[id]; !ok {
				add = append(add, model{ID: id, Version: m.Version, View: m.View})
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

// allModels returns the models that some shard keeps; what is still to be counted is that of all shards.
func (d *Database) allModels() models {
	all := models{}
	for _, s := range d.shards {
		for id, m := range s.keptModels() {
			known := all[id]
			m.Todo, m.Done = slices.Concat(known.Todo, m.Todo), known.Done+m.Done
			all[id] = m
		}
	}
	return all
}

// nextModel returns a number that no model has.
func (d *Database) nextModel() int32 {
	next := int32(1)
	for id := range d.allModels() {
		next = max(next, id+1)
	}
	return next
}

// lastModel returns the latest version of a view.
func (d *Database) lastModel(name string) (model, bool) {
	var last model
	for _, m := range d.allModels() {
		if m.View.Name == name && m.Version > last.Version {
			last = m
		}
	}
	return last, last.Version > 0
}

// amend writes a changed definition that counts the same.
func (d *Database) amend(ctx context.Context, changed model) error {
	for _, s := range d.shards {
		if err := s.change(ctx, changed.ID, func(m *model) { m.View = changed.View }); err != nil {
			return err
		}
	}
	return nil
}

// change writes what is new about a model, with more statements in the same transaction.
func (s *shard) change(ctx context.Context, id int32, how func(*model), more ...string) error {
	s.applying.Lock()
	defer s.applying.Unlock()
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
	if err := s.conn.transaction(ctx, func() error { return s.conn.exec(ctx, append(more, put...)...) }); err != nil {
		return s.outage("change view "+m.View.Name, err)
	}
	s.unsafe = true
	s.setModels(s.models.with(m))
	return nil
}

// showModels makes the tables that users see: of each view the latest version that is built in all shards. The caller holds declaring.
func (d *Database) showModels(ctx context.Context) error {
	next := shownViews{map[string]model{}, map[string]bool{}}
	for _, m := range d.allModels().sorted() { // later versions have higher numbers
		if m.built() {
			next.ready[m.View.Name] = m
		} else {
			next.building[m.View.Name] = true
		}
	}
	var all []error
	before := d.shownViews.Load()
	for name := range before.ready {
		if _, ok := next.ready[name]; !ok {
			all = append(all, d.catalog.exec(ctx, "DROP VIEW IF EXISTS memory.main."+ident(name)))
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

// Views returns the views as they are answered, and those that are being built for the first time, in no particular order.
func (d *Database) Views() []penstock.View {
	answering := map[string]model{}
	for _, m := range d.allModels().sorted() {
		if old, ok := answering[m.View.Name]; !ok || m.built() || !old.built() {
			answering[m.View.Name] = m
		}
	}
	all := make([]penstock.View, 0, len(answering))
	for _, m := range answering {
		all = append(all, m.View)
	}
	return all
}

// ViewStates returns what is known about each view, by name.
func (d *Database) ViewStates(context.Context) ([]penstock.ViewStatus, error) {
	byName := map[string]penstock.ViewStatus{}
	for _, m := range d.allModels().sorted() {
		st := penstock.ViewStatus{Name: m.View.Name, Stream: m.View.Stream, State: penstock.ViewReady, Version: m.Version}
		if !m.built() {
			st.State, st.Done, st.Total = penstock.ViewBuilding, m.Done, m.Done+m.left()
			if old, ok := byName[st.Name]; ok && old.State == penstock.ViewReady {
				old.Rebuilds, old.Done, old.Total = true, st.Done, st.Total
				st = old
			}
		}
		byName[st.Name] = st
	}
	all := slices.Collect(maps.Values(byName))
	slices.SortFunc(all, func(a, b penstock.ViewStatus) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}
