package fold

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"unsafe"

	"penstock"
	"penstock/internal/delta"
	"penstock/internal/sketch"
)

// table has the groups of a view in the present batch. They are numbered as they came; a group's key lies in keys, its slots in slots. A
// place of the hash table has the upper half of a key's hash and the group's number plus 1, or 0. Hashes are keyed with a secret, so
// that a sender cannot choose groups that collide.
type table struct {
	seed   maphash.Seed
	places []uint64 // a power of two of them, at most three quarters taken
	groups []group
	keys   []byte
	slots  []slot
	width  int // slots of a group
	last   int // the group of the record before; -1: none

	texts     [][]byte
	uniques   []sketch.Unique
	quantiles []sketch.Quantile
	tops      []*sketch.Top
	text      []byte // of one value

	order []head
	delta delta.Delta
	blob  []byte // of one delta
}

type group struct {
	at, size       int // of the key
	since, changed penstock.Micros
}

// log takes in the log time of a record.
func (g *group) log(at penstock.Micros) {
	if g.changed == 0 || at < g.since {
		g.since = at
	}
	g.changed = max(g.changed, at)
}

const firstPlaces = 1 << 8

func newTable(width int) table { return table{seed: maphash.MakeSeed(), width: width, last: -1} }

func (t *table) key(g int) []byte {
	of := &t.groups[g]
	return t.keys[of.at : of.at+of.size]
}

// find returns the group with a key. It makes one if there is none.
func (t *table) find(key []byte) int {
	if t.last >= 0 && bytes.Equal(t.key(t.last), key) {
		return t.last
	}
	if 4*len(t.groups) >= 3*len(t.places) {
		t.rehash(max(firstPlaces, 2*len(t.places)))
	}
	hash := maphash.Bytes(t.seed, key)
	mask := uint64(len(t.places) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		place := t.places[at]
		switch {
		case place == 0:
			t.places[at] = hash>>32<<32 | uint64(t.add(key)+1)
			return t.last
		case place>>32 == hash>>32:
			if g := int(uint32(place)) - 1; bytes.Equal(t.key(g), key) {
				t.last = g
				return g
			}
		}
	}
}

// add makes a group, which becomes the last.
func (t *table) add(key []byte) int {
	t.last = len(t.groups)
	t.groups = append(t.groups, group{at: len(t.keys), size: len(key)})
	t.keys = append(t.keys, key...)
	t.slots = slices.Grow(t.slots, t.width)[:len(t.slots)+t.width]
	clear(t.slots[len(t.slots)-t.width:])
	return t.last
}

// rehash gives the hash table another number of places.
func (t *table) rehash(n int) {
	t.places = make([]uint64, n)
	mask := uint64(n - 1)
	for g := range t.groups {
		hash := maphash.Bytes(t.seed, t.key(g))
		at := hash & mask
		for t.places[at] != 0 {
			at = (at + 1) & mask
		}
		t.places[at] = hash>>32<<32 | uint64(g+1)
	}
}

func (t *table) newText() uint64 {
	if n := len(t.texts); n < cap(t.texts) {
		t.texts = t.texts[:n+1] // what a text before had room for
	} else {
		t.texts = append(t.texts, nil)
	}
	return uint64(len(t.texts) - 1)
}

// kept is how many bytes a list may have that is kept for the next batch.
const kept = 4 << 20

func keep[T any](list []T) []T {
	var one T
	if cap(list)*int(unsafe.Sizeof(one)) > kept {
		return nil
	}
	return list[:0]
}

// reset forgets the groups.
func (t *table) reset() {
	if len(t.places)*8 > kept {
		t.places = nil
	}
	clear(t.places)
	clear(t.uniques)
	clear(t.quantiles)
	clear(t.tops)
	t.last = -1
	t.groups, t.keys, t.slots, t.order = keep(t.groups), keep(t.keys), keep(t.slots), keep(t.order)
	t.uniques, t.quantiles, t.tops = keep(t.uniques), keep(t.quantiles), keep(t.tops)
	t.text, t.blob = keep(t.text), keep(t.blob)
	size := 0
	for _, text := range t.texts[:cap(t.texts)] {
		size += cap(text)
	}
	if t.texts = keep(t.texts); size > kept {
		t.texts = nil
	}
}

// head is a group with eight bytes of its key.
type head struct {
	word  uint64
	group int
}

// sorted returns the groups in the order of their keys.
func (t *table) sorted() []head {
	t.order = t.order[:0]
	for g := range t.groups {
		t.order = append(t.order, head{0, g})
	}
	t.sort(t.order, 0)
	return t.order
}

// sort sorts groups whose keys agree in the bytes before from. Many are sorted eight bytes at a time, since words are compared without
// a look at the keys. It ends because no key begins with another.
func (t *table) sort(order []head, from int) {
	const few = 16
	if len(order) <= few {
		slices.SortFunc(order, func(a, b head) int { return bytes.Compare(t.key(a.group)[from:], t.key(b.group)[from:]) })
		return
	}
	for i := range order {
		order[i].word = wordAt(t.key(order[i].group), from)
	}
	slices.SortFunc(order, func(a, b head) int { return cmp.Compare(a.word, b.word) })
	for len(order) > 0 {
		n := 1
		for n < len(order) && order[n].word == order[0].word {
			n++
		}
		if n > 1 {
			t.sort(order[:n], from+8)
		}
		order = order[n:]
	}
}

// wordAt returns eight bytes of a key as a number, or what there is of them with zeros behind.
func wordAt(key []byte, from int) uint64 {
	if len(key)-from >= 8 {
		return binary.BigEndian.Uint64(key[from:])
	}
	var rest [8]byte
	copy(rest[:], key[from:])
	return binary.BigEndian.Uint64(rest[:])
}
