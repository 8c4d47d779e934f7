package jsonscan

import "cmp"

// CompareNumbers returns -1, 0 or 1 as the number a is less than, equal to or greater than b. It compares the digits: no number is
// rounded, and 1, 1.0 and 10e-1 are equal. Both are numbers that a Scanner accepted. It does not allocate.
func CompareNumbers(a, b []byte) int {
	x, y := parseDecimal(a), parseDecimal(b)
	if s, t := x.sign(), y.sign(); s != t || s == 0 {
		return cmp.Compare(s, t)
	}
	c := cmp.Compare(x.magnitude(), y.magnitude())
	if c == 0 {
		c = compareDigits(x, y)
	}
	if x.negative {
		return -c
	}
	return c
}

// sign returns -1, 0 or 1.
func (d decimal) sign() int {
	switch {
	case d.count == 0:
		return 0
	case d.negative:
		return -1
	}
	return 1
}

// compareDigits compares the significant digits of two numbers that are not 0, as if each began with a point.
func compareDigits(x, y decimal) int {
	i, j := x.start(), y.start()
	for k := range max(x.count, y.count) {
		a, b := byte('0'), byte('0')
		if k < x.count {
			a, i = x.digit(i)
		}
		if k < y.count {
			b, j = y.digit(j)
		}
		if a != b {
			return cmp.Compare(a, b)
		}
	}
	return 0
}

// start returns the index in the literal of the first significant digit.
func (d decimal) start() int {
	i := 0
	for d.literal[i] == '0' || d.literal[i] == '.' {
		i++
	}
	return i
}

// digit returns the digit at or after the literal's i-th byte, and the index that follows it.
func (d decimal) digit(i int) (byte, int) {
	if d.literal[i] == '.' {
		i++
	}
	return d.literal[i], i + 1
}
