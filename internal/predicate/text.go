package predicate

import "strings"

// write appends a term. A text is quoted.
func (t *term) write(b *strings.Builder) {
	switch {
	case t.kind != literalTerm:
		b.WriteString(t.operand.String())
	case t.domain == textual:
		b.WriteString(quote(t.text))
	case t.domain == moment:
		b.WriteString("timestamp ")
		b.WriteString(quote(t.text))
	default:
		b.WriteString(t.text)
	}
}

// quote returns a text as the language and SQL write it.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// inParentheses writes a condition, with parentheses around it if it is not a single test.
func inParentheses(b *strings.Builder, c condition) {
	if isTest(c) {
		c.write(b)
		return
	}
	b.WriteByte('(')
	c.write(b)
	b.WriteByte(')')
}

// isTest reports whether a condition is written as one test, which binds more than is and not do.
func isTest(c condition) bool {
	switch c := c.(type) {
	case *comparison, *membership, *likeness, *span:
		return true
	case *negation:
		_, compared := c.of.(*comparison)
		return !compared && isTest(c.of)
	}
	return false
}

func (j *junction) write(b *strings.Builder) {
	for i, part := range j.parts {
		if i > 0 && j.all {
			b.WriteString(" and ")
		} else if i > 0 {
			b.WriteString(" or ")
		}
		if _, ok := part.(*junction); ok {
			inParentheses(b, part)
		} else {
			part.write(b)
		}
	}
}

// A not goes into a test that has a place for it.
func (n *negation) write(b *strings.Builder) {
	switch of := n.of.(type) {
	case *membership:
		of.phrase(b, " not in (")
	case *likeness:
		of.phrase(b, " not like ")
	case *span:
		of.phrase(b, " not between ")
	case *nullness:
		of.phrase(b, " is not null")
	case *verdict:
		of.phrase(b, " is not ")
	default:
		b.WriteString("not ")
		inParentheses(b, of)
	}
}

func (v *verdict) write(b *strings.Builder) { v.phrase(b, " is ") }

func (v *verdict) phrase(b *strings.Builder, is string) {
	want := [...]string{no: "false", unknown: "null", yes: "true"}[v.want]
	if c, ok := v.of.(*comparison); ok && c.op == equal && c.right.kind == literalTerm && c.right.domain == boolean && v.want == yes {
		c.left.write(b) // x is true is short for (x = true) is true
		want = c.right.text
	} else {
		inParentheses(b, v.of)
	}
	b.WriteString(is)
	b.WriteString(want)
}

func (n *nullness) write(b *strings.Builder) { n.phrase(b, " is null") }

func (n *nullness) phrase(b *strings.Builder, isNull string) {
	n.of.write(b)
	b.WriteString(isNull)
}

func (c *comparison) write(b *strings.Builder) {
	c.left.write(b)
	b.WriteByte(' ')
	b.WriteString(c.op.String())
	b.WriteByte(' ')
	c.right.write(b)
}

func (s *span) write(b *strings.Builder) { s.phrase(b, " between ") }

func (s *span) phrase(b *strings.Builder, between string) {
	s.of.write(b)
	b.WriteString(between)
	s.from.write(b)
	b.WriteString(" and ")
	s.to.write(b)
}

func (m *membership) write(b *strings.Builder) { m.phrase(b, " in (") }

func (m *membership) phrase(b *strings.Builder, in string) {
	m.left.write(b)
	b.WriteString(in)
	for i := range m.list {
		if i > 0 {
			b.WriteString(", ")
		}
		m.list[i].write(b)
	}
	if m.null && len(m.list) > 0 {
		b.WriteString(", ")
	}
	if m.null {
		b.WriteString("null")
	}
	b.WriteByte(')')
}

func (l *likeness) write(b *strings.Builder) { l.phrase(b, " like ") }

func (l *likeness) phrase(b *strings.Builder, like string) {
	l.left.write(b)
	b.WriteString(like)
	b.WriteString(quote(patternText(l.pattern)))
}
