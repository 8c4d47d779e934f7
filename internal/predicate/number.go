package predicate

import (
	"math/bits"

	"penstock"
	"penstock/internal/jsonscan"
)

// powers are those of ten that an int64 holds.
var powers = [19]int64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
}

// number is an exact number. Most are short enough for arithmetic: n/10^scale, with the smallest scale there is.
type number struct {
	raw   []byte // as JSON writes it
	n     int64
	scale int8
	short bool // n and scale count
	whole bool // written without point and exponent
}

// parse reads a number that a scanner accepted, or a literal in canonical form.
func (x *number) parse(raw []byte) {
	*x = number{raw: raw, whole: true}
	digits := raw
	if raw[0] == '-' {
		digits = raw[1:]
	}
	count, zeros := 0, 0 // digits; those of them at the end of the fraction that are 0
	for _, c := range digits {
		switch {
		case c == '.':
			x.whole = false
			continue
		case c-'0' > 9:
			x.whole = false // an exponent
			return
		}
		if count++; count > len(powers)-1 {
			x.long(digits)
			return
		}
		switch {
		case x.whole:
			x.n = x.n*10 + int64(c-'0')
		case c == '0':
			zeros++
		default:
			x.n = x.n*powers[zeros+1] + int64(c-'0')
			x.scale += int8(zeros + 1)
			zeros = 0
		}
	}
	if x.short = true; len(digits) < len(raw) {
		x.n = -x.n
	}
}

// long reads a number of 19 digits or more: only an integer of 19 may be short.
func (x *number) long(digits []byte) {
	for _, c := range digits {
		x.whole = x.whole && c-'0' <= 9
	}
	x.n, x.scale = 0, 0
	if x.whole && fitsBigint(string(digits)) {
		x.n, x.short = jsonscan.Integer(jsonscan.Value{Kind: jsonscan.Number, Raw: x.raw})
	}
}

// fits reports whether a number is one of a column of integers or decimals.
func (x *number) fits(c *penstock.Column) bool {
	if c.Type != penstock.Decimal {
		return c.Type != penstock.Bigint || x.whole
	}
	if digits := c.Precision - c.Scale + int(x.scale); x.short && digits < len(powers) {
		return int(x.scale) <= c.Scale && x.n < powers[digits] && x.n > -powers[digits]
	}
	_, err := jsonscan.ParseCell(*c, jsonscan.Value{Kind: jsonscan.Number, Raw: x.raw})
	return err == nil
}

// compare returns -1, 0 or 1.
func (x *number) compare(y *number) int {
	if !x.short || !y.short {
		return jsonscan.CompareNumbers(x.raw, y.raw)
	}
	a, b := x.n, y.n
	if x.scale != y.scale {
		var ok bool
		if x.scale < y.scale {
			a, ok = times(a, powers[y.scale-x.scale])
		} else {
			b, ok = times(b, powers[x.scale-y.scale])
		}
		if !ok {
			return jsonscan.CompareNumbers(x.raw, y.raw)
		}
	}
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// times returns a product, and false if it has no room. The factor is positive.
func times(n, factor int64) (int64, bool) {
	magnitude := uint64(max(n, -n))
	hi, lo := bits.Mul64(magnitude, uint64(factor))
	if hi != 0 || lo > 1<<63-1 {
		return 0, false
	}
	if n < 0 {
		return -int64(lo), true
	}
	return int64(lo), true
}
