package dedup

import "math/bits"

// table is a set of entries in memory from which the newest can be taken back. Entries lie in the order in which they came; slots find
// the newest of a key by linear probing.
type table struct {
	slots    []uint64 // 0: free; else 32 bits of the key, and 1 + the entry's index
	chunks   [][]entry
	n        int
	replaced []replaced
}

// replaced remembers which slot's value an entry took the place of.
type replaced struct {
	index int
	slot  uint64
}

const chunkEntries = 1 << 12

func newTable(entries int) *table {
	return &table{slots: make([]uint64, entries+entries/4+16)}
}

func (t *table) at(i int) *entry { return &t.chunks[i/chunkEntries][i%chunkEntries] }

// empty forgets all entries, and keeps the memory.
func (t *table) empty() {
	clear(t.slots)
	t.n = 0
	t.keep()
}

// home is where looking for a key begins.
func (t *table) home(k key) int {
	home, _ := bits.Mul64(k.b, uint64(len(t.slots)))
	return int(home)
}

// find returns the newest entry of a key, or nil, and the slot that is or would be the key's.
func (t *table) find(k key) (int, *entry) {
	tag := uint32(k.a)
	for s := t.home(k); ; {
		v := t.slots[s]
		if v == 0 {
			return s, nil
		}
		if uint32(v>>32) == tag {
			if e := t.at(int(uint32(v)) - 1); e.key == k {
				return s, e
			}
		}
		if s++; s == len(t.slots) {
			s = 0
		}
	}
}

// add puts an entry into the slot that find returned for its key.
func (t *table) add(slot int, e entry) {
	if t.n == len(t.chunks)*chunkEntries {
		t.chunks = append(t.chunks, make([]entry, chunkEntries))
	}
	if old := t.slots[slot]; old != 0 {
		t.replaced = append(t.replaced, replaced{t.n, old})
	}
	*t.at(t.n) = e
	t.n++
	t.slots[slot] = slotOf(&e, t.n)
	if t.n > len(t.slots)/8*7 {
		t.rehash()
	}
}

func slotOf(e *entry, n int) uint64 { return uint64(uint32(e.a))<<32 | uint64(n) }

// rehash gives the table half as many slots again. Slots then stand as if all had been added to it in order, which is what cut needs.
func (t *table) rehash() {
	t.slots = make([]uint64, len(t.slots)+len(t.slots)/2)
	for i := range t.n {
		e := t.at(i)
		s, _ := t.find(e.key)
		t.slots[s] = slotOf(e, i+1)
	}
}

// cut takes back all entries but the first n, the newest first: each slot is then as it was before.
func (t *table) cut(n int) {
	for t.n > n {
		s, _ := t.find(t.at(t.n - 1).key)
		t.n--
		t.slots[s] = 0
		if last := len(t.replaced) - 1; last >= 0 && t.replaced[last].index == t.n {
			t.slots[s] = t.replaced[last].slot
			t.replaced = t.replaced[:last]
		}
	}
}

// keep makes what was added final.
func (t *table) keep() { t.replaced = t.replaced[:0] }

// sorted returns the newest entries of all keys in the order of runs, and where each section ends. Counting puts those with the
// same first bits next to each other, few of each, and what is left to do is to insert each where it belongs among its neighbours.
func (t *table) sorted() (order []ref, ends [sections]int) {
	const width = 16
	next := make([]int, 1<<width+1)
	total := 0
	for _, v := range t.slots {
		if v != 0 {
			next[t.at(int(uint32(v))-1).a>>(64-width)+1]++
			total++
		}
	}
	for i := range 1 << width {
		next[i+1] += next[i]
	}
	for s := range ends {
		ends[s] = next[(s+1)<<width/sections]
	}
	order = make([]ref, total)
	for _, v := range t.slots {
		if v != 0 {
			a := t.at(int(uint32(v)) - 1).a
			order[next[a>>(64-width)]] = ref{a, int(uint32(v)) - 1}
			next[a>>(64-width)]++
		}
	}
	for i := range order {
		r := order[i]
		j := i
		for ; j > 0 && t.less(r, order[j-1]); j-- {
			order[j] = order[j-1]
		}
		order[j] = r
	}
	return order, ends
}

// ref is an entry's index, with what nearly always decides about its order.
type ref struct {
	a     uint64
	index int
}

func (t *table) less(p, q ref) bool {
	if p.a != q.a {
		return p.a < q.a
	}
	return t.at(p.index).compare(t.at(q.index).key) < 0
}

// memory returns the bytes of entries and slots.
func (t *table) memory() int64 {
	return int64(len(t.slots))*8 + int64(len(t.chunks))*chunkEntries*entrySize
}
