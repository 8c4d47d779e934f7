package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"penstock/internal/load"
	"penstock/internal/load/probe"
)

// caughtUpSeconds is the lag below which a backlog counts as worked off: while events keep coming in, some are always
// on their way.
const caughtUpSeconds = 2

// catchupLimit bounds the wait for a server that cannot catch up.
const catchupLimit = 15 * time.Minute

// loadUntilCaught sends at the rate asked for until the stores are hardly behind, and returns when that was.
func (f *benchFlags) loadUntilCaught(c *cobra.Command, ask *probe.Probe) (*load.Result, time.Time, error) {
	ctx, cancel := context.WithTimeout(c.Context(), catchupLimit)
	defer cancel()
	var caught time.Time
	var failed error
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		defer cancel()
		caught, failed = f.watchLag(ctx, c, ask)
	}()
	o := f.options(ask.URL)
	o.Events, o.Duration = 0, catchupLimit
	r, err := load.Run(ctx, o)
	cancel()
	<-watched
	if err == nil {
		err = failed
	}
	if err == nil && r.Events == 0 {
		err = errors.New("the backlog was worked off before anything came in: use a larger --backlog")
	}
	return r, caught, err
}

// watchLag asks four times a second how far the stores are behind, until they hardly are.
func (f *benchFlags) watchLag(ctx context.Context, c *cobra.Command, ask *probe.Probe) (time.Time, error) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		l, err := ask.Lag(ctx)
		if err != nil {
			return time.Time{}, err
		}
		if float64(l.Events) < f.rate*caughtUpSeconds {
			return time.Now(), nil
		}
		if i%4 == 0 {
			f.say(c, "%d events behind", l.Events)
		}
		select {
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		case <-tick.C:
		}
	}
}
