// Package consumer is the pump between a log and a store: it reads from the position that the store holds, cuts
// batches, applies them, and tries again for as long as an outage lasts. It keeps no state of its own: whatever
// happens to it, the next run asks the store where to go on.
package consumer

import (
	"context"
	"math/rand/v2"
	"time"

	"penstock"
)

// Options configures a Consumer. Reader and Store are required; zero means the default for the rest.
type Options struct {
	Reader penstock.Reader
	Store  penstock.Store

	// MaxBatch bounds the blocks of one batch. The default of 40 MiB holds a whole row group (122,880 rows) of
	// 250-byte events, which a columnar store writes straight to its file.
	MaxBatch penstock.Bytes
	// Linger is the shortest time between two batches while the consumer keeps up, so that a trickle of single events
	// does not cost a commit each. Default 50 ms.
	Linger time.Duration
	// Backoff bounds the pause after an outage: it doubles from the first to the second, with jitter. Default 50 ms to 5 s.
	BackoffMin, BackoffMax time.Duration

	Trace Trace
}

// Trace reports what a consumer does. Nil functions mean silence.
type Trace struct {
	Applied func(rows int, size penstock.Bytes, took time.Duration)
	Stale   func()
	Outage  func(err error, pause time.Duration)
}

// Consumer feeds one store. Run does the work; the other methods may be called at any time.
type Consumer struct {
	o        Options
	progress progress
}

// New returns a consumer that does nothing until Run.
func New(o Options) *Consumer {
	setDefault(&o.MaxBatch, 40<<20)
	setDefault(&o.Linger, 50*time.Millisecond)
	setDefault(&o.BackoffMin, 50*time.Millisecond)
	setDefault(&o.BackoffMax, 5*time.Second)
	return &Consumer{o: o}
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Run applies what the log brings until ctx ends, then returns nil. It returns an error only for what no retry mends:
// the log no longer holds what the store needs (Trimmed), or does not reach as far as the store has come (Conflict).
func (c *Consumer) Run(ctx context.Context) error {
	for attempt := 0; ; attempt++ {
		err := c.follow(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case penstock.Is(err, penstock.Trimmed), penstock.Is(err, penstock.Conflict), penstock.Is(err, penstock.Corrupt):
			return err
		case penstock.Is(err, penstock.Stale):
			attempt = 0
			if c.o.Trace.Stale != nil {
				c.o.Trace.Stale()
			}
		default:
			c.pause(ctx, attempt, err)
		}
	}
}

// follow asks the store where it stands and applies batches from there, until an error tells that the store's position
// has to be asked for again.
func (c *Consumer) follow(ctx context.Context) error {
	from, err := c.positions(ctx)
	if err != nil {
		return err
	}
	cursor, err := c.o.Reader.Open(ctx, from)
	if err != nil {
		return err
	}
	defer cursor.Close()
	c.progress.begin(from)
	var last time.Time
	for {
		c.linger(ctx, last)
		batch, err := cursor.Next(ctx, c.o.MaxBatch)
		if err != nil {
			return err
		}
		last = time.Now()
		if err := c.apply(ctx, batch); err != nil {
			return err
		}
	}
}

// positions collects the store's position of each partition.
func (c *Consumer) positions(ctx context.Context) (penstock.Positions, error) {
	from := penstock.Positions{}
	for _, p := range c.o.Store.Partitions() {
		at, err := c.o.Store.Position(ctx, p)
		if err != nil {
			return nil, err
		}
		from[p] = at
	}
	return from, nil
}

// apply keeps the batch and tries again through an outage, for days if need be. Stale and Unknown go back to the
// caller: only the store knows how far it came.
func (c *Consumer) apply(ctx context.Context, b penstock.Batch) error {
	for attempt := 0; ; attempt++ {
		began := time.Now()
		err := c.o.Store.Apply(ctx, b)
		switch {
		case err == nil:
			c.applied(b, time.Since(began))
			return nil
		case ctx.Err() != nil, penstock.Is(err, penstock.Stale), penstock.Is(err, penstock.Unknown):
			return err
		}
		c.pause(ctx, attempt, err)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (c *Consumer) applied(b penstock.Batch, took time.Duration) {
	rows := b.Len()
	c.progress.move(b, rows)
	if c.o.Trace.Applied != nil {
		c.o.Trace.Applied(rows, b.Size(), took)
	}
}

// linger waits until Linger has passed since the last batch began. A batch that took longer is followed at once by the
// next, which is then as large as what came in meanwhile: the batch size follows the lag by itself.
func (c *Consumer) linger(ctx context.Context, last time.Time) {
	sleep(ctx, c.o.Linger-time.Since(last))
}

func (c *Consumer) pause(ctx context.Context, attempt int, err error) {
	pause := min(c.o.BackoffMin<<min(attempt, 16), c.o.BackoffMax)
	pause = pause/2 + rand.N(pause/2+1)
	if c.o.Trace.Outage != nil && ctx.Err() == nil {
		c.o.Trace.Outage(err, pause)
	}
	sleep(ctx, pause)
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
