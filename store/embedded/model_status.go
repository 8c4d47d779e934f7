package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"penstock"
)

// Views returns the views as they are answered, and those that are being built for the first time, in no particular order.
func (d *Database) Views() []penstock.View {
	answering := d.readyModels()
	for _, m := range d.allModels().sorted() {
		if old, ok := answering[m.View.Name]; !ok || !old.built() {
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
func (d *Database) ViewStates(ctx context.Context) ([]penstock.ViewStatus, error) {
	rows, err := d.countStates(ctx)
	if err != nil {
		return nil, err
	}
	ready := d.readyModels()
	byName := map[string]penstock.ViewStatus{}
	for _, m := range d.allModels().sorted() {
		name := m.View.Name
		shown, answers := ready[name]
		if answers && m.ID < shown.ID {
			continue // it is about to go
		}
		st := penstock.ViewStatus{Name: name, Stream: m.View.Stream, State: penstock.ViewReady, Version: m.Version, Rows: rows[m.ID]}
		st.Problem = d.tending.problem(m.ID)
		if m.ID != shown.ID {
			st.State, st.Done, st.Total = penstock.ViewBuilding, m.Done, m.Done+m.left()
			st.Eta = d.tending.eta(m.ID, m.left())
		}
		if old, ok := byName[name]; ok && answers {
			old.Rebuilds, old.Done, old.Total, old.Eta = true, st.Done, st.Total, st.Eta
			if old.Problem == "" {
				old.Problem = st.Problem
			}
			st = old
		}
		byName[name] = st
	}
	all := slices.Collect(maps.Values(byName))
	slices.SortFunc(all, func(a, b penstock.ViewStatus) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// countStates returns how many states of each model are stored. Those of a sealed file are counted once, since they do not change.
func (d *Database) countStates(ctx context.Context) (map[int32]int64, error) {
	all := map[int32]int64{}
	for _, s := range d.shards {
		files, kept := s.list(), s.keptModels()
		if len(kept) == 0 {
			continue
		}
		for i, f := range files {
			counted := f.states.Load()
			if counted == nil {
				fresh, err := s.countStatesIn(ctx, f)
				if err != nil {
					return nil, err
				}
				if counted = &fresh; i < len(files)-1 {
					f.states.Store(counted)
				}
			}
			for id, n := range *counted {
				if m, ok := kept[id]; ok && f.number > m.Taken {
					all[id] += n
				}
			}
		}
	}
	return all, nil
}

func (s *shard) countStatesIn(ctx context.Context, f *file) (map[int32]int64, error) {
	all := map[int32]int64{}
	rows, err := s.db.ask(ctx, func(ctx context.Context, r *rows) error {
		parts := []string{"SELECT 0, CAST(0 AS BIGINT)"}
		for id := range s.keptModels() {
			if _, ok := f.columns(modelTable(id)); ok && slices.Contains(s.list(), f) {
				parts = append(parts, fmt.Sprintf("SELECT %d, (SELECT count(*) FROM %s)", id, f.table(modelTable(id))))
			}
		}
		if err := r.begin(ctx, s.db.engine); err != nil {
			return err
		}
		return r.run(ctx, strings.Join(parts, " UNION ALL "), nil)
	})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all[int32(row[0].(int64))] = row[1].(int64)
	}
}

// tending is what Tend has met with since the start.
type tending struct {
	mu       sync.Mutex
	problems map[int32]string // why a model does not get on
	paces    map[int32]pace   // of models that are being built
}

// pace is how fast rows are counted.
type pace struct {
	since time.Time // the first of them were
	rows  int64     // since then
}

// note says how a piece of work on a model ended.
func (t *tending) note(m model, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.problems == nil {
		t.problems = map[int32]string{}
	}
	if delete(t.problems, m.ID); err != nil {
		t.problems[m.ID] = "it fails with " + string(penstock.CodeOf(err)) + ", and is tried again; the log of the server says more"
	}
}

// built says that so many more rows were counted.
func (t *tending) built(id int32, rows int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.paces == nil {
		t.paces = map[int32]pace{}
	}
	p, ok := t.paces[id]
	if !ok {
		t.paces[id] = pace{since: time.Now()}
		return
	}
	p.rows += rows
	t.paces[id] = p
}

func (t *tending) problem(id int32) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.problems[id]
}

// eta returns how many seconds rows take as fast as the last ones were counted; 0 if nobody knows.
func (t *tending) eta(id int32, rows int64) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.paces[id]
	if p.rows == 0 {
		return 0
	}
	return time.Since(p.since).Seconds() * float64(rows) / float64(p.rows)
}
