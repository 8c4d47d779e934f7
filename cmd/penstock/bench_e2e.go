package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"penstock/internal/load"
	"penstock/internal/load/child"
	"penstock/internal/load/probe"
)

const everyRole = "ingest,consumer,query"

// runEndToEnd measures until SQL sees: an event counts when a query can see it, and in the end SQL must count exactly
// what was accepted.
func runEndToEnd(c *cobra.Command, f *benchFlags) error {
	if f.views < 0 || f.views > len(benchViews) || f.views > 0 && f.url != "" {
		return usagef("--views %d: 0 to %d, and not with --url, whose server has the views that it has", f.views, len(benchViews))
	}
	t, err := f.open(c, everyRole)
	if err != nil {
		return err
	}
	report, err := f.endToEnd(c, t)
	if closed := t.close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err := f.print(c, report); err != nil {
		return err
	}
	return report.check()
}

func (f *benchFlags) endToEnd(c *cobra.Command, t *target) (*benchReport, error) {
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	ask := f.probe(t.url)
	before, err := f.preloaded(c, ask)
	if err != nil {
		return nil, err
	}
	visible := newVisibility(ask)
	memory := watchMemory(ctx, f, t.own)
	side := startQueries(ctx, ask, f)

	o := f.options(t.url)
	o.Trace.Progress = f.progress(c, "accepted")
	o.Trace.Answered = func(a load.Answer) { visible.answered(ctx, a) }
	began, processor := time.Now(), processorSeconds(t.own)
	r, err := load.Run(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := visible.waitLast(ctx); err != nil {
		return nil, fmt.Errorf("wait until all is visible: %w", err)
	}
	elapsed := time.Since(began)
	report := f.reportOf("e2e", r)
	report.Processor = processorSeconds(t.own) - processor
	report.AcceptPerSecond = report.EventsPerSecond
	report.Seconds = elapsed.Seconds()
	report.EventsPerSecond = float64(r.Events) / report.Seconds
	report.BytesPerSecond = float64(r.Bytes) / report.Seconds
	report.Queries = side.stop()
	report.Memory, report.MemoryMax, report.MemoryLast = memory()
	report.Visible = visible.distribution()
	report.Durability = visible.durability()
	report.Preloaded = before
	after, err := ask.Number(ctx, "select count(*) from "+f.stream)
	if err != nil {
		return nil, err
	}
	stored := after - before
	report.Stored, report.unknown = &stored, r.Sent-r.Events
	if err := f.checkViews(ctx, ask, after); err != nil {
		return nil, err
	}
	report.Views = f.views
	return report, t.failed()
}

// check compares what SQL counted with what was accepted. Events without a definite answer may be there or not.
func (r *benchReport) check() error {
	if *r.Stored < r.Events || *r.Stored > r.Events+r.unknown {
		return fmt.Errorf("%d events were accepted and %d had no answer, but SQL counts %d rows more than before", r.Events, r.unknown, *r.Stored)
	}
	return nil
}

// preloadClient numbers the first client of the events that are stored beforehand, so that no id repeats.
const preloadClient = 9000

// preloaded stores the events that are to be there when the measurement begins, and returns the rows that are.
func (f *benchFlags) preloaded(c *cobra.Command, ask *probe.Probe) (int64, error) {
	if f.preload > 0 {
		o := f.options(ask.URL)
		o.Events, o.Duration, o.Rate, o.Batch = f.preload, 0, 0, 1000
		o.Connections, o.FirstClient, o.Age = 8, preloadClient, 24*time.Hour
		o.Trace.Progress = f.progress(c, "preloaded")
		r, err := load.Run(c.Context(), o)
		if err != nil {
			return 0, err
		}
		if r.Events != f.preload {
			return 0, fmt.Errorf("preload: %d of %d accepted: %s", r.Events, f.preload, r.Problem)
		}
		if err := ask.WaitDrained(c.Context()); err != nil {
			return 0, err
		}
	}
	return ask.Number(c.Context(), "select count(*) from "+f.stream)
}

// visibility measures how long after its answer a request's events can be queried, for about twenty requests a second.
type visibility struct {
	ask     *probe.Probe
	next    atomic.Int64 // moment of the next sample, in nanoseconds
	waiting atomic.Int64
	done    sync.WaitGroup
	latency *load.Latency

	mu     sync.Mutex
	mode   string
	last   map[int]string // newest receipt of each client
	failed error
}

const (
	visibleEvery   = 50 * time.Millisecond
	visibleWaiting = 64 // samples that wait at the same time, at most
)

func newVisibility(ask *probe.Probe) *visibility {
	return &visibility{ask: ask, latency: load.NewLatency(), last: map[int]string{}}
}

// answered keeps the receipt and now and then starts a sample.
func (v *visibility) answered(ctx context.Context, a load.Answer) {
	receipt := textIn(a.Body, `"receipt":"`)
	v.mu.Lock()
	v.last[a.Client] = receipt
	if v.mode == "" {
		v.mode = textIn(a.Body, `"durability":"`)
	}
	v.mu.Unlock()
	next := v.next.Load()
	if a.Ended.UnixNano() < next || !v.next.CompareAndSwap(next, a.Ended.Add(visibleEvery).UnixNano()) {
		return
	}
	if v.waiting.Add(1) > visibleWaiting {
		v.waiting.Add(-1)
		return
	}
	v.done.Go(func() {
		defer v.waiting.Add(-1)
		if err := v.await(ctx, receipt, a.Ended); err != nil {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.failed = err
			return
		}
		v.latency.Record(time.Since(a.Ended))
	})
}

// await asks until the receipt is applied, every 5 ms at first and then every twentieth of the time waited, so that a
// long lag is not measured with a flood of questions.
func (v *visibility) await(ctx context.Context, receipt string, since time.Time) error {
	for {
		if applied, err := v.ask.Applied(ctx, receipt); applied || err != nil {
			return err
		}
		timer := time.NewTimer(max(5*time.Millisecond, time.Since(since)/20))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// waitLast returns when the newest request of every client can be queried, and all samples have ended.
func (v *visibility) waitLast(ctx context.Context) error {
	v.mu.Lock()
	last := v.last
	v.mu.Unlock()
	now := time.Now()
	for _, receipt := range last {
		if err := v.await(ctx, receipt, now); err != nil {
			return err
		}
	}
	v.done.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.failed
}

func (v *visibility) distribution() *millis { return millisOf(v.latency) }

func (v *visibility) durability() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.mode
}

// watchMemory samples the resident memory every second, and returns how to end that and get all samples, the peak, and
// the last.
func watchMemory(ctx context.Context, f *benchFlags, p *child.Process) func() (all []int64, peak, last int64) {
	if p == nil || !f.rss {
		return func() ([]int64, int64, int64) { return nil, 0, 0 }
	}
	ctx, cancel := context.WithCancel(ctx)
	var samples []int64
	var high int64
	sample := func() {
		now, peak, err := p.Resident()
		if err != nil {
			return // it has ended; that shows elsewhere
		}
		samples, high = append(samples, int64(now)), int64(peak)
	}
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				sample()
			}
		}
	})
	return func() ([]int64, int64, int64) {
		cancel()
		done.Wait()
		if sample(); len(samples) == 0 {
			return nil, 0, 0
		}
		return samples, high, samples[len(samples)-1]
	}
}
