// Package storetest is what every store must pass: a case for each sentence of the comments of penstock.Store, with an
// explanation for the person whose backend breaks it.
package storetest

import (
	"context"
	"testing"
	"time"

	"penstock"
)

// Backend tells the suite how to open stores.
type Backend struct {
	// Cluster is the one that the stores belong to. A store holds at least four of its partitions.
	Cluster penstock.Cluster
	// Open returns an empty store. The suite closes it; closing twice must do no harm.
	Open func(t *testing.T) penstock.Store
	// Rows returns all rows that a query which starts now sees, in any order. It is called while batches are applied, too.
	Rows func(t *testing.T, s penstock.Store) []Row
	// Reopen closes a store and opens what it kept. nil: it keeps nothing.
	Reopen func(t *testing.T, s penstock.Store) penstock.Store
	// Crash opens what a store left that is never closed, as if its process had been killed between two calls. The old
	// one is not used again, unless to be closed at the end. nil: that cannot be done.
	Crash func(t *testing.T, s penstock.Store) penstock.Store
	// ShardOf numbers the physical shard of a partition. nil: there is one.
	ShardOf func(p penstock.Partition) int
	// Streams are at least two names of streams that the stores know. nil: clicks, orders and scores.
	Streams []string

	// OpenWith returns an empty store that knows these streams, which have some of the names in Streams, and keeps them when
	// it is opened again. It is a penstock.Auditor and penstock.DeadLetters. nil: the cases about what becomes of records do not
	// run: for an arrangement of a store that passes them in another one.
	OpenWith func(t *testing.T, streams []penstock.Stream) penstock.Store
	// Brief plays each script in two ways only, random histories from fewer seeds, and all kinds of poison in one store: for a store that
	// is slow to open and passes as a whole elsewhere, or now and then.
	Brief bool
	// Cut leaves out, of these two ways, the one batch that is a whole script: for an arrangement in which it shows nothing more.
	Cut bool
	// Parallel runs the cases beside each other: then the functions are called concurrently.
	Parallel bool
	// MaxParked is how many letters each shard of a store of OpenWith parks before it is full: 8 for each partition of the cluster, or
	// more.
	MaxParked int
	// ReopenWith closes a store and opens what it kept with other streams. nil: that cannot be done.
	ReopenWith func(t *testing.T, s penstock.Store, streams []penstock.Stream) penstock.Store
}

// Row is what a store keeps of a record.
type Row struct {
	Stream string
	penstock.Row
}

// RowOf returns the row that a record becomes.
func RowOf(r *penstock.Record) Row {
	return Row{r.Stream, penstock.Row{
		ID: string(r.ID), Key: string(r.Key), Time: r.Time, ReceivedAt: r.ReceivedAt, Body: penstock.Raw(r.Body),
		Partition: r.Partition, Position: r.Position, ReplayOf: r.ReplayOf,
	}}
}

// test is one sentence of the contract.
type test struct {
	name string
	why  string
	run  func(s *suite)
}

// parkedEach is how many letters of a partition may wait in any case but that of a store that is full.
const parkedEach = 8

// patience ends the context of a case, so that a store that never answers fails it.
const patience = 2 * time.Minute

// Run checks a backend against the contract.
func Run(t *testing.T, b Backend) {
	if b.Streams == nil {
		b.Streams = []string{"clicks", "orders", "scores"}
	}
	for _, group := range [][]test{positionCases, applyCases, contentCases, staleCases, closeCases, reopenCases, historyCases} {
		run(t, b, group, func(s *suite) { s.use(b.Open(s.T)) })
	}
	if b.OpenWith == nil {
		return
	}
	if least := parkedEach * b.Cluster.Partitions; b.MaxParked < least {
		t.Fatalf("MaxParked is %d, the cases need %d", b.MaxParked, least)
	}
	held := heldOf(t, b)
	for _, group := range [][]test{repeatCases, producerCases, letterCases, replayCases, haltCases, tallyCases, poisonCases, courseCases} {
		run(t, b, group, func(s *suite) { s.held = held }) // a script opens its own
	}
}

// heldOf returns the partitions that a store holds.
func heldOf(t *testing.T, b Backend) []penstock.Partition {
	s := &suite{T: t, Backend: b}
	s.use(b.OpenWith(t, nil))
	return s.held
}

