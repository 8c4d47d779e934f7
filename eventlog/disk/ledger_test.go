package disk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"penstock"
	"penstock/internal/checksum"
	"penstock/internal/vfs"
)

// ledger is what the callers of a log know of it, and since which step of the trace of its files they do.
type ledger struct {
	mu      sync.Mutex
	entries map[string]*known
	safe    []safeAt
}

// known is a block, under the name that its records' ids begin with.
type known struct {
	name    string
	sums    []penstock.Checksum // of its records
	lanes   lanes
	places  []penstock.Place // of its records, once they are known
	acked   int              // it must be there from this step on; never: it need not be
	refused int              // it must not be there from this step on
}

const never = 1 << 60

// safeAt is what Retain was called with.
type safeAt struct {
	step int
	safe penstock.Positions
}

func newLedger() *ledger { return &ledger{entries: map[string]*known{}} }

// add knows a block that is about to be appended.
func (led *ledger) add(name string, b *penstock.Block) *known {
	e := &known{name: name, lanes: lanes{}, acked: never, refused: never}
	for r := range b.Records() {
		e.sums = append(e.sums, r.Sum)
		if r.ReplayOf == (penstock.Position{}) {
			countIn(e.lanes, r)
		}
	}
	led.mu.Lock()
	defer led.mu.Unlock()
	led.entries[name] = e
	return e
}

func countIn(all lanes, r *penstock.Record) {
	lane := penstock.Lane{Tenant: r.Tenant, Stream: r.Stream, Partition: r.Partition}
	total := all[lane]
	total.Add(r.Sum)
	all[lane] = total
}

func placesOf(b *penstock.Block) []penstock.Place {
	var all []penstock.Place
	for r := range b.Records() {
		all = append(all, penstock.Place{Partition: r.Partition, Position: r.Position})
	}
	return all
}

// answered knows how an append ended.
func (led *ledger) answered(e *known, b *penstock.Block, err error, step int) {
	led.mu.Lock()
	defer led.mu.Unlock()
	switch penstock.CodeOf(err) {
	case "":
		e.acked, e.places = step, placesOf(b)
	case penstock.Full, penstock.Unavailable, penstock.Overloaded:
		e.refused = step
	}
}

// seen knows that readers were shown blocks: from now on they must stay.
func (led *ledger) seen(all map[string][]penstock.Place, step int) {
	led.mu.Lock()
	defer led.mu.Unlock()
	for name, places := range all {
		if e := led.entries[name]; e != nil && e.acked == never {
			e.acked, e.places = step, places
		}
	}
}

// retained knows that Retain is called.
func (led *ledger) retained(safe penstock.Positions, step int) {
	led.mu.Lock()
	defer led.mu.Unlock()
	led.safe = append(led.safe, safeAt{step, safe})
}

// halfSafe returns positions below which about that part of the acknowledged blocks lies.
func (led *ledger) halfSafe(part float64) penstock.Positions {
	led.mu.Lock()
	defer led.mu.Unlock()
	var acked []*known
	for _, e := range led.entries {
		if e.acked != never {
			acked = append(acked, e)
		}
	}
	slices.SortFunc(acked, func(a, b *known) int { return a.acked - b.acked })
	safe := penstock.Positions{}
	for _, e := range acked[:int(part*float64(len(acked)))] {
		for _, p := range e.places {
			safe.Raise(penstock.Positions{p.Partition: {Epoch: p.Position.Epoch, Offset: p.Position.Offset + 1}})
		}
	}
	return safe
}

func (led *ledger) safeAt(step int) penstock.Positions {
	safe := penstock.Positions{}
	for _, s := range led.safe {
		if s.step <= step {
			safe.Raise(s.safe)
		}
	}
	return safe
}

// asOf returns a ledger that begins with what is known at a step, and with blocks that were seen then.
func (led *ledger) asOf(step int, seen map[string][]penstock.Place) *ledger {
	led.mu.Lock()
	next := &ledger{entries: map[string]*known{}, safe: []safeAt{{0, led.safeAt(step)}}}
	for name, e := range led.entries {
		c := *e
		if c.acked = never; e.acked <= step {
			c.acked = 0
		}
		if c.refused = never; e.refused <= step {
			c.refused = 0
		}
		next.entries[name] = &c
	}
	led.mu.Unlock()
	next.seen(seen, 0)
	return next
}

// survey is what a log shows of itself.
type survey struct {
	found  []finding
	places map[string][]penstock.Place // of each block's records
	lanes  lanes
	hasher checksum.Hasher
}

func newSurvey() survey {
	return survey{places: map[string][]penstock.Place{}, hasher: checksum.NewHasher(testOptions().Cluster)}
}

// openAndLook opens the log, appends a block named last, reads everything up to that, and closes. On a full disk that block may be
// refused.
func openAndLook(fs vfs.FS, o Options, led *ledger, last string) survey {
	s := newSurvey()
	if o.Trace.Damaged == nil {
		o.Trace.Damaged = func(d Damage) { s.found = append(s.found, problemf("damage: %v", d)) }
	}
	l, err := Open(fs, testDir, o)
	if err != nil {
		s.found = append(s.found, problemf("Open: %v", err))
		return s
	}
	marker := testBlock(last, 1)
	e := led.add(last, marker)
	err = l.Append(context.Background(), marker)
	led.answered(e, marker, err, 0)
	if penstock.Is(err, penstock.Full) {
		marker, err = nil, nil
	}
	if err == nil {
		err = s.read(l, led, marker)
	}
	if err == nil {
		s.lanes, _, err = l.Accepted(context.Background())
	}
	if err = errors.Join(err, l.Close()); err != nil {
		s.found = append(s.found, problemf("append, read and close: %v", err))
	}
	return s
}

