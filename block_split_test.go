package penstock

import (
	"fmt"
	"slices"
	"testing"
)

// TestBlockSplit compares a block with its parts, and cuts a batch that ends within a block before a gap: no cut may lie past it.
func TestBlockSplit(t *testing.T) {
	bb := NewBlockBuilder(NewPartitioner(Cluster{Partitions: 4}))
	bb.Reset(DefaultTenant, "s", 1, 0)
	for i := range 23 {
		bb.Add(Event{ID: fmt.Appendf(nil, "%d", i), Body: []byte("{}"), ReplayOf: Position{Epoch(i % 2), 7}})
	}
	block := bb.Take()
	block.Epoch = 3
	from, next := Positions{}, Positions{}
	for i := range block.Groups {
		g := &block.Groups[i]
		g.First = Offset(10 * (i + 1)) // a gap: From lies before it
		from[g.Partition] = Position{3, 1}
		next[g.Partition] = Position{3, g.End()}
	}
	list := func(b Batch) (all []string) {
		for r := range b.Records() {
			all = append(all, fmt.Sprintf("%+v", *r))
		}
		return all
	}
	whole := Batch{From: from, Next: next, Blocks: []*Block{block}}
	for n := range 25 {
		parts := Batch{From: from, Next: next, Blocks: block.Split(n + 1)}
		if got, want := list(parts), list(whole); !slices.Equal(got, want) || parts.Len() != block.Len() {
			t.Fatalf("parts of %d:\n%v, want\n%v", n+1, got, want)
		}
		short, _ := whole.Cut(n)
		short.Blocks = block.Split(2)
		for m := range n + 2 {
			first, rest := short.Cut(m)
			if first.Len() != min(m, short.Len()) || !short.Next.Reached(first.Next) || !short.Next.Reached(rest.From) {
				t.Fatalf("%d of %d: %d records, %v to %v, the batch ends at %v", m, n, first.Len(), first.From, first.Next, short.Next)
			}
			if got := append(list(first), list(rest)...); !slices.Equal(got, list(short)) {
				t.Fatalf("%d of %d: %v", m, n, got)
			}
		}
	}
}
