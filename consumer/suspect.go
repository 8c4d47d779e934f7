package consumer

import (
	"context"
	"fmt"
	"math"
	"time"

	"penstock"
)

// A record that ends the process, by a panic, an overflow of the stack, or a failure inside the database's own code, would do so at
// each start for ever. What is known after a crash is the mark: the range in hand. The next process applies that range in
// sixteenths, each with its own mark, after the next crash sixteenths of that, until one record is left.
//
// But a process also ends because somebody kills it, and then whatever it has in hand is innocent. Nothing tells the two apart
// afterwards. Counting alone does not either: a process that is killed ten milliseconds after each start, or whenever the store hangs,
// always has the same record in hand. So the consumer makes an experiment. From the second crash in a row on it waits before it
// tries the range again, with nothing in hand, for a time whose length is drawn at random, up to Suspense:
//
//   - A record that ends the process does so however long the wait was, as soon as it is tried.
//   - A kill does not know the drawn length: it comes during the wait, or when the range is long through. Whatever the rhythm of the
//     kills, even a perfectly regular one, the chance that one hits the range in hand is at most the time in hand divided by Suspense.
//
// A crash after a wait counts only while the time in hand since the wait is below a patience-th part of what the wait could have been, so
// that the chance of an accident is at most 2 %. If a store is slow, or hangs, the next wait is drawn from more, up to maxWait. A crash that takes more
// than 12 s therefore never counts: whoever kills a process because it hangs must not condemn what it hangs at.
//
// Between two crashes that count, maxVain trials may end otherwise: with the process during the wait, or too late. It needs
// more than none, since two shards that both hold such a record end each other's waits. With one more the range is taken for innocent,
// and all begins anew.
//
// Condemned is a single record to which verdictAt crashes in a row led. The first two may be accidents, if some loop of kills hits the same range
// twice in a row. For each of the other three there are four trials. A single record is in hand for about 10 ms, of 5 s: the chance of three
// accidents is (4 · 10/5000)³, one in two million. At worst, with a store so slow that all patience is used up, it is (4 · 2 %)³, one in two thousand. A
// letter can be replayed.
//
// As many restarts suffice to come from a million records to one, and so no record needs more of them than any other.
const (
	sixteenths = 16
	verdictAt  = 5
	waitsFrom  = 2 // crashes in a row
	maxVain    = 3
	patience   = 50
	maxWait    = 10 * time.Minute
	firstNote  = 100 * time.Millisecond // time in hand that is noted first; then at each doubling
)

// suspect is a range that was in hand when the process ended.
type suspect struct {
	next    penstock.Positions // of the partitions that the range has records in
	records int                // in the range
	left    int                // of these, not applied yet
	crashes int                // in a row that led to the range
	vain    int                // trials since the last of these that ended otherwise
	span    time.Duration      // from which waits are drawn

	wait time.Duration // from which the last one was drawn; 0: there was none
	took time.Duration // in hand since then
	told bool

	trying bool // a part of the range is applied, not what comes after it
}

// judge returns what a mark makes suspect, for a store that stands at the given positions, or nil.
func judge(m Mark, at penstock.Positions, suspense time.Duration) *suspect {
	next := penstock.Positions{}
	for p, from := range m.From {
		if from == m.Next[p] {
			continue
		}
		if at[p] != from {
			return nil // it was applied, or it is another store
		}
		next[p] = m.Next[p]
	}
	s := &suspect{next: next, records: m.Records, left: m.Records, crashes: m.Crashes, vain: m.Vain}
	s.span = min(max(suspense, 2*patience*m.Took), max(suspense, maxWait))
	switch {
	case m.Hand && (m.Crashes < waitsFrom || m.Took < m.Wait/patience):
		s.crashes, s.vain = m.Crashes+1, 0
	default:
		s.vain++
	}
	if s.records == 0 || s.crashes == 0 || s.vain > maxVain {
		return nil
	}
	return s
}

// mark returns the mark of what is left of the range, from where the store stands.
func (s *suspect) mark(at penstock.Positions) Mark {
	from := penstock.Positions{}
	for p := range s.next {
		from[p] = at[p]
	}
	return Mark{From: from, Next: s.next, Records: s.left, Crashes: s.crashes, Vain: s.vain, Wait: s.wait, Took: s.took}
}

