package embedded

import "strings"

// token returns the length of the piece that a text of SQL begins with: a quoted piece or a comment as a whole, of
// anything else one byte. The text is one that DuckDB's parser accepts.
func token(text string) int {
	switch {
	case strings.HasPrefix(text, "--"):
		if end := strings.IndexAny(text, "\r\n"); end >= 0 {
			return end
		}
		return len(text)
	case strings.HasPrefix(text, "/*"):
		return comment(text)
	case text[0] == '\'' || text[0] == '"':
		return until(text, 1, text[:1])
	case text[0] == '$':
		return dollarQuoted(text)
	case (text[0] == 'e' || text[0] == 'E') && len(text) > 1 && text[1] == '\'':
		return escaped(text)
	case isWord(text[0]):
		// A word as a whole, so that the e of "rate'x'" is not taken for the one of E'x'.
		i := 1
		for i < len(text) && (isWord(text[i]) || text[i] == '$') {
			i++
		}
		return i
	}
	return 1
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

// until returns the offset behind the next end at or after from. A doubled quote ends one piece and begins another.
func until(text string, from int, end string) int {
	if i := strings.Index(text[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(text)
}

// escaped returns the length of E'…', in which a backslash hides a quote, and a doubled quote ends nothing.
func escaped(text string) int {
	for i := 2; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '\'':
			if i+1 == len(text) || text[i+1] != '\'' {
				return i + 1
			}
			i++
		}
	}
	return len(text)
}

// comment returns the length of /* … */, which may nest.
func comment(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "/*"):
			depth++
			i++
		case strings.HasPrefix(text[i:], "*/"):
			i++
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// dollarQuoted returns the length of $tag$ … $tag$, or 1 if the text does not begin one.
func dollarQuoted(text string) int {
	i := 1
	for i < len(text) && isWord(text[i]) {
		i++
	}
	if i == len(text) || text[i] != '$' || i > 1 && text[1] >= '0' && text[1] <= '9' {
		return 1
	}
	return until(text, i+1, text[:i+1])
}
