package fold

import (
	"penstock"
	"penstock/internal/delta"
	"penstock/internal/jsonscan"
	"penstock/internal/predicate"
)

// Fold folds the records of a batch into deltas. It is used again and again, and not concurrently.
type Fold struct {
	plan   *Plan
	row    predicate.Row   // the present record
	turn   uint64          // counts the records
	cells  []jsonscan.Cell // of the fields
	read   []uint64        // the turn in which each was read
	texts  [][]byte        // room for decoded texts, by field
	key    []byte
	tables []table
}

// Begin returns an empty Fold.
func (p *Plan) Begin() *Fold {
	f := &Fold{
		plan: p, cells: make([]jsonscan.Cell, len(p.fields)), read: make([]uint64, len(p.fields)), texts: make([][]byte, len(p.fields)),
		tables: make([]table, len(p.views)),
	}
	f.row.Values = make([]jsonscan.Value, p.selector.Len())
	for i := range p.views {
		f.tables[i] = newTable(p.views[i].width)
	}
	return f
}

// Add folds in a record that became a row of the stream, once. It keeps nothing of the record. A value that does not fit is NULL, and a body that
// no scanner accepted has none that counts. It allocates for new groups, for sketches that grow, and for what does not fit.
func (f *Fold) Add(r *penstock.Record) {
	f.row.ID, f.row.Key, f.row.Time, f.row.ReceivedAt = r.ID, r.Key, r.Time, r.ReceivedAt
	f.turn++
	f.pick(r.Body)
	for i := range f.plan.views {
		v, t := &f.plan.views[i], &f.tables[i]
		if v.where != nil && !v.where.Match(&f.row) {
			continue
		}
		f.appendKey(v, r)
		g := t.find(f.key)
		t.groups[g].log(r.LogTime)
		f.measure(v, t, t.slots[g*t.width:(g+1)*t.width], r)
	}
}

// measure takes in what a view's measures are of.
func (f *Fold) measure(v *view, t *table, slots []slot, r *penstock.Record) {
	for i := range v.measures {
		m := &v.measures[i]
		if m.of < 0 {
			m.add(t, m, slots[m.at:], sample{nil, r})
		} else if c := f.cell(m.of); !c.Null {
			m.add(t, m, slots[m.at:], sample{c, r})
		}
	}
}

// appendKey sets f.key to the key of the record's group.
func (f *Fold) appendKey(v *view, r *penstock.Record) {
	f.key = appendKeyHead(f.key[:0], r.Partition, startOf(r.Time, v.window))
	for _, g := range v.group {
		f.key = appendCell(f.key, f.plan.fields[g].shape, f.cell(g))
	}
}

// pick finds the values of all fields and conditions. A body that no scanner accepted, which cannot come through the door, does not
// end the process at each attempt to apply it.
func (f *Fold) pick(body []byte) {
	if len(f.row.Values) == 0 {
		return
	}
	defer func() {
		if recover() != nil {
			clear(f.row.Values)
		}
	}()
	f.plan.selector.Select(body, f.row.Values)
	for i := range f.row.Values {
		if v := &f.row.Values[i]; len(v.Raw) == 0 {
			v.Kind = jsonscan.Missing
		}
	}
}

// Reset forgets what was folded. Memory is kept for the next batch, up to a bound: 4 MiB for each of the twelve lists of a view.
func (f *Fold) Reset() {
	for i := range f.tables {
		f.tables[i].reset()
	}
	for i, text := range f.texts {
		f.texts[i] = keep(text)
	}
	f.key = keep(f.key)
	f.row.ID, f.row.Key = nil, nil
	clear(f.row.Values)
	clear(f.cells)
}

// Folder is Compile and Begin (delta.Compile).
func Folder(stream penstock.Stream, views []penstock.View) (delta.Folder, error) {
	p, err := Compile(stream, views)
	if err != nil {
		return nil, err
	}
	return p.Begin(), nil
}
