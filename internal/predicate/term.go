package predicate

import (
	"strconv"
	"unsafe"

	"penstock"
	"penstock/internal/jsonscan"
)

// domain is what values are compared as.
type domain byte

const (
	nothing domain = iota // null
	dynamic               // JSON: as whatever it is compared with
	textual
	numeric // exactly
	double
	boolean
	moment
)

type termKind byte

const (
	literalTerm termKind = iota
	valueTerm            // a column or a path
	idTerm
	keyTerm
	timeTerm
	receivedTerm
)

// term is one side of a comparison.
type term struct {
	kind    termKind
	domain  domain
	slot    int     // of a value, in Row.at
	operand Operand // unless it is a literal
	literal datum
	text    string // a literal in canonical form; of a text what it says
	at      int
	source  string // as it was written, for messages
}

// datum is a value as it is compared. Which fields count depends on the domain.
type datum struct {
	number         // numeric
	text   []byte  // textual
	i      int64   // boolean, 0 or 1; moment, in microseconds
	f      float64 // double
}

// read sets d to the value in a row, as of a domain that the term has or can be converted to; false for NULL.
func (t *term) read(d *datum, as domain, r *Row) bool {
	switch t.kind {
	case literalTerm:
		*d = t.literal
	case valueTerm:
		return t.value(d, as, r)
	case idTerm:
		d.text = r.ID
	case keyTerm:
		d.text = r.Key
		return len(r.Key) > 0
	case timeTerm:
		d.i = int64(r.Time)
	case receivedTerm:
		d.i = int64(r.ReceivedAt)
	}
	return true
}

// value reads a column or a path.
func (t *term) value(d *datum, as domain, r *Row) bool {
	v := &r.Values[r.at[t.slot]]
	switch as {
	case textual:
		if v.Kind != jsonscan.String {
			return false
		}
		d.text = r.text(v.Raw)
		return true
	case boolean:
		if v.Kind != jsonscan.Bool {
			return false
		}
		d.i = truthOf(v.Raw[0] == 't')
		return true
	case moment:
		at, err := jsonscan.ParseTime(*v)
		d.i = int64(at)
		return err == nil
	}
	if v.Kind != jsonscan.Number {
		return false
	}
	if as == numeric || t.domain == numeric {
		if d.parse(v.Raw); t.operand.Source == Column && !d.fits(&t.operand.Column) {
			return false
		}
	}
	if as == double {
		f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(v.Raw), len(v.Raw)), 64)
		d.f = f
		return err == nil
	}
	return true
}

// present reports whether the value is not NULL.
func (t *term) present(r *Row) bool {
	if t.kind == valueTerm && t.domain == dynamic {
		return !r.Values[r.at[t.slot]].Absent()
	}
	var d datum
	return t.read(&d, t.domain, r)
}

func truthOf(v bool) int64 {
	if v {
		return 1
	}
	return 0
}

// domainOf returns the domain of a column's type.
func domainOf(t penstock.ColumnType) (domain, bool) {
	switch t {
	case penstock.Text:
		return textual, true
	case penstock.Bigint, penstock.Decimal:
		return numeric, true
	case penstock.Double:
		return double, true
	case penstock.Boolean:
		return boolean, true
	case penstock.Timestamp:
		return moment, true
	case penstock.JSON:
		return dynamic, true
	}
	return nothing, false
}
