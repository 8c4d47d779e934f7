package fold

import (
	"bytes"
	"math"

	"penstock"
	"penstock/internal/jsonscan"
)

// shape is how the values of a type are held and compared.
type shape byte

const (
	noShape  shape = iota
	textual        // text, json
	integral       // bigint, timestamp
	floating       // double
	fixed          // decimal
	logical        // boolean
)

func shapeOf(t penstock.ColumnType) shape {
	switch t {
	case penstock.Text, penstock.JSON:
		return textual
	case penstock.Bigint, penstock.Timestamp:
		return integral
	case penstock.Double:
		return floating
	case penstock.Decimal:
		return fixed
	case penstock.Boolean:
		return logical
	}
	return noShape
}

type source byte

const (
	fromBody source = iota
	fromID
	fromKey
	fromTime
	fromReceived
)

// builtIn returns where a field without a path comes from, and its type.
func builtIn(name string) (source, penstock.ColumnType) {
	switch name {
	case "id":
		return fromID, penstock.Text
	case "key":
		return fromKey, penstock.Text
	case "time":
		return fromTime, penstock.Timestamp
	case "received_at":
		return fromReceived, penstock.Timestamp
	}
	return fromBody, ""
}

// reading is how a value of the body is read.
type reading byte

const (
	parsed  reading = iota // as a column's
	texts                  // a string
	loosely                // a string, or a number or boolean as it was sent
	whole                  // an integer
	exact                  // a decimal
)

func readingOf(f penstock.Field) reading {
	switch {
	case f.Type == penstock.Text && f.Loose:
		return loosely
	case f.Type == penstock.Text:
		return texts
	case f.Type == penstock.Bigint:
		return whole
	case f.Type == penstock.Decimal:
		return exact
	}
	return parsed
}

// field is what views read of an event. Each stands once in a plan.
type field struct {
	penstock.Field
	source  source
	reading reading
	shape   shape
	slot    int // of its value, in the order of the selector
}

// cell returns the value of a field in the present record. It is read when it is asked for first.
func (f *Fold) cell(i int) *jsonscan.Cell {
	c := &f.cells[i]
	if f.read[i] != f.turn {
		f.read[i] = f.turn
		f.take(i, c)
	}
	return c
}

// take reads a value. Of the cell only what counts for the type is set.
func (f *Fold) take(i int, c *jsonscan.Cell) {
	d := &f.plan.fields[i]
	c.Null = false
	switch d.source {
	case fromID:
		c.Bytes = f.row.ID
	case fromKey:
		c.Bytes, c.Null = f.row.Key, len(f.row.Key) == 0
	case fromTime:
		c.Int = int64(f.row.Time)
	case fromReceived:
		c.Int = int64(f.row.ReceivedAt)
	default:
		f.parse(i, d, c)
	}
}

// parse reads a value of the body. What does not fit is NULL, told without an error, which would take time, where that is likely. A
// double is never -0, which is equal to 0 and spelled otherwise.
func (f *Fold) parse(i int, d *field, c *jsonscan.Cell) {
	v := &f.row.Values[d.slot]
	if v.Absent() {
		c.Null = true
		return
	}
	switch d.reading {
	case whole:
		n, ok := jsonscan.Integer(*v)
		c.Int, c.Null = n, !ok
		return
	case exact:
		if v.Kind == jsonscan.Number && shortDecimal(c, &d.Column, v.Raw) {
			return
		}
	case loosely, texts:
		switch {
		case v.Kind == jsonscan.String:
			c.Bytes = f.decoded(i, v.Raw)
		case d.reading == loosely && (v.Kind == jsonscan.Number || v.Kind == jsonscan.Bool):
			c.Bytes = v.Raw
		default:
			c.Null = true
		}
		return
	}
	if c.Null = (d.shape == floating || d.shape == fixed) && v.Kind != jsonscan.Number; c.Null {
		return
	}
	cell, err := jsonscan.ParseCell(d.Column, *v)
	switch {
	case err != nil, math.IsNaN(cell.Float), math.IsInf(cell.Float, 0): // no scanner accepts NaN
		cell.Null = true
	case cell.Float == 0:
		cell.Float = 0
	}
	*c = cell
}

// shortDecimal sets the cell to a number that has at most 18 digits and no exponent, as most have, and reports whether it did: if it did
// not, the number may fit all the same.
func shortDecimal(c *jsonscan.Cell, column *penstock.Column, raw []byte) bool {
	digits := raw
	if len(raw) > 0 && raw[0] == '-' {
		digits = raw[1:]
	}
	if len(digits) == 0 || len(digits) > 18 {
		return false
	}
	n, point := int64(0), -1
	for i, d := range digits {
		switch {
		case d-'0' <= 9:
			n = n*10 + int64(d-'0')
		case d == '.' && point < 0:
			point = i
		default:
			return false
		}
	}
	missing := column.Scale
	if point >= 0 {
		missing -= len(digits) - 1 - point
	}
	if missing < 0 || point == len(digits)-1 || len(digits)+missing > 18 {
		return false
	}
	for range missing {
		n *= 10
	}
	if column.Precision < 18 && float64(n) >= powersOfTen[column.Precision] {
		return false
	}
	if len(digits) < len(raw) {
		n = -n
	}
	c.Hi, c.Lo = n>>63, uint64(n)
	return true
}

// decoded returns the text of a string, in memory that is the field's own if it had escapes.
func (f *Fold) decoded(i int, raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	f.texts[i] = jsonscan.Unquote(f.texts[i][:0], raw)
	return f.texts[i]
}
