package consumer

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"penstock"
)

// strictStore is a store that refuses and dies as the test says, and that checks what it is given: positions, order within each
// partition, and that only records of the batch are condemned.
type strictStore struct {
	poison func(id string) bool // of records that it refuses unless they are condemned. nil: none
	deadly func(id string) bool // of records at which it dies, unless they are condemned. nil: none
	fault  func(attempt int, b penstock.Batch) error
	takes  time.Duration // of each Apply
	lives  time.Duration // before a deadly record has its effect
	counts bool          // keep no rows

	mu       sync.Mutex
	dead     bool // the process is: nothing has an effect any more
	position penstock.Positions
	last     map[penstock.Partition]penstock.Position
	rows     []string // ids in the order in which they were applied
	stored   int
	letters  map[string]penstock.Condemned // by id
	attempts int
	walked   int // records of all attempts
	faults   []string
}

// died is the panic of a store at a deadly record.
type died struct{}

func newStrictStore(partitions ...penstock.Partition) *strictStore {
	s := &strictStore{position: penstock.Positions{}, last: map[penstock.Partition]penstock.Position{}, letters: map[string]penstock.Condemned{}}
	for _, p := range partitions {
		s.position[p] = penstock.Position{}
	}
	return s
}

func (s *strictStore) Position(_ context.Context, p penstock.Partition) (penstock.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.position[p]
	if !ok {
		return at, penstock.Errorf(penstock.NotOwner, "ask position", "partition %d is not held", p)
	}
	return at, nil
}

func (s *strictStore) Apply(ctx context.Context, b penstock.Batch) error {
	s.mu.Lock()
	attempt := s.attempts
	s.attempts++
	s.walked += b.Len()
	s.mu.Unlock()
	sleep(ctx, s.takes)
	if s.fault != nil {
		if err := s.fault(attempt, b); err != nil {
			return err
		}
	}
	if s.doomed(b) {
		sleep(ctx, s.lives)
		s.die()
	}
	return s.commit(ctx, b)
}

// die ends the process, unless somebody else did.
func (s *strictStore) die() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dead {
		s.dead = true
		panic(died{})
	}
}

// doomed reports whether the batch kills.
func (s *strictStore) doomed(b penstock.Batch) bool {
	if s.deadly == nil {
		return false
	}
	for r := range b.Records() {
		if s.deadly(string(r.ID)) && !isCondemned(b, r) {
			return true
		}
	}
	return false
}

func isCondemned(b penstock.Batch, r *penstock.Record) bool {
	_, ok := b.Condemned[penstock.Place{Partition: r.Partition, Position: r.Position}]
	return ok
}

func (s *strictStore) commit(ctx context.Context, b penstock.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead || ctx.Err() != nil {
		return penstock.Errorf(penstock.Unavailable, "apply batch", "the process has ended")
	}
	for p, at := range b.From {
		if s.position[p] != at {
			return penstock.Errorf(penstock.Stale, "apply batch", "partition %d stands at %v, not %v", p, s.position[p], at)
		}
	}
	if s.poison != nil {
		for r := range b.Records() {
			if s.poison(string(r.ID)) && !isCondemned(b, r) {
				return penstock.Errorf(penstock.Invalid, "store record", "no room for %s", r.ID)
			}
		}
	}
	condemned := 0
	for r := range b.Records() {
		s.check(b, r)
		if why, ok := b.Condemned[penstock.Place{Partition: r.Partition, Position: r.Position}]; ok {
			condemned++
			s.letters[string(r.ID)] = why
			continue
		}
		s.stored++
		if !s.counts {
			s.rows = append(s.rows, string(r.ID))
		}
	}
	if condemned != len(b.Condemned) {
		s.complain("%d of %d condemned records are in the batch", condemned, len(b.Condemned))
	}
	maps.Copy(s.position, b.Next)
	return nil
}

// check complains about a record that is out of place. The mutex is held.
func (s *strictStore) check(b penstock.Batch, r *penstock.Record) {
	if last, ok := s.last[r.Partition]; ok && !last.Less(r.Position) {
		s.complain("%v of partition %d comes after %v", r.Position, r.Partition, last)
	}
	if r.Position.Less(b.From[r.Partition]) || !r.Position.Less(b.Next[r.Partition]) {
		s.complain("%v of partition %d is outside of the batch", r.Position, r.Partition)
	}
	s.last[r.Partition] = r.Position
}

func (s *strictStore) complain(format string, args ...any) {
	if len(s.faults) < 10 {
		s.faults = append(s.faults, fmt.Sprintf(format, args...))
	}
}

func (s *strictStore) Safe(context.Context) (penstock.Positions, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position.Clone(), nil
}

func (s *strictStore) Partitions() []penstock.Partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position.Partitions()
}

func (s *strictStore) Close() error { return nil }

// settled returns how many records have their fate.
func (s *strictStore) settled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored + len(s.letters)
}

// judge fails unless exactly the given records of so many are letters, with that reason, and all others rows.
func (s *strictStore) judge(t *testing.T, events int, reason penstock.LetterReason, guilty func(id string) bool) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		t.Error(f)
	}
	if s.stored+len(s.letters) != events {
		t.Errorf("%d rows and %d letters of %d events", s.stored, len(s.letters), events)
	}
	for i := range events {
		id := fmt.Sprintf("%08d", i)
		why, dead := s.letters[id]
		if guilty(id) != dead || dead && (why.Reason != reason || why.Detail == "") {
			t.Fatalf("%s: dead is %v, %+v", id, dead, why)
		}
	}
	seen := map[string]bool{}
	for _, id := range s.rows {
		if seen[id] {
			t.Fatalf("%s is there twice", id)
		}
		seen[id] = true
	}
}
