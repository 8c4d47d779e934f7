package dedup

import (
	"cmp"
	"encoding/binary"

	"penstock"
)

// key is an identity in a lane. The identity alone names its lane already, so comparing the lane costs nothing and assumes nothing.
type key struct {
	a, b uint64 // the identity's halves, big-endian, so that they order as its bytes do
	lane uint32
}

// entry is an occurrence that was not a repeat.
type entry struct {
	key
	second  uint32
	ordinal int64
}

const (
	entrySize = 32 // of an entry, in memory and in runs
	// PackedSize is the length of a packed identity.
	PackedSize = 20
)

func keyOf(id *penstock.Identity, lane uint32) key {
	return key{binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:]), lane}
}

// compare orders as runs do.
func (k key) compare(o key) int {
	if c := cmp.Compare(k.a, o.a); c != 0 {
		return c
	}
	if c := cmp.Compare(k.b, o.b); c != 0 {
		return c
	}
	return cmp.Compare(k.lane, o.lane)
}

// section returns the number of the key's section.
func (k key) section() int { return int(k.a >> 56) }

// first returns the part of the key that is kept in memory for each page.
func (k key) first() uint32 { return uint32(k.a >> 24) }

// secondOf returns log time as it is compared.
func secondOf(m penstock.Micros) uint32 {
	return uint32(min(max(m/1_000_000, 0), 1<<32-1))
}

func (e *entry) encode(to []byte) {
	binary.BigEndian.PutUint64(to, e.a)
	binary.BigEndian.PutUint64(to[8:], e.b)
	binary.LittleEndian.PutUint32(to[16:], e.lane)
	binary.LittleEndian.PutUint32(to[20:], e.second)
	binary.LittleEndian.PutUint64(to[24:], uint64(e.ordinal))
}

func (e *entry) decode(from []byte) {
	_ = from[entrySize-1]
	e.a = binary.BigEndian.Uint64(from)
	e.b = binary.BigEndian.Uint64(from[8:])
	e.lane = binary.LittleEndian.Uint32(from[16:])
	e.second = binary.LittleEndian.Uint32(from[20:])
	e.ordinal = int64(binary.LittleEndian.Uint64(from[24:]))
}

// AppendPacked appends an identity as Restore reads it.
func AppendPacked(dst []byte, id penstock.Identity, logTime penstock.Micros) []byte {
	return binary.LittleEndian.AppendUint32(append(dst, id[:]...), secondOf(logTime))
}