// part returns how many records to try at once: a sixteenth of the range, or less if the crashes until the verdict would not suffice to come to
// a single one.
func (s *suspect) part() int {
	steps := verdictAt - s.crashes
	if steps < 1 {
		return 1
	}
	parts := max(sixteenths, int(math.Ceil(math.Pow(float64(s.records), 1/float64(steps)))))
	return (s.records + parts - 1) / parts
}

// condemned reports whether enough led to the one record of the range.
func (s *suspect) condemned() bool { return s.records == 1 && s.crashes >= verdictAt }

// due reports whether a wait comes before the next part.
func (s *suspect) due() bool {
	switch {
	case s.crashes < waitsFrom, s.condemned() && s.crashes == verdictAt:
		return false
	}
	return s.wait == 0 || s.took >= s.wait/patience
}

// note returns the time in hand that is to be noted after another: twice that, but not without the one that ends patience.
func (s *suspect) note(after time.Duration) time.Duration {
	next, late := max(firstNote, 2*after), s.wait/patience-s.took
	if after < late && late < next {
		return late
	}
	return next
}

// inside splits a batch into what belongs to the range and the rest. Both keep the order of each partition.
func (s *suspect) inside(b penstock.Batch) (in, rest penstock.Batch) {
	ends := b.From.Clone()
	for p, next := range s.next {
		if end, ok := b.Next[p]; ok && ends[p].Less(next) {
			if next.Less(end) {
				end = next
			}
			ends[p] = end
		}
	}
	in = penstock.Batch{From: b.From, Next: ends, Blocks: split(b.Blocks)}
	rest = penstock.Batch{From: ends, Next: b.Next, Blocks: b.Blocks}
	if rest.Len() == 0 {
		in.Next, rest.From = b.Next, b.Next
	}
	return in, rest
}

// try applies a batch while a range is suspect: what belongs to it in parts, the rest as usual.
func (c *Consumer) try(ctx context.Context, b batch) error {
	s := c.guard.suspect
	in, beyond := s.inside(b.Batch)
	s.trying = true
	defer func() { s.trying = false }()
	size, further := s.part(), beyond.Len()
	for left := in.Len(); left > 0; left -= size {
		if err := c.suspend(ctx, in.From); err != nil {
			return err
		}
		first, rest := in.Cut(size)
		part := batch{Batch: first, at: b.at, full: b.full, more: left > size || further > 0}
		if err := c.tryPart(ctx, part); err != nil {
			return err
		}
		in = rest
	}
	s.trying = false
	c.guard.pass(in.Next)
	if further == 0 {
		return nil
	}
	return c.settle(ctx, batch{Batch: beyond, at: b.at, full: b.full})
}

// tryPart applies a part of the range, condemned if that is the verdict.
func (c *Consumer) tryPart(ctx context.Context, part batch) error {
	s := c.guard.suspect
	var verdicts []verdict
	if s.condemned() && part.Len() == 1 {
		why := penstock.Condemned{
			Reason: penstock.ReasonCrashes,
			Detail: fmt.Sprintf("the process ended %d times in a row while this record was applied, alone or among others", s.crashes),
		}
		for r := range part.Records() {
			place := penstock.Place{Partition: r.Partition, Position: r.Position}
			verdicts = append(verdicts, verdict{r.Stream, place, why})
			part.Condemned = map[penstock.Place]penstock.Condemned{place: why}
		}
	}
	if err := c.settle(ctx, part); err != nil {
		return err
	}
	c.condemned(verdicts)
	s.left -= part.Len()
	if s.crashes < waitsFrom {
		s.took = 0
	}
	return nil
}

// suspend waits, if a wait is due, with nothing in hand.
func (c *Consumer) suspend(ctx context.Context, at penstock.Positions) error {
	s := c.guard.suspect
	due, pause := s.due(), time.Duration(0)
	if due {
		pause = c.draw(s.span)
		s.wait, s.took = s.span, 0
		c.guard.save(s.mark(at))
	}
	if (due || !s.told) && c.o.Trace.Suspect != nil {
		c.o.Trace.Suspect(s.left, s.crashes, pause)
	}
	s.told = true
	sleep(ctx, pause)
	return ctx.Err()
}
