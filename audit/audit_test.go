package audit

import (
	"testing"

	"penstock"
)

var dedup = penstock.Stream{Name: "clicks", Dedup: penstock.Dedup{Window: 86400e9, MaxIDs: 1 << 20}}

func TestBalanced(t *testing.T) {
	r := newRig(t)
	if report := r.run(Ask{Deep: true}); !report.OK || len(report.Streams) != 0 {
		t.Errorf("an empty log: %+v", report)
	}
	r.send("clicks", events(0, 50)...)
	r.expect(Ask{}, true, "accepted 50, pending 50")
	r.apply(nil)
	r.expect(Ask{}, true, "accepted 50, stored 50")
	r.send("clicks", events(50, 8)...)
	r.expect(Ask{Deep: true}, true, "accepted 58, stored 50, pending 8")
}

func TestStreamsAndPartitions(t *testing.T) {
	r := newRig(t)
	r.send("orders", events(0, 30)...)
	r.send("clicks", events(0, 40)...)
	r.apply(nil)
	r.send("orders", events(30, 5)...)
	report := r.run(Ask{Partitions: true})
	if !report.OK || len(report.Streams) != 2 {
		t.Fatalf("%+v", report)
	}
	for i, want := range []string{"accepted 40, stored 40", "accepted 35, stored 30, pending 5"} {
		s := report.Streams[i]
		sum := Counts{ChecksumOK: s.ChecksumOK}
		for _, l := range s.Partitions {
			sum.add(l.Counts)
		}
		if len(s.Partitions) < 2 || show(sum) != want || show(s.Counts) != want {
			t.Errorf("%s: %s, lanes %s, want %s", s.Stream, show(s.Counts), show(sum), want)
		}
	}
	if report.Streams[0].Stream != "clicks" || report.Streams[1].Stream != "orders" {
		t.Error("not in the order of their names")
	}
}

