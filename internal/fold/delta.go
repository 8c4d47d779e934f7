package fold

import (
	"encoding/binary"
	"iter"

	"penstock"
	"penstock/internal/jsonscan"
)

// Delta is what the records of a batch add to a group of a view, in one partition and window.
type Delta struct {
	Partition penstock.Partition
	Window    penstock.Micros // when it begins; 0 of a view without windows
	Group     []jsonscan.Cell // in the order of the view's group
	State     []jsonscan.Cell // in the order of Columns; of a Blob Bytes counts
	Changed   penstock.Micros // the highest LogTime that was folded in
}

// Deltas yields what was folded for the view of that index since the last Reset, by partition, window and group; NULL comes first, and
// text is compared byte by byte. A Delta is valid until the next is asked for. Nothing is added while it yields.
func (f *Fold) Deltas(view int) iter.Seq[*Delta] {
	v, t := &f.plan.views[view], &f.tables[view]
	return func(yield func(*Delta) bool) {
		for _, h := range t.sorted() {
			f.fill(v, t, h.group)
			if !yield(&t.delta) {
				return
			}
		}
	}
}

// fill makes the table's delta that of a group.
func (f *Fold) fill(v *view, t *table, g int) {
	key, d := t.key(g), &t.delta
	d.Partition = penstock.Partition(binary.BigEndian.Uint16(key))
	d.Window = penstock.Micros(binary.BigEndian.Uint64(key[2:]) ^ 1<<63)
	d.Changed = t.groups[g].changed
	d.Group, d.State = d.Group[:0], d.State[:0]
	key = key[keyHead:]
	for _, of := range v.group {
		var c jsonscan.Cell
		c, key = readCell(key, f.plan.fields[of].shape)
		d.Group = append(d.Group, c)
	}
	t.blob = t.blob[:0]
	for i := range v.measures {
		m := &v.measures[i]
		d.State = m.state(t, m, t.slots[g*t.width+m.at:], d.State)
	}
}
