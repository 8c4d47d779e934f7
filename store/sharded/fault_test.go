package sharded

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"penstock"
	"penstock/store/memory"
)

// shard is a store in memory of which some calls fail.
type shard struct {
	*memory.Store
	before, after error // of Apply: without effect, or in spite of it
	safe, close   error
	enter         func()
	applied       int
}

func (s *shard) Apply(ctx context.Context, b penstock.Batch) error {
	s.applied++
	if s.enter != nil {
		s.enter()
	}
	if s.before != nil {
		return s.before
	}
	return errors.Join(s.Store.Apply(ctx, b), s.after)
}

func (s *shard) Safe(ctx context.Context) (penstock.Positions, error) {
	if s.safe != nil {
		return nil, s.safe
	}
	return s.Store.Safe(ctx)
}

func (s *shard) Close() error { return errors.Join(s.Store.Close(), s.close) }

// pair returns a store of two shards that hold 0, 1 and 2, 3, and a batch with a record for each partition.
func pair(t *testing.T) (s penstock.Store, a, b *shard, batch penstock.Batch) {
	t.Helper()
	a, b = &shard{Store: memory.New(0, 1)}, &shard{Store: memory.New(2, 3)}
	s, err := New(a, b)
	if err != nil {
		t.Fatal(err)
	}
	batch = penstock.Batch{From: penstock.Positions{}, Next: penstock.Positions{}}
	builder := penstock.NewBlockBuilder(penstock.NewPartitioner(penstock.Cluster{Partitions: 4}))
	builder.Reset(penstock.DefaultTenant, "clicks", 7, 0)
	for i := range 100 {
		builder.Add(penstock.Event{ID: []byte{'a' + byte(i/26), 'a' + byte(i%26)}, Body: []byte(`{}`)})
	}
	block := builder.Take()
	block.Epoch = 1
	for _, g := range block.Groups {
		batch.From[g.Partition], batch.Next[g.Partition] = penstock.Position{}, penstock.Position{Epoch: 1, Offset: g.End()}
	}
	batch.Blocks = []*penstock.Block{block}
	if len(batch.Next) != 4 {
		t.Fatalf("the batch has partitions %v", batch.Next.Partitions())
	}
	return s, a, b, batch
}

