package fold

import (
	"fmt"

	"penstock"
)

// Blob is the type of state columns that are bytes, which are compared as such. No stream declares one.
const Blob penstock.ColumnType = "blob"

// sumDigits is the precision of a sum; addendDigits is the most that a decimal may have whose sum then has room for ten billion rows.
const (
	sumDigits    = 38
	addendDigits = 28
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
	return penstock.Column{Type: penstock.Decimal, Precision: sumDigits, Scale: of.Scale}
}
