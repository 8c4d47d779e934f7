package logtest

import (
	"fmt"
	"maps"
	"sync"

	"penstock"
	"penstock/internal/checksum"
)

var accountCases = []test{
	{"account/by lane", "the audit compares what was accepted with what became of it, stream by stream", accountLanes},
	{"account/replays are not counted", "another attempt at a dead letter is no event more", accountReplays},
	{"account/of one moment", "totals and positions that do not belong together make an audit that never balances", accountMoment},
	{"account/a wrong checksum is refused", "an event that was changed on its way from the door must not become durable", accountChanged},
	{"account/removed records stay counted", "their rows are still there: accepted goes on from the log's beginning", accountRemoved},
	{"account/survives a restart", "the audit goes over restarts, those of a log with removed records too", accountReopened},
}

// accountant returns the log's account of itself, nil if it keeps none.
func accountant(l Log) penstock.Accountant {
	a, _ := l.(penstock.Accountant)
	return a
}

// summed makes a block of a stream whose events carry their checksums. replay marks those that are another attempt.
func (s *suite) summed(stream, name string, n int, replay func(i int) bool) *penstock.Block {
	bb := penstock.NewBlockBuilder(penstock.NewPartitioner(s.Cluster))
	bb.Reset(penstock.DefaultTenant, stream, 7, 0)
	sums := checksum.NewHasher(s.Cluster).Stream(penstock.DefaultTenant, stream)
	for i := range n {
		e := penstock.Event{ID: fmt.Appendf(nil, "%s-%d", name, i), Body: fmt.Appendf(nil, `{"n":%d}`, i)}
		if i%2 == 0 {
			e.Key = []byte("k")
		}
		if replay != nil && replay(i) {
			e.ReplayOf = penstock.Position{Epoch: 1, Offset: penstock.Offset(i)}
		}
		e.Sum = sums.Sum(e.Key, e.ID, e.Body)
		bb.Add(e)
	}
	return bb.Take()
}

// totalsOf adds records up, those of replays left out.
func totalsOf(blocks ...*penstock.Block) map[penstock.Lane]penstock.Total {
	all := map[penstock.Lane]penstock.Total{}
	for _, b := range blocks {
		for r := range b.Records() {
			if r.ReplayOf == (penstock.Position{}) {
				addTo(all, r)
			}
		}
	}
	return all
}

func addTo(all map[penstock.Lane]penstock.Total, r *penstock.Record) {
	lane := penstock.Lane{Tenant: r.Tenant, Stream: r.Stream, Partition: r.Partition}
	total := all[lane]
	total.Add(r.Sum)
	all[lane] = total
}

func (s *suite) accepted(l Log, want map[penstock.Lane]penstock.Total) {
	s.Helper()
	got, at, err := accountant(l).Accepted(s.ctx)
	if err != nil {
		s.Fatalf("Accepted: %v", err)
	}
	if !maps.Equal(got, want) {
		s.Fatalf("accepted %v, want %v", got, want)
	}
	if _, next := s.bounds(l); !maps.Equal(at, next) {
		s.Fatalf("accepted up to %v, the log ends at %v", at, next)
	}
}

func accountLanes(s *suite) {
	l := s.open()
	if accountant(l) == nil {
		return
	}
	s.accepted(l, totalsOf())
	blocks := []*penstock.Block{s.summed("clicks", "a", 40, nil), s.summed("orders", "a", 3, nil), s.summed("clicks", "b", 1, nil), s.block("c", 9)}
	for _, b := range blocks {
		s.append(l, b)
	}
	s.accepted(l, totalsOf(blocks...))
	twice := s.summed("clicks", "a", 40, nil)
	s.append(l, twice)
	s.accepted(l, totalsOf(append(blocks, twice)...))
}

func accountReplays(s *suite) {
	l := s.open()
	if accountant(l) == nil {
		return
	}
	some := s.summed("clicks", "a", 20, func(i int) bool { return i%3 == 0 })
	all := s.summed("again", "a", 5, func(int) bool { return true })
	s.append(l, some, all)
	s.accepted(l, totalsOf(some))
}

