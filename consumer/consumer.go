// Package consumer is the pump between a log and a store: it reads from the position that the store holds, cuts
// batches, applies them, and tries again for as long as an outage lasts. Whatever happens to it, the next run asks the
// store where to go on. It keeps no positions of its own: a mark of what it has in hand only helps to find an event
// that ends the process.
package consumer

import (
	"context"
	"math/rand/v2"
	"time"

	"penstock"
	"penstock/internal/failpoint"
)

// Options configures a Consumer. Reader and Store are required; zero means the default for the rest.
type Options struct {
	Reader penstock.Reader
	Store  penstock.Store

	// MaxBatch bounds the blocks of one batch; one more batch is read ahead while behind. The default of 40 MiB holds a
	// whole row group (122,880 rows) of 250-byte events, which a columnar store writes straight to its file. Blocks count
	// whole: a store that holds a half of the partitions finds half as many rows in them.
	MaxBatch penstock.Bytes
	// Linger is the shortest time between two batches while the consumer keeps up, so that a trickle of single events
	// does not cost a commit each. Default 50 ms.
	Linger time.Duration
	// Rows is how many rows a commit of the store has best: what is at hand beyond them waits for the next batch, for
	// Linger at most once nothing comes. 0: batches are as they come.
	Rows int
	// Fill is the longest time between two batches when Rows come in that time. Default 250 ms.
	Fill time.Duration
	// Backoff bounds the pause after an outage: it doubles from the first to the second, with jitter. Default 50 ms to 5 s.
	BackoffMin, BackoffMax time.Duration
	// Grace is how long an Apply may go on after Run's context has ended. Default 10 s.
	Grace time.Duration
	// Marker remembers what is in hand, so that a record that ends the process is found. nil: it is not.
	Marker Marker
	// Suspense bounds the wait before records are tried that seem to have ended the process twice in a row. Its length is
	// random; where the store is slow it grows. Default 5 s.
	Suspense time.Duration

	Trace Trace
}

// Trace reports what a consumer does. Nil functions mean silence.
type Trace struct {
	Applied func(rows int, size penstock.Bytes, took time.Duration)
	Stale   func()
	Outage  func(err error, pause time.Duration)
	// Condemned reports a record that is a dead letter now because the store refused it, or because it ended the process.
	// What the store's encoder sorts out by itself is not reported here, nor what a store applied without an answer: it counts letters.
	Condemned func(stream string, place penstock.Place, why penstock.Condemned)
	// Suspect reports that the process ended so many times in a row while it had a range of so many records in hand, which is
	// tried in parts, after a wait.
	Suspect func(records, crashes int, wait time.Duration)
	// Unmarked reports that the Marker failed. All is applied nevertheless, but what ends the process may not be found.
	Unmarked func(err error)
}

// Consumer feeds one store. Run does the work, one at a time; the other methods may be called at any time.
type Consumer struct {
	o        Options
	progress progress
	guard    guard
	moved    bool // something was applied since run looked

	draw func(below time.Duration) time.Duration // at random
}

