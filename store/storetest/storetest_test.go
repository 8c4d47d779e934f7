package storetest_test

import (
	"context"
	"sync"
	"testing"

	"penstock"
	"penstock/store/memory"
	"penstock/store/storetest"
)

// opened is a store whose records stay when it is closed, and can be opened again.
type opened struct {
	*memory.Store

	mu     sync.RWMutex
	closed bool
}

func (o *opened) Apply(ctx context.Context, b penstock.Batch) error {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.closed {
		return penstock.Errorf(penstock.Unavailable, "apply batch", "the store is closed")
	}
	return o.Store.Apply(ctx, b)
}

func (o *opened) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	return nil
}

// Drop gives letters up unless the store is closed.
func (o *opened) Drop(ctx context.Context, places []penstock.Place) (int, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.closed {
		return 0, penstock.Errorf(penstock.Unavailable, "drop letters", "the store is closed")
	}
	return o.Store.Drop(ctx, places)
}

// TestReopen runs the cases about reopening, with a store that holds some of the cluster's partitions.
func TestReopen(t *testing.T) {
	cluster := penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Key: penstock.PartitionKey{8}, Partitions: 8}
	held := []penstock.Partition{1, 3, 4, 5, 7}
	again := func(t *testing.T, s penstock.Store) penstock.Store {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return &opened{Store: s.(*opened).Store}
	}
	storetest.Run(t, storetest.Backend{
		Cluster: cluster,
		Open:    func(*testing.T) penstock.Store { return &opened{Store: memory.New(held...)} },
		OpenWith: func(_ *testing.T, streams []penstock.Stream) penstock.Store {
			return &opened{Store: memory.Open(memory.Options{Cluster: cluster, Partitions: held, Streams: streams, MaxParked: 64})}
		},
		MaxParked: 64,
		Rows: func(_ *testing.T, s penstock.Store) []storetest.Row {
			var rows []storetest.Row
			for _, r := range s.(*opened).Records() {
				rows = append(rows, storetest.RowOf(&r))
			}
			return rows
		},
		Reopen: again,
		Crash:  func(_ *testing.T, s penstock.Store) penstock.Store { return &opened{Store: s.(*opened).Store} },
		ReopenWith: func(t *testing.T, s penstock.Store, streams []penstock.Stream) penstock.Store {
			s.(*opened).Declare(streams)
			return again(t, s)
		},
	})
}
