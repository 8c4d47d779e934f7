package predicate

import (
	"fmt"
	"slices"
	"strings"

	"penstock"
)

// What is refused beyond.
const (
	MaxText    = 4096 // bytes of the text, also as String writes it
	MaxDepth   = 32   // parentheses within each other
	MaxPattern = 256  // bytes of the pattern of a like
)

// Mistake says what is wrong with a text, and at which byte of it.
type Mistake struct {
	Offset  int
	Message string // what was found, and what would be right
}

// Error returns the message with its place.
func (m *Mistake) Error() string { return fmt.Sprintf("at byte %d: %s", m.Offset, m.Message) }

// Predicate is a condition over an event. It never changes and may be shared.
type Predicate struct {
	root     condition
	operands []Operand
	at       []int // where a row has the value of each operand that lies in the event
}

// Parse reads the text of a condition over events of a stream with these columns. It fails with Invalid, reason bad_where, and a *Mistake as cause.
func Parse(text string, columns []penstock.Column) (*Predicate, error) {
	p := parser{text: text, columns: columns, known: map[string]int{}}
	root := p.parse()
	if p.mistake != nil {
		return nil, refuse(p.mistake)
	}
	result := &Predicate{root: root, operands: append(p.inEvent, p.builtIns...)}
	for i := range p.inEvent {
		result.at = append(result.at, i)
	}
	if n := len(result.String()); n > MaxText {
		return nil, refuse(&Mistake{MaxText, fmt.Sprintf("written out in full the condition has %d bytes, more than %d", n, MaxText)})
	}
	return result, nil
}

func refuse(m *Mistake) error { return penstock.Refusef("bad_where", "read condition", "%w", m) }

// Operands returns what the predicate reads: first what lies in the event, whose values a Row has in this order, then what is built in. Each stands
// there once; either part is in the order of the text.
func (p *Predicate) Operands() []Operand { return slices.Clone(p.operands) }

// Bind returns the same predicate for rows that have the value of the i-th operand at Values[at[i]]: the rows of several predicates can then be one.
// Entries for what is built in mean nothing and may be left out. It panics if an operand that lies in the event has none.
func (p *Predicate) Bind(at []int) *Predicate {
	bound := *p
	bound.at = slices.Clone(at[:len(p.at)])
	return &bound
}

// Match reports whether the predicate is true of the row. It may be called concurrently, each time with another row. It allocates only for texts with
// escapes, until the row's memory has grown to theirs, for timestamps with escapes, and for values that do not fit their column.
func (p *Predicate) Match(r *Row) bool {
	r.at = p.at
	return p.root.test(r) == yes
}

// String returns the condition in the one way that it is written: Parse reads it as the same predicate, and two texts that differ in spaces, case of
// keywords, needless parentheses, or in the order or repetition of a list's members have the same. Whether a definition has changed depends on the columns too: a path that was declared since is written as before, and is another of the Operands.
func (p *Predicate) String() string {
	var b strings.Builder
	p.root.write(&b)
	return b.String()
}
