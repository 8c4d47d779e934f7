package embedded

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"penstock"
)

// answer returns the rows of a question to a view.
func answer(t *testing.T, d *Database, q penstock.ViewQuery) [][]any {
	t.Helper()
	rows, err := d.View(t.Context(), q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	return drain(t, rows)
}

// Views go, come back and change, also while they are being built, in files of which some are sealed: what another had there never counts.
func TestViewsComeAndGo(t *testing.T) {
	l := newLife(t, 2, func(o *Options) { o.Streams[0].KeepRows, o.FileRows = 0, 100 })
	l.tend()
	all := clickViews()
	for range 6 {
		l.apply(0.1)
	}
	l.declare(all[:1]...)
	if _, err := tryQuery(t, l.d, "select * from board"); err == nil {
		t.Fatal("a view that is gone answers")
	}
	if _, err := l.d.View(t.Context(), penstock.ViewQuery{View: "board", Limit: 1}); !penstock.Is(err, penstock.NotFound) || reasonOf(err) != "unknown_view" {
		t.Fatal(err)
	}
	l.apply(0.1)
	l.tend()
	l.declare(all...)
	if _, err := l.d.View(t.Context(), penstock.ViewQuery{View: "board", Limit: 1}); !penstock.Is(err, penstock.Unavailable) {
		t.Fatal(err)
	}
	l.apply(0.1)
	// It changes while it is being built, and back.
	changed := clickViews()
	changed[2].Where = "n > 90"
	l.declare(changed...)
	l.apply(0.1)
	if _, err := l.d.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.declare(all...)
	l.tend()
	checkClicks(t, l.d, l.blocks)
	// One that answers goes on while its successor is built, and is not built anew when that is given up.
	version := l.d.shownViews.Load().ready["board"].Version
	l.declare(changed...)
	checkClicks(t, l.d, l.blocks)
	l.declare(all...)
	l.tend()
	checkClicks(t, l.d, l.blocks)
	if now := l.d.shownViews.Load().ready["board"].Version; now != version {
		t.Fatalf("version %d, was %d", now, version)
	}
	l.declare(changed...)
	l.tend()
	above := clicksOf(t, l.blocks)
	var want []click
	for _, c := range above {
		if c.N != nil && *c.N > 90 {
			want = append(want, c)
		}
	}
	sameLines(t, "board", linesOf(t, l.d, boardNow), board(want))
	l.reopen()
	l.declare(changed...)
	sameLines(t, "board", linesOf(t, l.d, boardNow), board(want))
	for _, s := range l.d.shards {
		if left := s.leftovers(s.newest()); len(left) > 0 {
			l.tend()
			if left := s.leftovers(s.newest()); len(left) > 0 {
				t.Fatalf("tables %v are there still", left)
			}
		}
	}
}

// Columns of the stream come and go: a view of other fields goes on as it was, and no batch fails.
func TestViewsWhileColumnsChange(t *testing.T) {
	l := newLife(t, 1, func(o *Options) { o.Streams[0].KeepRows = 0 })
	l.tend()
	l.apply(0.1)
	stream := clickOptions(1).Streams[0]
	stream.Columns = append(stream.Columns, penstock.Column{Name: "more", Type: penstock.Text, Path: "more"})
	declare(t, l.d, stream)
	l.apply(0.1)
	checkClicks(t, l.d, l.blocks)
	l.declare(clickViews()...)
	l.apply(0.1)
	checkClicks(t, l.d, l.blocks)
	states, err := l.d.ViewStates(t.Context())
	if err != nil || states[0].Version+states[1].Version+states[2].Version != 3 {
		t.Fatalf("%+v %v", states, err)
	}
	// Without the column n the condition reads a path, and the views of the column go on until they are declared anew.
	declare(t, l.d, penstock.Stream{Name: "clicks", Columns: stream.Columns[:1]})
	l.apply(0.1)
	checkClicks(t, l.d, l.blocks)
	l.reopen()
	l.apply(0.1)
	checkClicks(t, l.d, l.blocks)
	where := penstock.View{Name: "everything", Stream: "clicks", Where: "n > 50", Measures: []penstock.Measure{{Name: "clicks", Kind: penstock.MeasureCount}}}
	l.declare(where)
	l.tend()
	before := l.d.shownViews.Load().ready["everything"].Version
	declare(t, l.d, stream)
	l.declare(where)
	l.tend()
	if now := l.d.shownViews.Load().ready["everything"].Version; now != before+1 {
		t.Fatalf("what its condition reads is another thing: version %d, was %d", now, before)
	}
}

// What cannot be is refused, and nothing changes.
func TestViewsThatCannotBe(t *testing.T) {
	l := newLife(t, 1, nil)
	l.tend()
	l.apply(0)
	for _, change := range []func(*penstock.View){
		func(v *penstock.View) { v.Stream = "nothing" },
		func(v *penstock.View) { v.Where = "n >" },
		func(v *penstock.View) { v.Measures = nil },
	} {
		views := clickViews()
		change(&views[1])
		views[2].Keep = time.Hour
		if err := l.d.DeclareViews(t.Context(), views); !penstock.Is(err, penstock.Invalid) || reasonOf(err) != "bad_view" {
			t.Fatal(err)
		}
		if m := l.d.shownViews.Load().ready["board"]; m.View.Keep != 0 {
			t.Fatal("something has changed")
		}
		checkClicks(t, l.d, l.blocks)
	}
	// Rows that nobody can fold are not condemned.
	fold := l.d.o.Fold
	l.d.o.Fold = nil
	for _, s := range l.d.shards {
		clear(s.foldings)
	}
	b := someClicks(l.f, l.random, 5)
	l.blocks = append(l.blocks, b.Blocks...)
	if err := l.d.shards[0].Apply(t.Context(), b); !penstock.Is(err, penstock.Unavailable) {
		t.Fatal(err)
	}
	l.d.o.Fold = fold
	apply(t, l.d, b)
	checkClicks(t, l.d, l.blocks)
}

// Shards that do not have the same models, since a process ended between them, come to have them without counting anything twice.
func TestModelsOfSomeShards(t *testing.T) {
	l := newLife(t, 2, func(o *Options) { o.Streams[0].KeepRows, o.FileRows = 0, 100 })
	l.tend()
	for range 6 {
		l.apply(0.1)
	}
	m := l.d.shownViews.Load().ready["board"]
	if err := l.d.shards[1].adopt(t.Context(), nil, []int32{m.ID}); err != nil { // it was to be removed
		t.Fatal(err)
	}
	l.reopen()
	if _, err := l.d.View(t.Context(), penstock.ViewQuery{View: "board", Limit: 1}); !penstock.Is(err, penstock.Unavailable) {
		t.Fatalf("half of a view answers: %v", err)
	}
	l.declare(clickViews()...)
	l.tend()
	checkClicks(t, l.d, l.blocks)
	if m := l.d.shownViews.Load().ready["board"]; len(l.d.allModels()) != 3 {
		t.Fatalf("%+v of %d models", m, len(l.d.allModels()))
	}
	// One that was made in one shard only is given to the other.
	if err := l.d.shards[0].adopt(t.Context(), []model{{ID: 50, Version: 1, View: withName(clickViews()[2], "another")}}, nil); err != nil {
		t.Fatal(err)
	}
	l.reopen()
	l.declare(append(clickViews(), withName(clickViews()[2], "another"))...)
	l.tend()
	sameLines(t, "another", linesOf(t, l.d, "SELECT key, score FROM another"), board(clicksOf(t, l.blocks)))
	checkClicks(t, l.d, l.blocks)
}

func withName(v penstock.View, name string) penstock.View {
	v.Name = name
	return v
}

// No question fails while versions follow each other and files go.
func TestAsksWhileViewsChange(t *testing.T) {
	l := newLife(t, 2, nil)
	l.tend()
	l.apply(0)
	l.tend()
	member := fmt.Sprint(internalRows(t, l.d, "SELECT any_value(key) FROM board WHERE score IS NOT NULL")[0][0])
	stop := make(chan struct{})
	failed := make(chan error, 8)
	var asking sync.WaitGroup
	for i := range 4 {
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := l.askOnce(i, member); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	for i := range 9 {
		l.apply(0.4)
		if err := l.d.Rebuild(t.Context(), []string{"board", "per_link", "everything"}[i%3]); err != nil {
			t.Fatal(err)
		}
		l.age()
	}
	close(stop)
	asking.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	checkClicks(t, l.d, l.blocks)
}

// askOnce asks a view in one of four ways.
func (l *life) askOnce(way int, member string) error {
	var rows penstock.Rows
	var err error
	switch way {
	case 0:
		rows, err = l.d.View(l.Context(), penstock.ViewQuery{View: "per_link", Limit: 5, Order: "clicks", Down: true})
	case 1:
		rows, err = l.d.Query(l.Context(), penstock.Query{SQL: "select a.clicks, b.n from (select sum(clicks) as clicks from per_link) a, (select count(*) as n from board) b"})
	case 2:
		_, err = l.d.Rank(l.Context(), "board", member, 2)
	case 3:
		_, err = l.d.ViewStates(l.Context())
	}
	if rows != nil {
		_, next := rows.Next()
		err = errors.Join(err, next, rows.Close())
	}
	if err != nil {
		return fmt.Errorf("way %d: %w", way, err)
	}
	return nil
}

// A panic while DuckDB takes rows is an error of the commit, after which the same batch can be applied.
func TestPanicWhileRowsAreTaken(t *testing.T) {
	l := newLife(t, 1, nil)
	l.apply(0)
	s := l.d.shards[0]
	r := (*l.d.streams.Load())[streamKey{penstock.DefaultTenant, "clicks"}]
	s.encoders[r.table()].sheet.row()[0].int32(1) // a value more than its row has columns
	b := someClicks(l.f, l.random, 5)
	if err := s.Apply(t.Context(), b); !penstock.Is(err, penstock.Unavailable) || !strings.Contains(err.Error(), "panic") {
		t.Fatal(err)
	}
	l.blocks = append(l.blocks, b.Blocks...)
	apply(t, l.d, b)
	l.tend()
	checkClicks(t, l.d, l.blocks)
}

// How far a view is can be followed, and why it does not get on.
func TestViewStates(t *testing.T) {
	l := newLife(t, 1, func(o *Options) { o.Streams[0].KeepRows, o.FileRows = 0, 100 })
	l.declare()
	for range 12 {
		l.apply(0.01)
	}
	l.declare(clickViews()...)
	fold := l.d.o.Fold
	l.d.o.Fold = nil
	if _, err := l.d.Tend(t.Context()); !penstock.Is(err, penstock.Unavailable) {
		t.Fatal(err)
	}
	state := func() penstock.ViewStatus {
		t.Helper()
		states, err := l.d.ViewStates(t.Context())
		if err != nil || len(states) != 3 || states[0].Name != "board" {
			t.Fatalf("%+v %v", states, err)
		}
		return states[0]
	}
	if s := state(); s.Problem == "" || s.State != penstock.ViewBuilding || s.Done != 0 || s.Total != 720 || s.Eta != 0 || s.Stream != "clicks" {
		t.Fatalf("%+v", s)
	}
	l.d.o.Fold = fold
	follow := func(s func() penstock.ViewStatus, building func(penstock.ViewStatus) bool) {
		t.Helper()
		var done int64
		eta := false
		for more := true; more; {
			now := s()
			if building(now) {
				if now.Total != 720 || now.Done < done || now.Done > now.Total {
					t.Fatalf("%+v, %d were done", now, done)
				}
				done, eta = now.Done, eta || now.Eta > 0
			}
			var err error
			if more, err = l.d.Tend(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if done == 0 || !eta {
			t.Fatalf("%d were done, time left was known: %t", done, eta)
		}
	}
	follow(state, func(s penstock.ViewStatus) bool { return s.State == penstock.ViewBuilding })
	if s := state(); s.Problem != "" || s.State != penstock.ViewReady || s.Total != 0 || s.Rows == 0 || s.Version != 1 {
		t.Fatalf("%+v", s)
	}
	if err := l.d.Rebuild(t.Context(), "board"); err != nil {
		t.Fatal(err)
	}
	follow(state, func(s penstock.ViewStatus) bool { return s.State == penstock.ViewReady && s.Rebuilds })
	if s := state(); s.Rebuilds || s.Version != 2 || s.Rows == 0 {
		t.Fatalf("%+v", s)
	}
	checkClicks(t, l.d, l.blocks)
}
