package logtest

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"penstock"
)

var cursorCases = []test{
	{"cursor/from is the next before", "the store compares From with its own position: anything else is Stale for ever", cursorChain},
	{"cursor/partitions without records stay", "a position that moves without records would not be what the store holds", cursorStays},
	{"cursor/goes on from any position", "a consumer that restarts asks for what follows what it applied, no more and no less", cursorResumes},
	{"cursor/only its partitions", "a shard must not see records of partitions that another one holds", cursorSubset},
	{"cursor/at least one record", "max smaller than a block must not stop the consumer", cursorLeast},
	{"cursor/not more blocks than max", "the consumer's memory is bounded by max", cursorMost},
	{"cursor/waits for records", "a consumer that has caught up neither polls nor sleeps", cursorWaits},
	{"cursor/context ends a wait", "a process that ends must not hang in Next", cursorContext},
	{"cursor/close ends a wait", "Close comes from another goroutine when a partition moves away", cursorClose},
	{"cursor/log close ends a wait", "the log is closed before its readers", cursorLogClose},
	{"cursor/two at once", "several shards and tails read the same log", cursorTwo},
	{"cursor/past the end is a conflict", "a store that is ahead of the log means that the log lost something: never start silently", cursorPastEnd},
	{"cursor/an unknown epoch is a conflict", "offsets of another log's life mean something else", cursorEpoch},
	{"cursor/shows what was appended before it waits", "an acknowledged event that a reader misses is lost to the store", cursorRace},
}

func cursorChain(s *suite) {
	l := s.open()
	for i := range 30 {
		s.append(l, s.block(fmt.Sprint("a", i), 10))
	}
	c, at := s.cursor(l, s.all()), s.all()
	for n := 0; n < 300; {
		b, err := c.Next(s.ctx, 700)
		if err != nil {
			s.Fatal(err)
		}
		if !maps.Equal(b.From, at) {
			s.Fatalf("From %v, the Next before was %v", b.From, at)
		}
		for _, r := range rowsOf(b) {
			if r.position.Less(b.From[r.partition]) || !r.position.Less(b.Next[r.partition]) {
				s.Fatalf("%s at %v lies outside of %v to %v", r.id, r.position, b.From[r.partition], b.Next[r.partition])
			}
			n++
		}
		at = b.Next
	}
	if _, next, err := l.Bounds(s.ctx); err != nil || !at.Reached(nonZero(next)) {
		s.Fatalf("read up to %v, Bounds says %v, %v", at, next, err)
	}
}

// nonZero leaves out the partitions that hold nothing.
func nonZero(ps penstock.Positions) penstock.Positions {
	rest := penstock.Positions{}
	for p, at := range ps {
		if at.Offset > 0 {
			rest[p] = at
		}
	}
	return rest
}

func cursorStays(s *suite) {
	l := s.open()
	one := s.block("a", 1)
	s.append(l, one)
	b, err := s.cursor(l, s.all()).Next(s.ctx, 1<<20)
	if err != nil {
		s.Fatal(err)
	}
	for p, next := range b.Next {
		if p != one.Groups[0].Partition && next != (penstock.Position{}) {
			s.Fatalf("partition %d went to %v without a record", p, next)
		}
	}
	if len(b.Next) != s.Cluster.Partitions {
		s.Fatalf("Next names %d partitions, the cursor has %d", len(b.Next), s.Cluster.Partitions)
	}
}

func cursorResumes(s *suite) {
	l := s.open()
	for i := range 10 {
		s.append(l, s.block(fmt.Sprint("a", i), 20))
	}
	rows, _ := s.read(s.cursor(l, s.all()), 200, 1<<20)
	// After each record in turn, which lies in the middle of a block, the rest of its partition must follow.
	for i := 0; i < len(rows); i += 7 {
		p := rows[i].partition
		at := rows[i].position
		at.Offset++
		var rest []row
		for _, r := range rows[i+1:] {
			if r.partition == p {
				rest = append(rest, r)
			}
		}
		if len(rest) == 0 {
			continue
		}
		got, _ := s.read(s.cursor(l, penstock.Positions{p: at}), len(rest), 1<<20)
		for j := range rest {
			if got[j] != rest[j] {
				s.Fatalf("from %v: %+v, want %+v", at, got[j], rest[j])
			}
		}
	}
}

