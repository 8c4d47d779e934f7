package predicate

import (
	"fmt"
	"unicode/utf8"

	"penstock"
)

// parser reads a condition from left to right, one token ahead. After a mistake it sees only the end.
type parser struct {
	text     string
	columns  []penstock.Column
	lexer    lexer
	now      token
	depth    int
	inEvent  []Operand
	builtIns []Operand
	known    map[string]int // where an operand is in one of them, by its canonical name
	mistake  *Mistake
}

func (p *parser) parse() condition {
	p.lexer.text = p.text
	switch at := notText(p.text); {
	case len(p.text) > MaxText:
		p.fail(MaxText, "the condition has %d bytes, more than %d", len(p.text), MaxText)
		return nil
	case at >= 0:
		p.fail(at, "found a byte that is not text: want UTF-8 without NUL")
		return nil
	}
	p.advance()
	root := p.anyOf()
	if p.now.kind != endToken {
		p.fail(p.now.at, "found %s: want and, or, or the end", p.found())
	}
	return root
}

// notText returns the offset of the first byte that is not UTF-8, or NUL, or -1.
func notText(text string) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == 0 || r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

func (p *parser) advance() {
	if p.mistake == nil {
		p.now = p.lexer.next()
	}
}

// fail notes the first mistake and ends the text. What the lexer found at this place comes before what the parser wanted there.
func (p *parser) fail(at int, format string, args ...any) {
	if p.mistake != nil {
		return
	}
	p.mistake = &Mistake{at, fmt.Sprintf(format, args...)}
	if p.now.kind == brokenToken && at >= p.now.at {
		p.mistake = &Mistake{p.now.at, p.now.text}
	}
	p.now = token{at: len(p.text), end: len(p.text)}
}

// found describes the present token.
func (p *parser) found() string {
	if p.now.kind == endToken {
		return "the end"
	}
	return excerpt(p.text[p.now.at:p.now.end])
}

// word reads a keyword, if it is the present token.
func (p *parser) word(word string) bool {
	if p.now.kind != nameToken || p.now.word != word {
		return false
	}
	p.advance()
	return true
}

// symbol reads a symbol, if it is the present token.
func (p *parser) symbol(symbol string) bool {
	if p.now.kind != symbolToken || p.now.text != symbol {
		return false
	}
	p.advance()
	return true
}

func (p *parser) anyOf() condition {
	parts := []condition{p.allOf()}
	for p.word("or") {
		parts = append(parts, p.allOf())
	}
	return join(false, parts)
}

func (p *parser) allOf() condition {
	parts := []condition{p.maybeNot()}
	for p.word("and") {
		parts = append(parts, p.maybeNot())
	}
	return join(true, parts)
}

func (p *parser) maybeNot() condition {
	negative := false
	for p.word("not") {
		negative = !negative
	}
	c := p.judged()
	if negative {
		return negate(c)
	}
	return c
}

// judged reads a condition without and, or and not, and what asks for its verdict.
func (p *parser) judged() condition {
	var c condition
	if p.now.kind == symbolToken && p.now.text == "(" {
		c = p.parenthesis()
	} else {
		left := p.term()
		if p.word("is") {
			return p.isOperand(left)
		}
		c = p.test(left)
	}
	if !p.word("is") {
		return c
	}
	negative := p.word("not")
	v := &verdict{of: c}
	switch {
	case p.word("true"):
		v.want = yes
	case p.word("false"):
		v.want = no
	case p.word("null"):
		v.want = unknown
	default:
		p.fail(p.now.at, "found %s: want null, true or false after is", p.found())
	}
	if negative {
		return negate(v)
	}
	return v
}

func (p *parser) parenthesis() condition {
	at := p.now.at
	p.advance()
	if p.depth++; p.depth > MaxDepth {
		p.fail(at, "more than %d parentheses within each other", MaxDepth)
	}
	c := p.anyOf()
	if !p.symbol(")") {
		p.fail(p.now.at, "found %s: want and, or, or the parenthesis that closes the one at byte %d", p.found(), at)
	}
	p.depth--
	return c
}

// isOperand reads what follows is after an operand.
func (p *parser) isOperand(left term) condition {
	negative := p.word("not")
	var c condition
	at := p.now.at
	switch {
	case left.kind == literalTerm:
		p.fail(left.at, "found %s: want a column or a path before is", excerpt(left.source))
	case p.word("null"):
		c = &nullness{left}
	case p.word("true"):
		c = &verdict{p.compare(left, equal, booleanAt(true, at)), yes}
	case p.word("false"):
		c = &verdict{p.compare(left, equal, booleanAt(false, at)), yes}
	default:
		p.fail(at, "found %s: want null, true or false after is", p.found())
	}
	if negative {
		return negate(c)
	}
	return c
}

