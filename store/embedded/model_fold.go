package embedded

import (
	"iter"
	"reflect"
	"slices"

	"penstock"
	"penstock/internal/delta"
	"penstock/internal/predicate"
)

// joint is a Folder made of several: names in the conditions of views of one stream may mean different things, when columns were declared or
// removed since the older ones were made.
type joint struct {
	all   []delta.Folder
	place []seat // of each view
}

type seat struct{ folder, view int }

// Add implements delta.Folder.
func (j joint) Add(r *penstock.Record) {
	for _, f := range j.all {
		f.Add(r)
	}
}

// Deltas implements delta.Folder.
func (j joint) Deltas(view int) iter.Seq[*delta.Delta] {
	at := j.place[view]
	return j.all[at.folder].Deltas(at.view)
}

// Reset implements delta.Folder.
func (j joint) Reset() {
	for _, f := range j.all {
		f.Reset()
	}
}

// folder returns what folds a stream's rows for models. It fails with Unavailable, since the rows are not to blame.
func (o Options) folder(stream penstock.Stream, all []model) (delta.Folder, error) {
	const op = "count rows for views"
	if o.Fold == nil {
		return nil, penstock.Errorf(penstock.Unavailable, op, "this store was opened without what counts them")
	}
	parts := []part{{}}
	var j joint
	for _, m := range all {
		at := 0
		if m.View.Where != "" {
			if at = slices.IndexFunc(parts, func(p part) bool { return !p.bound || slices.Equal(p.columns, m.Columns) }); at < 0 {
				at, parts = len(parts), append(parts, part{})
			}
			parts[at].bound, parts[at].columns = true, m.Columns
		}
		j.place = append(j.place, seat{at, len(parts[at].views)})
		parts[at].views = append(parts[at].views, m.View)
	}
	for _, p := range parts {
		if p.bound {
			stream.Columns = p.columns
		}
		f, err := o.Fold(stream, p.views)
		if err != nil {
			return nil, penstock.Wrap(penstock.Unavailable, op, err)
		}
		j.all = append(j.all, f)
	}
	if len(j.all) == 1 {
		return j.all[0], nil
	}
	return j, nil
}

// part is views of a stream that are folded at once: their conditions are read with the same columns. A view without one goes with any others.
type part struct {
	columns []penstock.Column
	bound   bool // a condition needs these columns
	views   []penstock.View
}

// sameReads reports whether the names in a condition mean the same under two sets of columns.
func sameReads(where string, a, b []penstock.Column) bool {
	if where == "" || slices.Equal(a, b) {
		return true
	}
	return reflect.DeepEqual(reads(where, a), reads(where, b))
}

// reads returns what a condition reads, nil if it cannot be read.
func reads(where string, columns []penstock.Column) []predicate.Operand {
	p, err := predicate.Parse(where, columns)
	if err != nil {
		return nil
	}
	all := p.Operands()
	for i := range all {
		all[i].At = 0
	}
	return all
}