func cursorSubset(s *suite) {
	l := s.open()
	s.append(l, s.block("a", 100))
	total := 0
	for _, p := range penstock.All(s.Cluster.Partitions) {
		n := 0
		rows, _ := s.read(s.cursor(l, s.all()), 100, 1<<20)
		for _, r := range rows {
			if r.partition == p {
				n++
			}
		}
		if n == 0 {
			continue
		}
		only, _ := s.read(s.cursor(l, penstock.Positions{p: {}}), n, 1<<20)
		for _, r := range only {
			if r.partition != p {
				s.Fatalf("a cursor of partition %d shows one of %d", p, r.partition)
			}
		}
		total += n
	}
	if total != 100 {
		s.Fatalf("the partitions have %d records together, want 100", total)
	}
}

func cursorLeast(s *suite) {
	l := s.open()
	s.append(l, s.block("a", 50), s.block("b", 50))
	for _, most := range []penstock.Bytes{0, 1} {
		b, err := s.cursor(l, s.all()).Next(s.ctx, most)
		if err != nil || b.Len() != 50 {
			s.Fatalf("max %d: %d records, %v; want one block of 50", most, b.Len(), err)
		}
	}
}

func cursorMost(s *suite) {
	l := s.open()
	size := s.block("a10", 50).Size()
	for i := range 20 {
		s.append(l, s.block(fmt.Sprint("a", 10+i), 50))
	}
	b, err := s.cursor(l, s.all()).Next(s.ctx, 5*size/2)
	if err != nil || len(b.Blocks) == 0 || len(b.Blocks) > 3 {
		s.Fatalf("%d blocks, %v; want at most 3", len(b.Blocks), err)
	}
}

func cursorWaits(s *suite) {
	l := s.open()
	c := s.cursor(l, s.all())
	for i := range 5 {
		got := make(chan error, 1)
		go func() {
			b, err := c.Next(s.ctx, 1<<20)
			if err == nil && b.Len() != 3 {
				err = fmt.Errorf("%d records, want 3", b.Len())
			}
			got <- err
		}()
		s.append(l, s.block(fmt.Sprint("a", i), 3))
		if err := <-got; err != nil {
			s.Fatal(err)
		}
	}
}

func cursorContext(s *suite) {
	c := s.cursor(s.open(), s.all())
	ctx, cancel := context.WithCancel(s.ctx)
	got := make(chan error, 1)
	go func() {
		_, err := c.Next(ctx, 1)
		got <- err
	}()
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		s.Fatalf("error %v, want the context's", err)
	}
}

func cursorClose(s *suite) {
	c := s.cursor(s.open(), s.all())
	got := make(chan error, 1)
	go func() {
		_, err := c.Next(s.ctx, 1)
		got <- err
	}()
	if err := c.Close(); err != nil {
		s.Fatal(err)
	}
	s.want(<-got, penstock.Unavailable)
	_, err := c.Next(s.ctx, 1)
	s.want(err, penstock.Unavailable)
}

func cursorLogClose(s *suite) {
	l := s.open()
	c := s.cursor(l, s.all())
	got := make(chan error, 1)
	go func() {
		_, err := c.Next(s.ctx, 1)
		got <- err
	}()
	if err := l.Close(); err != nil {
		s.Fatal(err)
	}
	s.want(<-got, penstock.Unavailable)
}

func cursorTwo(s *suite) {
	l := s.open()
	a, b := s.cursor(l, s.all()), s.cursor(l, s.all())
	s.append(l, s.block("a", 40))
	first, _ := s.read(a, 40, 1)
	second, _ := s.read(b, 40, 1)
	for i := range first {
		if first[i] != second[i] {
			s.Fatalf("record %d: %+v and %+v", i, first[i], second[i])
		}
	}
}

func cursorPastEnd(s *suite) {
	l := s.open()
	s.append(l, s.block("a", 40))
	_, next, err := l.Bounds(s.ctx)
	if err != nil {
		s.Fatal(err)
	}
	at := next[0]
	at.Offset++
	_, err = l.Open(s.ctx, penstock.Positions{0: at})
	s.want(err, penstock.Conflict)
}

func cursorEpoch(s *suite) {
	l := s.open()
	b := s.block("a", 40)
	s.append(l, b)
	_, err := l.Open(s.ctx, penstock.Positions{0: {Epoch: b.Epoch + 1}})
	s.want(err, penstock.Conflict)
}

func cursorRace(s *suite) {
	l := s.open()
	c := s.cursor(l, s.all())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			if err := l.Append(s.ctx, s.block(fmt.Sprintf("a%03d", i), 2)); err != nil {
				s.Errorf("Append: %v", err)
			}
		}
	}()
	rows, _ := s.read(c, 400, 300)
	<-done
	s.ascending(rows)
	if len(ids(rows)) != 400 {
		s.Fatalf("%d different records, want 400", len(ids(rows)))
	}
}
