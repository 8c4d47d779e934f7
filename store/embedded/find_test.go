package embedded

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"penstock"
	"penstock/internal/checksum"
)

// foundIn returns what Find yields, in order, each as "partition offset fate".
func foundIn(t *testing.T, d *Database, stream string, from, to penstock.Positions) []string {
	t.Helper()
	type one struct {
		place penstock.Place
		fate  penstock.Fate
	}
	var all []one
	err := d.Find(t.Context(), stream, from, to, func(at penstock.Place, f penstock.Fate, _ penstock.Checksum) {
		all = append(all, one{at, f})
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b one) int {
		if a.place.Less(b.place) {
			return -1
		}
		return 1
	})
	var text []string
	for _, o := range all {
		text = append(text, fmt.Sprint(o.place.Partition, " ", o.place.Position.Offset, " ", []string{"row", "", "dead", "parked", "dropped"}[o.fate]))
	}
	return text
}

// findable feeds two shards with small files: rows, repeats, a letter that is replayed three files later, and one that is dropped.
func findable(t *testing.T) (*Database, *feeder) {
	t.Helper()
	halt := penstock.Stream{Name: "typed", Columns: []penstock.Column{bigint("n")}, HaltKey: true}
	o := Options{
		Cluster: testCluster(4), Shards: deal(4, 2), FileRows: 6,
		Streams: []penstock.Stream{halt, {Name: "once", Dedup: penstock.Dedup{Window: time.Hour, MaxIDs: 1000}}, {Name: "empty"}},
	}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	for i := range 12 {
		body := `{"n":"one"}`
		apply(t, d, f.batch("typed", event{id: fmt.Sprint("bad", i), key: fmt.Sprint(i), body: body}, event{id: fmt.Sprint("next", i), key: fmt.Sprint(i)}))
		apply(t, d, f.batch("once", event{id: fmt.Sprint(i), key: "a"}, event{id: fmt.Sprint(i), key: "b"}, event{id: fmt.Sprint(i), key: "c"},
			event{id: fmt.Sprint(i - 1), key: "a"}, event{id: fmt.Sprint("lone", i)}))
	}
	halt.Columns = nil
	declare(t, d, halt)
	for _, s := range d.Shards() {
		letters, err := s.(penstock.DeadLetters).Letters(t.Context(), penstock.LetterQuery{State: penstock.LetterOpen, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range letters {
			switch i % 3 {
			case 0:
				apply(t, d, f.batch("typed", event{id: l.ID, key: l.Key, body: string(l.Body), replayOf: l.Position}))
			case 1:
				if _, err := s.(penstock.DeadLetters).Drop(t.Context(), []penstock.Place{{Partition: l.Partition, Position: l.Position}}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return d, f
}

// What is found between any positions is what is found between all of them, cut; it adds up to the tallies.
func TestFind(t *testing.T) {
	t.Parallel()
	d, f := findable(t)
	for range 2 {
		balanced(t, d)
		if n := len(numbersOf(t, d, 0)); n < 3 {
			t.Fatalf("%d files", n)
		}
		for _, stream := range []string{"typed", "once"} {
			whole := foundIn(t, d, stream, nil, f.next)
			if len(whole) == 0 || len(slices.Compact(slices.Clone(whole))) != len(whole) {
				t.Fatal(whole)
			}
			var parts []string
			const steps = 7
			for i := range steps {
				from, to := penstock.Positions{}, penstock.Positions{}
				for p, next := range f.next {
					from[p] = penstock.Position{Epoch: 1, Offset: next.Offset * penstock.Offset(i) / steps}
					to[p] = penstock.Position{Epoch: 1, Offset: next.Offset * penstock.Offset(i+1) / steps}
				}
				parts = append(parts, foundIn(t, d, stream, from, to)...)
			}
			slices.Sort(parts)
			slices.Sort(whole)
			if !slices.Equal(parts, whole) {
				t.Fatalf("%s: in parts %v\nas a whole %v", stream, parts, whole)
			}
		}
		if got := foundIn(t, d, "empty", nil, f.next); got != nil {
			t.Fatal(got)
		}
		if got := foundIn(t, d, "unknown", nil, f.next); got != nil {
			t.Fatal(got)
		}
		d = reopen(t, d)
	}
}

// An event is found once, under the place at which it was accepted, with the checksum of the bytes that are there.
func TestFindTakesChecksums(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 2), Streams: []penstock.Stream{{Name: "clicks", Columns: []penstock.Column{bigint("n")}}, {Name: "plain"}}}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	f.unchecked = true // the door's checksums are missing: what is found was taken here
	bodies := []string{`{"n":1, "☃":"ü\u0000"}`, `{ }`, `{"n":"one"}`, `{"n":9007199254740993,"x":[1e400]}`}
	for _, stream := range []string{"clicks", "plain"} {
		want, got := map[penstock.Checksum]int{}, map[penstock.Checksum]int{}
		sums := checksum.NewHasher(o.Cluster).Stream(penstock.DefaultTenant, stream)
		for i, body := range bodies {
			one := event{id: fmt.Sprint(i), key: []string{"", "ключ"}[i%2], body: body}
			apply(t, d, f.batch(stream, one))
			want[sums.Sum([]byte(one.key), []byte(one.id), []byte(body))]++
		}
		err := d.Find(t.Context(), stream, nil, f.next, func(_ penstock.Place, _ penstock.Fate, sum penstock.Checksum) { got[sum]++ })
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s: %v, want %v, %v", stream, got, want, err)
		}
	}
}

// A record is a repeat if there is a row or a letter of its key and id before it, in its partition.
func TestRepeats(t *testing.T) {
	d, f := findable(t)
	apply(t, d, f.batch("plain"))
	var records []penstock.Record
	var want []bool
	ask := func(stream string, expect bool, e event) {
		b := f.batch(stream, e)
		for r := range b.Records() {
			records, want = append(records, *r), append(want, expect)
		}
	}
	check := func(stream string) {
		t.Helper()
		got, err := d.Repeats(t.Context(), stream, records)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%s: %v, want %v, %v", stream, got, want, err)
		}
		for i := range records { // and nothing is before the first
			records[i].Position = penstock.Position{Epoch: 1}
		}
		got, err = d.Repeats(t.Context(), stream, records)
		if err != nil || slices.Contains(got, true) {
			t.Fatalf("%s: %v %v", stream, got, err)
		}
		records, want = nil, nil
	}
	for i := range 12 {
		ask("once", true, event{id: fmt.Sprint(i), key: "a"})
		ask("once", true, event{id: fmt.Sprint("lone", i)})
		ask("once", false, event{id: fmt.Sprint("lone", i), key: "a"})
		ask("once", false, event{id: fmt.Sprint(i + 100), key: "b"})
	}
	ask("once", false, event{id: "it's", key: "d'Artagnan"})
	check("once")
	for i := range 12 { // replayed, dropped, open, released and parked ones
		ask("typed", true, event{id: fmt.Sprint("bad", i), key: fmt.Sprint(i)})
		ask("typed", true, event{id: fmt.Sprint("next", i), key: fmt.Sprint(i)})
		ask("typed", false, event{id: fmt.Sprint("next", i), key: fmt.Sprint(i + 1)})
	}
	check("typed")
	if got, err := d.Repeats(t.Context(), "unknown", make([]penstock.Record, 2)); err != nil || len(got) != 2 || got[0] {
		t.Fatal(got, err)
	}
}
