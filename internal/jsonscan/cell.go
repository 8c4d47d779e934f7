package jsonscan

import (
	"bytes"
	"math/bits"
	"strconv"
	"unsafe"

	"penstock"
)

// Cell is a value in the type of a declared column. Which fields count depends on the type; of a null none does.
type Cell struct {
	Null  bool
	Bool  bool    // boolean
	Int   int64   // bigint; timestamp, in microseconds since 1970 (penstock.Micros)
	Float float64 // double
	Hi    int64   // decimal: the value times 10^Scale is Hi·2^64 + Lo, in two's complement
	Lo    uint64
	Bytes []byte // text, decoded; json, as sent. Aliases the value unless text had escapes
}

// ParseCell returns the value for a column: exactly, or not at all. It fails with Invalid, reason bad_type; a missing value
// and null are the null Cell. The value is one that a Scanner accepted.
func ParseCell(c penstock.Column, v Value) (Cell, error) {
	if v.Absent() {
		return Cell{Null: true}, nil
	}
	if want := kindOf(c.Type); want != Missing && v.Kind != want {
		return Cell{}, badType(c, "want "+want.String()+", not "+v.Kind.String())
	}
	switch c.Type {
	case penstock.Text:
		return Cell{Bytes: Text(v)}, nil
	case penstock.Bigint:
		n, ok := Integer(v)
		if !ok {
			return Cell{}, badType(c, "want an integer without point and exponent")
		}
		return Cell{Int: n}, nil
	case penstock.Double:
		f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(v.Raw), len(v.Raw)), 64)
		if err != nil {
			return Cell{}, badType(c, "want a number that a binary64 can hold")
		}
		return Cell{Float: f}, nil
	case penstock.Decimal:
		return decimalCell(c, v)
	case penstock.Boolean:
		return Cell{Bool: v.Raw[0] == 't'}, nil
	case penstock.Timestamp:
		t, err := ParseTime(v)
		if err != nil {
			return Cell{}, badType(c, err.Error())
		}
		return Cell{Int: int64(t)}, nil
	case penstock.JSON:
		return Cell{Bytes: v.Raw}, nil
	}
	return Cell{}, badType(c, "the column's type is not known")
}

// kindOf returns the only kind that a column's type takes, or Missing if there are several.
func kindOf(t penstock.ColumnType) Kind {
	switch t {
	case penstock.Text:
		return String
	case penstock.Bigint, penstock.Double, penstock.Decimal:
		return Number
	case penstock.Boolean:
		return Bool
	}
	return Missing
}

func badType(c penstock.Column, why string) error {
	return penstock.Refusef("bad_type", "column "+c.Name, "%s", why)
}

func decimalCell(c penstock.Column, v Value) (Cell, error) {
	d := parseDecimal(v.Raw)
	if d.count > 0 && d.magnitude() > c.Precision-c.Scale {
		return Cell{}, badType(c, "more digits before the point than the column has")
	}
	hi, lo, exact, fits := d.scaled(c.Scale)
	if !exact || !fits {
		return Cell{}, badType(c, "more digits after the point than the column has")
	}
	if d.negative {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	return Cell{Hi: int64(hi), Lo: lo}, nil
}

// Text returns the decoded text of a string. It aliases the value unless that has escapes.
func Text(v Value) []byte {
	if bytes.IndexByte(v.Raw, '\\') < 0 {
		return v.Raw[1 : len(v.Raw)-1]
	}
	return Unquote(nil, v.Raw)
}

// Integer returns the value of a number that is written as an integer, which 1.0 and 1e0 are not.
func Integer(v Value) (n int64, ok bool) {
	if v.Kind != Number {
		return 0, false
	}
	digits := v.Raw
	if digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) > 19 {
		return 0, false
	}
	for _, c := range digits {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if len(digits) < len(v.Raw) {
		n = -n
	}
	return n, true
}
