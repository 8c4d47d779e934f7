package storetest

import (
	"maps"
	"sync/atomic"
	"testing"

	"penstock"
)

var closeCases = []test{
	{"close/refuses what comes", "a batch that is taken after Close may not be durable", closeRefuses},
	{"close/twice", "a process that ends closes what may be closed already", closeTwice},
	{"close/waits for a batch", "the process ends after Close: what is half done then is not whole", closeWaits},
}

var reopenCases = []test{
	{"reopen/keeps rows and positions", "an event that was accepted becomes one row, whatever happens to the process", func(s *suite) { s.survives(s.Reopen) }},
	{"reopen/goes on", "the positions after a start decide what is read again", func(s *suite) { s.goesOn(s.Reopen) }},
	{"crash/keeps rows and positions", "Apply returned, so they are durable: the log may be behind that already", func(s *suite) { s.survives(s.Crash) }},
	{"crash/goes on", "after a crash rows and positions must tell the same", func(s *suite) { s.goesOn(s.Crash) }},
}

func closeRefuses(s *suite) {
	b := s.fed()
	if err := s.store.Close(); err != nil {
		s.Fatal(err)
	}
	s.expect(s.store.Apply(s.ctx, b), penstock.Unavailable)
}

func closeTwice(s *suite) {
	s.fed()
	for range 2 {
		if err := s.store.Close(); err != nil {
			s.Fatal(err)
		}
	}
}

// closeWaits closes the store while batches are applied, and compares what it kept with what was answered.
func closeWaits(s *suite) {
	f := &feed{batch: s.fed(), begun: make(chan struct{})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.run(s)
	}()
	<-f.begun
	err := s.store.Close()
	f.closed.Store(true)
	<-ended
	if err != nil {
		s.Fatalf("Close: %v", err)
	}
	s.expect(f.err, penstock.Unavailable, penstock.Unknown)
	for _, b := range f.done {
		s.applied(b)
	}
	if s.Reopen == nil {
		return
	}
	s.use(s.Reopen(s.T, s.store))
	if penstock.Is(f.err, penstock.Unknown) {
		for _, part := range s.shards(f.batch) {
			if s.moved(part) {
				s.applied(part)
			}
		}
	}
	s.check()
}

// feed applies batches, each after the one before, until one fails.
type feed struct {
	begun  chan struct{} // closed after the first
	closed atomic.Bool   // the store's Close has returned

	done  []penstock.Batch
	batch penstock.Batch // that failed
	err   error
}

func (f *feed) run(s *suite) {
	for {
		closed := f.closed.Load()
		f.err = s.store.Apply(s.ctx, f.batch)
		if len(f.done) == 0 {
			close(f.begun)
		}
		if f.err != nil || closed {
			return
		}
		f.done = append(f.done, f.batch)
		next := penstock.Batch{From: f.batch.Next, Next: f.batch.Next.Clone()}
		next.Blocks = []*penstock.Block{s.log.append(s.Streams[0], s.log.events(2000)...)}
		for _, p := range s.held {
			next.Next.Raise(penstock.Positions{p: s.log.next[p]})
		}
		f.batch = next
	}
}

// survives compares all that was stored after each of several reopenings.
func (s *suite) survives(again func(*testing.T, penstock.Store) penstock.Store) {
	if again == nil {
		return
	}
	for i := range 4 {
		s.apply(s.batch(
			s.log.append(s.Streams[0], s.log.events(300)...),
			s.log.append(s.Streams[1], s.log.events(3)...)))
		s.check()
		for range i % 3 {
			s.use(again(s.T, s.store))
			s.check()
		}
	}
	s.use(again(s.T, s.store))
	s.check()
}

// goesOn checks that a reopened store takes what follows, and nothing else.
func (s *suite) goesOn(again func(*testing.T, penstock.Store) penstock.Store) {
	if again == nil {
		return
	}
	for range 3 {
		b := s.batch(s.log.append(s.Streams[0], s.log.events(100)...))
		s.apply(b)
		held := s.held
		s.use(again(s.T, s.store))
		if !maps.Equal(b.Only(held).Next, b.Only(s.held).Next) {
			s.Fatalf("the store holds %v, it held %v", s.held, held)
		}
		s.refused(b, penstock.Stale)
		s.apply(s.batch(s.log.append(s.Streams[1], s.log.events(100)...)))
		s.check()
	}
}
