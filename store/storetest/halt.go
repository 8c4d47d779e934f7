package storetest

import (
	"fmt"
	"maps"
	"testing"

	"penstock"
)

var haltCases = []test{
	{"halt/later events of the key wait", "in such a stream an event must not take effect before those before it", haltWaits},
	{"halt/only where it is asked for", "elsewhere one bad event must stop nothing", haltOff},
	{"halt/replay releases in order", "what waited becomes rows with the event that it waited for, at once", haltReplay},
	{"halt/drop releases in order", "who gives the head up lets the rest go on", haltDrop},
	{"halt/one that waited is bad itself", "it was not looked at while it waited; the key halts again, at that one", haltBad},
	{"halt/a replay in vain releases nothing", "the key's order is kept for as long as the head lacks its effect", haltInVain},
	{"halt/repeats do not wait", "a repeat has no effect, now or later", haltRepeats},
	{"halt/one that waits cannot be replayed or dropped", "it would overtake those before it", haltTouch},
	{"halt/one that waits and is condemned", "what would end the process still would when its turn comes", haltCondemned},
	{"halt/more than may wait", "memory is bounded: the store stops, and drops nothing", haltFull},
	{"halt/a letter from before the key halted", "a stream that is changed to halt keys halts those with open letters", haltLater},
}

func haltWaits(s *suite) {
	a, b := s.Streams[0], s.Streams[1]
	c := newScript(s, penstock.Stream{Name: a, HaltKey: true}, penstock.Stream{Name: b, HaltKey: true})
	key, other := c.key(a, 0), c.key(a, 1)
	c.send(a, stored(c.event(a, key, "1", "")), dead("bad_json", c.unsummed(a, key, "2", "x")), parked(c.event(a, key, "3", ""), c.event(a, key, "4", "")))
	c.send(a, stored(c.event(a, other, "5", ""), c.event(a, "", c.id(a, 0), "")), parked(c.event(a, key, "6", ""), c.unsummed(a, key, "7", "x")))
	c.send(b, stored(c.event(b, key, "8", ""), c.event(b, "", key, "")))
	c.send(a, dead("bad_shape", c.unsummed(a, "", c.id(a, 1), "[]")), stored(c.event(a, "", c.id(a, 2), ""), c.event(a, "", c.id(a, 1), "")))
	c.send(a, parked(c.event(a, key, "9", "")))
	c.play()
}

func haltOff(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a})
	key := c.key(a, 0)
	bad := c.send(a, dead("bad_json", c.unsummed(a, key, "1", "x")), stored(c.event(a, key, "2", "")), dead("bad_json", c.unsummed(a, key, "3", "x")))
	c.send(a, stored(c.event(a, key, "4", "")), again(bad[2], c.event(a, key, "3", "")), stored(c.event(a, key, "5", "")))
	c.play()
}

func haltReplay(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, HaltKey: true, Dedup: day()})
	for n := range 2 {
		key := c.key(a, n)
		id := func(i int) string { return fmt.Sprint(n, "-", i) }
		e := func(i int) penstock.Event { return c.event(a, key, id(i), "") }
		head := c.send(a, dead("bad_json", c.unsummed(a, key, id(0), "x")))[0]
		c.send(a, parked(e(1), e(2), e(3)))
		c.send(a, parked(e(4)))
		c.send(a, parked(e(5)), again(head, e(0), rows(id(1), id(2), id(3), id(4), id(5))...), stored(e(6)))
		c.send(a, stored(e(7)), repeated(e(1), e(0)), void(head, e(0)))
	}
	c.play()
}

func haltDrop(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, HaltKey: true})
	key, other := c.key(a, 0), c.key(a, 1)
	head := c.send(a, dead("bad_json", c.unsummed(a, key, "1", "x"), c.unsummed(a, other, "2", "x")))
	c.send(a, parked(c.event(a, key, "3", ""), c.event(a, other, "4", ""), c.event(a, key, "5", ""), c.event(a, other, "6", "")))
	c.drop(1, head[:1], rows("3", "5")...)
	c.send(a, stored(c.event(a, key, "7", "")), parked(c.event(a, other, "8", "")))
	c.drop(1, head, rows("4", "6", "8")...)
	c.send(a, stored(c.event(a, key, "9", ""), c.event(a, other, "10", "")))
	c.play()
}

func haltBad(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, HaltKey: true})
	key := c.key(a, 0)
	e := func(id string) penstock.Event { return c.event(a, key, id, "") }
	p := c.send(a, dead("bad_json", c.unsummed(a, key, "0", "x")),
		parked(e("1"), c.unsummed(a, key, "2", "[]"), e("3"), c.unsummed(a, key, "4", "y"), e("5")))
	c.send(a, again(p[0], e("0"), freed{id: "1"}, freed{id: "2", reason: "bad_shape"}), parked(e("6")))
	c.send(a, void(p[0], e("0")), void(p[3], e("3")), void(p[1], e("1")))
	c.drop(1, []penstock.Place{p[2], p[0], p[1], p[3]}, freed{id: "3"}, freed{id: "4", reason: "bad_json"})
	c.send(a, parked(e("7")))
	c.send(a, again(p[4], e("4"), rows("5", "6", "7")...), stored(e("8")))
	c.play()
}

