package fold

import (
	"bytes"
	"cmp"
	"math"
	"math/bits"

	"penstock/internal/jsonscan"
)

// slot is a part of what a group has of a measure. Most measures have one:
//
//	count           n rows
//	sum, avg        n values, their sum as a value is held
//	min, max        n is 1, the value
//	sketches        n is 1, lo is the place in the table's list of its kind
//	latest, first   n is the value's epoch + 1, the value; in a second slot time, received_at and offset
//
// A value is held in hi and lo: a decimal as in a Cell, an integer, the bits of a double or a boolean in lo; of a text lo is the place in
// the table's texts. As long as nothing was measured all is zero.
type slot struct {
	n, hi int64
	lo    uint64
}

// put makes a value the slot's. It sets hi and lo, and looks at n for whether there was one before.
func (t *table) put(s *slot, of shape, c *jsonscan.Cell) {
	switch of {
	case integral:
		s.lo = uint64(c.Int)
	case floating:
		s.lo = math.Float64bits(c.Float)
	case fixed:
		s.hi, s.lo = c.Hi, c.Lo
	case logical:
		s.lo = 0
		if c.Bool {
			s.lo = 1
		}
	case textual:
		if s.n == 0 {
			s.lo = t.newText()
		}
		t.texts[s.lo] = append(t.texts[s.lo][:0], c.Bytes...)
	}
}

// get returns the slot's value.
func (t *table) get(s *slot, of shape) jsonscan.Cell {
	switch of {
	case integral:
		return jsonscan.Cell{Int: int64(s.lo)}
	case floating:
		return jsonscan.Cell{Float: math.Float64frombits(s.lo)}
	case fixed:
		return jsonscan.Cell{Hi: s.hi, Lo: s.lo}
	case logical:
		return jsonscan.Cell{Bool: s.lo == 1}
	}
	return jsonscan.Cell{Bytes: t.texts[s.lo]}
}

// compare returns -1, 0 or 1 as a value is less than, equal to or greater than the slot's.
func (t *table) compare(c *jsonscan.Cell, s *slot, of shape) int {
	switch of {
	case integral:
		return cmp.Compare(c.Int, int64(s.lo))
	case floating:
		return cmp.Compare(c.Float, math.Float64frombits(s.lo))
	case fixed:
		if c.Hi != s.hi {
			return cmp.Compare(c.Hi, s.hi)
		}
		return cmp.Compare(c.Lo, s.lo)
	}
	return bytes.Compare(c.Bytes, t.texts[s.lo])
}

// plus adds a number of 128 bits.
func (s *slot) plus(hi int64, lo uint64) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, lo, 0)
	s.hi += hi + int64(carry)
}
