// Package memory is the reference of what a store does, in memory: for the tests of what feeds a store or is made of
// stores. It says what becomes of a record in the plainest way, survives nothing, and answers no SQL.
package memory

import (
	"context"
	"slices"
	"sync"

	"penstock"
	"penstock/internal/checksum"
	"penstock/internal/jsonscan"
)

// Options configures a Store. Only Partitions is required.
type Options struct {
	Cluster    penstock.Cluster     // whose identities and checksums count
	Partitions []penstock.Partition // to hold
	Streams    []penstock.Stream    // a stream that is not among them has neither columns, repeats nor halting keys
	MaxParked  int                  // letters; Apply fails with Full beyond. Default 10,000
}

const defaultParked = 10_000

// Store keeps records in memory. It implements penstock.Store, penstock.Auditor and penstock.DeadLetters, and may be used
// concurrently.
type Store struct {
	partitions  []penstock.Partition
	cluster     penstock.Cluster
	partitioner penstock.Partitioner
	sums        checksum.Hasher
	maxParked   int

	mu       sync.Mutex
	streams  map[string]*stream
	scanner  jsonscan.Scanner
	position penstock.Positions // of every partition held
	rows     []penstock.Record  // in the order in which they became rows
	lanes    map[penstock.Lane]*lane
	letters  map[penstock.Place]letter
	waiting  map[thread][]penstock.Place // the open and parked letters of a key, in the order of their places
	parked   int
	undo     []func() // takes back what the Apply under way did, last one first
	closed   bool
}

// New returns an empty store that holds the given partitions and knows no streams.
func New(partitions ...penstock.Partition) *Store { return Open(Options{Partitions: partitions}) }

// Open returns an empty store.
func Open(o Options) *Store {
	s := &Store{
		partitions:  slices.Sorted(slices.Values(o.Partitions)),
		cluster:     o.Cluster,
		partitioner: penstock.NewPartitioner(o.Cluster),
		sums:        checksum.NewHasher(o.Cluster),
		maxParked:   o.MaxParked,
		position:    penstock.Positions{},
		lanes:       map[penstock.Lane]*lane{},
		letters:     map[penstock.Place]letter{},
		waiting:     map[thread][]penstock.Place{},
	}
	if s.maxParked == 0 {
		s.maxParked = defaultParked
	}
	for _, p := range o.Partitions {
		s.position[p] = penstock.Position{}
	}
	s.Declare(o.Streams)
	return s
}

// Declare replaces the streams that the store knows. It holds for what is applied, or released, from now on.
func (s *Store) Declare(streams []penstock.Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams = map[string]*stream{}
	for _, st := range streams {
		s.streams[st.Name] = newStream(st)
	}
}

// Position returns the position of a partition, as penstock.Store says.
func (s *Store) Position(ctx context.Context, p penstock.Partition) (penstock.Position, error) {
	const op = "ask position"
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(ctx, op); err != nil {
		return penstock.Position{}, err
	}
	at, ok := s.position[p]
	if !ok {
		return at, penstock.Errorf(penstock.NotOwner, op, "partition %d is not held", p)
	}
	return at, nil
}

// open fails if the store is closed or the context has ended. The mutex is held.
func (s *Store) open(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return penstock.Wrap(penstock.Unavailable, op, err)
	}
	if s.closed {
		return penstock.Errorf(penstock.Unavailable, op, "the store is closed")
	}
	return nil
}

// Apply settles the batch's records one after the other, as penstock.Store says. It does not wait.
func (s *Store) Apply(ctx context.Context, b penstock.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(ctx, "apply batch"); err != nil {
		return err
	}
	if err := s.compare(b.From); err != nil {
		return err
	}
	for r := range b.Records() {
		if err := s.settle(r, b.Condemned[placeOf(r)]); err != nil {
			s.takeBack()
			return err
		}
	}
	for p, next := range b.Next {
		s.position[p] = next
	}
	s.undo = nil
	return nil
}

// did notes how to take back what was just done.
func (s *Store) did(undo func()) { s.undo = append(s.undo, undo) }

func (s *Store) takeBack() {
	for _, undo := range slices.Backward(s.undo) {
		undo()
	}
	s.undo = nil
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
func (s *Store) Safe(ctx context.Context) (penstock.Positions, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(ctx, "ask safe positions"); err != nil {
		return nil, err
	}
	return s.position.Clone(), nil
}

// Partitions returns the partitions held.
func (s *Store) Partitions() []penstock.Partition { return slices.Clone(s.partitions) }

// Records returns the rows, in the order in which they became rows. The bytes are those of the batches' blocks: read only.
func (s *Store) Records() []penstock.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rows)
}

// Close refuses what comes. Records still answers.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}