func haltInVain(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, HaltKey: true})
	key := c.key(a, 0)
	head := c.send(a, dead("bad_json", c.unsummed(a, key, "0", "x")), parked(c.event(a, key, "1", "")))[0]
	c.send(a, inVain(head, c.unsummed(a, key, "0", "[]"), "bad_shape"), parked(c.event(a, key, "2", "")))
	c.send(a, void(head, c.event(a, c.apart(a), "0", "")), again(head, c.event(a, key, "0", ""), rows("1", "2")...))
	c.play()
}

func haltRepeats(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, HaltKey: true, Dedup: day()})
	key := c.key(a, 0)
	e := func(id string) penstock.Event { return c.event(a, key, id, "") }
	c.made("one", 1, a, stored(e("1")), dead("bad_json", c.unsummed(a, key, "2", "x")), parked(e("3")))
	c.made("one", 1, a, repeated(e("1"), c.unsummed(a, key, "2", "x"), e("3")))
	c.send(a, repeated(e("1"), e("2"), e("3")), parked(e("4")), repeated(e("4")))
	c.play()
}

func haltTouch(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, HaltKey: true})
	key := c.key(a, 0)
	e := func(id string) penstock.Event { return c.event(a, key, id, "") }
	p := c.send(a, dead("bad_json", c.unsummed(a, key, "0", "x")), parked(e("1"), e("2")))
	c.send(a, void(p[1], e("1")), void(p[2], e("2")), parked(e("3")))
	c.drop(0, p[1:])
	c.send(a, again(p[0], e("0"), rows("1", "2", "3")...))
	c.drop(0, p)
	c.play()
}

func haltCondemned(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, HaltKey: true})
	key := c.key(a, 0)
	e := func(id string) penstock.Event { return c.event(a, key, id, "") }
	wait := parked(e("1"), e("2"), e("3"))
	wait[1].condemn = penstock.Condemned{Reason: penstock.ReasonCrashes, Detail: "the process ended"}
	p := c.send(a, dead("bad_json", c.unsummed(a, key, "0", "x")), wait)
	c.send(a, again(p[0], e("0"), freed{id: "1"}, freed{id: "2", reason: penstock.ReasonCrashes}), parked(e("4")))
	c.drop(1, p, rows("3", "4")...)
	c.play()
}

// haltFull parks as many as may wait, and one more. The bound is that of a shard, so all are of one key.
func haltFull(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, HaltKey: true, Dedup: day()})
	key := c.key(a, 0)
	e := func(id int) penstock.Event { return c.event(a, key, fmt.Sprint(id), "") }
	head := c.send(a, dead("bad_json", c.unsummed(a, key, "head", "x")))
	var ids []string
	for n := range s.MaxParked {
		c.send(a, parked(e(n)))
		ids = append(ids, fmt.Sprint(n))
	}
	c.drop(1, head, rows(ids...)...)
	head = c.send(a, dead("bad_json", c.unsummed(a, key, "head again", "x")))
	ids = nil
	for n := range s.MaxParked {
		c.send(a, parked(e(s.MaxParked+n)))
		ids = append(ids, fmt.Sprint(s.MaxParked+n))
	}
	k := c.take(s.T)
	k.run(func(*take) int { return 1 << 30 }, false)
	// More of the same comes: with a row, a letter and a repeat before it that must leave nothing.
	beyond, beside := newScript(s), c.beside(a)
	beyond.made("one", 1, a, stored(c.event(a, beside, "row", "")), repeated(e(0)), dead("bad_json", c.unsummed(a, beside, "letter", "x")), parked(e(-1)))
	more := beyond.acts[0]
	b := penstock.Batch{From: k.at.Clone(), Next: k.reach(more), Blocks: more.blocks}
	b = b.Only([]penstock.Partition{head[0].Partition})
	for _, again := range []func(*testing.T, penstock.Store) penstock.Store{nil, s.Reopen, s.Crash} {
		if again != nil {
			k.use(again(s.T, k.store))
		}
		k.expect(k.store.Apply(k.ctx, b), penstock.Full)
		k.check()
	}
	k.dropped(act{drop: head, open: 1, freed: rows(ids...)})
	maps.Copy(k.records, beyond.records)
	maps.Copy(k.outcomes, beyond.outcomes)
	for at, o := range k.outcomes {
		if r := k.records[at]; string(r.ID) == "-1" {
			o.fate = penstock.FateStored
			k.outcomes[at] = o
		}
	}
	k.play(b)
}

func haltLater(s *suite) {
	if s.ReopenWith == nil {
		return
	}
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a})
	key := c.key(a, 0)
	e := func(id string) penstock.Event { return c.event(a, key, id, "") }
	head := c.send(a, stored(e("1")), dead("bad_json", c.unsummed(a, key, "2", "x")), stored(e("3")), dead("bad_json", c.unsummed(a, key, "4", "x")), stored(e("5")))
	head = []penstock.Place{head[1], head[3]}
	k := c.take(s.T)
	k.run(func(*take) int { return 1 << 30 }, false)
	k.use(s.ReopenWith(s.T, k.store, []penstock.Stream{{Name: a, HaltKey: true}}))
	k.acts, c.acts = nil, nil
	c.send(a, parked(e("6")), again(head[1], e("4")), parked(e("7")))
	c.send(a, again(head[0], e("2"), rows("6", "7")...), stored(e("8")))
	k.run(func(*take) int { return 1 }, false)
}
