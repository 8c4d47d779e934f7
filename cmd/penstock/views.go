package main

import (
	"context"
	"time"
)

// declareViews makes the configured views those that the store keeps.
func (e *engine) declareViews(c *Config) error {
	if e.database == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), declarePatience)
	defer cancel()
	return e.database.DeclareViews(ctx, c.views())
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
