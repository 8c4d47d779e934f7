// Package memory is a store in memory, for the tests of what feeds a store or is made of stores. It keeps every record
// as the batch brought it, survives nothing, and answers no SQL.
package memory

import (
	"context"
	"slices"
	"sync"

	"penstock"
)

// Store keeps records in memory. It implements penstock.Store and may be used concurrently.
type Store struct {
	partitions []penstock.Partition

	mu       sync.Mutex
	position penstock.Positions // of every partition held
	records  []penstock.Record  // in the order in which they were applied
	closed   bool
}

// New returns an empty store that holds the given partitions.
func New(partitions ...penstock.Partition) *Store {
	s := &Store{partitions: slices.Sorted(slices.Values(partitions)), position: penstock.Positions{}}
	for _, p := range partitions {
		s.position[p] = penstock.Position{}
	}
	return s
}

// Position returns the position of a partition, as penstock.Store says.
func (s *Store) Position(ctx context.Context, p penstock.Partition) (penstock.Position, error) {
	const op = "ask position"
	if err := ctx.Err(); err != nil {
		return penstock.Position{}, penstock.Wrap(penstock.Unavailable, op, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.position[p]
	switch {
	case s.closed:
		return at, penstock.Errorf(penstock.Unavailable, op, "the store is closed")
	case !ok:
		return at, penstock.Errorf(penstock.NotOwner, op, "partition %d is not held", p)
	}
	return at, nil
}

// Apply keeps the batch's records, as penstock.Store says. It does not wait.
func (s *Store) Apply(ctx context.Context, b penstock.Batch) error {
	const op = "apply batch"
	if err := ctx.Err(); err != nil {
		return penstock.Wrap(penstock.Unavailable, op, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return penstock.Errorf(penstock.Unavailable, op, "the store is closed")
	}
	if err := s.compare(b.From); err != nil {
		return err
	}
	for r := range b.Records() {
		s.records = append(s.records, *r)
	}
	for p, next := range b.Next {
		s.position[p] = next
	}
	return nil
}

// compare fails unless every position of from is the present one. The mutex is held.
func (s *Store) compare(from penstock.Positions) error {
	const op = "compare positions"
	for p, at := range from {
		present, ok := s.position[p]
		switch {
		case !ok:
			return penstock.Errorf(penstock.NotOwner, op, "partition %d is not held", p)
		case present != at:
			return penstock.Errorf(penstock.Stale, op, "partition %d stands at %v, the batch begins at %v", p, present, at)
		}
	}
	return nil
}

// Safe returns the positions: nothing is ever asked for again, since with the process the store is gone as a whole.
func (s *Store) Safe(context.Context) (penstock.Positions, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, penstock.Errorf(penstock.Unavailable, "ask safe positions", "the store is closed")
	}
	return s.position.Clone(), nil
}

// Partitions returns the partitions held.
func (s *Store) Partitions() []penstock.Partition { return slices.Clone(s.partitions) }

// Records returns what was applied, in that order. The bytes are those of the batches' blocks: read only.
func (s *Store) Records() []penstock.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records)
}

// Close refuses what comes. Records still answers.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}
