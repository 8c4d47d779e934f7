package storetest

import (
	"context"
	"math"

	"penstock"
)

var applyCases = []test{
	{"apply/is seen when it returns", "an answer with applied:true, or a query after a receipt, follows at once", applySeen},
	{"apply/cuts a block that begins before From", "a block is a request: the part before From was applied, and would be there twice", applyCutsBefore},
	{"apply/cuts a block that goes on after Next", "what lies after Next comes with the next batch, and would be there twice", applyCutsAfter},
	{"apply/ignores other partitions", "a block spans partitions, of which other shards hold some", applyOthers},
	{"apply/gaps in offsets", "a log may leave offsets out, and what it lost to damage is one gap", applyGaps},
	{"apply/a new epoch", "after a log was restored offsets begin anew: rows are told apart by the epoch", applyEpochs},
	{"apply/two epochs in one batch", "a cursor may read over the border between two lives of the log", applyTwoEpochs},
	{"apply/a range without records", "damage may leave nothing of a range: the position must pass it", applyEmptyRange},
	{"apply/nothing", "a shard of several may have no part in a batch", applyNothing},
	{"apply/many small blocks", "one event a request makes a block of each event", applySmallBlocks},
	{"apply/more than a row group", "when behind a batch is large, and must still be one transaction", applyLarge},
	{"apply/the batch stays the caller's", "the caller tries the same batch again after an outage, or uses its maps for the next", applyCallers},
	{"apply/context that has ended", "a process that ends must know nothing, or be able to ask", applyEnded},
	{"apply/a partition that is not held", "rows of a partition that went elsewhere would be there twice", applyNotOwner},
}

func applySeen(s *suite) {
	for i := range 10 {
		s.apply(s.batch(s.log.append(s.Streams[i%2], s.log.events(1+i*i)...)))
		s.checkRows()
	}
	s.check()
}

// middle returns positions that cut every group of the block in two.
func (s *suite) middle(b *penstock.Block) penstock.Positions {
	cut := s.at.Clone()
	for _, g := range b.Groups {
		if _, held := cut[g.Partition]; held {
			cut[g.Partition] = penstock.Position{Epoch: b.Epoch, Offset: g.First + penstock.Offset(g.Count/2)}
		}
	}
	return cut
}

func applyCutsBefore(s *suite) {
	block := s.log.append(s.Streams[0], s.log.events(200)...)
	whole, cut := s.batch(block), s.middle(block)
	// The store reaches the middle without rows, as if what was before had been lost.
	s.apply(penstock.Batch{From: whole.From, Next: cut})
	s.apply(penstock.Batch{From: cut, Next: whole.Next, Blocks: whole.Blocks})
	s.check()
	for r := range block.Records() {
		_, held := whole.From[r.Partition]
		_, want := s.want[place{r.Partition, r.Position}]
		if want != (held && !r.Position.Less(cut[r.Partition])) {
			s.Fatalf("the suite expects %v of %v in partition %d, cut at %v", want, r.Position, r.Partition, cut[r.Partition])
		}
	}
}

func applyCutsAfter(s *suite) {
	block := s.log.append(s.Streams[0], s.log.events(200)...)
	whole, cut := s.batch(block), s.middle(block)
	s.apply(penstock.Batch{From: whole.From, Next: cut, Blocks: whole.Blocks})
	s.check()
	s.apply(penstock.Batch{From: cut, Next: whole.Next, Blocks: whole.Blocks})
	s.check()
	if len(s.want) != whole.Len() {
		s.Fatalf("%d rows of %d records", len(s.want), whole.Len())
	}
}

func applyOthers(s *suite) {
	whole := s.batch(
		s.log.append(s.Streams[0], s.log.events(100)...),
		s.log.append(s.Streams[1], s.log.events(100)...))
	for _, p := range s.held {
		s.apply(whole.Only([]penstock.Partition{p}))
		s.check()
	}
	if len(s.want) != whole.Len() {
		s.Fatalf("%d rows of %d records", len(s.want), whole.Len())
	}
}