func booleanAt(v bool, at int) term {
	t := booleanLiteral(v)
	t.at, t.source = at, t.text
	return t
}

// test reads what is asked of a term.
func (p *parser) test(left term) condition {
	if p.now.kind == symbolToken {
		if op := operatorOf(p.now.text); op != 0 {
			p.advance()
			return p.compare(left, op, p.term())
		}
	}
	negative := p.word("not")
	var c condition
	switch {
	case p.word("in"):
		c = p.in(left)
	case p.word("like"):
		c = p.like(left)
	case p.word("between"):
		low := p.term()
		if !p.word("and") {
			p.fail(p.now.at, "found %s: want and, and the upper bound of between", p.found())
		}
		high := p.term()
		c = &span{left, low, high, p.compare(left, greater|equal, low), p.compare(left, less|equal, high)}
	case negative:
		p.fail(p.now.at, "found %s: want in, like or between after not", p.found())
	case p.now.kind == symbolToken && p.now.text == "(" && left.kind == valueTerm:
		p.fail(left.at, "found %s(: functions are refused", left.source)
	default:
		p.fail(p.now.at, "found %s: want a comparison after %s, such as = 'text', in (…), like '…', between … and …, is null", p.found(), excerpt(left.source))
	}
	if negative {
		return negate(c)
	}
	return c
}

// in reads the list of a membership.
func (p *parser) in(left term) condition {
	if !p.symbol("(") {
		p.fail(p.now.at, "found %s: want a list in parentheses after in", p.found())
	}
	var list []term
	for {
		at := p.now.at
		t := p.term()
		if p.mistake == nil && t.kind != literalTerm {
			p.fail(at, "found %s: a list has only literals: texts are in '…'", excerpt(t.source))
		}
		list = append(list, t)
		if !p.symbol(",") {
			break
		}
	}
	if !p.symbol(")") {
		p.fail(p.now.at, "found %s: want a comma or the end of the list", p.found())
	}
	return p.member(left, list)
}

// like reads the pattern.
func (p *parser) like(left term) condition {
	if p.now.kind != textToken {
		p.fail(p.now.at, "found %s: want a pattern such as 'a%%' after like", p.found())
		return nil
	}
	if left.kind == literalTerm || left.domain != textual && left.domain != dynamic {
		p.fail(left.at, "%s: only texts are like a pattern", left.describe())
	}
	pattern, ok := parsePattern(p.now.text)
	switch size := len(p.now.text); {
	case size > MaxPattern:
		p.fail(p.now.at, "a pattern of %d bytes, more than %d", size, MaxPattern)
	case !ok:
		p.fail(p.now.at, `the pattern ends with a \ that takes nothing: write \\ for a backslash`)
	}
	p.advance()
	if p.now.word == "escape" {
		p.fail(p.now.at, `escape is refused: it is always \`)
	}
	return &likeness{left, pattern}
}

// term reads an operand or a literal.
func (p *parser) term() term {
	first := p.now
	t := term{}
	switch {
	case first.kind == textToken:
		t = textLiteral(first)
	case first.kind == numberToken:
		var ok bool
		if t, ok = numberLiteral(first.text); !ok {
			p.fail(first.at, "a number of more than %d digits", maxDigits)
		}
	case first.kind == nameToken && first.word == "timestamp":
		return p.timestamp()
	case first.kind == nameToken && isKeyword(first.word):
		if t = keywordLiteral(first.word); t.text == "" {
			p.fail(first.at, "found the keyword %s: want a column, a path or a literal; as a name it is in quotes: \"%s\"", p.found(), first.word)
		}
	case first.kind == nameToken:
		t = p.resolve(first)
	default:
		p.fail(first.at, "found %s: want a column, a path or a literal", p.found())
	}
	p.advance()
	t.at, t.source = first.at, p.text[first.at:first.end]
	return t
}

// keywordLiteral returns true, false or null, or a term without text.
func keywordLiteral(word string) term {
	switch word {
	case "true", "false":
		return booleanLiteral(word == "true")
	case "null":
		return term{text: word}
	}
	return term{}
}

// timestamp reads timestamp '…', or the member of that name.
func (p *parser) timestamp() term {
	first := p.now
	p.advance()
	if p.now.kind != textToken {
		t := p.resolve(first)
		t.at, t.source = first.at, p.text[first.at:first.end]
		return t
	}
	t, wrong := momentLiteral(p.now.text)
	if wrong != "" {
		p.fail(p.now.at, "found %s: %s", p.found(), wrong)
		return t
	}
	t.at, t.source = first.at, p.text[first.at:p.now.end]
	p.advance()
	return t
}
