package consumer

import (
	"context"
	"math"
	"sync"
	"time"

	"penstock"
)

// Lag says how far a store is behind its log.
type Lag struct {
	Events       uint64
	Seconds      float64            // how long ago the log received the oldest event that is not applied; 0 when none is pending
	DrainSeconds *float64           // until it has caught up at the present rates; nil when it never will
	Position     penstock.Positions // of the store
	Next         penstock.Positions // of the log
}

// progress follows what was applied: positions, the log's time and the rates.
type progress struct {
	mu       sync.Mutex
	position penstock.Positions
	logTime  penstock.Micros // of the newest applied block
	applied  rate
	arrived  rate
	arrivals uint64 // as Lag saw them last
}

func (p *progress) begin(from penstock.Positions) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.position = from.Clone()
}

func (p *progress) move(b penstock.Batch, rows int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.position.Raise(b.Next)
	if n := len(b.Blocks); n > 0 {
		p.logTime = b.Blocks[n-1].LogTime
	}
	p.applied.add(float64(rows), time.Now())
}

// Position returns the position of each partition that this consumer last saw applied.
func (c *Consumer) Position() penstock.Positions {
	c.progress.mu.Lock()
	defer c.progress.mu.Unlock()
	return c.progress.position.Clone()
}

// AppliedRate returns the events a second applied of late.
func (c *Consumer) AppliedRate() float64 {
	c.progress.mu.Lock()
	defer c.progress.mu.Unlock()
	return c.progress.applied.at(time.Now())
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
	var end uint64
	for p, at := range position {
		lag.Next[p] = next[p]
		lag.Events += pending(at, first[p], next[p])
		end += uint64(next[p].Offset)
	}
	c.estimate(&lag, end)
	return lag, nil
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

// estimate fills in the times from the rates of applying and of arrival.
func (c *Consumer) estimate(lag *Lag, end uint64) {
	p := &c.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.arrivals != 0 && end > p.arrivals {
		p.arrived.add(float64(end-p.arrivals), now)
	}
	p.arrivals = end
	if lag.Events == 0 {
		zero := 0.0
		lag.DrainSeconds = &zero
		return
	}
	if p.logTime != 0 {
		lag.Seconds = max(0, now.Sub(p.logTime.Time()).Seconds())
	}
	if gain := p.applied.at(now) - p.arrived.at(now); gain > 0 {
		s := float64(lag.Events) / gain
		lag.DrainSeconds = &s
	}
}

// rate is an exponentially weighted rate per second over about rateWindow.
type rate struct {
	weight float64
	last   time.Time
}

const rateWindow = 10 * time.Second

func (r *rate) add(n float64, now time.Time) {
	r.weight = r.decayed(now) + n
	r.last = now
}

func (r *rate) at(now time.Time) float64 { return r.decayed(now) / rateWindow.Seconds() }

func (r *rate) decayed(now time.Time) float64 {
	return r.weight * math.Exp(-now.Sub(r.last).Seconds()/rateWindow.Seconds())
}
