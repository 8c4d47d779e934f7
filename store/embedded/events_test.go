package embedded

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"penstock"
)

// pages reads the events of a key page by page, and checks that each page goes on where the one before ended.
func pages(t *testing.T, d *Database, q penstock.KeyQuery) []string {
	t.Helper()
	var ids []string
	for {
		rows, err := d.Events(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			beyond := q.After.Less(r.Position)
			if q.Newest {
				beyond = q.After == (penstock.Position{}) || r.Position.Less(q.After)
			}
			if r.Key != q.Key || !beyond {
				t.Fatalf("beyond %s, the newest first %t: %+v", q.After, q.Newest, r)
			}
			q.After = r.Position
			ids = append(ids, r.ID)
		}
		if len(rows) < q.Limit {
			return ids
		}
	}
}

// The events of a key come in the order of the log, from several files, and from the shared table before the stream's
// own.
func TestEventsInOrder(t *testing.T) {
	t.Parallel()
	o := Options{Cluster: testCluster(8), Shards: deal(8, 2), FileRows: 40, Streams: []penstock.Stream{{Name: "clicks"}, {Name: "other"}}}
	dir := t.TempDir()
	d := openDatabase(t, dir, o)
	f := newFeeder(o.Cluster)
	want := map[string][]string{}
	for i := range 40 {
		if i == 15 {
			typed := []penstock.Stream{{Name: "clicks", Columns: []penstock.Column{{Name: "n", Type: penstock.Bigint, Path: "n"}}}}
			if err := d.Declare(t.Context(), typed); err != nil {
				t.Fatal(err)
			}
		}
		var events []event
		for j := range 10 {
			e := event{id: fmt.Sprintf("%d-%d", i, j), key: fmt.Sprint("k", (i+j)%4), body: fmt.Sprintf(`{"n":%d}`, i)}
			events = append(events, e)
			want[e.key] = append(want[e.key], e.id)
		}
		apply(t, d, f.batch("other", event{id: "x", key: "k1"}))
		apply(t, d, f.batch("clicks", events...))
	}
	if n := len(filesOf(t, dir)); n < 8 {
		t.Fatalf("%d files", n)
	}
	for range 2 {
		for key, ids := range want {
			for _, limit := range []int{9, 1000} {
				if got := pages(t, d, penstock.KeyQuery{Stream: "clicks", Key: key, Limit: limit}); !slices.Equal(got, ids) {
					t.Fatalf("key %s by %d: %v, want %v", key, limit, got, ids)
				}
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		o.Streams = nil
		d = openDatabase(t, dir, o)
	}
}

// A key's events are read a range of offsets at a time: those at its bounds come once, in either order, and so do those of older epochs.
func TestEventsOfManyOffsets(t *testing.T) {
	o := Options{Cluster: testCluster(1), Shards: deal(1, 1), FileRows: 30_000, Streams: []penstock.Stream{{Name: "clicks"}}}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	var want []string
	for epoch := range 2 {
		f.epoch = penstock.Epoch(epoch + 1)
		for i := range 10 {
			events := make([]event, 10_000)
			for j := range events {
				events[j] = event{id: fmt.Sprintf("%d-%d-%d", epoch, i, j), key: "other"}
				if j%2_500 == 0 || i == 1 && j < 100 {
					events[j].key = "k"
					want = append(want, events[j].id)
				}
			}
			apply(t, d, f.batch("clicks", events...))
		}
	}
	for _, limit := range []int{7, 1000} {
		if got := pages(t, d, penstock.KeyQuery{Stream: "clicks", Key: "k", Limit: limit}); !slices.Equal(got, want) {
			t.Fatalf("by %d: %v, want %v", limit, got, want)
		}
	}
	slices.Reverse(want)
	for _, limit := range []int{7, 1000} {
		if got := pages(t, d, penstock.KeyQuery{Stream: "clicks", Key: "k", Newest: true, Limit: limit}); !slices.Equal(got, want) {
			t.Fatalf("from the newest, by %d: %v, want %v", limit, got, want)
		}
	}
}

func TestEventsOfAPeriod(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 1), Streams: []penstock.Stream{{Name: "clicks"}}}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	const minute = penstock.Micros(60_000_000)
	base := f.logTime
	for i := range 10 {
		at := base + penstock.Micros(i)*minute
		apply(t, d, f.batch("clicks", event{id: fmt.Sprint(i), key: "k", time: at, body: `{"n":9007199254740993}`}, event{id: fmt.Sprint("no", i), key: "other", time: at}))
	}
	for _, c := range []struct {
		from, to penstock.Micros
		limit    int
		want     string
	}{
		{0, 0, 100, "[0 1 2 3 4 5 6 7 8 9]"},
		{base + 3*minute, base + 6*minute, 100, "[3 4 5]"},
		{base + 3*minute, base + 3*minute, 100, "[]"},
		{base + 3*minute + 1, 0, 2, "[4 5]"},
		{0, base + 2*minute, 100, "[0 1]"},
		{0, 0, 0, "[]"},
	} {
		rows, err := d.Events(t.Context(), penstock.KeyQuery{Stream: "clicks", Key: "k", From: c.from, To: c.to, Limit: c.limit})
		if err != nil {
			t.Fatal(err)
		}
		ids := []string{}
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		if fmt.Sprint(ids) != c.want {
			t.Errorf("%+v: %v", c, ids)
		}
	}
	rows, err := d.Events(t.Context(), penstock.KeyQuery{Stream: "clicks", Key: "k", Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if r := rows[0]; r.Time != base || r.ReceivedAt != base || r.Body != `{"n":9007199254740993}` || r.Position.Epoch != 1 {
		t.Fatalf("%+v", r)
	}
}

func TestEventsRefused(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 2)[:1], Streams: []penstock.Stream{{Name: "clicks"}}}
	d := openDatabase(t, t.TempDir(), o)
	if _, err := d.Events(t.Context(), penstock.KeyQuery{Stream: "nothing", Key: "k", Limit: 1}); !penstock.Is(err, penstock.NotFound) {
		t.Error(err)
	}
	owned, missing := 0, 0
	for i := range 50 {
		rows, err := d.Events(t.Context(), penstock.KeyQuery{Stream: "clicks", Key: fmt.Sprint(i), Limit: 1})
		switch {
		case err == nil && len(rows) == 0:
			owned++
		case penstock.Is(err, penstock.NotOwner):
			missing++
		default:
			t.Fatal(rows, err)
		}
	}
	if owned == 0 || missing == 0 {
		t.Fatalf("%d keys here, %d elsewhere", owned, missing)
	}
}

// Rows that are past their time are not shown here either.
func TestEventsHidden(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 1), Streams: []penstock.Stream{{Name: "clicks", KeepRows: time.Hour}}}
	dir := t.TempDir()
	d := openDatabase(t, dir, o)
	f := newFeeder(o.Cluster)
	for i := range 5 {
		apply(t, d, f.batch("clicks", event{id: fmt.Sprint(i), key: "k"}))
		f.logTime += penstock.Micros(30 * time.Minute / time.Microsecond)
	}
	if err := d.Retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := pages(t, d, penstock.KeyQuery{Stream: "clicks", Key: "k", Limit: 2}); fmt.Sprint(got) != "[2 3 4]" {
			t.Fatal(got)
		}
		if got := only(t, d, "select list(id order by id) from clicks"); fmt.Sprint(got) != "[2 3 4]" {
			t.Fatal(got)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d = openDatabase(t, dir, o) // hidden rows stay hidden before the next Retain
	}
}
