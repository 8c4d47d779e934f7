package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"penstock"
)

// kept is a stream that keeps its rows for so many hours; 0: for ever.
func kept(name string, hours int, columns ...penstock.Column) penstock.Stream {
	return penstock.Stream{Name: name, KeepRows: time.Duration(hours) * time.Hour, Columns: columns}
}

func retain(t *testing.T, d *Database) {
	t.Helper()
	if err := d.Retain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// hourly opens a shard with a file for each hour, and returns a function that stores an hour's events.
func hourly(t *testing.T, streams ...penstock.Stream) (*Database, *feeder, func(names ...string)) {
	t.Helper()
	o := Options{Cluster: testCluster(4), Shards: deal(4, 1), Period: time.Hour, Streams: streams, Idle: time.Hour}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	n := 0
	return d, f, func(names ...string) {
		t.Helper()
		for _, name := range names {
			apply(t, d, f.batch(name, event{id: fmt.Sprint(n), key: "k", body: fmt.Sprintf(`{"n":%d}`, n)}))
		}
		f.logTime += hour
		n++
	}
}

// Files go when none of their streams keeps rows that long any more; what is past its time in others is hidden.
func TestRetain(t *testing.T) {
	var removed []string
	d, _, store := hourly(t, kept("short", 3), kept("long", 6, bigint("n")))
	d.o.Trace.Removed = func(_, name string, rows int64) { removed = append(removed, fmt.Sprint(name, " ", rows)) }
	for range 4 {
		store("short", "long")
	}
	retain(t, d)
	expect(t, d, "select list(id order by id) from short", "[[[0 1 2 3]]]") // the newest row is three hours after the first
	store("short", "long")
	retain(t, d)
	expect(t, d, "select list(id order by id), (select list(n order by n) from long) from short", "[[[1 2 3 4] [0 1 2 3 4]]]")
	if len(removed) != 0 {
		t.Fatal(removed)
	}
	for range 4 {
		store("short", "long")
	}
	retain(t, d)
	if fmt.Sprint(removed) != "[00000001.duckdb 2 00000002.duckdb 2]" {
		t.Fatal(removed)
	}
	const all = "select list(id order by id), (select list(n order by n) from long), (select count(*) from long) from short"
	want := "[[[5 6 7 8] [2 3 4 5 6 7 8] 7]]"
	expect(t, d, all, want)
	if got := numbersOf(t, d, 0); !slices.Equal(got, []int{3, 4, 5, 6, 7, 8, 9}) {
		t.Fatal(got)
	}
	counts, err := d.Counts(t.Context())
	if err != nil || counts["long"] != 7 {
		t.Fatal(counts, err)
	}
	d = reopen(t, d)
	expect(t, d, all, want)
	retain(t, d)
	expect(t, d, all, want)
}

// A stream that keeps its rows for ever keeps its files; a change of what is kept counts from then on.
func TestRetainForEver(t *testing.T) {
	d, _, store := hourly(t, kept("short", 1), kept("ever", 0))
	store("short")
	store("short", "ever")
	for range 4 {
		store("short")
	}
	retain(t, d)
	if got := numbersOf(t, d, 0); !slices.Equal(got, []int{2, 3, 4, 5, 6}) { // a file that is to go waits for the one before it
		t.Fatal(got)
	}
	expect(t, d, "select count(*), (select count(*) from ever) from short", "[[2 1]]")
	declare(t, d, kept("short", 0))
	retain(t, d)
	expect(t, d, "select count(*) from short", "[[5]]") // what was hidden is shown again while it is there
	declare(t, d, kept("ever", 1), kept("short", 2))
	retain(t, d)
	expect(t, d, "select count(*), (select count(*) from ever) from short", "[[3 0]]")
	if got := numbersOf(t, d, 0); !slices.Equal(got, []int{4, 5, 6}) {
		t.Fatal(got)
	}
	d = reopen(t, d)
	expect(t, d, "select count(*), (select count(*) from ever) from short", "[[3 0]]")
}

// The newest file stays, however old its rows are: it has the positions.
func TestRetainKeepsTheNewest(t *testing.T) {
	d, f, store := hourly(t, kept("short", 1), kept("other", 1))
	store("short")
	f.logTime += 100 * hour
	store("other")
	retain(t, d)
	if got := numbersOf(t, d, 0); !slices.Equal(got, []int{2}) {
		t.Fatal(got)
	}
	at := positionsOf(t, d)
	d = reopen(t, d)
	if got := positionsOf(t, d); !got.Reached(at) {
		t.Fatalf("%v, was %v", got, at)
	}
	expect(t, d, "select count(*), (select count(*) from other) from short", "[[0 1]]")
}

// Results go on while the files that they come from are removed, and no statement fails for it.
func TestRetainBesideQueries(t *testing.T) {
	t.Parallel()
	d, _, store := hourly(t, kept("short", 1), kept("typed", 1, bigint("n")))
	for range 6 {
		store("short", "typed")
	}
	open, err := d.Query(t.Context(), penstock.Query{SQL: "select id from short union all select id from typed"})
	if err != nil {
		t.Fatal(err)
	}
	stop, ended := make(chan struct{}), make(chan error, 3)
	for i := range 3 {
		go func() {
			for {
				select {
				case <-stop:
					ended <- nil
					return
				default:
				}
				var err error
				if i == 0 {
					_, err = d.Events(t.Context(), penstock.KeyQuery{Stream: "typed", Key: "k", Limit: 100})
				} else {
					_, err = tryQuery(t, d, "select count(*) from short a, typed b where a.id <> b.id")
				}
				if err != nil {
					ended <- err
					return
				}
			}
		}()
	}
	for range 30 {
		retain(t, d)
		store("short", "typed")
	}
	close(stop)
	for range 3 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	n := 0
	for ; err == nil; n++ {
		_, err = open.Next()
	}
	if err != io.EOF || n != 13 {
		t.Fatal(n, err)
	}
	if err := open.Close(); err != nil {
		t.Fatal(err)
	}
}

// What was to be removed when the process ended is removed by the next one.
func TestRetainIsInterrupted(t *testing.T) {
	d, _, store := hourly(t, kept("short", 2))
	for range 6 {
		store("short")
	}
	saved, err := os.ReadFile(filePath(d.shards[0].dir, 2))
	if err != nil {
		t.Fatal(err)
	}
	retain(t, d)
	if got := numbersOf(t, d, 0); !slices.Equal(got, []int{4, 5, 6}) {
		t.Fatal(got)
	}
	path := filePath(d.shards[0].dir, 2)
	if err := errors.Join(d.Close(), os.WriteFile(path, saved, 0o600), os.WriteFile(path+".wal", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	o := d.o
	o.Streams = nil
	d = openDatabase(t, d.dir, o)
	if got := numbersOf(t, d, 0); !slices.Equal(got, []int{4, 5, 6}) {
		t.Fatal(got)
	}
	if _, err := os.Stat(path + ".wal"); err == nil {
		t.Fatal("its log is there")
	}
	expect(t, d, "select count(*) from short", "[[3]]")
}

// A shard that rests is made safe, one that is written is left to its checkpoints.
func TestRetainMakesSafe(t *testing.T) {
	for _, idle := range []time.Duration{time.Hour, 1} {
		o := Options{Cluster: testCluster(4), Shards: deal(4, 2), Streams: []penstock.Stream{{Name: "clicks"}}, Idle: idle}
		d := openDatabase(t, t.TempDir(), o)
		f := newFeeder(o.Cluster)
		apply(t, d, f.batch("clicks", event{id: "1"}, event{id: "2"}, event{id: "3"}, event{id: "4"}))
		before := safeOf(t, d)
		retain(t, d)
		after := safeOf(t, d)
		if moved := after.Reached(positionsOf(t, d)); moved != (idle == 1) {
			t.Fatalf("idle for %v: safe up to %v, was %v, at %v", idle, after, before, positionsOf(t, d))
		}
	}
}

// After Close there is nothing to remove.
func TestRetainAfterClose(t *testing.T) {
	d, _, store := hourly(t, kept("short", 1))
	for range 5 {
		store("short")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Retain(t.Context()); !penstock.Is(err, penstock.Unavailable) {
		t.Fatal(err)
	}
	if got := numbersOf(t, d, 0); len(got) != 5 {
		t.Fatal(got)
	}
}
