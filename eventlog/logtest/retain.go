package logtest

import (
	"fmt"

	"penstock"
)

var boundsCases = []test{
	{"bounds/of every partition", "lag is Bounds.next minus the position, for every partition", boundsAll},
	{"bounds/next is where new records come", "a cursor from there must show nothing old and miss nothing new", boundsNext},
}

var retainCases = []test{
	{"retain/keeps what is not safe", "a record that a store still needs must stay, however old or large the log", retainUnsafe},
	{"retain/a partition that safe lacks keeps all", "a shard that is down has no safe position: its records must wait", retainLacking},
	{"retain/removes what is safe", "otherwise the log is full for ever", retainRemoves},
	{"retain/overtakes a cursor", "a reader that was overtaken must hear of it and not skip", retainOvertakes},
	{"retain/full log recovers", "Full means: nothing was stored, and when room was made it goes on", retainFull},
}

var reopenCases = []test{
	{"reopen/keeps everything", "what was acknowledged survives the process", reopenKeeps},
	{"reopen/goes on", "offsets must never be used twice, nor log time go back", reopenGoesOn},
}

func boundsAll(s *suite) {
	l := s.open()
	first, next, err := l.Bounds(s.ctx)
	if err != nil || len(first) != s.Cluster.Partitions || len(next) != s.Cluster.Partitions {
		s.Fatalf("%d and %d partitions, %v; want %d", len(first), len(next), err, s.Cluster.Partitions)
	}
	b := s.block("a", 60)
	s.append(l, b)
	first, next, err = l.Bounds(s.ctx)
	if err != nil {
		s.Fatal(err)
	}
	for r := range b.Records() {
		if r.Position.Less(first[r.Partition]) || !r.Position.Less(next[r.Partition]) {
			s.Fatalf("partition %d: %v to %v does not cover %v", r.Partition, first[r.Partition], next[r.Partition], r.Position)
		}
	}
}

func boundsNext(s *suite) {
	l := s.open()
	s.append(l, s.block("old", 60))
	_, next, err := l.Bounds(s.ctx)
	if err != nil {
		s.Fatal(err)
	}
	c := s.cursor(l, next)
	s.append(l, s.block("new", 60))
	rows, _ := s.read(c, 60, 1<<20)
	for _, r := range rows {
		if r.id[:3] != "new" {
			s.Fatalf("%s at %v, the cursor began at %v", r.id, r.position, next[r.partition])
		}
	}
}

// small returns a small log that removes records, and the records with which it was filled until it refused.
func (s *suite) small() (l Log, retain func(penstock.Positions), n int) {
	s.Helper()
	if s.OpenSmall == nil {
		return nil, nil, 0
	}
	l = s.OpenSmall(s.T)
	s.Cleanup(func() { _ = l.Close() })
	retainer, ok := l.(penstock.Retainer)
	if !ok {
		return nil, nil, 0
	}
	for i := 0; ; i++ {
		err := l.Append(s.ctx, s.block(fmt.Sprintf("f%05d", i), 20))
		if err != nil {
			s.want(err, penstock.Full)
			break
		}
		if n += 20; n > 1<<20 {
			s.Fatalf("%d records, and the log is not full", n)
		}
	}
	return l, func(safe penstock.Positions) {
		s.Helper()
		if err := retainer.Retain(s.ctx, safe); err != nil {
			s.Fatalf("Retain: %v", err)
		}
	}, n
}

func (s *suite) bounds(l Log) (first, next penstock.Positions) {
	s.Helper()
	first, next, err := l.Bounds(s.ctx)
	if err != nil {
		s.Fatalf("Bounds: %v", err)
	}
	return first, next
}

func retainUnsafe(s *suite) {
	l, retain, n := s.small()
	if l == nil {
		return
	}
	retain(s.all())
	rows, _ := s.read(s.cursor(l, s.all()), n, 1<<20)
	s.ascending(rows)
	safe := penstock.Positions{}
	for _, r := range rows[:n/2] {
		safe[r.partition] = penstock.Position{Epoch: r.position.Epoch, Offset: r.position.Offset + 1}
	}
	retain(safe)
	first, _ := s.bounds(l)
	if !safe.Reached(nonZero(first)) {
		s.Fatalf("the log begins at %v, safe was %v", first, safe)
	}
	c := s.cursor(l, safe)
	if rest, _ := s.read(c, n-n/2, 1<<20); len(ids(rest)) != n-n/2 {
		s.Fatal("records that are not safe were removed")
	}
}

