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

// TestReopen runs the cases about reopening, with a store that holds some of the cluster's partitions.
func TestReopen(t *testing.T) {
	storetest.Run(t, storetest.Backend{
		Cluster: penstock.Cluster{Partitions: 8},
		Open:    func(*testing.T) penstock.Store { return &opened{Store: memory.New(1, 3, 4, 5, 7)} },
		Rows: func(_ *testing.T, s penstock.Store) []storetest.Row {
			var rows []storetest.Row
			for _, r := range s.(*opened).Records() {
				rows = append(rows, storetest.RowOf(&r))
			}
			return rows
		},
		Reopen: func(t *testing.T, s penstock.Store) penstock.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return &opened{Store: s.(*opened).Store}
		},
		Crash: func(_ *testing.T, s penstock.Store) penstock.Store { return &opened{Store: s.(*opened).Store} },
	})
}
