package predicate

import (
	"cmp"
	"fmt"
	"slices"

	"penstock"
)

// compare returns a comparison, with a literal on its right side, or fails.
func (p *parser) compare(left term, op operator, right term) *comparison {
	if left.kind == literalTerm {
		left, op, right = right, op.turned(), left
	}
	c := &comparison{op: op, left: left, right: right}
	if p.mistake != nil {
		return c
	}
	if left.kind == literalTerm {
		p.fail(min(left.at, right.at), "two literals, %s and %s: want a column or a path on one side", excerpt(right.source), excerpt(left.source))
		return c
	}
	var ok bool
	if c.as, ok = common(&left, &right); !ok {
		p.fail(right.at, "%s", mismatch(&left, &right))
		return c
	}
	if c.as == boolean && op.ordered() {
		p.fail(right.at, "true and false have no order: want = or <> before %s", excerpt(right.source))
	}
	p.check(&left, op, &right)
	return c
}

// common returns what two terms are compared as.
func common(a, b *term) (domain, bool) {
	x, y := min(a.domain, b.domain), max(a.domain, b.domain)
	switch {
	case x == y, x == nothing:
		return x, true
	case x == dynamic:
		return y, y != moment
	case x == numeric && y == double:
		return double, true
	}
	return nothing, false
}

// mismatch says what would be right to compare a term with.
func mismatch(left, right *term) string {
	if left.domain == dynamic || right.domain == dynamic {
		return fmt.Sprintf("%s, and %s: a path has no moments, declare a column of type timestamp for it", left.describe(), right.describe())
	}
	if right.kind != literalTerm {
		return fmt.Sprintf("%s, and %s: they cannot be compared", left.describe(), right.describe())
	}
	return fmt.Sprintf("%s: want %s, found %s", left.describe(), left.domain.example(), excerpt(right.source))
}

// example says what a literal of a domain looks like.
func (d domain) example() string {
	switch d {
	case textual:
		return "a text such as 'DE'"
	case numeric, double:
		return "a number such as 42"
	case boolean:
		return "true or false"
	}
	return "a moment such as timestamp '2026-01-01T00:00:00Z'"
}

// describe says what a term is.
func (t *term) describe() string {
	switch {
	case t.kind == literalTerm:
		return excerpt(t.source) + " is a literal"
	case t.kind == idTerm || t.kind == keyTerm:
		return t.source + " is a text"
	case t.kind != valueTerm:
		return t.source + " is a timestamp"
	case t.operand.Source == Path:
		return excerpt(t.source) + " is a path"
	}
	c := t.operand.Column
	if c.Type == penstock.Decimal {
		return fmt.Sprintf("%s is a decimal(%d,%d)", c.Name, c.Precision, c.Scale)
	}
	return fmt.Sprintf("%s is a %s", c.Name, c.Type)
}

// check fails if a literal number is one that an integer or decimal column can never hold, where it matters: beyond its range for
// every operator, between its steps where it has to be equal.
func (p *parser) check(left *term, op operator, right *term) {
	scale, whole, fixed := left.digits()
	if !fixed || right.kind != literalTerm || right.domain != numeric {
		return
	}
	beyond := wholeDigits(right.text) > whole
	if left.operand.Column.Type == penstock.Bigint {
		beyond = wholeDigits(right.text) >= whole && !fitsBigint(right.text)
	}
	switch {
	case beyond:
		p.fail(right.at, "%s: %s is beyond what it holds", left.describe(), excerpt(right.source))
	case !op.ordered() && fractionDigits(right.text) > scale:
		p.fail(right.at, "%s: it is never %s, which has more digits after the point", left.describe(), excerpt(right.source))
	}
}

// digits returns how many digits a column has after and before the point; false if it is not an integer or a decimal.
func (t *term) digits() (scale, whole int, fixed bool) {
	c := t.operand.Column
	switch {
	case t.kind != valueTerm || t.operand.Source != Column:
	case c.Type == penstock.Bigint:
		return 0, 19, true
	case c.Type == penstock.Decimal:
		return c.Scale, c.Precision - c.Scale, true
	}
	return 0, 0, false
}

// fitsBigint reports whether what stands before the point of a canonical number is at most 2^63-1.
func fitsBigint(number string) bool {
	const most = "9223372036854775807"
	if number[0] == '-' {
		number = number[1:]
	}
	n := wholeDigits(number)
	return n < len(most) || n == len(most) && number[:n] <= most
}

// member returns the membership of a term in a list, or fails.
func (p *parser) member(left term, list []term) condition {
	m := &membership{left: left}
	if p.mistake != nil {
		return m
	}
	if left.kind == literalTerm {
		p.fail(left.at, "found %s: want a column or a path before in", excerpt(left.source))
		return m
	}
	var first *term
	for i := range list {
		t := &list[i]
		if t.domain == nothing {
			m.null = true
			continue
		}
		if first != nil && first.domain != t.domain {
			p.fail(t.at, "found %s in a list that begins with %s: want literals of one type", excerpt(t.source), excerpt(first.source))
			return m
		}
		if first == nil {
			first = t
		}
		if m.as = p.compare(left, equal, *t).as; p.mistake != nil {
			return m
		}
		m.list = append(m.list, *t)
	}
	m.sort()
	return m
}

// sort brings the list into its order.
func (m *membership) sort() {
	slices.SortFunc(m.list, func(a, b term) int {
		return cmp.Or(compare(m.as, &a.literal, &b.literal), cmp.Compare(a.text, b.text))
	})
	m.list = slices.CompactFunc(m.list, func(a, b term) bool { return a.text == b.text })
}