// TestFates holds C-AUDIT.
func TestFates(t *testing.T) {
	halting := dedup
	halting.HaltKey = true
	r := newRig(t, halting)
	bad := event("bad", "stuck")
	bad.Body = []byte(`{"n":`)
	first := r.send("clicks", append(events(0, 10), bad)...)
	r.send("clicks", append(events(5, 5), event("behind", "stuck"))...)
	r.apply(nil)
	r.expect(Ask{Deep: true}, true, "accepted 17, stored 10, duplicates 5, dead 1, pending 1, parked 1")

	r.replay("clicks", bad, place(first, "bad").vocabulary().Position)
	r.expect(Ask{Deep: true}, true, "accepted 17, stored 10, duplicates 5, dead 1, pending 1, parked 1, replaying 1")
	r.apply(nil)
	r.expect(Ask{Deep: true}, true, "accepted 17, stored 10, duplicates 5, dead 1, pending 1, parked 1")

	if n, err := r.store.Drop(t.Context(), []penstock.Place{place(first, "bad").vocabulary()}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	r.expect(Ask{Deep: true}, true, "accepted 17, stored 11, duplicates 5, dropped 1")
}

func TestReplayThatSucceeds(t *testing.T) {
	r := newRig(t, penstock.Stream{Name: "clicks", Columns: []penstock.Column{{Name: "n", Type: penstock.Bigint, Path: "n"}}})
	bad := event("bad", "k")
	bad.Body = []byte(`{"n":"x"}`)
	first := r.send("clicks", append(events(0, 10), bad)...)
	r.apply(nil)
	r.expect(Ask{Deep: true}, true, "accepted 11, stored 10, dead 1")
	r.store.Declare([]penstock.Stream{{Name: "clicks"}})
	for range 2 { // run twice, it is one effect
		r.replay("clicks", bad, place(first, "bad").vocabulary().Position)
	}
	r.apply(nil)
	r.expect(Ask{Deep: true}, true, "accepted 11, stored 11")
}

// TestLostInApply has a store that moves past a record without keeping it.
func TestLostInApply(t *testing.T) {
	r := newRig(t, dedup)
	r.send("clicks", events(0, 20)...)
	gone := r.send("clicks", event("gone", "k1"))
	r.send("clicks", events(0, 25)...) // of which 20 are repeats
	r.apply(func(b *penstock.Block) *penstock.Block {
		if b == gone {
			return nil
		}
		return b
	})
	r.send("clicks", events(30, 3)...)
	for _, ask := range []Ask{{}, {Deep: true}} {
		report := r.expect(ask, false, "accepted 49, stored 25, duplicates 20, pending 3, missing 1, wrong checksum")
		if first := report.Streams[0].FirstMissing; first == nil || *first != place(gone, "gone") {
			t.Errorf("first missing %v, want %v", first, place(gone, "gone"))
		}
		if ask.Deep && (report.Deep.Missing != 1 || !report.Deep.Complete || report.Deep.Events != 46) {
			t.Errorf("%+v", report.Deep)
		}
	}
}

// TestLostAndDoubled hides one fault behind another: the numbers are right.
func TestLostAndDoubled(t *testing.T) {
	r := newRig(t)
	b := r.send("clicks", event("a", "k"), event("b", "k"))
	r.apply(nil)
	rows := r.store.Records()
	r.store.extra = rows[:1]
	r.store.hidden = map[penstock.Place]bool{place(b, "b").vocabulary(): true}
	r.store.tallies = func(tallies map[penstock.Lane]penstock.Tally) {
		for l, tally := range tallies {
			tally[penstock.FateStored] = penstock.Total{}
			tally[penstock.FateStored].Add(rows[0].Sum)
			tally[penstock.FateStored].Add(rows[0].Sum)
			tallies[l] = tally
		}
	}
	report := r.expect(Ask{}, false, "accepted 2, stored 2, wrong checksum")
	s := report.Streams[0]
	if s.FirstMissing == nil || *s.FirstMissing != place(b, "b") || s.FirstDoubled == nil || *s.FirstDoubled != place(b, "a") {
		t.Errorf("missing %v, doubled %v", s.FirstMissing, s.FirstDoubled)
	}
}

func TestDoubled(t *testing.T) {
	r := newRig(t)
	r.send("clicks", events(0, 10)...)
	r.apply(nil)
	again := r.store.Records()[3]
	r.store.extra = []penstock.Record{again}
	r.store.tallies = func(tallies map[penstock.Lane]penstock.Tally) {
		l := laneOf(&again)
		tally := tallies[l]
		tally[penstock.FateStored].Add(again.Sum)
		tallies[l] = tally
	}
	report := r.expect(Ask{}, false, "accepted 10, stored 11, excess 1, wrong checksum")
	if first := report.Streams[0].FirstDoubled; first == nil || *first != placeOf(&again) {
		t.Errorf("first doubled %v", first)
	}
}

// TestForeign has a row that no event was.
func TestForeign(t *testing.T) {
	r := newRig(t)
	r.send("clicks", events(0, 10)...)
	r.apply(nil)
	foreign := r.store.Records()[0]
	foreign.Stream = "orders"
	r.store.extra = []penstock.Record{foreign}
	if report := r.run(Ask{}); !report.OK {
		t.Errorf("sums alone found it: %+v", report)
	}
	r.send("orders", event("other", string(foreign.Key)))
	r.apply(nil)
	report := r.run(Ask{Deep: true})
	if report.OK || report.Deep.Doubled != 1 || report.Streams[1].FirstDoubled == nil || *report.Streams[1].FirstDoubled != placeOf(&foreign) {
		t.Errorf("%+v %+v", report, report.Deep)
	}
}

// TestSwappedBodies stores two events with each other's bodies, and checksums that were taken of that.
func TestSwappedBodies(t *testing.T) {
	r := newRig(t)
	a, b := event("a", "k"), event("b", "k")
	sent := r.send("clicks", a, b)
	r.apply(func(block *penstock.Block) *penstock.Block {
		return r.remake(block, func(e *penstock.Event) {
			e.Sum = 0
			if string(e.ID) == "a" {
				e.Body = b.Body
			} else {
				e.Body = a.Body
			}
		})
	})
	report := r.expect(Ask{}, false, "accepted 2, stored 2, wrong checksum")
	if first := report.Streams[0].FirstChanged; first == nil || *first != place(sent, "a") {
		t.Errorf("first changed %v", first)
	}
}

// TestChangedOnTheWay changes a body between log and store: the store makes it a letter, and the deep check names it.
func TestChangedOnTheWay(t *testing.T) {
	r := newRig(t)
	sent := r.send("clicks", event("a", "k"), event("b", "k"))
	r.apply(func(block *penstock.Block) *penstock.Block {
		return r.remake(block, func(e *penstock.Event) {
			if string(e.ID) == "b" {
				e.Body = []byte(`{"other":1}`)
			}
		})
	})
	r.expect(Ask{}, true, "accepted 2, stored 1, dead 1")
	report := r.expect(Ask{Deep: true}, false, "accepted 2, stored 1, dead 1, wrong checksum")
	if first := report.Streams[0].FirstChanged; first == nil || *first != place(sent, "b") || report.Deep.Changed != 1 {
		t.Errorf("first changed %v, %+v", first, report.Deep)
	}
}

// TestChangedBeforeTheLog appends an event that is not what its checksum was taken of.
func TestChangedBeforeTheLog(t *testing.T) {
	r := newRig(t)
	bad := event("bad", "k")
	bad.Sum = 12345
	sent := r.send("clicks", event("a", "k"), bad)
	report := r.expect(Ask{}, false, "accepted 2, pending 2, wrong checksum")
	if first := report.Streams[0].FirstChanged; first == nil || *first != place(sent, "bad") {
		t.Errorf("first changed %v", first)
	}
	r.apply(nil)
	r.expect(Ask{}, true, "accepted 2, stored 1, dead 1")
	r.expect(Ask{Deep: true}, false, "accepted 2, stored 1, dead 1, wrong checksum")
}

// TestRowsThatVanished has a store whose tallies are right and whose rows are not.
func TestRowsThatVanished(t *testing.T) {
	r := newRig(t)
	sent := r.send("clicks", events(0, 40)...)
	r.apply(nil)
	r.store.hidden = map[penstock.Place]bool{place(sent, "id7").vocabulary(): true}
	r.store.body = map[penstock.Place]string{place(sent, "id9").vocabulary(): `{}`}
	r.expect(Ask{}, true, "accepted 40, stored 40")
	report := r.expect(Ask{Deep: true}, false, "accepted 40, stored 40, wrong checksum")
	s := report.Streams[0]
	if report.Deep.Missing != 1 || s.FirstMissing == nil || *s.FirstMissing != place(sent, "id7") {
		t.Errorf("%+v, first missing %v", report.Deep, s.FirstMissing)
	}
	if report.Deep.Changed != 1 || s.FirstChanged == nil || *s.FirstChanged != place(sent, "id9") {
		t.Errorf("%+v, first changed %v", report.Deep, s.FirstChanged)
	}
}
