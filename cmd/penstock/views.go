package main

import (
	"context"
	"time"

	"penstock"
)

// declareViews makes the configured views those that the store keeps.
func (e *engine) declareViews(c *Config) error {
	if e.database == nil {
		return nil
	}
	views := c.views()
	var unbuilt mistakes
	for _, v := range views {
		if at := "views." + v.Name + ".repair"; v.Repair > 0 {
			unbuilt = append(unbuilt, mistake{c.source(at), at, "recounting on a schedule: not built yet"})
		}
	}
	if err := unbuilt.err(); err != nil {
		return penstock.Wrap(penstock.Invalid, "declare views", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), declarePatience)
	defer cancel()
	return e.database.DeclareViews(ctx, views)
}

// viewInterval is how often views are looked after when there is nothing to do.
const viewInterval = 250 * time.Millisecond

// tendViews counts what was stored before a view, and merges what batches leave behind.
func (s *server) tendViews(ctx context.Context) {
	if s.database == nil {
		return
	}
	wait := time.NewTimer(viewInterval)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		more, err := s.database.Tend(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Warn("views", "error", err)
		}
		next := viewInterval
		if more && err == nil {
			next = 0
		}
		wait.Reset(next)
	}
}
