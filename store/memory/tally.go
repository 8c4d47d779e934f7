package memory

import (
	"context"

	"penstock"
)

// lane is what a store remembers of the events of a stream in one partition.
type lane struct {
	tally     penstock.Tally
	seen      map[penstock.Identity]occurrence
	firsts    int64 // how many first occurrences there were
	producers map[string]sent
}

func (s *Store) lane(r *penstock.Record) *lane {
	name := penstock.Lane{Tenant: r.Tenant, Stream: r.Stream, Partition: r.Partition}
	l := s.lanes[name]
	if l == nil {
		l = &lane{seen: map[penstock.Identity]occurrence{}, producers: map[string]sent{}}
		s.lanes[name] = l
	}
	return l
}

// count adds an event to its lane.
func (s *Store) count(l *lane, fate penstock.Fate, sum penstock.Checksum) {
	before := l.tally
	s.did(func() { l.tally = before })
	l.tally[fate].Add(sum)
}

// move gives an event that was counted another fate.
func (s *Store) move(r *penstock.Record, from, to penstock.Fate) {
	l := s.lane(r)
	before := l.tally
	s.did(func() { l.tally = before })
	var one penstock.Total
	one.Add(r.Sum)
	l.tally[from] = l.tally[from].Minus(one)
	l.tally[to] = l.tally[to].Plus(one)
}

// Tallies returns what became of all events, as penstock.Auditor says.
func (s *Store) Tallies(ctx context.Context) (map[penstock.Lane]penstock.Tally, penstock.Positions, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(ctx, "read tallies"); err != nil {
		return nil, nil, err
	}
	tallies := map[penstock.Lane]penstock.Tally{}
	for name, l := range s.lanes {
		if l.tally.Sum().Events > 0 { // an Apply that failed leaves a lane without events
			tallies[name] = l.tally
		}
	}
	return tallies, s.position.Clone(), nil
}
