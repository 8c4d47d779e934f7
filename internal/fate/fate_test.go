package fate

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"penstock"
)

// desk is a sink that writes down what it is told, and forgets it if the page is dropped. Records with the body "bad" cannot be rows.
type desk struct {
	out    []string
	parked map[penstock.Place]penstock.Record
	why    map[penstock.Place]penstock.Condemned

	logTime penstock.Micros // of the last row
}

func (d *desk) Row(r *penstock.Record) *penstock.Condemned {
	if string(r.Body) == "bad" {
		return &penstock.Condemned{Reason: "bad_json"}
	}
	d.logTime = r.LogTime
	d.out = append(d.out, fmt.Sprintf("row %s", r.ID))
	return nil
}

func (d *desk) Letter(r *penstock.Record, s penstock.LetterState, why penstock.Condemned) {
	d.out = append(d.out, fmt.Sprintf("letter %s %s %s", r.ID, s, why.Reason))
	d.parked[penstock.Place{Partition: r.Partition, Position: r.Position}] = *r
	d.why[penstock.Place{Partition: r.Partition, Position: r.Position}] = why
}

func (d *desk) Settle(at penstock.Place, s penstock.LetterState, why penstock.Condemned, _ penstock.Micros) {
	d.out = append(d.out, strings.TrimSpace(fmt.Sprintf("settle %d %s %s", at.Position.Offset, s, why.Reason)))
}

func (d *desk) Parked(at penstock.Place) (*penstock.Record, penstock.Condemned, error) {
	r, ok := d.parked[at]
	if !ok {
		return nil, penstock.Condemned{}, penstock.Errorf(penstock.Corrupt, "find", "nothing at %v", at)
	}
	return &r, d.why[at], nil
}

// rig is a book with what feeds it.
type rig struct {
	*testing.T
	book   *Book
	desk   *desk
	seen   map[string]bool
	stream penstock.Stream
	next   penstock.Offset
}

func newRig(t *testing.T, s penstock.Stream, l Limits) *rig {
	return &rig{T: t, book: New(l), desk: &desk{parked: map[penstock.Place]penstock.Record{}, why: map[penstock.Place]penstock.Condemned{}}, seen: map[string]bool{}, stream: s}
}

// rec makes the next record: "id", "id/key", "id/key=body".
func (g *rig) rec(text string) *penstock.Record {
	name, body, _ := strings.Cut(text, "=")
	id, key, _ := strings.Cut(name, "/")
	g.next++
	return &penstock.Record{
		Event:  penstock.Event{ID: []byte(id), Key: []byte(key), Body: []byte(body), Sum: penstock.Checksum(g.next) << 60},
		Tenant: penstock.DefaultTenant, Stream: g.stream.Name, Partition: 1, Position: penstock.Position{Epoch: 1, Offset: g.next},
	}
}

// apply takes records as one page, keeps it, and expects what came of them.
func (g *rig) apply(want string, records ...*penstock.Record) {
	g.Helper()
	g.desk.out = nil
	page := g.book.Begin(g.desk, func(r *penstock.Record) (bool, error) {
		known := g.seen[string(r.Key)+"/"+string(r.ID)]
		g.seen[string(r.Key)+"/"+string(r.ID)] = true
		return known, nil
	}, nil)
	for _, r := range records {
		if err := page.Take(r, &g.stream); err != nil {
			g.Fatal(err)
		}
	}
	page.Keep()
	g.expect(want)
}

func (g *rig) expect(want string) {
	g.Helper()
	if got := strings.Join(g.desk.out, "; "); got != want {
		g.Fatalf("got  %s\nwant %s", got, want)
	}
}

// counts expects events by fate: stored, duplicate, dead, parked, dropped, expired.
func (g *rig) counts(want ...int64) {
	g.Helper()
	var got []int64
	var sum penstock.Total
	for _, t := range g.book.Tallies() {
		for _, one := range t {
			got = append(got, one.Events)
		}
		sum = sum.Plus(t.Sum())
	}
	if !slices.Equal(got, want) {
		g.Fatalf("events %v, want %v", got, want)
	}
}

func replayOf(r *penstock.Record, offset penstock.Offset) *penstock.Record {
	r.ReplayOf = penstock.Position{Epoch: 1, Offset: offset}
	return r
}

var day = penstock.Dedup{Window: 86400e9, MaxIDs: 100}

func TestRepeats(t *testing.T) {
	g := newRig(t, penstock.Stream{Name: "s", Dedup: day}, Limits{})
	g.apply("row a; row b", g.rec("a"), g.rec("b"), g.rec("a"))
	given := g.rec("a")
	given.Flags = penstock.ServerID
	g.apply("row a", given, g.rec("b"))
	g.counts(3, 2, 0, 0, 0, 0)
	g.stream.Dedup = penstock.Dedup{}
	g.apply("row a", g.rec("a"))
}