func applyGaps(s *suite) {
	for _, gap := range []penstock.Offset{0, 1, 1000, 1 << 40, 1 << 62} {
		first := s.log.append(s.Streams[0], s.log.events(60)...)
		s.log.skip(gap)
		s.apply(s.batch(first, s.log.append(s.Streams[0], s.log.events(60)...)))
		s.check()
	}
}

func applyEpochs(s *suite) {
	for _, e := range []penstock.Epoch{1, 2, 7, math.MaxUint32} {
		s.log.begin(e)
		s.apply(s.batch(s.log.append(s.Streams[0], s.log.events(120)...)))
		s.check()
	}
}

func applyTwoEpochs(s *suite) {
	old := s.log.append(s.Streams[0], s.log.events(120)...)
	s.log.begin(2)
	s.apply(s.batch(old, s.log.append(s.Streams[0], s.log.events(120)...)))
	s.check()
}

func applyEmptyRange(s *suite) {
	s.apply(s.batch(s.log.append(s.Streams[0], s.log.events(60)...)))
	b := s.batch()
	for p := range b.Next {
		b.Next[p] = penstock.Position{Epoch: 3, Offset: 1000 + penstock.Offset(p)}
	}
	s.apply(b)
	s.check()
	s.log.begin(3)
	s.log.skip(5000)
	s.apply(s.batch(s.log.append(s.Streams[0], s.log.events(60)...)))
	s.check()
}

func applyNothing(s *suite) {
	s.apply(penstock.Batch{})
	s.apply(s.batch())
	s.check()
	block := s.log.append(s.Streams[0], s.log.events(60)...)
	still := s.batch(block)
	still.Next = still.From
	s.apply(still)
	s.check()
	s.apply(s.batch(block))
	s.apply(s.batch())
	s.check()
}

func applySmallBlocks(s *suite) {
	var blocks []*penstock.Block
	for i := range 3000 {
		blocks = append(blocks, s.log.append(s.Streams[i%len(s.Streams)], s.log.events(1)...))
	}
	s.apply(s.batch(blocks...))
	s.check()
}

func applyLarge(s *suite) {
	const rowGroup = 122_880 // of DuckDB
	var blocks []*penstock.Block
	for n := 0; n < rowGroup+5000; n += 5000 {
		blocks = append(blocks, s.log.append(s.Streams[0], s.log.events(5000)...))
	}
	s.apply(s.batch(append(blocks, s.log.append(s.Streams[1], s.log.events(10)...))...))
	s.apply(s.batch(s.log.append(s.Streams[0], s.log.events(10)...)))
	s.check()
}

func applyCallers(s *suite) {
	b := s.batch(s.log.append(s.Streams[0], s.log.events(60)...))
	from, next, n := b.From.Clone(), b.Next.Clone(), b.Len()
	s.apply(b)
	if !b.From.Reached(from) || !from.Reached(b.From) || !b.Next.Reached(next) || !next.Reached(b.Next) || b.Len() != n {
		s.Fatalf("the batch was changed: %v to %v, was %v to %v", b.From, b.Next, from, next)
	}
	for p := range b.From {
		b.From[p], b.Next[p] = penstock.Position{Epoch: 9, Offset: 9}, penstock.Position{Epoch: 9, Offset: 99}
	}
	clear(b.Blocks)
	s.check()
}

func applyEnded(s *suite) {
	s.apply(s.batch(s.log.append(s.Streams[0], s.log.events(60)...)))
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	b := s.batch(s.log.append(s.Streams[0], s.log.events(60)...))
	err := s.store.Apply(ctx, b)
	for _, part := range s.shards(b) {
		moved := s.moved(part)
		if moved && err != nil && !penstock.Is(err, penstock.Unknown) {
			s.Fatalf("something was applied in spite of %v", err)
		}
		if moved {
			s.applied(part)
		}
	}
	s.check()
}

func applyNotOwner(s *suite) {
	block := s.log.append(s.Streams[0], s.log.events(60)...)
	for _, p := range s.notHeld() {
		b := s.batch(block)
		b.From[p], b.Next[p] = penstock.Position{}, penstock.Position{Epoch: 1, Offset: 1000}
		s.expect(s.store.Apply(s.ctx, b), penstock.NotOwner)
		s.check()
	}
	s.apply(s.batch(block))
	s.check()
}
