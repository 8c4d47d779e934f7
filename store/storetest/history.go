package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"penstock"
)

var historyCases = []test{
	{"history/random", "what no case above thought of: operations in any order, compared with a model after each", history},
}

// history runs seeded random operations. A failure names its seed, which runs the same operations again.
func history(s *suite) {
	seeds, steps := uint64(4), 50
	if s.Brief {
		seeds, steps = 2, 40
	}
	for seed := range seeds {
		s.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			h := &walk{
				suite:  &suite{T: t, Backend: s.Backend, ctx: s.ctx, log: newTape(s.Cluster), want: map[place]Row{}},
				random: rand.New(rand.NewPCG(seed, 1)),
			}
			h.use(h.Backend.Open(t))
			for _, p := range h.held {
				h.at[p] = penstock.Position{}
			}
			for range steps {
				h.step()
			}
			h.check()
		})
	}
}

// walk is a random history.
type walk struct {
	*suite
	random  *rand.Rand
	blocks  []*penstock.Block // since the partition that is furthest behind
	applied []penstock.Batch
}

func (h *walk) step() {
	h.Helper()
	switch n := h.random.IntN(100); {
	case n < 45:
		h.applySome()
	case n < 55:
		h.applyAgain()
	case n < 65:
		h.applyWrong()
	case n < 75:
		h.append()
	case n < 80:
		h.log.skip(penstock.Offset(h.random.IntN(1000)))
	case n < 84:
		h.log.begin(h.log.epoch + 1 + penstock.Epoch(h.random.IntN(3)))
	case n < 88:
		h.apply(penstock.Batch{})
	case n < 94:
		h.again(h.Reopen)
	default:
		h.again(h.Crash)
	}
}

func (h *walk) append() {
	for range 1 + h.random.IntN(4) {
		stream := h.Streams[h.random.IntN(len(h.Streams))]
		h.blocks = append(h.blocks, h.log.append(stream, h.log.events(1+h.random.IntN(60))...))
	}
}

// some returns a batch of some partitions that reaches to somewhere in what the log holds.
func (h *walk) some() penstock.Batch {
	h.append()
	whole := h.batch(slices.Clone(h.blocks)...)
	var partitions []penstock.Partition
	for _, p := range h.held {
		if h.random.IntN(4) > 0 {
			partitions = append(partitions, p)
		}
	}
	b := whole.Only(partitions)
	for _, block := range b.Blocks {
		for _, g := range block.Groups {
			at := penstock.Position{Epoch: block.Epoch, Offset: g.First + penstock.Offset(h.random.IntN(int(g.Count)+1))}
			if from, ok := b.From[g.Partition]; ok && from.Less(at) && h.random.IntN(20) == 0 {
				b.Next[g.Partition] = at
			}
		}
	}
	return b
}

func (h *walk) applySome() {
	h.Helper()
	b := h.some()
	h.apply(b)
	if h.applied = append(h.applied, b); len(h.applied) > 8 {
		h.applied = h.applied[1:]
	}
	h.check()
	h.blocks = slices.DeleteFunc(h.blocks, h.done)
}

// done reports whether the store is past the block.
func (h *walk) done(b *penstock.Block) bool {
	for _, g := range b.Groups {
		if at, held := h.at[g.Partition]; held && at.Less(penstock.Position{Epoch: b.Epoch, Offset: g.End()}) {
			return false
		}
	}
	return true
}

// applyAgain repeats an old batch, which moves nothing. If all its ranges are empty and still begin at the positions, it
// is no repeat.
func (h *walk) applyAgain() {
	h.Helper()
	if len(h.applied) == 0 {
		return
	}
	b := h.applied[h.random.IntN(len(h.applied))]
	if h.matches(b) {
		h.apply(b)
		return
	}
	h.refused(b, penstock.Stale)
}

// applyWrong moves the From of one partition.
func (h *walk) applyWrong() {
	h.Helper()
	b := h.some()
	if len(b.From) == 0 {
		return
	}
	partitions := b.From.Partitions()
	p := partitions[h.random.IntN(len(partitions))]
	at := b.From[p]
	if h.random.IntN(2) == 0 {
		at.Epoch += 1 + penstock.Epoch(h.random.IntN(2))
	} else {
		at.Offset += 1 + penstock.Offset(h.random.IntN(500))
	}
	b.From[p] = at
	h.refused(b, penstock.Stale)
}

func (h *walk) again(open func(*testing.T, penstock.Store) penstock.Store) {
	h.Helper()
	if open == nil {
		return
	}
	h.use(open(h.T, h.store))
	h.check()
}
