package sharded

import (
	"context"
	"errors"
	"slices"
	"testing"

	"penstock"
	"penstock/store/memory"
)

// mute is a store that is neither Auditor nor DeadLetters.
type mute struct{ penstock.Store }

// broken is a store in memory whose letters and tallies cannot be had.
type broken struct {
	*memory.Store
	err error
}

func (b broken) Tallies(context.Context) (map[penstock.Lane]penstock.Tally, penstock.Positions, error) {
	return nil, nil, b.err
}

func (b broken) Letters(context.Context, penstock.LetterQuery) ([]penstock.Letter, error) {
	return nil, b.err
}

func (b broken) Drop(context.Context, []penstock.Place) (int, error) { return 0, b.err }

// bad returns a store of two shards, of which the second is made of the store that wrap returns, with a letter in each partition
// and their places.
func bad(t *testing.T, wrap func(*memory.Store) penstock.Store) (s *store, places []penstock.Place) {
	t.Helper()
	joined, err := New(memory.New(0, 2), wrap(memory.New(1, 3)))
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, batch := pair(t)
	batch.Condemned = map[penstock.Place]penstock.Condemned{}
	seen := map[penstock.Partition]bool{}
	for r := range batch.Records() {
		if !seen[r.Partition] {
			at := penstock.Place{Partition: r.Partition, Position: r.Position}
			batch.Condemned[at] = penstock.Condemned{Reason: penstock.ReasonRefused, Detail: "for a test"}
			seen[r.Partition], places = true, append(places, at)
		}
	}
	if err := joined.Apply(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(places, func(a, b penstock.Place) int { return int(a.Partition) - int(b.Partition) })
	return joined.(*store), places
}

// TestLettersAreMerged expects the order of places, though shards hold partitions in turn.
func TestLettersAreMerged(t *testing.T) {
	s, places := bad(t, func(m *memory.Store) penstock.Store { return m })
	for limit := range 6 {
		letters, err := s.Letters(t.Context(), penstock.LetterQuery{Limit: limit})
		if err != nil || len(letters) != min(limit, 4) {
			t.Fatalf("%d letters, limit %d: %v", len(letters), limit, err)
		}
		for i, l := range letters {
			if l.Partition != places[i].Partition || l.Position != places[i].Position {
				t.Errorf("letter %d is at %d %v, want %v", i, l.Partition, l.Position, places[i])
			}
		}
	}
}

// TestDropOfOneThatFails expects what the other shard did, and the error.
func TestDropOfOneThatFails(t *testing.T) {
	away := penstock.Errorf(penstock.Unavailable, "ask", "away")
	s, places := bad(t, func(m *memory.Store) penstock.Store { return broken{m, away} })
	n, err := s.Drop(t.Context(), places)
	if n != 2 || !errors.Is(err, away) || !penstock.Is(err, penstock.Unavailable) {
		t.Fatalf("%d, %v", n, err)
	}
	if n, err := s.Drop(t.Context(), []penstock.Place{places[0], {Partition: 9, Position: places[0].Position}}); n != 0 || err != nil {
		t.Fatalf("%d, %v: it was dropped before", n, err)
	}
}

// TestOneThatCannotTell expects an error rather than what looks whole.
func TestOneThatCannotTell(t *testing.T) {
	away := penstock.Errorf(penstock.Unavailable, "ask", "away")
	for code, wrap := range map[penstock.Code]func(*memory.Store) penstock.Store{
		penstock.Unavailable: func(m *memory.Store) penstock.Store { return broken{m, away} },
		penstock.Internal:    func(m *memory.Store) penstock.Store { return mute{m} },
	} {
		s, places := bad(t, wrap)
		if tallies, _, err := s.Tallies(t.Context()); !penstock.Is(err, code) {
			t.Errorf("tallies %v, %v, want %s", tallies, err, code)
		}
		if letters, err := s.Letters(t.Context(), penstock.LetterQuery{Limit: 9}); !penstock.Is(err, code) {
			t.Errorf("%d letters, %v, want %s", len(letters), err, code)
		}
		if n, err := s.Drop(t.Context(), places); !penstock.Is(err, code) {
			t.Errorf("%d dropped, %v, want %s", n, err, code)
		}
	}
}