// New returns a consumer that does nothing until Run.
func New(o Options) *Consumer {
	setDefault(&o.MaxBatch, 40<<20)
	setDefault(&o.Linger, 50*time.Millisecond)
	setDefault(&o.Fill, 250*time.Millisecond)
	setDefault(&o.BackoffMin, 50*time.Millisecond)
	setDefault(&o.BackoffMax, 5*time.Second)
	setDefault(&o.Grace, 10*time.Second)
	setDefault(&o.Suspense, 5*time.Second)
	return &Consumer{o: o, guard: guard{marker: o.Marker, unmarked: o.Trace.Unmarked}, draw: rand.N[time.Duration]}
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Run applies what the log brings until ctx ends, then returns nil after the batch in hand. It returns an error only for
// what no retry mends: the log no longer holds what the store needs (Trimmed), does not reach as far as the store has
// come (Conflict), or is damaged (Corrupt).
func (c *Consumer) Run(ctx context.Context) error {
	c.guard.load()
	err := c.run(ctx)
	c.guard.clear() // not deferred: a panic is no clean end
	return err
}

func (c *Consumer) run(ctx context.Context) error {
	for attempt := 0; ; attempt++ {
		err := c.follow(ctx)
		if c.moved {
			attempt, c.moved = 0, false
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case penstock.Is(err, penstock.Trimmed), penstock.Is(err, penstock.Conflict), penstock.Is(err, penstock.Corrupt):
			return err
		case penstock.Is(err, penstock.Stale):
			c.stale(ctx, attempt)
		default:
			c.pause(ctx, attempt, err)
		}
	}
}

// stale asks again at once for the first time. A store that is Stale again, at the position it just named, has somebody
// else who feeds it, or a defect: neither gets better by asking without a pause.
func (c *Consumer) stale(ctx context.Context, attempt int) {
	if c.o.Trace.Stale != nil {
		c.o.Trace.Stale()
	}
	if attempt > 0 {
		sleep(ctx, c.backoff(attempt))
	}
}

// follow asks the store where it stands and applies batches from there, until an error tells that the store's position
// has to be asked for again.
func (c *Consumer) follow(ctx context.Context) error {
	from, err := c.positions(ctx)
	if err != nil {
		return err
	}
	c.guard.begin(from, c.o.Suspense)
	cursor, err := c.o.Reader.Open(ctx, from)
	if err != nil {
		return err
	}
	r := &reader{cursor: cursor, most: c.o.MaxBatch, rows: c.o.Rows, hold: c.o.Linger}
	defer r.close()
	c.progress.begin(from)
	var last time.Time
	for {
		batch, err := r.next(ctx)
		if err != nil || ctx.Err() != nil {
			return err
		}
		began := time.Now()
		c.progress.take(batch, began)
		if batch.full {
			r.readAhead(ctx)
		}
		if err := c.apply(ctx, batch); err != nil {
			return err
		}
		c.watchEnd(ctx)
		if !batch.full {
			c.linger(ctx, began, c.fill(batch.arrived, batch.at.Sub(last)))
			c.progress.wait()
		}
		last = batch.at
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

// apply brings a batch into the store, in parts where that is needed. Stale, Unknown and NotOwner go back to the
// caller: only the store knows what it holds and how far it came.
func (c *Consumer) apply(ctx context.Context, b batch) error {
	if c.guard.suspect != nil {
		return c.try(ctx, b)
	}
	return c.settle(ctx, b)
}

// settle applies a batch whole, or finds the records of it that the store refuses.
func (c *Consumer) settle(ctx context.Context, b batch) error {
	err := c.put(ctx, b)
	if penstock.Is(err, penstock.Invalid) {
		return c.search(ctx, b)
	}
	return err
}

// put keeps the batch and tries again through an outage, for days if need be. Invalid goes back to the caller if there is
// a record to be blamed: condemned ones are not, so a store that refuses those has an outage.
func (c *Consumer) put(ctx context.Context, b batch) error {
	rows := b.Len() // once: it takes as long as there are blocks
	for attempt := 0; ctx.Err() == nil; attempt++ {
		began := time.Now()
		err := c.applyOnce(ctx, b.Batch, rows)
		switch {
		case err == nil:
			failpoint.Hit("consumer.applied")
			c.applied(b, rows, time.Since(began))
			return nil
		case penstock.Is(err, penstock.Invalid) && len(b.Condemned) < rows,
			penstock.Is(err, penstock.Stale), penstock.Is(err, penstock.Unknown), penstock.Is(err, penstock.NotOwner):
			return err
		}
		c.pause(ctx, attempt, err)
	}
	return ctx.Err()
}

// applyOnce lets the store finish the batch when ctx ends, for as long as Grace.
func (c *Consumer) applyOnce(ctx context.Context, b penstock.Batch, rows int) error {
	patient, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		sleep(patient, c.o.Grace)
		cancel()
	})()
	return c.guard.during(b, rows, func() error { return c.o.Store.Apply(patient, b) })
}

func (c *Consumer) applied(b batch, rows int, took time.Duration) {
	c.progress.move(b, rows, time.Now())
	c.moved = true
	if c.o.Trace.Applied != nil {
		c.o.Trace.Applied(rows, b.Size(), took)
	}
}

func (c *Consumer) condemned(verdicts []verdict) {
	if c.o.Trace.Condemned == nil {
		return
	}
	for _, v := range verdicts {
		c.o.Trace.Condemned(v.stream, v.place, v.why)
	}
}

// linger waits until some time has passed since the last batch began. A batch that took longer is followed at once by the
// next, which is then as large as what came in meanwhile: the batch size follows the lag by itself.
func (c *Consumer) linger(ctx context.Context, last time.Time, pause time.Duration) {
	sleep(ctx, pause-time.Since(last))
}

// fill returns how long to wait for the next batch: until Rows and some more have come, at the pace of the last one, if
// that is soon enough to be worth it, else Linger.
func (c *Consumer) fill(arrived int, within time.Duration) time.Duration {
	if c.o.Rows == 0 || arrived == 0 {
		return c.o.Linger
	}
	pause := time.Duration(float64(within) * float64(c.o.Rows) / float64(arrived) * 9 / 8)
	if pause > c.o.Fill {
		return c.o.Linger
	}
	return max(pause, c.o.Linger)
}

func (c *Consumer) pause(ctx context.Context, attempt int, err error) {
	pause := c.backoff(attempt)
	if c.o.Trace.Outage != nil && ctx.Err() == nil {
		c.o.Trace.Outage(err, pause)
	}
	sleep(ctx, pause)
}

// backoff returns the pause after the given number of failures before: the upper half of it is chance, so that several
// consumers do not come back at the same moment.
func (c *Consumer) backoff(attempt int) time.Duration {
	pause := min(c.o.BackoffMin<<min(attempt, 16), c.o.BackoffMax)
	return pause/2 + rand.N(pause/2+1)
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
