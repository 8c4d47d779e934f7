package penstock

import (
	"fmt"
	"slices"
	"testing"
)

// Wherever a batch is cut, both parts together are the batch, in order, and the second begins where the first ends.
func TestBatchCut(t *testing.T) {
	bb := NewBlockBuilder(NewPartitioner(Cluster{Partitions: 4}))
	whole := Batch{From: Positions{0: {1, 2}, 1: {}, 3: {1, 1}}}
	next := map[Partition]Offset{}
	for i := range 5 {
		bb.Reset(DefaultTenant, "s", 1, 0)
		for j := range 7 {
			bb.Add(Event{ID: fmt.Appendf(nil, "%d-%d", i, j), Body: []byte("{}")})
		}
		block := bb.Take()
		block.Epoch = 1
		for k := range block.Groups {
			g := &block.Groups[k]
			g.First = next[g.Partition]
			next[g.Partition] = g.End()
		}
		whole.Blocks = append(whole.Blocks, block)
	}
	whole.Next = Positions{0: {1, next[0]}, 1: {1, next[1] - 1}, 3: {1, next[3]}}
	ids := func(b Batch) (all []string) {
		for r := range b.Records() {
			all = append(all, fmt.Sprintf("%d:%v:%s", r.Partition, r.Position, r.ID))
		}
		return all
	}
	want := ids(whole)
	for n := range len(want) + 2 {
		first, rest := whole.Cut(n)
		got := ids(first)
		if len(got) != min(n, len(want)) || first.Len() != len(got) {
			t.Fatalf("cut at %d: %d records first", n, len(got))
		}
		if got = append(got, ids(rest)...); !slices.Equal(got, want) {
			t.Fatalf("cut at %d: %v, want %v", n, got, want)
		}
		if !rest.Next.Reached(whole.Next) || !rest.From.Reached(first.Next) || !first.Next.Reached(rest.From) {
			t.Fatalf("cut at %d: %v to %v, then %v to %v", n, first.From, first.Next, rest.From, rest.Next)
		}
	}
}
