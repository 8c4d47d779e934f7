package check

import (
	"slices"

	"penstock"
)

const (
	repeated uint32 = 1 << 31      // added to a slot: not the event's first record
	nobody   uint32 = repeated - 1 // at a place whose content is no event of the run
	slots    uint32 = 1<<31 - 1    // what is left of a slot without repeated
)

// book holds which event stands at each place: of the log if there is one, otherwise of what is shown first.
type book struct {
	columns map[lane]*column
	late    map[penstock.Place]uint32 // what came out of order
}

type lane struct {
	partition penstock.Partition
	epoch     penstock.Epoch
}

// column is the places of a partition and epoch, ascending.
type column struct {
	offsets []uint64
	slots   []uint32
	hint    int // where the last search ended: the next one is mostly for the neighbour
}

func newBook() book {
	return book{columns: map[lane]*column{}, late: map[penstock.Place]uint32{}}
}

// add notes an event at a place that the book does not have.
func (b *book) add(at penstock.Place, slot uint32) {
	l := lane{at.Partition, at.Position.Epoch}
	c := b.columns[l]
	if c == nil {
		c = &column{}
		b.columns[l] = c
	}
	offset := uint64(at.Position.Offset)
	if n := len(c.offsets); n > 0 && c.offsets[n-1] >= offset {
		b.late[at] = slot
		return
	}
	c.offsets, c.slots = append(c.offsets, offset), append(c.slots, slot)
}

// at returns the event at a place.
func (b *book) at(at penstock.Place) (slot uint32, ok bool) {
	if c := b.columns[lane{at.Partition, at.Position.Epoch}]; c != nil {
		if i, ok := c.find(uint64(at.Position.Offset)); ok {
			return c.slots[i], true
		}
	}
	slot, ok = b.late[at]
	return slot, ok
}

func (c *column) find(offset uint64) (int, bool) {
	for i := c.hint; i < min(c.hint+2, len(c.offsets)); i++ {
		if c.offsets[i] == offset {
			c.hint = i
			return i, true
		}
	}
	i, ok := slices.BinarySearch(c.offsets, offset)
	if ok {
		c.hint = i
	}
	return i, ok
}

// checkPlace compares an event at a place, in what was exported or answered, with the book.
func (j *judge) checkPlace(at penstock.Place, r ref, where string, first bool) {
	about := subject{of: r, at: at}
	have, ok := j.book.at(at)
	switch {
	case ok && have&slots == nobody:
	case ok && have&slots != r.slot:
		other := ""
		if j.tells(PlaceDiffers) {
			other = j.owner(have & slots).id()
		}
		j.found(PlaceDiffers, about, "at %s %s has %s, and elsewhere it is the place of %s", about.place(), where, r.id(), other)
	case ok && first && have&repeated != 0:
		j.found(NotFirst, about, "%s has %s from its repeat at %s, not from its first record", where, r.id(), about.place())
	case ok:
	case j.run.Log == nil:
		j.book.add(at, r.slot)
	case !at.Position.Less(j.first[at.Partition]):
		j.found(PlaceUnknown, about, "%s has %s at %s, where the log has nothing", where, r.id(), about.place())
	}
}
