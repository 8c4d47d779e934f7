package consumer

import (
	"context"
	"sync"
	"time"

	"penstock"
)

// Lag says how far a store is behind its log.
type Lag struct {
	// Events are the offsets between the two, so gaps count. Of an earlier epoch of the log nothing is counted.
	Events uint64
	// Seconds is how long ago the log received the oldest event that is not applied, by log time; 0 when none is pending,
	// and before Run has read anything. What came since the log was read to its end counts from then.
	Seconds float64
	// DrainSeconds is how long it takes to catch up at the present rates; nil when it never will, or nothing is known yet.
	DrainSeconds *float64
	Position     penstock.Positions // of the store
	Next         penstock.Positions // of the log
}

// progress follows what was applied: positions, times and rates.
type progress struct {
	mu       sync.Mutex
	position penstock.Positions
	since    penstock.Micros // what is not applied was not received before; 0: not known
	inHand   time.Time       // when the batch in hand was taken; zero: there is none
	waiting  bool            // for records that are not there yet
	applied  rate            // by the clock
	capacity rate            // by the time spent on applying
	arrived  rate
	last     time.Time // up to which applied is
	end      logEnd    // up to which arrived is
}

// logEnd is the sum of the log's offsets at a moment.
type logEnd struct {
	offsets uint64
	at      time.Time
}

// endInterval is how often a consumer that is at work looks how far the log has come.
const endInterval = time.Second

func (p *progress) begin(from penstock.Positions) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.position = from.Clone()
	if p.last.IsZero() {
		p.last = time.Now()
	}
	p.inHand, p.waiting = time.Time{}, false
}

// wait notes that the reader has seen the end of the log and waits for more.
func (p *progress) wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = true
}

// take notes that a batch is in hand.
func (p *progress) take(b batch, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inHand, p.waiting = now, false
	if len(b.Blocks) > 0 {
		p.since = b.Blocks[0].LogTime
	}
}

// move notes that the batch in hand is applied. What follows it is newer than its last block, and if that was all there
// was, it came after the batch was read.
func (p *progress) move(b batch, rows int, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.position.Raise(b.Next)
	if n := len(b.Blocks); n > 0 {
		p.since = max(p.since, b.Blocks[n-1].LogTime)
	}
	if !b.full && !b.more {
		p.since = max(p.since, penstock.MicrosOf(b.at))
	}
	p.applied.add(float64(rows), now.Sub(p.last))
	p.capacity.add(float64(rows), now.Sub(p.inHand))
	p.last, p.inHand = now, time.Time{}
	if b.more {
		p.inHand = now
	}
}

// Position returns the position of each partition that this consumer last saw applied.
func (c *Consumer) Position() penstock.Positions {
	c.progress.mu.Lock()
	defer c.progress.mu.Unlock()
	return c.progress.position.Clone()
}

// AppliedRate returns the events a second applied of late.
func (c *Consumer) AppliedRate() float64 {
	p := &c.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.applied.after(time.Since(p.last))
}

// Lag compares the store's positions with the end of the log.
func (c *Consumer) Lag(ctx context.Context) (Lag, error) {
	position, err := c.positions(ctx)
	if err != nil {
		return Lag{}, err
	}
	first, next, err := c.o.Reader.Bounds(ctx)
	if err != nil {
		return Lag{}, err
	}
	lag := Lag{Position: position, Next: penstock.Positions{}}
	for p, at := range position {
		lag.Next[p] = next[p]
		lag.Events += pending(at, first[p], next[p])
	}
	c.progress.estimate(&lag, time.Now())
	return lag, nil
}

// watchEnd looks from time to time how far the log has come, so that the rate of arrival is known when somebody asks.
func (c *Consumer) watchEnd(ctx context.Context) {
	p := &c.progress
	now := time.Now()
	p.mu.Lock()
	due := now.Sub(p.end.at) >= endInterval
	position := p.position.Clone()
	p.mu.Unlock()
	if !due {
		return
	}
	_, next, err := c.o.Reader.Bounds(ctx)
	if err != nil {
		return // the next read tells what is wrong
	}
	for q := range position {
		position[q] = next[q]
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrive(position, now)
}

// arrive notes where the log ends. The mutex is held.
func (p *progress) arrive(next penstock.Positions, now time.Time) {
	end := logEnd{at: now}
	for _, at := range next {
		end.offsets += uint64(at.Offset)
	}
	during := now.Sub(p.end.at)
	if during <= 0 {
		return // somebody else has just looked
	}
	// An end that went back is that of another epoch.
	if !p.end.at.IsZero() && end.offsets >= p.end.offsets {
		p.arrived.add(float64(end.offsets-p.end.offsets), during)
	}
	p.end = end
}

// pending counts the offsets from a position, or from the oldest record kept when that is later, to the end. Offsets
// of an earlier epoch mean nothing in the present one, so its start counts then.
func pending(at, first, next penstock.Position) uint64 {
	if at.Epoch != next.Epoch || at.Less(first) {
		at = first
	}
	if at.Epoch != next.Epoch {
		at = penstock.Position{Epoch: next.Epoch}
	}
	if !at.Less(next) {
		return 0
	}
	return uint64(next.Offset - at.Offset)
}

// estimate fills in the times. A batch in hand that takes longer than those before makes the capacity smaller, so that
// during an outage no end is in sight.
func (p *progress) estimate(lag *Lag, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrive(lag.Next, now)
	if lag.Events == 0 {
		p.since = max(p.since, penstock.MicrosOf(now))
		zero := 0.0
		lag.DrainSeconds = &zero
		return
	}
	// A reader that waits is woken by what comes: what is pending now has only just come, however long it has waited.
	if p.waiting {
		p.since, p.waiting = max(p.since, penstock.MicrosOf(now)), false
	}
	if p.since != 0 {
		lag.Seconds = max(0, now.Sub(p.since.Time()).Seconds())
	}
	var busy time.Duration
	if !p.inHand.IsZero() {
		busy = now.Sub(p.inHand)
	}
	if gain := p.capacity.after(busy) - p.arrived.after(0); gain > 0 {
		s := float64(lag.Events) / gain
		lag.DrainSeconds = &s
	}
}
