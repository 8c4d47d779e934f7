package load

import (
	"context"
	"time"
)

// pace hands out the moments at which requests are meant to be sent, evenly at the rate asked for. A request that finds
// all connections busy is late, and its latency counts from the moment it was meant for: a slow server cannot hide
// by slowing the load (coordinated omission). One goroutine paces all connections, so that a free one takes over.
func (r *run) pace(ctx context.Context) {
	defer close(r.due)
	interval := time.Duration(float64(r.opts.Batch) / r.opts.Rate * float64(time.Second))
	for i := int64(0); ; i++ {
		at := r.start.Add(time.Duration(i) * interval)
		if r.opts.Duration > 0 && at.Sub(r.start) >= r.opts.Duration {
			return
		}
		if r.opts.Events > 0 && i*int64(r.opts.Batch) >= r.opts.Events {
			return
		}
		sleepUntil(at)
		select {
		case r.due <- at:
		case <-ctx.Done():
			return
		}
	}
}
