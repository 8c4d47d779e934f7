// Package delta is what passes between those who fold rows into views and those who store what comes of it: the columns of a view's state, and
// the deltas of a batch. docs/format/view.md has their meaning.
package delta

import (
	"fmt"
	"iter"

	"penstock"
	"penstock/internal/jsonscan"
)

// Blob is the type of state columns that are bytes, which are compared as such. No stream declares one.
const Blob penstock.ColumnType = "blob"

// SumDigits is the precision of a sum; AddendDigits is the most that a decimal may have whose sum then has room for ten billion rows.
const (
	SumDigits    = 38
	AddendDigits = 28
)

// Merge says how the values that a column has in several states become one. NULL takes no part; if there is nothing else the result is
// NULL.
type Merge string

// The merges.
const (
	Sum    Merge = "sum"
	Min    Merge = "min"    // text and blobs are compared byte by byte
	Max    Merge = "max"    //
	Sketch Merge = "sketch" // with sketch.Merge
	Latest Merge = "latest" // that of the state in which the column By is greatest
	First  Merge = "first"  // that of the state in which the column By is least
)

// Column is a column of a view's state.
type Column struct {
	penstock.Column       // without a Path
	Measure         int   // of the view, that it belongs to
	Merge           Merge //
	By              string
}

// Columns returns the columns of a view's state, in the order of Delta.State. The names follow from the measures' places: m0 has the
// first measure's figure; m0_n, of an average, how many were added; m0_at, of a latest or first, when it was. The view is one that
// Compile takes.
func Columns(v *penstock.View) []Column {
	var columns []Column
	for i, m := range v.Measures {
		name := fmt.Sprintf("m%d", i)
		add := func(suffix string, t penstock.Column, merge Merge) {
			columns = append(columns, Column{
				Column:  penstock.Column{Name: name + suffix, Type: t.Type, Precision: t.Precision, Scale: t.Scale},
				Measure: i, Merge: merge,
			})
		}
		switch m.Kind {
		case penstock.MeasureCount:
			add("", penstock.Column{Type: penstock.Bigint}, Sum)
		case penstock.MeasureSum:
			add("", sumColumn(m.Of.Column), Sum)
		case penstock.MeasureAvg:
			add("", sumColumn(m.Of.Column), Sum)
			add("_n", penstock.Column{Type: penstock.Bigint}, Sum)
		case penstock.MeasureMin:
			add("", m.Of.Column, Min)
		case penstock.MeasureMax:
			add("", m.Of.Column, Max)
		case penstock.MeasureUnique, penstock.MeasureQuantile, penstock.MeasureTop:
			add("", penstock.Column{Type: Blob}, Sketch)
		case penstock.MeasureLatest, penstock.MeasureFirst:
			value, order := Latest, Max
			if m.Kind == penstock.MeasureFirst {
				value, order = First, Min
			}
			add("", m.Of.Column, value)
			columns[len(columns)-1].By = name + "_at"
			add("_at", penstock.Column{Type: Blob}, order)
		}
	}
	return columns
}

// sumColumn returns the type of a sum: exact, unless doubles are added.
func sumColumn(of penstock.Column) penstock.Column {
	if of.Type == penstock.Double {
		return penstock.Column{Type: penstock.Double}
	}
	return penstock.Column{Type: penstock.Decimal, Precision: SumDigits, Scale: of.Scale}
}

// Delta is what the records of a batch add to a group of a view, in one partition and window.
type Delta struct {
	Partition penstock.Partition
	Window    penstock.Micros // when it begins; 0 of a view without windows
	Group     []jsonscan.Cell // in the order of the view's group
	State     []jsonscan.Cell // in the order of Columns; of a Blob Bytes counts
	Since     penstock.Micros // the lowest LogTime that was folded in
	Changed   penstock.Micros // the highest
}

// Folder makes deltas of the rows of a stream, for several views. It is used by one goroutine.
type Folder interface {
	// Add folds a record that becomes a row.
	Add(r *penstock.Record)
	// Deltas yields what was folded for the view of that index since the last Reset. A Delta is valid until the next is asked for; nothing is
	// added while it yields.
	Deltas(view int) iter.Seq[*Delta]
	// Reset forgets what was folded.
	Reset()
}

// Compile makes a Folder for views of a stream. It fails with Invalid, reason bad_view, if one of them cannot be.
type Compile func(stream penstock.Stream, views []penstock.View) (Folder, error)
