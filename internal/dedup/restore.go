package dedup

import (
	"encoding/binary"

	"penstock"
)

// restore adds packed identities to the table.
func (x *Index) restore(l *lane, ordinal int64, packed []byte) {
	for ; len(packed) > 0; packed = packed[PackedSize:] {
		id := penstock.Identity(packed)
		e := entry{keyOf(&id, l.number()), binary.LittleEndian.Uint32(packed[16:]), ordinal}
		slot, _ := x.active.find(e.key)
		x.active.add(slot, e)
		l.last = max(l.last, e.second)
		ordinal++
	}
	x.touch(l)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.keep()
	l.note(ordinal, l.last)
	x.second[l.partition] = max(x.second[l.partition], l.last)
}

// keep makes what was added to the table final. x.mu is held.
func (x *Index) keep() {
	x.active.keep()
	x.held = Stats{IDs: int64(x.active.n), Memory: x.active.memory()}
}

// touch remembers that a lane has entries in the table.
func (x *Index) touch(l *lane) {
	if !l.touched {
		l.touched = true
		x.touched = append(x.touched, l)
	}
}
