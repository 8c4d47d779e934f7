//go:build duckdb_arrow

package recount

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// The operands and literals of each type, as conditions name them.
var (
	textOperands   = []string{"link", "title", "id", "key"}
	numberOperands = []string{"ms", "n", "score", "price"}
	truthOperands  = []string{"bot", "fresh"}
	momentOperands = []string{"time", "received_at", "seen"}
	loose          = slices.Concat([]string{"extra"}, paths)
	fractions      = []string{"0.5", "1.25", "-1.5", "1.005", "9007199254740992.5", "0.1", "12345.678", "-0.00000025", "186.99999999999"}
)

// writer writes random conditions.
type writer struct{ *rand.Rand }

func (w writer) condition(depth int) string {
	if depth == 0 || w.IntN(3) == 0 {
		return w.test()
	}
	a, b := w.condition(depth-1), w.condition(depth-1)
	switch w.IntN(8) {
	case 0, 1:
		return "(" + a + " and " + b + ")"
	case 2, 3:
		return "(" + a + " OR " + b + ")"
	case 4:
		return a + " or " + b + " and " + a
	case 5:
		return "(not (" + a + "))"
	case 6:
		return "((" + a + ") is " + pick(w.Rand, []string{"", "not "}) + pick(w.Rand, []string{"null", "true", "false"}) + ")"
	}
	return a
}

// test writes a comparison, in, like, between or is.
func (w writer) test() string {
	operand, other, literal := w.sides()
	not := pick(w.Rand, []string{"", "", "not "})
	ordered := []string{"=", "<>", "<", "<=", ">", ">="}
	switch w.IntN(10) {
	case 0:
		return pick(w.Rand, slices.Concat(loose, textOperands, numberOperands)) + " is " + not + "null"
	case 1:
		return pick(w.Rand, slices.Concat(loose, truthOperands)) + " is " + not + pick(w.Rand, []string{"true", "false"})
	case 2:
		return pick(w.Rand, slices.Concat(loose, textOperands)) + " " + not + "like " + w.pattern()
	case 3:
		list := []string{literal()}
		for range w.IntN(5) {
			list = append(list, literal())
		}
		if w.IntN(4) == 0 {
			list = append(list, "null")
		}
		return operand + " " + not + "in (" + strings.Join(list, ", ") + ")"
	case 4:
		return operand + " " + not + "between " + literal() + " and " + other
	case 5:
		return literal() + pick(w.Rand, ordered) + operand
	case 6, 7:
		return operand + " " + pick(w.Rand, ordered) + " " + other
	}
	return operand + pick(w.Rand, ordered) + literal()
}

// sides returns two operands that can be compared, and a source of literals for them.
func (w writer) sides() (operand, other string, literal func() string) {
	operands, literals := textOperands, []string(nil)
	switch w.IntN(5) {
	case 0:
		operands, literals = numberOperands, slices.Concat([]string{"null"}, whole, cents, fractions)
	case 1:
		operands, literals = truthOperands, []string{"true", "false", "null"}
	case 2:
		operands = momentOperands
		for _, m := range moments {
			literals = append(literals, "timestamp '"+m+"'")
		}
		return pick(w.Rand, operands), pick(w.Rand, operands), func() string { return pick(w.Rand, literals) }
	default:
		for _, text := range texts {
			literals = append(literals, sqlText(text))
		}
	}
	operand, other = pick(w.Rand, operands), pick(w.Rand, operands)
	if w.IntN(2) == 0 {
		operand = pick(w.Rand, loose)
	}
	if w.IntN(3) == 0 {
		other = pick(w.Rand, loose)
	}
	return operand, other, func() string { return pick(w.Rand, literals) }
}

func (w writer) pattern() string {
	var b strings.Builder
	for range w.IntN(4) {
		b.WriteString(pick(w.Rand, []string{"a", "b", "%", "%", "_", `\%`, `\_`, `\\`, "é", "''", "A", `\a`}))
	}
	return "'" + b.String() + "'"
}
