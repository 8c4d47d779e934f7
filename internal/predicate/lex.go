package predicate

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"penstock/internal/jsonscan"
)

type tokenKind byte

const (
	endToken tokenKind = iota
	nameToken
	textToken
	numberToken
	symbolToken
	brokenToken // text holds what is wrong
)

// token is a word of the language.
type token struct {
	kind    tokenKind
	at, end int
	text    string        // a symbol; a number; a text without its quotes
	path    jsonscan.Path // of a name
	word    string        // of a name that is one word without quotes: in lower case
}

// lexer cuts a text into tokens.
type lexer struct {
	text string
	i    int
}

// next returns the next token. After the end, and after a broken one, it returns the end.
func (l *lexer) next() token {
	for l.i < len(l.text) && strings.IndexByte(" \t\r\n", l.text[l.i]) >= 0 {
		l.i++
	}
	at := l.i
	if at == len(l.text) {
		return token{at: at, end: at}
	}
	switch c := l.text[at]; {
	case c == '\'':
		return l.quotedText()
	case c == '"' || l.letter() > 0:
		return l.name()
	case isDigit(c) || c == '-' && at+1 < len(l.text) && isDigit(l.text[at+1]):
		return l.number()
	}
	for _, symbol := range []string{"<>", "<=", ">=", "!=", "==", "<", ">", "=", "(", ")", ","} {
		if strings.HasPrefix(l.text[at:], symbol) {
			l.i += len(symbol)
			return token{kind: symbolToken, at: at, end: l.i, text: symbol}
		}
	}
	return l.broken(at, strange(l.text[at:]))
}

// broken ends the tokens with what is wrong at an offset.
func (l *lexer) broken(at int, message string) token {
	l.i = len(l.text)
	return token{kind: brokenToken, at: at, end: at, text: message}
}

// strange says why the rest of a text begins with nothing that the language has.
func strange(rest string) string {
	r, _ := utf8.DecodeRuneInString(rest)
	switch {
	case strings.HasPrefix(rest, "--") || strings.HasPrefix(rest, "/*"):
		return "comments are refused"
	case strings.HasPrefix(rest, "->"):
		return "-> is refused: a path is written with dots, such as geo.country"
	case strings.HasPrefix(rest, "::"):
		return "casts are refused: declare a column of that type"
	case strings.HasPrefix(rest, "||") || strings.ContainsRune("+-*/%^&|", r):
		return "found " + excerpt(string(r)) + ": arithmetic and joining are refused, a condition compares values as they are"
	case strings.ContainsRune("~!", r):
		return "found " + excerpt(string(r)) + ": the comparisons are = <> < <= > >= and like"
	case r == '.':
		return "found a point: want a name or a digit before it"
	case r == '[':
		return "elements of arrays are refused: a path has only names of members"
	}
	return "found " + excerpt(string(r)) + ", which has no meaning here: texts are in '…', odd names in \"…\""
}

