package audit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"penstock"
	"penstock/eventlog/memory"
)

// move changes a record's fate in what the store says.
func (r *rig) move(rec *penstock.Record, from, to penstock.Fate) {
	before := r.store.tallies
	r.store.tallies = func(tallies map[penstock.Lane]penstock.Tally) {
		if before != nil {
			before(tallies)
		}
		tally := tallies[laneOf(rec)]
		var one penstock.Total
		one.Add(rec.Sum)
		if from >= 0 {
			tally[from] = tally[from].Minus(one)
		}
		if to >= 0 {
			tally[to] = tally[to].Plus(one)
		}
		tallies[laneOf(rec)] = tally
	}
}

const nowhere penstock.Fate = -1

// hide takes a row away.
func (r *rig) hide(rec *penstock.Record) {
	if r.store.hidden == nil {
		r.store.hidden = map[penstock.Place]bool{}
	}
	r.store.hidden[placeOf(rec).vocabulary()] = true
}

// rowsOf returns the rows of a partition that has some, in order.
func (r *rig) rowsOf() []penstock.Record {
	rows := r.store.Records()
	p := rows[0].Partition
	rows = slices.DeleteFunc(rows, func(row penstock.Record) bool { return row.Partition != p })
	slices.SortFunc(rows, func(a, b penstock.Record) int { return int(a.Position.Offset) - int(b.Position.Offset) })
	return rows
}

// TestExpired has rows that are gone rightly, and behind them one that is not.
func TestExpired(t *testing.T) {
	r := newRig(t)
	r.send("clicks", events(0, 80)...)
	r.apply(nil)
	rows := r.rowsOf()
	for i := range 3 {
		r.move(&rows[i], penstock.FateStored, penstock.FateExpired)
		r.hide(&rows[i])
	}
	report := r.expect(Ask{Deep: true}, true, "accepted 80, stored 77, expired 3")
	if report.Deep.Unsure != 3 {
		t.Errorf("%+v", report.Deep)
	}
	r.hide(&rows[5])
	report = r.expect(Ask{Deep: true}, false, "accepted 80, stored 77, expired 3, wrong checksum")
	if first := report.Streams[0].FirstMissing; report.Deep.Missing != 1 || first == nil || *first != placeOf(&rows[5]) {
		t.Errorf("%+v, first missing %v", report.Deep, first)
	}
}

// TestExpiresMeanwhile has rows that expire after the tallies were taken.
func TestExpiresMeanwhile(t *testing.T) {
	r := newRig(t)
	r.send("clicks", events(0, 80)...)
	r.apply(nil)
	rows := r.rowsOf()
	once := false
	r.store.between = func() {
		if !once {
			once = true
			for i := range 3 {
				r.move(&rows[i], penstock.FateStored, penstock.FateExpired)
				r.hide(&rows[i])
			}
		}
	}
	if report := r.expect(Ask{Deep: true}, true, "accepted 80, stored 80"); report.Deep.Unsure != 3 {
		t.Errorf("%+v", report.Deep)
	}
}

// TestRepeatOfWhatExpired has a repeat whose first occurrence is no row any more.
func TestRepeatOfWhatExpired(t *testing.T) {
	r := newRig(t, dedup)
	r.send("clicks", events(0, 80)...)
	r.apply(nil)
	rows := r.rowsOf()
	r.send("clicks", event(string(rows[0].ID), string(rows[0].Key)))
	r.apply(nil)
	if report := r.expect(Ask{Deep: true}, true, "accepted 81, stored 80, duplicates 1"); report.Deep.Unsure != 0 || len(r.store.asked) != 1 {
		t.Errorf("%+v, asked %d", report.Deep, len(r.store.asked))
	}
	r.move(&rows[0], penstock.FateStored, penstock.FateExpired)
	r.hide(&rows[0])
	if report := r.expect(Ask{Deep: true}, true, "accepted 81, stored 79, duplicates 1, expired 1"); report.Deep.Unsure != 2 {
		t.Errorf("%+v", report.Deep)
	}
}

