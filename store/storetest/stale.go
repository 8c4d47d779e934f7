package storetest

import (
	"sync"

	"penstock"
)

var staleCases = []test{
	{"stale/the same batch again", "a batch whose answer was lost is tried again: its rows must not be there twice", staleAgain},
	{"stale/from before", "a worker that was paused wakes up and goes on where it was", staleBehind},
	{"stale/from beyond", "records between the position and From would be lost", staleAhead},
	{"stale/another epoch", "the same offset of another life of the log is another record", staleEpoch},
	{"stale/one of several", "a batch is one transaction: either all partitions of a shard move or none", staleOne},
	{"stale/without records", "a position that moves without a comparison can go back", staleEmpty},
	{"stale/two at once", "two workers that each believe to be the only one must not both succeed", staleTwo},
}

// fed returns the suite's store after a first batch, and a second one that would follow.
func (s *suite) fed() penstock.Batch {
	s.Helper()
	s.apply(s.batch(s.log.append(s.Streams[0], s.log.events(100)...)))
	return s.batch(s.log.append(s.Streams[0], s.log.events(100)...))
}

func staleAgain(s *suite) {
	b := s.fed()
	s.apply(b)
	for range 3 {
		s.refused(b, penstock.Stale)
	}
	s.apply(s.batch(s.log.append(s.Streams[0], s.log.events(100)...)))
	s.check()
}

func staleBehind(s *suite) {
	b := s.fed()
	old := b.Only(s.held)
	for p, at := range old.From {
		old.From[p] = penstock.Position{Epoch: at.Epoch, Offset: max(at.Offset, 1) - 1}
	}
	s.refused(old, penstock.Stale)
	old = b.Only(s.held)
	for p := range old.From {
		old.From[p] = penstock.Position{}
	}
	s.refused(old, penstock.Stale)
	s.apply(s.batch(b.Blocks...))
	s.check()
}

func staleAhead(s *suite) {
	b := s.fed()
	ahead := b.Only(s.held)
	for p, at := range ahead.From {
		ahead.From[p] = penstock.Position{Epoch: at.Epoch, Offset: at.Offset + 1}
	}
	s.refused(ahead, penstock.Stale)
	s.apply(b)
	s.check()
}

func staleEpoch(s *suite) {
	b := s.fed()
	for _, by := range []penstock.Epoch{1, 2} {
		other := b.Only(s.held)
		for p, at := range other.From {
			other.From[p] = penstock.Position{Epoch: at.Epoch + by, Offset: at.Offset}
		}
		s.refused(other, penstock.Stale)
	}
	s.apply(b)
	s.check()
}

func staleOne(s *suite) {
	s.fed()
	for _, p := range s.held {
		b := s.batch(s.log.append(s.Streams[0], s.log.events(100)...))
		b.From[p] = penstock.Position{Epoch: 1, Offset: b.From[p].Offset + 1<<20}
		s.refused(b, penstock.Stale)
		s.apply(s.batch(b.Blocks...))
		s.check()
	}
}

func staleEmpty(s *suite) {
	s.fed()
	p := s.held[0]
	wrong := penstock.Position{Epoch: 1, Offset: s.at[p].Offset + 5}
	s.refused(penstock.Batch{From: penstock.Positions{p: wrong}, Next: penstock.Positions{p: {Epoch: 1, Offset: wrong.Offset + 5}}}, penstock.Stale)
	s.refused(penstock.Batch{From: penstock.Positions{p: wrong}, Next: penstock.Positions{p: wrong}}, penstock.Stale)
}

// staleTwo applies the same batch from several goroutines. Of each physical shard one of them succeeds.
func staleTwo(s *suite) {
	const workers = 4
	for range 10 {
		b := s.batch(s.log.append(s.Streams[0], s.log.events(100)...))
		errs := make([]error, workers)
		var wg sync.WaitGroup
		for i := range workers {
			wg.Go(func() { errs[i] = s.store.Apply(s.ctx, b) })
		}
		wg.Wait()
		succeeded := 0
		for _, err := range errs {
			if err == nil {
				succeeded++
			} else if !penstock.Is(err, penstock.Stale) {
				s.Fatalf("Apply: %v", err)
			}
		}
		if succeeded > 1 || succeeded == 0 && !s.several() {
			s.Fatalf("%d of %d succeeded with the same batch", succeeded, workers)
		}
		s.applied(b)
		s.check()
	}
}
