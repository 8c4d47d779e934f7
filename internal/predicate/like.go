package predicate

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// piece is a part of a pattern: text as it stands, or, if that is empty, any character.
type piece []byte

// stretch is what stands between two % of a pattern.
type stretch []piece

// likeness asks whether a text is like a pattern.
type likeness struct {
	left    term
	pattern []stretch // one more than there are %; only the first and the last may be empty
}

// parsePattern reads a pattern. It fails if that ends with a \ that takes nothing.
func parsePattern(text string) (pattern []stretch, ok bool) {
	var here stretch
	var literal piece
	end := func() {
		if len(literal) > 0 {
			here, literal = append(here, literal), nil
		}
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '%':
			end()
			if len(here) > 0 || len(pattern) == 0 {
				pattern = append(pattern, here)
			}
			here = nil
		case '_':
			end()
			here = append(here, nil)
		case '\\':
			if i++; i == len(text) {
				return nil, false
			}
			literal = append(literal, text[i])
		default:
			literal = append(literal, c)
		}
	}
	end()
	return append(pattern, here), true
}

// patternText writes a pattern in the one way that it is written.
func patternText(pattern []stretch) string {
	var b strings.Builder
	for i, s := range pattern {
		if i > 0 {
			b.WriteByte('%')
		}
		for _, p := range s {
			if len(p) == 0 {
				b.WriteByte('_')
			}
			for _, c := range p {
				if c == '%' || c == '_' || c == '\\' {
					b.WriteByte('\\')
				}
				b.WriteByte(c)
			}
		}
	}
	return b.String()
}

func (l *likeness) test(r *Row) truth {
	r.scratch = r.scratch[:0]
	var d datum
	if !l.left.read(&d, textual, r) {
		return unknown
	}
	return when(matches(l.pattern, d.text))
}

// matches looks for the first stretch at the beginning, the last at the end, and each other at the first place after the one before: if a
// later place leads to a match, so does the first.
func matches(pattern []stretch, text []byte) bool {
	rest, ok := pattern[0].begins(text)
	if len(pattern) == 1 || !ok {
		return ok && len(rest) == 0
	}
	last := len(pattern) - 1
	if rest, ok = pattern[last].ends(rest); !ok {
		return false
	}
	for _, s := range pattern[1:last] {
		if rest, ok = s.find(rest); !ok {
			return false
		}
	}
	return true
}

// begins returns what follows the stretch at the beginning of a text.
func (s stretch) begins(text []byte) ([]byte, bool) {
	for _, p := range s {
		if len(p) == 0 {
			_, size := utf8.DecodeRune(text)
			if size == 0 {
				return nil, false
			}
			text = text[size:]
			continue
		}
		if !bytes.HasPrefix(text, p) {
			return nil, false
		}
		text = text[len(p):]
	}
	return text, true
}

// ends returns what precedes the stretch at the end of a text.
func (s stretch) ends(text []byte) ([]byte, bool) {
	for i := len(s) - 1; i >= 0; i-- {
		if len(s[i]) == 0 {
			_, size := utf8.DecodeLastRune(text)
			if size == 0 {
				return nil, false
			}
			text = text[:len(text)-size]
			continue
		}
		if !bytes.HasSuffix(text, s[i]) {
			return nil, false
		}
		text = text[:len(text)-len(s[i])]
	}
	return text, true
}

// find returns what follows the first place of the stretch, which is not empty, in a text.
func (s stretch) find(text []byte) ([]byte, bool) {
	for {
		if len(s[0]) > 0 {
			i := bytes.Index(text, s[0])
			if i < 0 {
				return nil, false
			}
			text = text[i:]
		}
		if rest, ok := s.begins(text); ok {
			return rest, true
		}
		_, size := utf8.DecodeRune(text)
		if size == 0 {
			return nil, false
		}
		text = text[size:]
	}
}