// stand returns the positions of all partitions.
func stand(t *testing.T, s penstock.Store) penstock.Positions {
	t.Helper()
	at := penstock.Positions{}
	for _, p := range s.Partitions() {
		var err error
		if at[p], err = s.Position(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	return at
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		stores []penstock.Store
		code   penstock.Code
	}{
		"none":               {nil, penstock.Invalid},
		"held twice":         {[]penstock.Store{memory.New(0, 1), memory.New(1, 2)}, penstock.Conflict},
		"held by none":       {[]penstock.Store{memory.New(0, 1), memory.New(3)}, penstock.Conflict},
		"the first by none":  {[]penstock.Store{memory.New(1, 2)}, penstock.Conflict},
		"the same one twice": {slices.Repeat([]penstock.Store{memory.New(0)}, 2), penstock.Conflict},
	} {
		if _, err := New(c.stores...); !penstock.Is(err, c.code) {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	s, err := New(memory.New(2, 0), memory.New(1))
	if err != nil || !slices.Equal(s.Partitions(), []penstock.Partition{0, 1, 2}) {
		t.Errorf("%v, %v", s, err)
	}
}

func TestApplyToBothAtOnce(t *testing.T) {
	s, a, b, batch := pair(t)
	meet := make(chan struct{})
	a.enter = func() { meet <- struct{}{} }
	b.enter = func() { <-meet }
	if err := s.Apply(t.Context(), batch); err != nil || !maps.Equal(stand(t, s), batch.Next) {
		t.Fatalf("%v, at %v", err, stand(t, s))
	}
	if n := len(a.Records()) + len(b.Records()); n != 100 {
		t.Fatalf("%d rows", n)
	}
}

func TestApplyAsksOnlyThoseConcerned(t *testing.T) {
	s, a, b, batch := pair(t)
	if err := s.Apply(t.Context(), batch.Only([]penstock.Partition{2, 3})); err != nil || a.applied != 0 || b.applied != 1 {
		t.Fatalf("%v, %d and %d calls", err, a.applied, b.applied)
	}
}

// TestOutageOfOne expects Unknown, since the same batch would be Stale where it was applied.
func TestOutageOfOne(t *testing.T) {
	s, a, b, batch := pair(t)
	a.before = penstock.Errorf(penstock.Full, "write", "the disk is full")
	err := s.Apply(t.Context(), batch)
	if !penstock.Is(err, penstock.Unknown) || !errors.Is(err, a.before) {
		t.Fatalf("%v", err)
	}
	at := stand(t, s)
	if at[0] != batch.From[0] || at[2] != batch.Next[2] {
		t.Fatalf("at %v", at)
	}
	a.before = nil
	again := penstock.Batch{From: at, Next: batch.Next, Blocks: batch.Blocks}
	if err := s.Apply(t.Context(), again); err != nil || len(a.Records())+len(b.Records()) != 100 {
		t.Fatalf("%v, %d and %d rows", err, len(a.Records()), len(b.Records()))
	}
}

// TestOutageOfAll expects the code of the outage: nothing was changed, the same batch may be tried again.
func TestOutageOfAll(t *testing.T) {
	s, a, b, batch := pair(t)
	a.before = penstock.Errorf(penstock.Full, "write", "the disk is full")
	b.before = penstock.Errorf(penstock.Overloaded, "write", "too much")
	if err := s.Apply(t.Context(), batch); !penstock.Is(err, penstock.Full) {
		t.Fatalf("%v", err)
	}
	a.before, b.before = nil, nil
	if err := s.Apply(t.Context(), batch); err != nil || !maps.Equal(stand(t, s), batch.Next) {
		t.Fatalf("%v, at %v", err, stand(t, s))
	}
}

// TestOutageBesideNothing has one shard that fails and one whose part moves nothing.
func TestOutageBesideNothing(t *testing.T) {
	s, a, _, batch := pair(t)
	for _, p := range []penstock.Partition{2, 3} {
		batch.Next[p] = batch.From[p]
	}
	a.before = penstock.Errorf(penstock.Full, "write", "the disk is full")
	if err := s.Apply(t.Context(), batch); !penstock.Is(err, penstock.Full) {
		t.Fatalf("%v", err)
	}
}

func TestStaleAndUnknownGoFirst(t *testing.T) {
	full := penstock.Errorf(penstock.Full, "write", "the disk is full")
	stale := penstock.Errorf(penstock.Stale, "compare", "elsewhere")
	unknown := penstock.Errorf(penstock.Unknown, "commit", "no answer")
	for _, c := range []struct {
		a, b error
		want penstock.Code
	}{
		{stale, nil, penstock.Stale},
		{stale, full, penstock.Stale},
		{full, stale, penstock.Stale},
		{unknown, nil, penstock.Unknown},
		{full, unknown, penstock.Unknown},
		{stale, unknown, penstock.Unknown},
		{errors.New("a defect"), full, penstock.Internal},
	} {
		s, a, b, batch := pair(t)
		a.before, b.before = c.a, c.b
		if err := s.Apply(t.Context(), batch); !penstock.Is(err, c.want) {
			t.Errorf("%v and %v: %v, want %s", c.a, c.b, err, c.want)
		}
	}
}

func TestUnknownWithEffect(t *testing.T) {
	s, a, _, batch := pair(t)
	a.after = penstock.Errorf(penstock.Unknown, "commit", "no answer")
	if err := s.Apply(t.Context(), batch); !penstock.Is(err, penstock.Unknown) || !maps.Equal(stand(t, s), batch.Next) {
		t.Fatalf("%v, at %v", err, stand(t, s))
	}
}

func TestNotOwnerBeforeAnythingIsApplied(t *testing.T) {
	s, a, b, batch := pair(t)
	batch.From[4], batch.Next[4] = penstock.Position{}, penstock.Position{Epoch: 1, Offset: 1}
	if err := s.Apply(t.Context(), batch); !penstock.Is(err, penstock.NotOwner) || a.applied+b.applied != 0 {
		t.Fatalf("%v, %d calls", err, a.applied+b.applied)
	}
}

func TestSafeOfAll(t *testing.T) {
	s, _, b, batch := pair(t)
	if err := s.Apply(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if safe, err := s.Safe(t.Context()); err != nil || !maps.Equal(safe, batch.Next) {
		t.Fatalf("%v, %v", safe, err)
	}
	b.safe = penstock.Errorf(penstock.Unavailable, "ask", "away")
	if safe, err := s.Safe(t.Context()); !penstock.Is(err, penstock.Unavailable) {
		t.Fatalf("%v, %v: a partition that is left out keeps its records for ever", safe, err)
	}
}

func TestCloseClosesAll(t *testing.T) {
	s, a, b, _ := pair(t)
	a.close = penstock.Errorf(penstock.Internal, "close", "half")
	if err := s.Close(); !errors.Is(err, a.close) {
		t.Fatalf("%v", err)
	}
	if _, err := b.Position(t.Context(), 2); !penstock.Is(err, penstock.Unavailable) {
		t.Fatalf("the second shard is open: %v", err)
	}
}
