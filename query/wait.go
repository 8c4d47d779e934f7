package query

import (
	"context"
	"errors"
	"time"

	"penstock"
)

// The pauses between looks at the store's positions grow from the first to the last: an answer right after a write waits
// for a commit that takes some 20 ms, one behind a backlog waits seconds.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 50 * time.Millisecond
)

// positionFunc asks a store for its position.
type positionFunc = func(context.Context, penstock.Partition) (penstock.Position, error)

// Waiter returns a function that returns nil when a store has reached the positions: a query that starts then sees what
// lies below them. It fails with Expired, reason not_visible_yet, when its context ends before.
func Waiter(position func(context.Context, penstock.Partition) (penstock.Position, error)) func(context.Context, penstock.Positions) error {
	return func(ctx context.Context, upTo penstock.Positions) error {
		err := untilReached(ctx, position, upTo.Clone(), nil)
		if err != nil && ctx.Err() != nil {
			return notVisible()
		}
		return err
	}
}

// await returns when the store has reached want: a query that starts then sees those events. When the time is up it
// fails with Expired, reason not_visible_yet. Waiting costs no turn, since the answer has not begun.
func (a *API) await(ctx context.Context, want penstock.Positions, patience time.Duration) error {
	if len(want) == 0 {
		return nil
	}
	if a.o.Position == nil {
		return missing("store")
	}
	if err := a.checkPartitions(want); err != nil {
		return err
	}
	up := time.NewTimer(patience)
	defer up.Stop()
	return untilReached(ctx, a.o.Position, want.Clone(), up.C)
}

// untilReached removes from left what the store has reached, until nothing is left. It looks at least once.
func untilReached(ctx context.Context, position positionFunc, left penstock.Positions, up <-chan time.Time) error {
	for pause := firstPause; ; pause = min(pause*3/2, lastPause) {
		if err := dropReached(ctx, position, left); err != nil {
			return err
		}
		if len(left) == 0 {
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-up:
			timer.Stop()
			return notVisible()
		case <-ctx.Done():
			timer.Stop()
			return penstock.Wrap(penstock.Unavailable, "wait for receipts", ctx.Err())
		}
	}
}

func notVisible() error {
	return &penstock.Error{Code: penstock.Expired, Op: "wait for receipts", Reason: "not_visible_yet",
		Err: errors.New("the events of the receipt cannot be queried yet; they are safe, ask again")}
}

// dropReached removes from want what the store has reached.
func dropReached(ctx context.Context, position positionFunc, want penstock.Positions) error {
	for p, w := range want {
		at, err := position(ctx, p)
		if err != nil {
			return err
		}
		if !at.Less(w) {
			delete(want, p)
		}
	}
	return nil
}

// checkPartitions refuses positions in partitions that the cluster does not have.
func (a *API) checkPartitions(ps penstock.Positions) error {
	for p := range ps {
		if int(p) >= a.o.Cluster.Partitions {
			return penstock.Refusef("bad_receipt", "wait for receipts", "the receipt names partition %d, and there are %d", p, a.o.Cluster.Partitions)
		}
	}
	return nil
}

// asOf returns a receipt for everything that a query that starts afterwards will see.
func (a *API) asOf(ctx context.Context) (string, error) {
	r := penstock.Receipt{Cluster: a.o.Cluster.ID, Durability: a.o.Durability, Positions: penstock.Positions{}}
	for _, p := range penstock.All(a.o.Cluster.Partitions) {
		at, err := a.o.Position(ctx, p)
		if err != nil {
			return "", err
		}
		if at != (penstock.Position{}) {
			r.Positions[p] = at
		}
	}
	return r.String(), nil
}
