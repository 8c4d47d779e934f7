package predicate

import "strings"

// truth is a verdict of three-valued logic. And is the least of its parts, or the greatest, and not turns the order around.
type truth byte

const (
	no truth = iota
	unknown
	yes
)

// condition is a node of a predicate.
type condition interface {
	// test returns the verdict on a row.
	test(r *Row) truth
	// write appends the canonical text.
	write(b *strings.Builder)
	// sql appends the condition as SQL, in parentheses.
	sql(w *sqlWriter)
}

// junction is an and or an or of at least two parts, none of which is of its own kind.
type junction struct {
	all   bool // and
	parts []condition
}

// join returns the junction of conditions.
func join(all bool, parts []condition) condition {
	if len(parts) == 1 {
		return parts[0]
	}
	j := &junction{all: all}
	for _, p := range parts {
		if inner, ok := p.(*junction); ok && inner.all == all {
			j.parts = append(j.parts, inner.parts...)
		} else {
			j.parts = append(j.parts, p)
		}
	}
	return j
}

func (j *junction) test(r *Row) truth {
	if j.all {
		result := yes
		for _, p := range j.parts {
			if result = min(result, p.test(r)); result == no {
				break
			}
		}
		return result
	}
	result := no
	for _, p := range j.parts {
		if result = max(result, p.test(r)); result == yes {
			break
		}
	}
	return result
}

// negation is the not of a condition that is none itself.
type negation struct{ of condition }

// negate returns the opposite of a condition.
func negate(c condition) condition {
	if n, ok := c.(*negation); ok {
		return n.of
	}
	return &negation{c}
}

func (n *negation) test(r *Row) truth { return yes - n.of.test(r) }

// verdict asks what a condition came to: (…) is true, is false, is null.
type verdict struct {
	of   condition
	want truth
}

func (v *verdict) test(r *Row) truth { return when(v.of.test(r) == v.want) }

// nullness asks whether an operand is NULL.
type nullness struct{ of term }

func (n *nullness) test(r *Row) truth { return when(!n.of.present(r)) }

func when(v bool) truth {
	if v {
		return yes
	}
	return no
}