// TestProducers holds C-PRODUCER.
func TestProducers(t *testing.T) {
	g := newRig(t, penstock.Stream{Name: "s"}, Limits{})
	by := func(r *penstock.Record, seq uint64, item int) *penstock.Record {
		r.Producer, r.Item = penstock.Producer{Name: "p", Seq: seq}, item
		return r
	}
	g.apply("row a; row b", by(g.rec("a"), 1, 0), by(g.rec("b"), 1, 1))
	g.apply("row c", by(g.rec("a"), 1, 0), by(g.rec("b"), 1, 1), by(g.rec("c"), 2, 0), by(g.rec("c"), 2, 0))
	g.apply("", by(g.rec("old"), 1, 7))
	g.counts(3, 4, 0, 0, 0, 0)
}

func TestLetterIsReplayedOnce(t *testing.T) {
	g := newRig(t, penstock.Stream{Name: "s", Dedup: day}, Limits{})
	g.apply("letter a open bad_json; row b", g.rec("a=bad"), g.rec("b"), g.rec("a"))
	g.counts(1, 1, 1, 0, 0, 0)
	g.apply("settle 1 open bad_json", replayOf(g.rec("a=bad"), 1))
	g.counts(1, 1, 1, 0, 0, 0)
	g.apply("row a; settle 1 replayed", replayOf(g.rec("a"), 1), replayOf(g.rec("a"), 1))
	g.apply("", replayOf(g.rec("a"), 1))
	g.counts(2, 1, 0, 0, 0, 0)
}

func TestLetterIsDroppedOnce(t *testing.T) {
	g := newRig(t, penstock.Stream{Name: "s"}, Limits{})
	g.apply("letter a open bad_json", g.rec("a=bad"))
	at := penstock.Place{Partition: 1, Position: penstock.Position{Epoch: 1, Offset: 1}}
	for _, want := range []bool{true, false} {
		g.desk.out = nil
		page := g.book.Begin(g.desk, nil, nil)
		if was, err := page.Drop(at, 5); was != want || err != nil {
			t.Fatal(was, err)
		}
		page.Keep()
	}
	g.apply("", replayOf(g.rec("a"), 1))
	g.counts(0, 0, 0, 0, 1, 0)
}

// TestHaltedKey holds C-ORD behind a dead letter.
func TestHaltedKey(t *testing.T) {
	g := newRig(t, penstock.Stream{Name: "s", HaltKey: true}, Limits{})
	g.apply("letter 1 open bad_json; letter 2 parked ; row 3; letter 4 parked ; letter 5 parked ", g.rec("1/k=bad"), g.rec("2/k"), g.rec("3/other"), g.rec("4/k=bad"), g.rec("5/k"))
	g.counts(1, 0, 1, 3, 0, 0)
	// The replay lets the second go, the fourth turns out to be bad itself, and holds the fifth.
	g.apply("row 1; settle 1 replayed; row 2; settle 2 replayed; settle 4 open bad_json; letter 6 parked ", replayOf(g.rec("1/k"), 1), g.rec("6/k"))
	g.counts(3, 0, 1, 2, 0, 0)
	g.apply("row 4; settle 4 replayed; row 5; settle 5 replayed; row 6; settle 7 replayed; row 7", replayOf(g.rec("4/k"), 4), g.rec("7/k"))
	g.counts(7, 0, 0, 0, 0, 0)
}

// TestFull holds C-PARK.
func TestFull(t *testing.T) {
	g := newRig(t, penstock.Stream{Name: "s", HaltKey: true}, Limits{Letters: 3, Parked: 1})
	g.apply("letter 1 open bad_json; letter 2 parked ", g.rec("1/k=bad"), g.rec("2/k"))
	page := g.book.Begin(g.desk, nil, nil)
	if err := page.Take(g.rec("3/k"), &g.stream); !penstock.Is(err, penstock.Full) {
		t.Fatal(err)
	}
	g.counts(0, 0, 1, 1, 0, 0) // the page was dropped: nothing of it is there
	g.apply("row 1; settle 1 replayed; row 2; settle 2 replayed", replayOf(g.rec("1/k"), 1))
}

func TestCondemned(t *testing.T) {
	g := newRig(t, penstock.Stream{Name: "s"}, Limits{})
	r := g.rec("a")
	page := g.book.Begin(g.desk, nil, map[penstock.Place]penstock.Condemned{{Partition: 1, Position: r.Position}: {Reason: penstock.ReasonCrashes}})
	if err := page.Take(r, &g.stream); err != nil {
		t.Fatal(err)
	}
	g.expect("letter a open crashes")
}

