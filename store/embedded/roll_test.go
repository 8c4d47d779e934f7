package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"penstock"
)

const hour = penstock.Micros(time.Hour / time.Microsecond)

// numbersOf returns the numbers of the files of a shard.
func numbersOf(t *testing.T, d *Database, shard int) []int {
	t.Helper()
	numbers, err := listFiles(d.shards[shard].dir)
	if err != nil {
		t.Fatal(err)
	}
	return numbers
}

// A file holds one period of log time.
func TestRollByPeriod(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 2), Period: 24 * time.Hour, Streams: []penstock.Stream{clicks(bigint("n")), {Name: "plain"}}}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster) // 12:00
	for i, step := range []penstock.Micros{0, 6 * hour, 6*hour - 1, 1, 0, 24*hour - 1, 1, 72 * hour} {
		f.logTime += step
		apply(t, d, f.batch("clicks", event{id: fmt.Sprint(i), key: "a", body: `{"n":1}`}, event{id: fmt.Sprint(i), key: "b"}, event{id: fmt.Sprint(i), key: "c"}))
		apply(t, d, f.batch("plain", event{id: fmt.Sprint(i), key: "a"}, event{id: fmt.Sprint(i), key: "b"}, event{id: fmt.Sprint(i), key: "c"}))
		want := []int{1, 2, 3, 4}[:[]int{1, 1, 1, 2, 2, 2, 3, 4}[i]]
		for shard := range d.shards {
			if got := numbersOf(t, d, shard); !slices.Equal(got, want) {
				t.Fatalf("batch %d, shard %d: files %v, want %v", i, shard, got, want)
			}
		}
		expect(t, d, "select count(*), (select count(*) from plain) from clicks", fmt.Sprintf("[[%d %d]]", 3*i+3, 3*i+3))
	}
	d = reopen(t, d)
	expect(t, d, "select count(*), sum(n), (select count(*) from plain) from clicks", "[[24 8 24]]")
	// Time of a batch without records, or of one that is refused, begins no file.
	stale := penstock.Batch{From: penstock.Positions{0: {}}, Next: penstock.Positions{0: {Epoch: 1, Offset: 9}}}
	if err := d.shards[0].Apply(t.Context(), stale); !penstock.Is(err, penstock.Stale) {
		t.Fatal(err)
	}
	if got := numbersOf(t, d, 0); len(got) != 4 {
		t.Fatal(got)
	}
}

// A full file is followed by another, until there are so many that only time begins one, and then less often.
func TestRollByRows(t *testing.T) {
	t.Parallel()
	o := Options{Cluster: testCluster(2), Shards: deal(2, 1), FileRows: 2, Streams: []penstock.Stream{clicks()}}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	for i := range 2*maxFiles + 20 {
		apply(t, d, f.batch("clicks", event{id: fmt.Sprint(i)}))
	}
	if got := numbersOf(t, d, 0); len(got) != maxFiles || got[maxFiles-1] != maxFiles {
		t.Fatal(got)
	}
	expect(t, d, "select count(*), count(distinct id) from clicks", fmt.Sprintf("[[%d %d]]", 2*maxFiles+20, 2*maxFiles+20))
	for i, more := range []int{1, 1, 2, 2, 2, 3} { // a day each
		f.logTime += 24 * hour
		apply(t, d, f.batch("clicks", event{id: fmt.Sprint("later", i)}))
		if got := numbersOf(t, d, 0); len(got) != maxFiles+more {
			t.Fatalf("day %d: %v", i, got)
		}
	}
	d = reopen(t, d)
	expect(t, d, "select count(*) from clicks", fmt.Sprintf("[[%d]]", 2*maxFiles+26))
	expect(t, d, "select files from penstock.shards", fmt.Sprintf("[[%d]]", maxFiles+3))
}

// Of batches that want a new file at once, one begins it.
func TestRollOnce(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 1), FileRows: 1, Streams: []penstock.Stream{clicks()}}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	apply(t, d, f.batch("clicks", event{id: "0"}))
	for i := range 10 {
		b := f.batch("clicks", event{id: fmt.Sprint(i + 1)})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := d.shards[0].Apply(t.Context(), b); err != nil && !penstock.Is(err, penstock.Stale) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := numbersOf(t, d, 0); len(got) != i+2 {
			t.Fatalf("round %d: %v", i, got)
		}
	}
	expect(t, d, "select count(*) from clicks", "[[11]]")
}

// A file that cannot be made changes nothing, and is made when it can be.
func TestRollFails(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 1), FileRows: 1, Streams: []penstock.Stream{clicks()}}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	apply(t, d, f.batch("clicks", event{id: "0"}))
	b := f.batch("clicks", event{id: "1"})
	taken := filePath(d.shards[0].dir, 2)
	if err := os.MkdirAll(filepath.Join(taken, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := d.shards[0].Apply(t.Context(), b)
		if !penstock.Is(err, penstock.Unavailable) {
			t.Fatal(err)
		}
		expect(t, d, "select count(*) from clicks", "[[1]]")
	}
	if err := os.RemoveAll(taken); err != nil {
		t.Fatal(err)
	}
	apply(t, d, b)
	d = reopen(t, d)
	expect(t, d, "select count(*) from clicks", "[[2]]")
}

// Rows wait for the views that show them.
func TestViewsFail(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 1), FileRows: 1, Streams: []penstock.Stream{clicks(bigint("n")), {Name: "plain"}}}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	apply(t, d, f.batch("clicks", event{id: "0", body: `{"n":1}`}))
	hinder, err := d.engine.conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer hinder.Close()
	// A view that another transaction changes cannot be replaced.
	if err := hinder.exec(t.Context(), "BEGIN", "CREATE OR REPLACE VIEW memory.main.clicks AS SELECT 1"); err != nil {
		t.Fatal(err)
	}
	b := f.batch("clicks", event{id: "1", body: `{"n":1}`})
	for range 2 {
		if err := d.shards[0].Apply(t.Context(), b); !penstock.Is(err, penstock.Unavailable) {
			t.Fatal(err)
		}
	}
	if err := hinder.exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	apply(t, d, b)
	expect(t, d, "select count(*), sum(n) from clicks", "[[2 2]]")
	if got := numbersOf(t, d, 0); len(got) != 2 {
		t.Fatal(got)
	}
}