// read reads all up to the last record of the marker, without one up to the end.
func (s *survey) read(l *Log, led *ledger, marker *penstock.Block) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, end, err := l.Bounds(ctx)
	if err != nil {
		return err
	}
	c, err := l.Open(ctx, from0(l))
	if err != nil {
		return err
	}
	defer c.Close()
	if marker != nil {
		end = marker.Ends()
	}
	for next := (penstock.Positions{}); !next.Reached(onlyBegun(end)); {
		b, err := c.Next(ctx, 1<<20)
		if err != nil {
			return fmt.Errorf("after %d blocks: %w", len(s.places), err)
		}
		for r := range b.Records() {
			s.take(led, r)
		}
		next = b.Next
	}
	return nil
}

// onlyBegun leaves out the partitions that have no record.
func onlyBegun(ps penstock.Positions) penstock.Positions {
	ps = ps.Clone()
	maps.DeleteFunc(ps, func(_ penstock.Partition, at penstock.Position) bool { return at.Offset == 0 })
	return ps
}

// take checks a record that was read, by itself and with those before it.
func (s *survey) take(led *ledger, r *penstock.Record) {
	name, index, _ := strings.Cut(string(r.ID), "-")
	led.mu.Lock()
	e := led.entries[name]
	led.mu.Unlock()
	i := len(s.places[name])
	sum := s.hasher.Stream(r.Tenant, r.Stream).Sum(r.Key, r.ID, r.Body)
	switch {
	case e == nil:
		s.found = append(s.found, problemf("%s at %v was never appended", r.ID, r.Position))
		return
	case index != strconv.Itoa(i) && i >= len(e.sums):
		s.found = append(s.found, finding{doubled, fmt.Sprintf("%s at %v", r.ID, r.Position)})
		return
	case index != strconv.Itoa(i):
		s.found = append(s.found, problemf("%s at %v follows %d records of its block", r.ID, r.Position, i))
		return
	case r.Sum != sum || r.Sum != e.sums[i]:
		s.found = append(s.found, problemf("%s at %v is not what was appended", r.ID, r.Position))
	}
	s.places[name] = append(s.places[name], penstock.Place{Partition: r.Partition, Position: r.Position})
}

// judge compares what was seen with what is known at a step.
func (led *ledger) judge(s survey, step int) []finding {
	if s.lanes == nil {
		return s.found
	}
	found := append(s.found, led.judgeRecords(s, step)...)
	led.mu.Lock()
	defer led.mu.Unlock()
	want := lanes{}
	for name, e := range led.entries {
		if e.acked <= step || len(s.places[name]) > 0 {
			for lane, total := range e.lanes {
				want[lane] = want[lane].Plus(total)
			}
		}
	}
	if len(found) == 0 && !maps.Equal(s.lanes, want) {
		found = append(found, problemf("accepted %v, want %v", s.lanes, want))
	}
	return found
}

// judgeRecords is judge without the totals.
func (led *ledger) judgeRecords(s survey, step int) []finding {
	led.mu.Lock()
	defer led.mu.Unlock()
	safe := led.safeAt(step)
	var found []finding
	for name, e := range led.entries {
		places := s.places[name]
		switch {
		case len(places) > 0 && e.refused <= step:
			found = append(found, problemf("%s was refused and is there", name))
		case len(places) > 0 && len(places) != len(e.sums):
			found = append(found, finding{lost, fmt.Sprintf("%d of %d records of %s are there", len(places), len(e.sums), name)})
		case e.acked <= step && len(places) == 0 && !below(e.places, safe):
			found = append(found, finding{lost, fmt.Sprintf("%s at %v was acknowledged", name, e.places)})
		case e.acked <= step && len(places) > 0 && !slices.Equal(places, e.places):
			found = append(found, problemf("%s was at %v and is at %v", name, e.places, places))
		}
	}
	return append(found, ordered(s.places)...)
}

// below reports whether all of them lie below safe: retention may have taken them.
func below(places []penstock.Place, safe penstock.Positions) bool {
	return !slices.ContainsFunc(places, func(p penstock.Place) bool { return !p.Position.Less(safe[p.Partition]) })
}

// ordered compares the blocks of each caller, whose names begin with a letter of its own, in every partition.
func ordered(places map[string][]penstock.Place) []finding {
	type lane struct {
		caller byte
		p      penstock.Partition
	}
	last := map[lane]penstock.Position{}
	var found []finding
	for _, name := range slices.Sorted(maps.Keys(places)) {
		for _, p := range places[name] {
			at := lane{name[0], p.Partition}
			if !last[at].Less(p.Position) && last[at] != (penstock.Position{}) {
				found = append(found, problemf("%s at %v follows %v", name, p.Position, last[at]))
			}
			last[at] = p.Position
		}
	}
	return found
}
