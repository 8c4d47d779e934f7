package fold

import (
	"encoding/binary"
	"iter"

	"penstock"
	"penstock/internal/delta"
	"penstock/internal/jsonscan"
)

// Deltas yields what was folded for the view of that index since the last Reset, by partition, window and group; NULL comes first, and
// text is compared byte by byte. A Delta is valid until the next is asked for. Nothing is added while it yields.
func (f *Fold) Deltas(view int) iter.Seq[*delta.Delta] {
	v, t := &f.plan.views[view], &f.tables[view]
	return func(yield func(*delta.Delta) bool) {
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
	d.Since, d.Changed = t.groups[g].since, t.groups[g].changed
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
