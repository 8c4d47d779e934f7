package consumer

import (
	"context"
	"strings"

	"penstock"
)

const (
	maxHeld    = 16   // condemned records that wait for a commit with their neighbours
	maxDetail  = 1000 // bytes of an error's text that a letter keeps
	splitBlock = 256  // records of a block while few at a time are asked for
)

// search is under way after a store refused a batch: some of its records cannot be stored, and nobody knows which.
//
// There is no way to ask about a record but to apply it, and what was applied cannot be taken back. So the search goes from the front:
// it applies a part, and halves the part for as long as it is refused. What is taken is settled, in order, with its position; a
// record that is refused with nothing beside it but condemned ones is condemned. Only this answer condemns: that
// everything around a record was taken is no proof against it, and an outage, at whatever moment, proves nothing about anybody.
//
// One refused record in n costs about 2·log n attempts at 2n records in sum. Each answer is at most one bit, so half of the records refused cost about one
// attempt each, whoever searches. Then parts of the size of the mean distance between two refused ones are best; it
// is found by itself, and the work grows with n and the number of refused ones, not with their product.
type search struct {
	rest    penstock.Batch // what is not settled: condemned records, then others
	left    int            // records of the rest; to count them takes as long as there are blocks
	held    []verdict      // of the condemned ones
	bad     int            // among so many of the others there is one that is refused; 0: not known
	settled int            // others that were taken or condemned
	found   int            // condemned so far
}

// verdict is a condemned record.
type verdict struct {
	stream string
	place  penstock.Place
	why    penstock.Condemned
}

// search settles a batch that was refused as a whole. It returns what settle does.
func (c *Consumer) search(ctx context.Context, b batch) error {
	b.Blocks = split(b.Blocks)
	s := &search{rest: b.Batch, left: b.Len()}
	s.bad = s.left
	for s.left > 0 {
		n := s.next()
		size := len(s.held) + n
		first, rest := s.rest.Cut(size)
		first.Condemned = s.condemned()
		part := batch{Batch: first, at: b.at, full: b.full, more: b.more || s.left > size}
		err := c.put(ctx, part)
		switch {
		case err == nil:
			c.condemned(s.held)
			s.take(n, rest)
		case !penstock.Is(err, penstock.Invalid):
			return err
		case n > 1:
			s.bad = n
		default:
			s.condemn(part, err)
		}
	}
	return nil
}

// next returns how many of the others to try.
func (s *search) next() int {
	switch {
	case len(s.held) >= maxHeld:
		return 0
	case s.bad > 0:
		return (s.bad + 1) / 2
	}
	return min(s.left-len(s.held), max(1, s.settled/max(1, s.found)))
}

// take notes that the condemned records and n others are applied.
func (s *search) take(n int, rest penstock.Batch) {
	s.rest, s.left, s.held = rest, s.left-len(s.held)-n, nil
	s.settled += n
	s.bad = max(0, s.bad-n)
}

// condemn notes that the last record of the part is refused.
func (s *search) condemn(part batch, err error) {
	for r := range part.Records() {
		place := penstock.Place{Partition: r.Partition, Position: r.Position}
		if _, held := part.Condemned[place]; !held {
			s.held = append(s.held, verdict{r.Stream, place, penstock.Condemned{Reason: penstock.ReasonRefused, Detail: detail(err)}})
		}
	}
	s.found++
	s.settled++
	s.bad = 0
}

// condemned returns what the store is to know about the held records.
func (s *search) condemned() map[penstock.Place]penstock.Condemned {
	if len(s.held) == 0 {
		return nil
	}
	all := make(map[penstock.Place]penstock.Condemned, len(s.held))
	for _, v := range s.held {
		all[v.place] = v.why
	}
	return all
}

// detail returns the text of an error, cut to what a letter keeps.
func detail(err error) string {
	text := strings.ToValidUTF8(err.Error(), "�")
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + "…"
	}
	return text
}

// split returns the records in small blocks, so that asking for few of them does not walk all.
func split(blocks []*penstock.Block) []*penstock.Block {
	var small []*penstock.Block
	for _, b := range blocks {
		if b.Len() > splitBlock {
			small = append(small, b.Split(splitBlock)...)
		} else {
			small = append(small, b)
		}
	}
	return small
}
