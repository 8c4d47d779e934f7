package jsonscan

import "math/bits"

// decimal is the exact value of a number: its significant digits, which lie within a literal, times 10^exp.
type decimal struct {
	literal  []byte // without the sign
	first    int    // the first digit that is not 0, digits counted from the literal's first
	count    int    // of digits from the first to the last that is not 0; 0: the value is 0
	exp      int
	negative bool
}

// parseDecimal reads a number that a Scanner accepted.
func parseDecimal(literal []byte) decimal {
	d := decimal{literal: literal}
	if literal[0] == '-' {
		d.negative, d.literal = true, literal[1:]
	}
	digits, whole, last := 0, -1, -1
	d.first = -1
	for i, c := range d.literal {
		switch {
		case c == '.':
			whole = digits
			continue
		case c|0x20 == 'e':
			d.exp = parseExponent(d.literal[i+1:])
			d.literal = d.literal[:i]
		case c != '0':
			if last = digits; d.first < 0 {
				d.first = digits
			}
		}
		if c|0x20 == 'e' {
			break
		}
		digits++
	}
	if whole < 0 {
		whole = digits
	}
	if d.first >= 0 {
		d.count = last - d.first + 1
		d.exp += whole - 1 - last
	}
	return d
}

// parseExponent reads an exponent; one that is out of all bounds comes out as a large one.
func parseExponent(b []byte) int {
	const large = 1 << 20
	sign, e := 1, 0
	for _, c := range b {
		switch c {
		case '-':
			sign = -1
		case '+':
		default:
			e = min(e*10+int(c-'0'), large)
		}
	}
	return sign * e
}

// magnitude returns the m for which the absolute value lies in [10^(m-1), 10^m).
func (d decimal) magnitude() int { return d.count + d.exp }

// scaled returns the absolute value times 10^shift, cut to an integer of at most 38 digits; exact reports whether nothing was
// cut off, fits whether there are no more digits than that.
func (d decimal) scaled(shift int) (hi, lo uint64, exact, fits bool) {
	if d.count == 0 {
		return 0, 0, true, true
	}
	take := d.magnitude() + shift // digits of the result
	if take > 38 {
		return 0, 0, false, false
	}
	digit := 0
	for _, c := range d.literal {
		if c == '.' {
			continue
		}
		if digit >= d.first && digit < d.first+min(d.count, take) {
			hi, lo = timesTen(hi, lo, uint64(c-'0'))
		}
		digit++
	}
	for range take - d.count {
		hi, lo = timesTen(hi, lo, 0)
	}
	return hi, lo, take >= d.count, true
}

// timesTen returns the 128-bit number times 10 plus a digit.
func timesTen(hi, lo, digit uint64) (uint64, uint64) {
	carry, lo := bits.Mul64(lo, 10)
	lo, c := bits.Add64(lo, digit, 0)
	return hi*10 + carry + c, lo
}
