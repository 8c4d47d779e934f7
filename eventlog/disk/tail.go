package disk

import (
	"slices"
	"sort"

	"penstock"
)

// tail holds the newest durable blocks for the readers that keep up. All share them.
type tail struct {
	entries []entry // from head on
	head    int
	bytes   penstock.Bytes
	start   place             // every durable block whose frame ends beyond is among the entries
	end     place             // of what is durable
	from    []penstock.Offset // by partition: every durable record from here on is among the entries
}

type entry struct {
	block *penstock.Block
	end   place // of its frame
}

func (t *tail) add(b *penstock.Block, end place) {
	t.entries = append(t.entries, entry{b, end})
	t.bytes += b.Size()
}

// evict lets the oldest blocks go until the rest fits, and those that all readers are past as far as tailKept: a small heap
// stays in the processor's caches.
func (t *tail) evict(most penstock.Bytes, past place) {
	for t.bytes > min(most, tailKept) {
		e := &t.entries[t.head]
		if t.bytes <= most && past.less(e.end) {
			break
		}
		t.bytes -= e.block.Size()
		t.start = e.end
		for _, g := range e.block.Groups {
			t.from[g.Partition] = max(t.from[g.Partition], g.End())
		}
		*e = entry{}
		t.head++
	}
	if t.head > 64 && t.head > len(t.entries)/2 {
		t.entries = slices.Delete(t.entries, 0, t.head)
		t.head = 0
	}
}

// after copies the entries whose frames end beyond a place, as many as fit, to dst and returns how many.
func (t *tail) after(at place, dst []entry) int {
	live := t.entries[t.head:]
	return copy(dst, live[sort.Search(len(live), func(i int) bool { return at.less(live[i].end) }):])
}