// run runs each case with a suite that begin has made ready.
func run(t *testing.T, b Backend, group []test, begin func(*suite)) {
	for _, c := range group {
		t.Run(c.name, func(t *testing.T) {
			if b.Parallel {
				t.Parallel()
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			t.Cleanup(func() {
				if t.Failed() {
					t.Log("why it matters: " + c.why)
				}
			})
			s := &suite{T: t, Backend: b, ctx: ctx, log: newTape(b.Cluster), want: map[place]Row{}, at: penstock.Positions{}}
			begin(s)
			for _, p := range s.held {
				s.at[p] = penstock.Position{}
			}
			c.run(s)
		})
	}
}

// suite is what a case works with: a store, the log that feeds it, and what the store must hold.
type suite struct {
	*testing.T
	Backend
	ctx   context.Context
	store penstock.Store
	held  []penstock.Partition
	log   *tape

	at   penstock.Positions // that the store must have
	want map[place]Row      // that the store must have
	safe penstock.Positions // as the store said last
}

// place identifies a record.
type place struct {
	partition penstock.Partition
	position  penstock.Position
}

func (s *suite) use(store penstock.Store) {
	s.Helper()
	s.store = store
	s.Cleanup(func() { _ = store.Close() })
	s.held = store.Partitions()
	if len(s.held) < 4 {
		s.Fatalf("the store holds %v, the suite needs four partitions", s.held)
	}
	if s.at == nil {
		s.at = penstock.Positions{}
	}
}

// batch returns what a cursor would that stands where the store does: all that the log has of the partitions held.
func (s *suite) batch(blocks ...*penstock.Block) penstock.Batch {
	b := penstock.Batch{From: s.at.Clone(), Next: s.at.Clone(), Blocks: blocks}
	for _, p := range s.held {
		b.Next.Raise(penstock.Positions{p: s.log.next[p]})
	}
	return b
}

// apply expects that the store takes the batch.
func (s *suite) apply(b penstock.Batch) {
	s.Helper()
	if err := s.store.Apply(s.ctx, b); err != nil {
		s.Fatalf("Apply of %d records from %v to %v: %v", b.Len(), b.From, b.Next, err)
	}
	s.applied(b)
}

// applied notes that the store must hold the batch.
func (s *suite) applied(b penstock.Batch) {
	for r := range b.Records() {
		s.want[place{r.Partition, r.Position}] = RowOf(r)
	}
	for p, next := range b.Next {
		s.at[p] = next
	}
}

// refused expects that the store fails with one of the codes, and that no shard whose positions the batch does not
// match was changed. A shard whose positions it does match may have taken its part whole, if there are several.
func (s *suite) refused(b penstock.Batch, codes ...penstock.Code) {
	s.Helper()
	s.expect(s.store.Apply(s.ctx, b), codes...)
	for _, part := range s.shards(b) {
		if s.several() && s.matches(part) && len(part.From) > 0 && s.moved(part) {
			s.applied(part)
		}
	}
	s.check()
}

// shards returns the part of each physical shard.
func (s *suite) shards(b penstock.Batch) []penstock.Batch {
	byShard := map[int][]penstock.Partition{}
	for _, p := range b.From.Partitions() {
		n := s.shardOf(p)
		byShard[n] = append(byShard[n], p)
	}
	var parts []penstock.Batch
	for _, partitions := range byShard {
		parts = append(parts, b.Only(partitions))
	}
	return parts
}

func (s *suite) shardOf(p penstock.Partition) int {
	if s.ShardOf == nil {
		return 0
	}
	return s.ShardOf(p)
}

func (s *suite) several() bool {
	for _, p := range s.held {
		if s.shardOf(p) != s.shardOf(s.held[0]) {
			return true
		}
	}
	return false
}

// matches reports whether the batch begins where the store must stand.
func (s *suite) matches(b penstock.Batch) bool {
	for p, from := range b.From {
		if at, held := s.at[p]; !held || at != from {
			return false
		}
	}
	return true
}

// moved reports whether any position of the batch is no longer its From.
func (s *suite) moved(b penstock.Batch) bool {
	s.Helper()
	for p, from := range b.From {
		if s.position(p) != from {
			return true
		}
	}
	return false
}

func (s *suite) expect(err error, codes ...penstock.Code) {
	s.Helper()
	for _, c := range codes {
		if err != nil && penstock.Is(err, c) {
			return
		}
	}
	s.Fatalf("error %v, want code %v", err, codes)
}

func (s *suite) position(p penstock.Partition) penstock.Position {
	s.Helper()
	at, err := s.store.Position(s.ctx, p)
	if err != nil {
		s.Fatalf("Position of %d: %v", p, err)
	}
	return at
}