// TestProducers has repeats that only a producer's number explains: their ids are the server's.
func TestProducers(t *testing.T) {
	r := newRigWith(t, memory.Options{Keep: time.Microsecond}, Limits{})
	produce := func(seq uint64, name string) *penstock.Block {
		var all []penstock.Event
		for i := range 3 {
			e := event(fmt.Sprintf("%s-%d-%d", name, seq, i), "k")
			e.Flags = penstock.ServerID
			all = append(all, e)
		}
		b := r.block("clicks", penstock.Producer{Name: "app", Seq: seq}, all...)
		if err := r.log.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	produce(1, "first")
	produce(2, "second")
	produce(2, "again")
	r.apply(nil)
	if report := r.expect(Ask{Deep: true}, true, "accepted 9, stored 6, duplicates 3"); report.Deep.Unsure != 0 || len(r.store.asked) != 0 {
		t.Errorf("%+v, asked %d", report.Deep, len(r.store.asked))
	}
	r.forget()
	produce(2, "late") // the log has nothing any more that says what this repeats
	gone := produce(3, "third")
	r.apply(func(b *penstock.Block) *penstock.Block {
		if b == gone {
			return nil
		}
		return b
	})
	fourth := produce(4, "fourth")
	r.apply(nil)
	report := r.expect(Ask{Deep: true}, false, "accepted 18, stored 9, duplicates 6, missing 3, wrong checksum")
	if report.Deep.Unsure != 6 || report.Deep.Missing != 0 {
		t.Errorf("%+v", report.Deep) // 2 and 3 look alike as long as nothing of the producer was found
	}
	r.hide(&[]penstock.Record{recordOf(fourth, 2)}[0])
	report = r.run(Ask{Deep: true})
	if first := report.Streams[0].FirstMissing; report.Deep.Missing != 1 || first == nil || *first != place(fourth, "fourth-4-2") {
		t.Errorf("%+v, first missing %v", report.Deep, first)
	}
}

func recordOf(b *penstock.Block, item int) penstock.Record {
	for r := range b.Records() {
		if r.Item == item {
			return *r
		}
	}
	panic("no such item")
}

// TestRepeatsAreLimited asks the store about so many records and no more.
func TestRepeatsAreLimited(t *testing.T) {
	r := newRigWith(t, memory.Options{}, Limits{Repeats: 5}, dedup)
	r.send("clicks", events(0, 20)...)
	r.send("clicks", events(0, 20)...)
	r.apply(nil)
	report := r.expect(Ask{Deep: true}, true, "accepted 40, stored 20, duplicates 20")
	if len(r.store.asked) != 5 || report.Deep.Unsure != 15 {
		t.Errorf("asked %d, %+v", len(r.store.asked), report.Deep)
	}
}

// TestDeepIsLimited compares as much as its time allows, and says that it was not all.
func TestDeepIsLimited(t *testing.T) {
	r := newRigWith(t, memory.Options{}, Limits{Deep: 1})
	r.send("clicks", events(0, 20)...)
	r.apply(nil)
	if report := r.expect(Ask{Deep: true}, true, "accepted 20, stored 20"); report.Deep.Complete || report.Deep.Events != 0 {
		t.Errorf("%+v", report.Deep)
	}
}

// TestNoChecksums has events of which nobody took a checksum: they are counted and compared all the same.
func TestNoChecksums(t *testing.T) {
	r := newRig(t)
	b := penstock.NewBlockBuilder(r.partitioner)
	b.Reset(penstock.DefaultTenant, "clicks", 1e15, 1<<10)
	for _, e := range events(0, 20) {
		b.Add(e)
	}
	if err := r.log.Append(t.Context(), b.Take()); err != nil {
		t.Fatal(err)
	}
	r.expect(Ask{}, true, "accepted 20, pending 20")
	r.apply(nil)
	r.expect(Ask{Deep: true}, true, "accepted 20, stored 20")
	row := r.store.Records()[3]
	r.move(&row, penstock.FateStored, nowhere)
	r.hide(&row)
	report := r.expect(Ask{}, false, "accepted 20, stored 19, missing 1, wrong checksum")
	if first := report.Streams[0].FirstMissing; first == nil || *first != placeOf(&row) {
		t.Errorf("first missing %v", first)
	}
}

// TestNameless has a store that cannot say where its rows are: that something is missing is said all the same.
func TestNameless(t *testing.T) {
	r := newRig(t)
	r.send("clicks", events(0, 20)...)
	r.apply(nil)
	rows := r.store.Records()
	r.move(&rows[0], penstock.FateStored, nowhere)
	broken := errors.New("broken")
	r.store.failing = func(string) error { return broken }
	var told error
	r.audit.o.Trace.Nameless = func(err error) { told = err }
	if report := r.expect(Ask{}, false, "accepted 20, stored 19, missing 1, wrong checksum"); report.Streams[0].FirstMissing != nil || told != broken {
		t.Errorf("%+v, told %v", report.Streams[0], told)
	}
	if _, err := r.audit.Run(t.Context(), Ask{Deep: true}); err != broken {
		t.Errorf("a deep check says %v", err)
	}
}

// TestRandomFaults loses, doubles, exchanges and changes rows at random, with tallies that follow the rows as a store's do, and
// expects that the sums find it, that the search names the first, and that nothing else is named.
func TestRandomFaults(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 150 {
		r := newRig(t, dedup)
		for range 1 + random.IntN(6) {
			r.send("clicks", events(random.IntN(60), 1+random.IntN(20))...)
			if random.IntN(2) == 0 {
				r.apply(nil)
			}
		}
		r.apply(nil)
		rows := r.store.Records()
		random.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		var lost, doubled []penstock.Record
		for i := range random.IntN(4) {
			switch row := rows[i%len(rows)]; {
			case i >= len(rows):
			case random.IntN(2) == 0:
				r.move(&row, penstock.FateStored, nowhere)
				r.hide(&row)
				lost = append(lost, row)
			default:
				r.move(&row, nowhere, penstock.FateStored)
				r.store.extra = append(r.store.extra, row)
				doubled = append(doubled, row)
			}
		}
		r.send("clicks", events(100, random.IntN(5)+1)...)
		report := r.run(Ask{Deep: random.IntN(2) == 0})
		s := report.Streams[0]
		if report.OK != (len(lost)+len(doubled) == 0) {
			t.Fatalf("lost %d, doubled %d: %s", len(lost), len(doubled), show(s.Counts))
		}
		if !samePlace(s.FirstMissing, firstOf(lost)) || !samePlace(s.FirstDoubled, firstOf(doubled)) || s.FirstChanged != nil {
			t.Fatalf("missing %v, want %v; doubled %v, want %v", s.FirstMissing, firstOf(lost), s.FirstDoubled, firstOf(doubled))
		}
	}
}

func firstOf(records []penstock.Record) (first *Place) {
	for i := range records {
		at := placeOf(&records[i])
		raise(&first, &at)
	}
	return first
}

func samePlace(a, b *Place) bool { return a == b || a != nil && b != nil && *a == *b }
