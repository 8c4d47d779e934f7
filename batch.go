package penstock

import "iter"

// Batch is what a cursor read and a store applies: the records of a set of partitions from From up to Next, in log
// order. Records of the blocks that lie outside those ranges, or in other partitions, are not part of it.
type Batch struct {
	From, Next Positions // of the same partitions
	Blocks     []*Block
	Condemned  map[Place]Condemned // records that are to be dead letters whatever they hold; nil: none
}

// Records yields the batch's records in log order, on the same terms as Block.Records.
func (b Batch) Records() iter.Seq[*Record] {
	return func(yield func(*Record) bool) {
		for _, block := range b.Blocks {
			spans := b.spans(block)
			if spans != nil && !block.each(spans, yield) {
				return
			}
		}
	}
}

// Len returns the number of records, without walking them.
func (b Batch) Len() int {
	n := 0
	for _, block := range b.Blocks {
		for _, s := range b.spans(block) {
			n += int(s.to - s.from)
		}
	}
	return n
}

// Size returns about how many bytes the batch's blocks occupy.
func (b Batch) Size() Bytes {
	var n Bytes
	for _, block := range b.Blocks {
		n += block.Size()
	}
	return n
}

// Only returns the part of the batch that belongs to the given partitions. The blocks are shared.
func (b Batch) Only(partitions []Partition) Batch {
	part := Batch{From: Positions{}, Next: Positions{}, Blocks: b.Blocks, Condemned: b.Condemned}
	for _, p := range partitions {
		if from, ok := b.From[p]; ok {
			part.From[p], part.Next[p] = from, b.Next[p]
		}
	}
	return part
}

// Cut splits the batch in two: its first n records, and what follows them. The blocks are shared.
func (b Batch) Cut(n int) (first, rest Batch) {
	cut := b.From.Clone()
	for i, block := range b.Blocks {
		whole := Batch{From: b.From, Next: b.Next, Blocks: b.Blocks[i : i+1]}
		size := whole.Len()
		if size > n {
			whole.advance(cut, n)
			return Batch{b.From, cut, b.Blocks[:i+1], b.Condemned}, Batch{cut, b.Next, b.Blocks[i:], b.Condemned}
		}
		n -= size
		for _, g := range block.Groups {
			next, ok := b.Next[g.Partition]
			end := Position{block.Epoch, clampTo(next, block.Epoch, g)}
			if ok && !next.Less(end) { // else the group lies past the batch
				cut.Raise(Positions{g.Partition: end})
			}
		}
	}
	return b, Batch{From: b.Next, Next: b.Next, Condemned: b.Condemned}
}

// advance moves positions behind the first n records of the batch.
func (b Batch) advance(to Positions, n int) {
	for r := range b.Records() {
		if n == 0 {
			return
		}
		n--
		to[r.Partition] = Position{r.Position.Epoch, r.Position.Offset + 1}
	}
}

// spans returns, for each group of a block, the offsets that belong to the batch, or nil if none does.
func (b Batch) spans(block *Block) []span {
	spans := make([]span, len(block.Groups))
	any := false
	for i, g := range block.Groups {
		from, ok := b.From[g.Partition]
		if !ok {
			continue
		}
		next := b.Next[g.Partition]
		s := span{clampTo(from, block.Epoch, g), clampTo(next, block.Epoch, g)}
		if s.from < s.to {
			spans[i], any = s, true
		}
	}
	if !any {
		return nil
	}
	return spans
}

// clampTo returns the offset within the group at which a position cuts it.
func clampTo(at Position, epoch Epoch, g Group) Offset {
	switch {
	case at.Epoch < epoch:
		return g.First
	case at.Epoch > epoch:
		return g.End()
	}
	return min(max(at.Offset, g.First), g.End())
}
