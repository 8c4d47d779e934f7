package query

import (
	"context"
	"sync/atomic"

	"penstock"
)

// gate lets a number of requests run at once and a number wait, first come first served.
type gate struct {
	running chan struct{}
	waiting atomic.Int64
	limit   int64
}

func newGate(running, waiting int) *gate {
	return &gate{running: make(chan struct{}, running), limit: int64(waiting)}
}

// enter returns when the request may run; the caller then leaves. Beyond the queue, and when ctx ends while it waits, it
// fails with Overloaded, reason too_many_queries.
func (g *gate) enter(ctx context.Context) error {
	const op = "wait for a turn"
	select {
	case g.running <- struct{}{}:
		return nil
	default:
	}
	refused := &penstock.Error{Code: penstock.Overloaded, Op: op, Reason: "too_many_queries"}
	if g.waiting.Add(1) > g.limit {
		g.waiting.Add(-1)
		return refused
	}
	defer g.waiting.Add(-1)
	select {
	case g.running <- struct{}{}:
		return nil
	case <-ctx.Done():
		return refused
	}
}

func (g *gate) leave() { <-g.running }

// open returns how many run.
func (g *gate) open() int { return len(g.running) }
