package logtest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"penstock"
)

var appendCases = []test{
	{"append/in the order given", "the order of a key is the order in which its events were appended", appendOrder},
	{"append/fills in the block", "the receipt that the door answers is made of what Append filled in", appendFillsIn},
	{"append/keeps the bytes", "an event is the sender's: the log must not change it", appendKeepsBytes},
	{"append/concurrently", "the door appends from many goroutines; each of them relies on its own order", appendConcurrently},
	{"append/of nothing", "a request whose items were all rejected appends nothing", appendNothing},
	{"append/invalid adds nothing", "after Invalid the door answers that nothing was stored", appendInvalid},
	{"append/context that has ended", "a caller that gave up must not be told that its events are stored", appendEnded},
	{"append/after close", "a process that ends answers 503 not_stored, which must be true", appendClosed},
	{"append/durability is told", "the answer's Durability header repeats it", appendDurability},
}

func appendOrder(s *suite) {
	l := s.open()
	const n = 20
	for i := range n {
		s.append(l, s.block(fmt.Sprintf("a%02d", i), 30), s.block(fmt.Sprintf("b%02d", i), 1))
	}
	rows, _ := s.read(s.cursor(l, s.all()), n*31, 1<<20)
	s.ascending(rows)
	var names []string
	for _, r := range rows {
		if name := r.id[1:3] + r.id[:1]; len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	if !slices.IsSorted(names) {
		s.Fatalf("blocks come as %v", names)
	}
}

func appendFillsIn(s *suite) {
	l := s.open()
	first, second := s.block("a", 50), s.block("b", 50)
	s.append(l, first, second)
	if first.Epoch == 0 || second.Epoch != first.Epoch {
		s.Errorf("epochs %d and %d", first.Epoch, second.Epoch)
	}
	if first.LogTime <= 0 || second.LogTime < first.LogTime {
		s.Errorf("log times %d and %d", first.LogTime, second.LogTime)
	}
	rows, _ := s.read(s.cursor(l, s.all()), 100, 1<<20)
	for _, b := range []*penstock.Block{first, second} {
		for r := range b.Records() {
			want := row{string(r.ID), string(r.Body), r.Stream, r.Partition, r.Position, r.LogTime}
			if !slices.Contains(rows, want) {
				s.Fatalf("Append says %+v, which is not read", want)
			}
		}
	}
}

func appendKeepsBytes(s *suite) {
	l := s.open()
	bb := penstock.NewBlockBuilder(penstock.NewPartitioner(s.Cluster))
	bb.Reset("t", "s", 99, 0)
	in := penstock.Event{ID: []byte("i d~"), Key: []byte("käse\x00"), Time: -5, Body: []byte("{\"a\":\t9007199254740993}"), Flags: penstock.ServerID}
	bb.Add(in)
	s.append(l, bb.Take())
	b, err := s.cursor(l, s.all()).Next(s.ctx, 1)
	if err != nil {
		s.Fatal(err)
	}
	for r := range b.Records() {
		if string(r.ID) != string(in.ID) || string(r.Key) != string(in.Key) || string(r.Body) != string(in.Body) ||
			r.Time != in.Time || r.Flags != in.Flags || r.Tenant != "t" || r.Stream != "s" || r.ReceivedAt != 99 {
			s.Fatalf("read %+v, want %+v", r, in)
		}
	}
}

func appendConcurrently(s *suite) {
	l := s.open()
	const callers, calls = 16, 20
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range calls {
				if err := l.Append(s.ctx, s.block(fmt.Sprintf("c%02d.%02d", c, i), 3)); err != nil {
					s.Errorf("Append: %v", err)
				}
			}
		})
	}
	wg.Wait()
	rows, _ := s.read(s.cursor(l, s.all()), callers*calls*3, 4096)
	s.ascending(rows)
	if seen := ids(rows); len(seen) != callers*calls*3 {
		s.Fatalf("%d different records, want %d", len(seen), callers*calls*3)
	}
	last := map[string]string{} // by caller and partition
	for _, r := range rows {
		who := fmt.Sprint(r.id[:3], r.partition)
		if r.id < last[who] {
			s.Fatalf("%s comes after %s", r.id, last[who])
		}
		last[who] = r.id
	}
}

func appendNothing(s *suite) {
	l := s.open()
	s.append(l)
	if _, next, err := l.Bounds(s.ctx); err != nil || !s.all().Reached(penstock.Positions{}) || len(next) != s.Cluster.Partitions {
		s.Fatalf("Bounds: %v, %v", next, err)
	}
}

func appendInvalid(s *suite) {
	l := s.open()
	bad := s.block("bad", 1)
	bad.Groups[0].Partition = penstock.Partition(s.Cluster.Partitions)
	s.want(l.Append(s.ctx, s.block("good", 5), bad), penstock.Invalid)
	s.append(l, s.block("after", 1))
	if rows, _ := s.read(s.cursor(l, s.all()), 1, 1<<20); rows[0].id != "after-0" {
		s.Fatalf("%s was added", rows[0].id)
	}
}

func appendEnded(s *suite) {
	l := s.open()
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	err := l.Append(ctx, s.block("a", 1))
	s.want(err, penstock.Unavailable, penstock.Unknown)
	s.append(l, s.block("b", 1))
	rows, _ := s.read(s.cursor(l, s.all()), 1, 1)
	if penstock.Is(err, penstock.Unavailable) && rows[0].id != "b-0" {
		s.Fatalf("%s was added in spite of %v", rows[0].id, err)
	}
}

func appendClosed(s *suite) {
	l := s.open()
	if err := l.Close(); err != nil {
		s.Fatal(err)
	}
	s.want(l.Append(s.ctx, s.block("a", 1)), penstock.Unavailable)
	_, err := l.Open(s.ctx, s.all())
	s.want(err, penstock.Unavailable)
}

func appendDurability(s *suite) {
	if d := s.open().Durability(); d == "" {
		s.Fatal("no durability")
	} else if s.Reopen == nil && d != penstock.DurabilityMemory {
		s.Fatalf("%s, by a log that cannot be opened again", d)
	}
}