func retainLacking(s *suite) {
	l, retain, _ := s.small()
	if l == nil {
		return
	}
	_, safe := s.bounds(l)
	delete(safe, 0)
	retain(safe)
	b, err := s.cursor(l, penstock.Positions{0: {}}).Next(s.ctx, 1)
	if err != nil {
		s.Fatal(err)
	}
	rows := rowsOf(b)
	if first, _ := s.bounds(l); first[0].Less(rows[0].position) && rows[0].position.Offset > 2 {
		s.Fatalf("partition 0 begins at %v, with %v", first[0], rows[0])
	}
	if rows[0].id[:6] > "f00005" {
		s.Fatalf("the oldest record of partition 0 is %s", rows[0].id)
	}
}

func retainRemoves(s *suite) {
	l, retain, _ := s.small()
	if l == nil {
		return
	}
	before, safe := s.bounds(l)
	retain(safe)
	first, next := s.bounds(l)
	for p := range first {
		if !before[p].Less(first[p]) || next[p] != safe[p] {
			s.Fatalf("partition %d: begins at %v, was %v; ends at %v, was %v", p, first[p], before[p], next[p], safe[p])
		}
	}
	_, err := l.Open(s.ctx, penstock.Positions{0: {Epoch: first[0].Epoch, Offset: 0}})
	s.want(err, penstock.Trimmed)
	s.cursor(l, first)
	s.cursor(l, s.all())
}

func retainOvertakes(s *suite) {
	l, retain, n := s.small()
	if l == nil {
		return
	}
	c := s.cursor(l, s.all())
	b, err := c.Next(s.ctx, 1)
	if err != nil {
		s.Fatal(err)
	}
	_, safe := s.bounds(l)
	retain(safe)
	// What it still holds in memory it may show; what it shows has no hole.
	for seen := b.Len(); seen < n; seen += b.Len() {
		if b, err = c.Next(s.ctx, 1); err != nil {
			s.want(err, penstock.Trimmed)
			return
		}
		if want := fmt.Sprintf("f%05d", seen/20); rowsOf(b)[0].id[:6] != want {
			s.Fatalf("%s is read, %s is next", rowsOf(b)[0].id, want)
		}
	}
}

func retainFull(s *suite) {
	l, retain, _ := s.small()
	if l == nil {
		return
	}
	s.want(l.Append(s.ctx, s.block("f_more", 20)), penstock.Full) // no smaller than those before
	_, safe := s.bounds(l)
	retain(safe)
	c := s.cursor(l, safe)
	s.append(l, s.block("after", 20))
	if rows, _ := s.read(c, 20, 1<<20); rows[0].id[:5] != "after" {
		s.Fatalf("%s is read, which was refused", rows[0].id)
	}
}

func reopenKeeps(s *suite) {
	if s.Reopen == nil {
		return
	}
	l := s.open()
	for i := range 30 {
		s.append(l, s.block(fmt.Sprintf("a%02d", i), 10))
	}
	before, _ := s.read(s.cursor(l, s.all()), 300, 1<<20)
	for range 3 {
		l = s.Reopen(s.T, l)
		after, _ := s.read(s.cursor(l, s.all()), 300, 1<<20)
		for i := range before {
			if before[i] != after[i] {
				s.Fatalf("record %d was %+v and is %+v", i, before[i], after[i])
			}
		}
	}
	s.Cleanup(func() { _ = l.Close() })
}

func reopenGoesOn(s *suite) {
	if s.Reopen == nil {
		return
	}
	l := s.open()
	for i := range 5 {
		s.append(l, s.block(fmt.Sprintf("a%02d", i), 50))
		_, next := s.bounds(l)
		l = s.Reopen(s.T, l)
		if _, again := s.bounds(l); !again.Reached(next) {
			s.Fatalf("the log went back from %v to %v", next, again)
		}
	}
	rows, _ := s.read(s.cursor(l, s.all()), 250, 1<<20)
	s.ascending(rows)
	s.Cleanup(func() { _ = l.Close() })
}
