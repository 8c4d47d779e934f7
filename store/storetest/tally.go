package storetest

import (
	"fmt"
	"sync/atomic"

	"penstock"
)

var tallyCases = []test{
	{"tally/at first", "nothing came, so nothing became of it", tallyFirst},
	{"tally/of one moment", "an audit that adds up events of two moments finds losses that are none", tallyMoment},
	{"tally/many events", "what the lanes add up to is what was accepted, with checksums, also when they overflow", tallyMany},
}

func tallyFirst(s *suite) { newScript(s).take(s.T).check() }

// tallyMany checks the audit's equation over a history with every fate: for each lane the sum of fates is that of its records.
func tallyMany(s *suite) {
	a, b := s.Streams[0], s.Streams[1]
	c := newScript(s, penstock.Stream{Name: a, Dedup: day(), HaltKey: true},
		penstock.Stream{Name: b, Dedup: day(), Columns: []penstock.Column{{Name: "n", Type: penstock.Bigint, Path: "n"}}})
	c.few = true
	most := s.MaxParked
	if s.Brief {
		most = 24
	}
	for n := range most {
		id := func(name string) string { return fmt.Sprint(name, "-", n) }
		free, halted := c.key(a, n), c.key(a, 100+n)
		c.send(a, stored(c.event(a, free, id("a"), ""), c.event(a, free, id("b"), "")), repeated(c.event(a, free, id("a"), "")),
			dead("bad_json", c.unsummed(a, halted, id("c"), "x")), parked(c.event(a, halted, id("d"), "")))
		key := c.key(b, n)
		bad := c.send(b, stored(c.event(b, key, id("a"), "")), dead("bad_type", c.event(b, key, id("b"), `{"n":"x"}`)), repeated(c.event(b, key, id("b"), "")))
		switch n % 4 {
		case 1:
			c.drop(1, bad[1:2])
		case 2:
			c.send(b, again(bad[1], c.event(b, key, id("b"), `{"n":1}`)))
		}
	}
	k := c.take(s.T)
	k.run(func(*take) int { return 1 << 30 }, false)
	k.equation()
	c.play()
}

// equation compares each lane's sum of fates with the records below the store's positions, of which replays are none.
func (k *take) equation() {
	k.Helper()
	tallies, at, err := k.store.(penstock.Auditor).Tallies(k.ctx)
	if err != nil {
		k.Fatalf("Tallies: %v", err)
	}
	if why := unequal(tallies, accepted(k.records, at)); why != "" {
		k.Fatal(why)
	}
}

// accepted returns the totals of the records below the positions.
func accepted(records map[penstock.Place]penstock.Record, below penstock.Positions) map[penstock.Lane]penstock.Total {
	all := map[penstock.Lane]penstock.Total{}
	for at, r := range records {
		if r.ReplayOf == (penstock.Position{}) && at.Position.Less(below[at.Partition]) {
			t := all[laneOf(&r)]
			t.Add(r.Sum)
			all[laneOf(&r)] = t
		}
	}
	return all
}

// unequal names a lane whose sum of fates is not what was accepted, or returns "".
func unequal(tallies map[penstock.Lane]penstock.Tally, accepted map[penstock.Lane]penstock.Total) string {
	for lane, want := range accepted {
		if got := tallies[lane].Sum(); got != want {
			return fmt.Sprintf("%v: the sum of fates is %v, of what was applied %v", lane, got, want)
		}
	}
	for lane, t := range tallies {
		if _, ok := accepted[lane]; !ok && t.Sum() != (penstock.Total{}) {
			return fmt.Sprintf("%v: %v of nothing", lane, t)
		}
	}
	return ""
}

// tallyMoment asks for tallies while batches are applied.
func tallyMoment(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, Dedup: day()})
	for n := range 30 {
		var items []fated
		for i := range 40 {
			e := c.event(a, c.key(a, i), fmt.Sprint(n, "-", i), "")
			items = append(items, append(stored(e), repeated(e)...)...)
		}
		c.send(a, items)
	}
	k := c.take(s.T)
	whole := c.acts[0]
	var ended atomic.Bool
	failed := make(chan error, 1)
	go func() {
		defer ended.Store(true)
		failed <- k.applyEach(whole.blocks)
	}()
	for last := false; !last; {
		last = ended.Load()
		k.equation()
	}
	if err := <-failed; err != nil {
		s.Fatalf("Apply: %v", err)
	}
	k.note(penstock.Batch{From: k.at.Clone(), Next: k.reach(whole), Blocks: whole.blocks})
	k.check()
}

// applyEach applies a batch for each block.
func (k *take) applyEach(blocks []*penstock.Block) error {
	at := k.at.Clone()
	for _, block := range blocks {
		next := at.Clone()
		for _, p := range k.held {
			next.Raise(penstock.Positions{p: block.Ends()[p]})
		}
		if err := k.store.Apply(k.ctx, penstock.Batch{From: at, Next: next, Blocks: []*penstock.Block{block}}); err != nil {
			return err
		}
		at = next
	}
	return nil
}