func accountMoment(s *suite) {
	l := s.open()
	if accountant(l) == nil {
		return
	}
	type account struct {
		totals map[penstock.Lane]penstock.Total
		at     penstock.Positions
	}
	var accounts []account
	var wg sync.WaitGroup
	const callers, calls, n = 4, 25, 3
	for c := range callers {
		wg.Go(func() {
			for i := range calls {
				if err := l.Append(s.ctx, s.summed("clicks", fmt.Sprintf("c%d.%d", c, i), n, nil)); err != nil {
					s.Errorf("Append: %v", err)
				}
			}
		})
	}
	for range 30 {
		totals, at, err := accountant(l).Accepted(s.ctx)
		if err != nil {
			s.Fatalf("Accepted: %v", err)
		}
		accounts = append(accounts, account{totals, at})
	}
	wg.Wait()
	batches := s.batches(s.cursor(l, s.all()), callers*calls*n)
	for _, a := range accounts {
		want := map[penstock.Lane]penstock.Total{}
		for _, b := range batches {
			for r := range b.Records() {
				if r.Position.Less(a.at[r.Partition]) {
					addTo(want, r)
				}
			}
		}
		if !maps.Equal(a.totals, want) {
			s.Fatalf("accepted %v up to %v, which are %v", a.totals, a.at, want)
		}
	}
}

// batches reads until there are n records.
func (s *suite) batches(c penstock.Cursor, n int) []penstock.Batch {
	s.Helper()
	var all []penstock.Batch
	for n > 0 {
		b, err := c.Next(s.ctx, 1<<20)
		if err != nil {
			s.Fatalf("Next: %v", err)
		}
		all = append(all, b)
		n -= b.Len()
	}
	return all
}

func accountChanged(s *suite) {
	l := s.open()
	if accountant(l) == nil {
		return
	}
	good := s.summed("clicks", "a", 5, nil)
	raw := s.summed("clicks", "b", 5, nil).AppendTo(nil)
	raw[len(raw)-2]++ // the last digit of the last body
	bad, err := penstock.DecodeBlock(raw)
	if err != nil {
		s.Fatal(err)
	}
	s.want(l.Append(s.ctx, good, bad), penstock.Internal)
	s.accepted(l, totalsOf())
	after := s.summed("clicks", "c", 1, nil)
	s.append(l, after)
	if rows, _ := s.read(s.cursor(l, s.all()), 1, 1<<20); rows[0].id != "c-0" {
		s.Fatalf("%s was added", rows[0].id)
	}
	s.accepted(l, totalsOf(after))
}

func accountRemoved(s *suite) {
	l, retain, n := s.small()
	if l == nil || accountant(l) == nil {
		return
	}
	before, _, err := accountant(l).Accepted(s.ctx)
	if err != nil {
		s.Fatalf("Accepted: %v", err)
	}
	var events int64
	for _, total := range before {
		events += total.Events
	}
	if events != int64(n) {
		s.Fatalf("%d events are accounted for, %d were appended", events, n)
	}
	_, safe := s.bounds(l)
	retain(safe)
	s.accepted(l, before)
}

func accountReopened(s *suite) {
	if s.Reopen == nil || s.OpenSmall == nil {
		return
	}
	l, retain, _ := s.small()
	if l == nil || accountant(l) == nil {
		return
	}
	for range 3 {
		_, safe := s.bounds(l)
		retain(safe)
		s.append(l, s.summed("orders", "a", 10, func(i int) bool { return i == 4 }))
		want, _, err := accountant(l).Accepted(s.ctx)
		if err != nil {
			s.Fatalf("Accepted: %v", err)
		}
		l = s.Reopen(s.T, l)
		s.accepted(l, want)
	}
	s.Cleanup(func() { _ = l.Close() })
}
