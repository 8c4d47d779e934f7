package jsonscan

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// names finds members that an object has twice. The names of all open objects lie on one stack, each with a fingerprint.
//
// An object's first names are compared with each other, fingerprint by fingerprint, unless a filter of 64 bits says that the
// new one is none of them: for a handful nothing is faster. Beyond that they go into a hash table, keyed with a secret, so
// that a sender cannot choose names that collide. One table serves all objects of a scanner: an entry counts only for the
// object whose number it carries, so that the table need not be cleared.
type names struct {
	stack   []name
	decoded []byte // names that were written with escapes, as text
	table   []entry
	seed    maphash.Seed
	most    int    // no scan adds more names
	last    uint32 // number of the newest object
	first   uint32 // number of the first object of this scan, less 1
}

// name is the fingerprint of a name, and where its text lies.
type name struct {
	mark uint64
	at   uint32
	size uint32 // with the bit decoded if at is an offset into names.decoded
}

const decoded = 1 << 31

type entry struct{ object, name uint32 }

// few is how many names of an object are compared one by one.
const few = 16

// begin forgets the names of the scan before, and memory that only a hostile value needs.
func (ns *names) begin() {
	ns.stack, ns.decoded = ns.stack[:0], ns.decoded[:0]
	if cap(ns.decoded) > 64<<10 {
		ns.decoded = nil
	}
	if ns.last > 1<<31 {
		clear(ns.table)
		ns.last = 0
	}
	ns.first = ns.last
}

func (ns *names) object() uint32 {
	ns.last++
	return ns.last
}

func (ns *names) len() int { return len(ns.stack) }

func (ns *names) truncate(n int) { ns.stack = ns.stack[:n] }

func (ns *names) text(data []byte, n name) []byte {
	if n.size&decoded != 0 {
		data = ns.decoded
	}
	return data[n.at : n.at+n.size&^decoded]
}

// add adds the name n, whose text lies in data, to the object of a frame; fresh says that the object surely does not have it
// yet. It reports false if it has.
func (ns *names) add(data []byte, n name, f *frame, fresh bool) bool {
	own := ns.stack[f.names:]
	if len(own) < few {
		if fresh {
			own = nil
		}
		for i := range own {
			if own[i].mark == n.mark && (n.mark&long == 0 || bytes.Equal(ns.text(data, own[i]), ns.text(data, n))) {
				return false
			}
		}
		ns.stack = append(ns.stack, n)
		return true
	}
	if len(own) == few {
		for i := range own {
			ns.insert(data, f.names+i, f.object)
		}
	}
	ns.stack = append(ns.stack, n)
	return ns.insert(data, len(ns.stack)-1, f.object)
}

// insert puts the i-th name of the stack into the table, unless the object has that name there.
func (ns *names) insert(data []byte, i int, object uint32) bool {
	if ns.table == nil {
		ns.table = make([]entry, 1<<bits.Len(uint(2*ns.most)))
		ns.seed = maphash.MakeSeed()
	}
	n := ns.stack[i]
	text := ns.text(data, n)
	mask := uint64(len(ns.table) - 1)
	h := maphash.Bytes(ns.seed, text) + uint64(object)*0x9e3779b97f4a7c15
	for h ^= h >> 32; ; h++ {
		e := &ns.table[h&mask]
		if e.object <= ns.first {
			*e = entry{object, uint32(i)}
			return true
		}
		if e.object == object {
			if o := ns.stack[e.name]; o.mark == n.mark && bytes.Equal(ns.text(data, o), text) {
				return false
			}
		}
	}
}

// long is set in the fingerprint of a name of 8 bytes or more; that of a shorter one is the name itself and its length.
const long = 1 << 63

// mark returns the fingerprint of a name.
func mark(b []byte) uint64 {
	if len(b) >= 8 {
		head, tail := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[len(b)-8:])
		return (head ^ bits.RotateLeft64(tail, 23) ^ uint64(len(b))) | long
	}
	var w uint64
	for i, c := range b {
		w |= uint64(c) << (8 * i)
	}
	return w | uint64(len(b))<<56
}

// filterBit returns the one bit that a name with this fingerprint has in filters.
func filterBit(mark uint64) uint64 { return 1 << (mark * 0x9e3779b97f4a7c15 >> 58) }
