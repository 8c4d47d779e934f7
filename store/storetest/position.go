package storetest

import (
	"maps"
	"slices"
	"sync/atomic"

	"penstock"
)

var positionCases = []test{
	{"partitions/in ascending order", "who routes by partition, or compares, relies on the order and on each being there once", partitionsAscend},
	{"position/zero at first", "the zero position makes the log begin with the oldest record: anything else skips records", positionZero},
	{"position/next of the last batch", "the next run of the consumer reads from there: no record may be left out, none read twice", positionNext},
	{"position/of a partition that is not held", "a worker must learn that its partition went to another store, not begin anew here", positionNotOwner},
	{"position/while batches are applied", "queries that wait for a receipt ask all the time, and must then find its rows", positionConcurrent},
	{"safe/at first", "the log keeps all records of a partition that Safe leaves out, and may drop what lies below", safeFirst},
	{"safe/never past position, never back", "the log drops what is below: what the store asks for after that is lost", safeGrows},
}

func partitionsAscend(s *suite) {
	for i, p := range s.held {
		if i > 0 && p <= s.held[i-1] {
			s.Fatalf("%v", s.held)
		}
		if int(p) >= s.Cluster.Partitions {
			s.Fatalf("partition %d of %d", p, s.Cluster.Partitions)
		}
	}
}

func positionZero(s *suite) { s.check() }

func positionNext(s *suite) {
	for range 5 {
		s.apply(s.batch(s.log.append(s.Streams[0], s.log.events(40)...)))
		s.check()
	}
	// A batch of some partitions leaves the others where they are.
	b := s.batch(s.log.append(s.Streams[0], s.log.events(40)...))
	for _, p := range s.held {
		s.apply(b.Only([]penstock.Partition{p}))
		s.check()
	}
}

func positionNotOwner(s *suite) {
	s.apply(s.batch(s.log.append(s.Streams[0], s.log.events(40)...)))
	for _, p := range s.notHeld() {
		_, err := s.store.Position(s.ctx, p)
		s.expect(err, penstock.NotOwner)
	}
	s.check()
}

// notHeld returns every other partition of the cluster, and some that no cluster has.
func (s *suite) notHeld() []penstock.Partition {
	others := append(penstock.All(s.Cluster.Partitions+1), penstock.MaxPartitions, 1<<16-1)
	return slices.DeleteFunc(others, func(p penstock.Partition) bool { return slices.Contains(s.held, p) })
}

// positionConcurrent asks for positions and rows in turn while batches are applied. What was seen in one step must be
// complete in the next.
func positionConcurrent(s *suite) {
	n := 30
	if s.Brief {
		n = 10
	}
	legal := map[penstock.Partition][]penstock.Position{}
	var batches []penstock.Batch
	model := *s
	model.at, model.want = s.at.Clone(), map[place]Row{}
	for range n {
		b := model.batch(s.log.append(s.Streams[0], s.log.events(100)...))
		for p, from := range b.From {
			legal[p] = append(legal[p], from)
		}
		model.applied(b)
		batches = append(batches, b)
	}
	all := slices.Collect(maps.Values(model.want))
	var ended atomic.Bool
	failed := make(chan error, 1)
	go func() {
		defer ended.Store(true)
		for _, b := range batches {
			if err := s.store.Apply(s.ctx, b); err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	seen := penstock.Positions{}
	for last := false; !last; {
		last = ended.Load()
		s.step(seen, all, legal, model.at)
	}
	if err := <-failed; err != nil {
		s.Fatalf("Apply: %v", err)
	}
	s.at, s.want = model.at, model.want
	s.check()
}

// step asks for every position once and then for the rows.
func (s *suite) step(seen penstock.Positions, all []Row, legal map[penstock.Partition][]penstock.Position, end penstock.Positions) {
	s.Helper()
	for _, p := range s.held {
		at := s.position(p)
		if at.Less(seen[p]) {
			s.Fatalf("Position of %d went back from %v to %v", p, seen[p], at)
		}
		if at != end[p] && !slices.Contains(legal[p], at) {
			s.Fatalf("Position of %d is %v, where no batch begins or ends", p, at)
		}
		seen[p] = at
	}
	if why := compare(s.below(s.rows(), seen), s.below(all, seen)); why != "" {
		s.Fatalf("at %v: %s", seen, why)
	}
}

func safeFirst(s *suite) {
	safe, err := s.store.Safe(s.ctx)
	if err != nil {
		s.Fatal(err)
	}
	for _, p := range s.held {
		if at, ok := safe[p]; !ok || at != (penstock.Position{}) {
			s.Fatalf("Safe of %d is %v (%v) before anything was applied", p, at, ok)
		}
	}
}

func safeGrows(s *suite) {
	for i := range 12 {
		s.apply(s.batch(s.log.append(s.Streams[0], s.log.events(500)...)))
		s.checkPositions()
		if i%4 == 3 && s.Reopen != nil {
			s.use(s.Reopen(s.T, s.store))
			s.checkPositions()
		}
	}
}
