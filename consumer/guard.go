package consumer

import (
	"sync"
	"time"

	"penstock"
	"penstock/internal/failpoint"
)

// guard keeps the mark. All but save is for the goroutine of Run.
type guard struct {
	marker   Marker // nil: there is none
	unmarked func(error)
	loaded   *Mark    // that nobody has judged yet
	suspect  *suspect // nil: nothing is suspected

	mu     sync.Mutex
	mark   Mark // as it is saved, or would be
	failed bool // the last Save did
}

// load reads what the process before left.
func (g *guard) load() {
	if g.marker == nil {
		return
	}
	m, err := g.marker.Load()
	if err != nil && g.unmarked != nil {
		g.unmarked(err)
	}
	g.loaded, g.suspect = &m, nil
}

// begin judges what was loaded, now that the store's positions are known, and ends a suspicion that they have passed. Until something is
// tried, or waited for, the mark stays as it is: a process that ends before that has shown nothing.
func (g *guard) begin(from penstock.Positions, suspense time.Duration) {
	if g.loaded != nil {
		g.suspect = judge(*g.loaded, from, suspense)
		g.loaded = nil
	}
	g.pass(from)
}

// pass ends the suspicion when its range is applied.
func (g *guard) pass(at penstock.Positions) {
	if g.suspect != nil && at.Reached(g.suspect.next) {
		g.suspect = nil
	}
}

// during calls apply with the batch in hand.
func (g *guard) during(b penstock.Batch, records int, apply func() error) error {
	if g.marker == nil {
		return apply()
	}
	g.raise(b, records)
	failpoint.Hit("consumer.marked")
	err := g.watched(apply)
	if err != nil {
		g.lower()
	}
	return err
}

// watched calls apply. What it notes meanwhile it notes before it returns, or panics.
func (g *guard) watched(apply func() error) error {
	defer g.watch()()
	return apply()
}

// raise notes that the store is about to apply a batch.
func (g *guard) raise(b penstock.Batch, records int) {
	m := Mark{Hand: true, From: b.From, Next: b.Next, Records: records}
	if s := g.suspect; s != nil && s.trying {
		m.Crashes, m.Vain, m.Wait, m.Took = s.crashes, s.vain, s.wait, s.took
	}
	g.save(m)
}

// lower notes that the batch is not in hand any more, although it is not applied. If it is there is nothing to note: no store
// stands where it begins.
func (g *guard) lower() {
	m := g.mark
	m.Hand = false
	g.save(m)
}

// watch notes from time to time how long a suspect range is in hand, until the function that it returns is called.
func (g *guard) watch() (stop func()) {
	s := g.suspect
	if s == nil || !s.trying {
		return func() {}
	}
	began, m := time.Now(), g.mark
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for next := s.note(0); ; next = s.note(next) {
			select {
			case <-done:
				return
			case <-time.After(next - time.Since(began)):
				m.Took = s.took + next
				g.save(m)
			}
		}
	}()
	return func() {
		close(done)
		<-ended
		s.took += time.Since(began)
	}
}

// clear forgets everything, at a clean end.
func (g *guard) clear() {
	g.suspect = nil
	if g.marker != nil {
		g.save(Mark{})
	}
}

// save saves the mark. A failure is reported once until a Save succeeds; then what is saved is an older mark, which is either of a
// position that is past, or counts fewer crashes.
func (g *guard) save(m Mark) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mark = m
	err := g.marker.Save(m)
	if err != nil && !g.failed && g.unmarked != nil {
		g.unmarked(err)
	}
	g.failed = err != nil
}