// excerpt quotes at most the first 40 bytes of what was found.
func excerpt(found string) string {
	const most = 40
	if len(found) <= most {
		return jsonscan.Excerpt([]byte(found))
	}
	cut := most
	for !utf8.RuneStart(found[cut]) {
		cut--
	}
	return jsonscan.Excerpt([]byte(found[:cut])) + "…"
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// letter returns the size of the letter or _ at l.i, or 0.
func (l *lexer) letter() int {
	r, size := utf8.DecodeRuneInString(l.text[l.i:])
	if r == '_' || unicode.IsLetter(r) && r != utf8.RuneError {
		return size
	}
	return 0
}

// quotedText reads 'text'.
func (l *lexer) quotedText() token {
	at := l.i
	text, ok := l.quoted('\'')
	if !ok {
		return l.broken(at, "the text that begins here does not end: want ' after it")
	}
	return token{kind: textToken, at: at, end: l.i, text: text}
}

// quoted reads what stands between two quotes, of which two after each other are one.
func (l *lexer) quoted(quote byte) (string, bool) {
	var b strings.Builder
	for l.i++; l.i < len(l.text); l.i++ {
		c := l.text[l.i]
		if c == quote {
			if l.i++; l.i == len(l.text) || l.text[l.i] != quote {
				return b.String(), true
			}
		}
		b.WriteByte(c)
	}
	return "", false
}

// number reads -12.34.
func (l *lexer) number() token {
	at := l.i
	l.i++
	l.digits()
	if l.i+1 < len(l.text) && l.text[l.i] == '.' && isDigit(l.text[l.i+1]) {
		l.i++
		l.digits()
	}
	text := l.text[at:l.i]
	if l.i < len(l.text) {
		switch c := l.text[l.i]; {
		case c|0x20 == 'e':
			return l.broken(l.i, "numbers are written without an exponent")
		case c == '.':
			return l.broken(l.i, "found a point: want a digit after it")
		case l.letter() > 0 || c == '"' || c == '\'':
			return l.broken(l.i, "want a space after the number "+excerpt(text)+"; a name that begins with a digit is quoted")
		}
	}
	return token{kind: numberToken, at: at, end: l.i, text: text}
}

func (l *lexer) digits() {
	for l.i < len(l.text) && isDigit(l.text[l.i]) {
		l.i++
	}
}

// name reads names joined by dots.
func (l *lexer) name() token {
	at, quoted := l.i, false
	var path jsonscan.Path
	for {
		var name string
		var broken *token
		if l.i < len(l.text) && l.text[l.i] == '"' {
			quoted = true
			name, broken = l.quotedName()
		} else {
			name, broken = l.plainName()
		}
		if broken != nil {
			return *broken
		}
		path = append(path, name)
		if l.i == len(l.text) || l.text[l.i] != '.' {
			break
		}
		l.i++
	}
	t := token{kind: nameToken, at: at, end: l.i, path: path}
	if len(path) == 1 && !quoted {
		t.word = strings.ToLower(path[0])
	}
	return t
}

// plainName reads letters, digits and _, among which "\." is a dot and "\\" a backslash.
func (l *lexer) plainName() (string, *token) {
	var b strings.Builder
	for l.i < len(l.text) {
		if size := l.letter(); size > 0 {
			b.WriteString(l.text[l.i : l.i+size])
			l.i += size
			continue
		}
		c := l.text[l.i]
		if b.Len() > 0 && isDigit(c) {
			b.WriteByte(c)
			l.i++
			continue
		}
		if c != '\\' {
			break
		}
		if rest := l.text[l.i+1:]; rest == "" || rest[0] != '.' && rest[0] != '\\' {
			broken := l.broken(l.i, `found a backslash: in a name it stands before a dot or another one`)
			return "", &broken
		}
		b.WriteByte(l.text[l.i+1])
		l.i += 2
	}
	if b.Len() == 0 {
		broken := l.broken(l.i, `want a name after the point; names that do not begin with a letter are quoted: geo."2nd"`)
		return "", &broken
	}
	return b.String(), nil
}

// quotedName reads a name in quotes.
func (l *lexer) quotedName() (string, *token) {
	at := l.i
	inner, ok := l.quoted('"')
	broken := token{}
	switch {
	case !ok:
		broken = l.broken(at, `the name that begins here does not end: want " after it`)
	case inner == "":
		broken = l.broken(at, `"" is an empty name, which no member has; texts are in '…'`)
	}
	if broken.kind == brokenToken {
		return "", &broken
	}
	var b strings.Builder
	for i := 0; i < len(inner); i++ {
		switch {
		case inner[i] == '\\' && i+1 < len(inner) && (inner[i+1] == '.' || inner[i+1] == '\\'):
			i++
		case inner[i] == '.':
			broken = l.broken(at, `found a dot within quotes: write \. if it belongs to the name, and geo."odd name" for a member of a member`)
			return "", &broken
		}
		b.WriteByte(inner[i])
	}
	return b.String(), nil
}