// One that is condemned while it waits is not tried when its turn comes.
func TestCondemnedAndParked(t *testing.T) {
	g := newRig(t, penstock.Stream{Name: "s", HaltKey: true}, Limits{})
	g.apply("letter 1 open bad_json", g.rec("1/k=bad"))
	r := g.rec("2/k")
	page := g.book.Begin(g.desk, nil, map[penstock.Place]penstock.Condemned{{Partition: 1, Position: r.Position}: {Reason: penstock.ReasonCrashes}})
	if err := page.Take(r, &g.stream); err != nil {
		t.Fatal(err)
	}
	page.Keep()
	g.apply("row 1; settle 1 replayed; settle 2 open crashes", replayOf(g.rec("1/k"), 1))
}

func TestExpire(t *testing.T) {
	g := newRig(t, penstock.Stream{Name: "s"}, Limits{})
	g.apply("row a; row b", g.rec("a"), g.rec("b"))
	lane := penstock.Lane{Tenant: penstock.DefaultTenant, Stream: "s", Partition: 1}
	page := g.book.Begin(g.desk, nil, nil)
	page.Expire(lane, penstock.Total{Events: 1, Lo: 1 << 60})
	page.Keep()
	g.counts(1, 0, 0, 0, 0, 1)
	if got := g.book.Tallies()[lane][penstock.FateStored]; got != (penstock.Total{Events: 1, Lo: 2 << 60}) {
		t.Fatalf("left with %+v", got)
	}
}

// Letters of one key are as cheap as those of many.
func TestManyLettersOfAKey(t *testing.T) {
	const many = 5000
	g := newRig(t, penstock.Stream{Name: "s"}, Limits{})
	var records, replays []*penstock.Record
	for i := range many {
		records = append(records, g.rec("1/k=bad"))
		replays = append(replays, replayOf(&penstock.Record{
			Event: records[i].Event, Tenant: penstock.DefaultTenant, Stream: "s", Partition: 1, Position: penstock.Position{Epoch: 2, Offset: penstock.Offset(i)},
		}, penstock.Offset(i+1)))
		replays[i].Body = nil
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, all := range [][]*penstock.Record{records, replays} {
		page := g.book.Begin(g.desk, nil, nil)
		for _, r := range all {
			if err := page.Take(r, &g.stream); err != nil {
				t.Fatal(err)
			}
		}
		page.Keep()
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / many; each > 5000 {
		t.Fatalf("a letter took %d bytes", each)
	}
	g.counts(many, 0, 0, 0, 0, 0)
}

// A page that is dropped leaves nothing in a queue.
func TestDroppedPageLeavesTheQueue(t *testing.T) {
	g := newRig(t, penstock.Stream{Name: "s", HaltKey: true}, Limits{})
	g.apply("letter 1 open bad_json; letter 2 parked ; letter 3 parked ", g.rec("1/k=bad"), g.rec("2/k"), g.rec("3/k"))
	page := g.book.Begin(g.desk, nil, nil)
	for _, r := range []*penstock.Record{g.rec("dropped/k"), replayOf(g.rec("1/k"), 1), g.rec("too/k=bad"), g.rec("dropped/k")} {
		if err := page.Take(r, &g.stream); err != nil {
			t.Fatal(err)
		}
	}
	g.next = 3
	g.apply("letter 4 parked ; letter 5 parked ", g.rec("4/k"), g.rec("5/k"))
	g.apply("row 1; settle 1 replayed; row 2; settle 2 replayed; row 3; settle 3 replayed; row 4; settle 4 replayed; row 5; settle 5 replayed",
		replayOf(g.rec("1/k"), 1))
	g.counts(5, 0, 0, 0, 0, 0)
}

// Letters are replayed in any order.
// It holds C-REPLAY.
func TestReplaysInAnyOrder(t *testing.T) {
	g := newRig(t, penstock.Stream{Name: "s"}, Limits{})
	g.apply("letter 1 open bad_json; letter 2 open bad_json; letter 3 open bad_json", g.rec("1/k=bad"), g.rec("2/k=bad"), g.rec("3/k=bad"))
	g.stream.HaltKey = true
	g.apply("row 2; settle 2 replayed; letter 4 parked ; row 1; settle 1 replayed; row 3; settle 3 replayed; row 4; settle 5 replayed; row 5",
		replayOf(g.rec("2/k"), 2), g.rec("4/k"), replayOf(g.rec("1/k"), 1), replayOf(g.rec("3/k"), 3), g.rec("5/k"))
}

// A row that had to wait is as old as what let it go, so that its time to be kept has not passed already.
func TestReleasedRowsAreNew(t *testing.T) {
	g := newRig(t, penstock.Stream{Name: "s", HaltKey: true}, Limits{})
	g.apply("letter 1 open bad_json; letter 2 parked ", g.rec("1/k=bad"), g.rec("2/k"))
	later := replayOf(g.rec("1/k"), 1)
	later.LogTime = 77
	g.apply("row 1; settle 1 replayed; row 2; settle 2 replayed", later)
	if g.desk.logTime != 77 {
		t.Fatalf("it is a row of %d", g.desk.logTime)
	}
}
