package jsonscan

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special returns a word whose lowest set bit is the high bit of the first byte in w that is a quote, a backslash, a
// control character or not ASCII; 0 if none is. Bits above the lowest may be wrong: a borrow runs upwards only.
// Source: "Determine if a word has a byte less than n", graphics.stanford.edu/~seander/bithacks.html
func special(w uint64) uint64 {
	quote, escape := w^(ones*'"'), w^(ones*'\\')
	return ((quote-ones)&^quote | (escape-ones)&^escape | (w - ones*' ') | w) & highs
}

// text checks the string whose opening quote is at data[i] and returns the offset after the closing one, or -1.
func (s *Scanner) text(data []byte, i int) int {
	j := i + 1
	for j+8 <= len(data) {
		m := special(binary.LittleEndian.Uint64(data[j:]))
		if m == 0 {
			j += 8
			continue
		}
		j += bits.TrailingZeros64(m) / 8
		if data[j] != '"' {
			break
		}
		if j-i-1 > s.limits.String {
			s.fault(StringTooLong, i, stringTooLong)
		}
		return j + 1
	}
	end, _ := s.slowText(data, i, j, span{StringTooLong, stringTooLong, s.limits.String})
	return end
}

// span is how long a string may be, decoded, and the fault of a longer one.
type span struct {
	code, message string
	max           int
}

const (
	stringTooLong = "a string longer than allowed"
	nameTooLong   = "a name longer than allowed"
)

// slowText goes on at data[j] within the string that begins at data[i]. It returns the offset after the closing quote, or -1,
// and how many bytes shorter the string is when decoded.
func (s *Scanner) slowText(data []byte, i, j int, limit span) (end, saved int) {
	for j < len(data) {
		if j-i-1-saved > limit.max && s.content == nil {
			s.fault(limit.code, i, limit.message)
		}
		c := data[j]
		switch {
		case c == '"':
			return j + 1, saved
		case c == '\\':
			size, decoded := s.escape(data, j)
			if size < 0 {
				return -1, 0
			}
			j += size
			saved += size - decoded
		case c < ' ':
			return s.breaks(data, j, "a control character within a string"), 0
		case c >= utf8.RuneSelf:
			j += s.rune(data, j)
		default:
			j = plain(data, j)
		}
	}
	s.ended(data)
	return -1, 0
}

// plain returns the offset of the next byte from data[j] that needs a look.
func plain(data []byte, j int) int {
	for j+8 <= len(data) {
		if m := special(binary.LittleEndian.Uint64(data[j:])); m != 0 {
			return j + bits.TrailingZeros64(m)/8
		}
		j += 8
	}
	for j < len(data) && data[j] != '"' && data[j] != '\\' && data[j] >= ' ' && data[j] < utf8.RuneSelf {
		j++
	}
	return j
}

// rune checks the character at data[j], which is not ASCII, and returns its size.
func (s *Scanner) rune(data []byte, j int) int {
	r, size := utf8.DecodeRune(data[j:])
	if r == utf8.RuneError && size == 1 {
		s.fault(BadUTF8, j, "not UTF-8")
	}
	return size
}

// escape checks the escape at data[j] and returns its size, or -1, and the size of what it stands for.
func (s *Scanner) escape(data []byte, j int) (size, decoded int) {
	if j+1 >= len(data) {
		return s.breaks(data, j+1, ""), 0
	}
	switch data[j+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, 1
	case 'u':
	default:
		return s.breaks(data, j, "an unknown escape"), 0
	}
	r := hex4(data, j+2)
	switch {
	case r < 0:
		k := j + 2
		for k < len(data) && isHex(data[k]) {
			k++
		}
		return s.breaks(data, k, "an escape without four hexadecimal digits"), 0
	case r == 0:
		s.fault(NULNotAllowed, j, "an escaped NUL")
	case utf16.IsSurrogate(r):
		if pair := utf16.DecodeRune(r, escapedAt(data, j+6)); pair != utf8.RuneError {
			return 12, 4
		}
		s.fault(BadUTF8, j, "half of a surrogate pair")
		return 6, 3
	}
	return 6, utf8.RuneLen(r)
}

// escapedAt returns the code unit of the escape \uXXXX at data[j], or -1.
func escapedAt(data []byte, j int) rune {
	if j+6 > len(data) || data[j] != '\\' || data[j+1] != 'u' {
		return -1
	}
	return hex4(data, j+2)
}

// hex4 returns the value of the four hexadecimal digits at data[j], or -1.
func hex4(data []byte, j int) rune {
	if j+4 > len(data) {
		return -1
	}
	var r rune
	for _, c := range data[j : j+4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c-'a' <= 5:
			c -= 'a' - 10
		case c-'A' <= 5:
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

func isHex(c byte) bool { return c-'0' <= 9 || c|0x20-'a' <= 5 }

// Unquote appends the text of a string that a Scanner accepted, whose quotes raw includes, to dst.
func Unquote(dst []byte, raw []byte) []byte {
	raw = raw[1 : len(raw)-1]
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			j := i
			for i < len(raw) && raw[i] != '\\' {
				i++
			}
			dst = append(dst, raw[j:i]...)
			continue
		}
		r, size := unescape(raw[i:])
		dst = utf8.AppendRune(dst, r)
		i += size
	}
	return dst
}

func unescape(b []byte) (r rune, size int) {
	switch b[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r = hex4(b, 2)
		if pair := utf16.DecodeRune(r, escapedAt(b, 6)); pair != utf8.RuneError {
			return pair, 12
		}
		return r, 6
	}
	return rune(b[1]), 2
}
