package predicate

import (
	"bytes"
	"cmp"

	"penstock/internal/jsonscan"
)

// operator is the set of outcomes for which it holds: less, equal, greater.
type operator byte

const (
	less operator = 1 << iota
	equal
	greater
)

// operatorOf reads an operator, or returns 0.
func operatorOf(symbol string) operator {
	switch symbol {
	case "=", "==":
		return equal
	case "<>", "!=":
		return less | greater
	case "<":
		return less
	case "<=":
		return less | equal
	case ">":
		return greater
	case ">=":
		return greater | equal
	}
	return 0
}

func (o operator) String() string {
	return [...]string{less: "<", equal: "=", less | equal: "<=", greater: ">", less | greater: "<>", greater | equal: ">="}[o]
}

// ordered reports whether the operator asks for more than equality.
func (o operator) ordered() bool { return o != equal && o != less|greater }

// turned returns the operator for the two sides exchanged.
func (o operator) turned() operator {
	if o.ordered() {
		return o ^ (less | greater)
	}
	return o
}

// holds returns the verdict on an outcome of -1, 0 or 1.
func (o operator) holds(outcome int) truth { return when(o&(1<<(outcome+1)) != 0) }

// comparison is of two terms, of which the right one may be a literal.
type comparison struct {
	op          operator
	as          domain // nothing: a side is null; dynamic: both sides are JSON
	left, right term
}

func (c *comparison) test(r *Row) truth {
	switch c.as {
	case nothing:
		return unknown
	case dynamic:
		as := c.common(r)
		if as == nothing {
			return unknown
		}
		return c.outcome(as, r)
	}
	return c.outcome(c.as, r)
}

// common returns what two JSON values can be compared as, or nothing.
func (c *comparison) common(r *Row) domain {
	switch kind := r.Values[r.at[c.left.slot]].Kind; {
	case kind != r.Values[r.at[c.right.slot]].Kind:
	case kind == jsonscan.String:
		return textual
	case kind == jsonscan.Number:
		return numeric
	case kind == jsonscan.Bool && !c.op.ordered():
		return boolean
	}
	return nothing
}

func (c *comparison) outcome(as domain, r *Row) truth {
	r.scratch = r.scratch[:0]
	var a, b datum
	if !c.left.read(&a, as, r) {
		return unknown
	}
	right := &c.right.literal
	if c.right.kind != literalTerm {
		if !c.right.read(&b, as, r) {
			return unknown
		}
		right = &b
	}
	return c.op.holds(compare(as, &a, right))
}

// compare returns -1, 0 or 1 for two values of a domain.
func compare(as domain, a, b *datum) int {
	switch as {
	case textual:
		return bytes.Compare(a.text, b.text)
	case numeric:
		return a.compare(&b.number)
	case double:
		return cmp.Compare(a.f, b.f)
	}
	return cmp.Compare(a.i, b.i)
}

// span is between: both of its comparisons hold.
type span struct {
	of, from, to term
	low, high    *comparison
}

func (s *span) test(r *Row) truth {
	low := s.low.test(r)
	if low == no {
		return no
	}
	return min(low, s.high.test(r))
}

// membership asks whether a term is in a list.
type membership struct {
	left term
	as   domain // nothing: the list has only nulls
	list []term // in ascending order, each once
	null bool   // the list has a null
}

func (m *membership) test(r *Row) truth {
	r.scratch = r.scratch[:0]
	var d datum
	if m.as == nothing || !m.left.read(&d, m.as, r) {
		return unknown
	}
	from, to := 0, len(m.list)
	for from < to {
		middle := int(uint(from+to) / 2)
		switch c := compare(m.as, &m.list[middle].literal, &d); {
		case c == 0:
			return yes
		case c < 0:
			from = middle + 1
		default:
			to = middle
		}
	}
	if m.null {
		return unknown
	}
	return no
}
