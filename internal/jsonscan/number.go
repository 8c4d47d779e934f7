package jsonscan

import (
	"math"
	"strconv"
	"unsafe"
)

// mostDigits bounds the length of a number; a finite binary64 written out in full has about 1,080 characters.
const mostDigits = 4096

// number checks the number at data[i] and returns the offset that follows it, or -1.
func (s *Scanner) number(data []byte, i int) int {
	j := i
	if data[j] == '-' {
		j++
	}
	first := j
	for j < len(data) && data[j]-'0' <= 9 {
		j++
	}
	digits := j - first
	switch {
	case digits == 0:
		return s.breaks(data, j, "want a digit")
	case digits > 1 && data[first] == '0':
		return s.breaks(data, first+1, "a number that begins with 0")
	}
	if j >= len(data) || data[j] != '.' && data[j]|0x20 != 'e' {
		if digits > 18 && !fitsInt(data[first:j]) {
			s.fault(NumberRange, i, "an integer outside of ±(2^63-1)")
		}
		return j
	}
	end := s.fraction(data, j)
	if end < 0 {
		return -1
	}
	if literal := data[i:end]; len(literal) > 32 || hasExponent(literal) {
		if !fitsFloat(literal) {
			s.fault(NumberRange, i, "a number that no binary64 can hold")
		}
	}
	return end
}

// fraction checks what follows a number's integer part.
func (s *Scanner) fraction(data []byte, j int) int {
	digits := func() bool {
		k := j
		for j < len(data) && data[j]-'0' <= 9 {
			j++
		}
		return j > k
	}
	if data[j] == '.' {
		j++
		if !digits() {
			return s.breaks(data, j, "want a digit after the point")
		}
	}
	if j < len(data) && data[j]|0x20 == 'e' {
		j++
		if j < len(data) && (data[j] == '+' || data[j] == '-') {
			j++
		}
		if !digits() {
			return s.breaks(data, j, "want a digit of the exponent")
		}
	}
	return j
}

// fitsInt reports whether the digits, which do not begin with 0, are at most 2^63-1. Both signs have the same range.
func fitsInt(digits []byte) bool {
	return len(digits) < 19 || len(digits) == 19 && string(digits) <= "9223372036854775807"
}

func hasExponent(literal []byte) bool {
	for _, c := range literal {
		if c|0x20 == 'e' {
			return true
		}
	}
	return false
}

// fitsFloat reports whether a literal is finite as a binary64, and 0 only if it says 0.
func fitsFloat(literal []byte) bool {
	if len(literal) > mostDigits {
		return false
	}
	f, err := strconv.ParseFloat(unsafe.String(&literal[0], len(literal)), 64)
	if err != nil || math.IsInf(f, 0) {
		return false
	}
	return f != 0 || isZero(literal)
}

// isZero reports whether a literal says 0: it has no other digit before its exponent.
func isZero(literal []byte) bool {
	for _, c := range literal {
		if c|0x20 == 'e' {
			return true
		}
		if c-'1' <= 8 {
			return false
		}
	}
	return true
}
