package embedded

import (
	"strconv"
	"strings"

	"penstock"
)

// DuckDB matches LIKE, ILIKE and GLOB by trying every place for every wildcard: n wildcards before the pattern's end take
// m^n steps in a text of m characters, and a value cannot be interrupted. Only LIKE with a literal that has no _ is
// done by a search for its pieces, one after the other. Regular expressions take linear time whatever they are.

// maxPattern is how long a pattern may be that is matched step by step.
const maxPattern = 256

// matchers are the functions behind the operators, with the wildcard that stands for any number of characters.
var matchers = map[string]string{
	"~~": "%", "!~~": "%", "~~*": "%", "!~~*": "%", "~~~": "*",
	"like_escape": "%", "not_like_escape": "%", "ilike_escape": "%", "not_ilike_escape": "%",
}

// pattern is what a text is matched with: literal texts and, for which the value is not known yet, parameters.
type pattern struct {
	function string
	literal  bool // DuckDB sees it as one when it plans
	pieces   []patternPiece
}

type patternPiece struct{ text, parameter string }

// patternOf returns the pattern of a call of a matcher, and whether it is one that is known before a row is read.
func patternOf(name string, call object) (pattern, bool) {
	args, _ := call["children"].([]any)
	if len(args) < 2 {
		return pattern{}, true // DuckDB says what is wrong
	}
	o, _ := args[1].(object)
	p := pattern{function: name, literal: text(o, "class") == "CONSTANT"}
	return p, p.add(o)
}

// add adds what an expression stands for, and reports whether that is known.
func (p *pattern) add(o object) bool {
	switch text(o, "class") {
	case "CONSTANT":
		value, _ := o["value"].(object)
		s, ok := value["value"].(string)
		null, _ := value["is_null"].(bool)
		p.pieces = append(p.pieces, patternPiece{text: s})
		return ok || null
	case "PARAMETER":
		p.pieces = append(p.pieces, patternPiece{parameter: text(o, "identifier")})
		return true
	case "CAST":
		to, _ := o["cast_type"].(object)
		of, _ := o["child"].(object)
		plain := text(of, "class") == "CONSTANT" || text(of, "class") == "PARAMETER"
		return plain && text(to, "id") == "VARCHAR" && to["type_info"] == nil && p.add(of)
	case "FUNCTION":
		if name := text(o, "function_name"); name != "||" && name != "concat" {
			return false
		}
		args, _ := o["children"].([]any)
		for _, a := range args {
			if piece, _ := a.(object); !p.add(piece) {
				return false
			}
		}
		return true
	}
	return false
}

// later reports whether the pattern needs the values of parameters.
func (p pattern) later() bool {
	for _, piece := range p.pieces {
		if piece.parameter != "" {
			return true
		}
	}
	return false
}

// check refuses a pattern that could take too long. Values are those of the parameters $1, $2, …
func (p pattern) check(values []any) error {
	var all strings.Builder
	for _, piece := range p.pieces {
		all.WriteString(piece.text)
		if n, err := strconv.Atoi(piece.parameter); err == nil && n >= 1 && n <= len(values) {
			s, _ := values[n-1].(string) // numbers have no wildcards
			all.WriteString(s)
		}
	}
	text := all.String()
	many := matchers[p.function]
	if p.literal && (p.function == "~~" || p.function == "!~~") && !strings.Contains(text, "_") {
		return nil
	}
	const op, hint = "check statement", "; regexp_matches takes linear time, and contains, starts_with and ends_with need no pattern"
	if len(text) > maxPattern {
		return penstock.Refusef("query_too_large", op, "a pattern of %d bytes, the limit is %d here"+hint, len(text), maxPattern)
	}
	if searches(text, many[0]) > 1 {
		return penstock.Refusef("query_too_large", op, "a pattern may have one %s before its end here"+hint, many)
	}
	return nil
}

// searches counts the runs of a wildcard that something follows. One that is escaped counts, too.
func searches(text string, many byte) int {
	n := 0
	text = strings.TrimRight(text, string(many))
	for i := range len(text) {
		if text[i] == many && (i == 0 || text[i-1] != many) {
			n++
		}
	}
	return n
}

// checkPatterns checks the patterns that hold parameters.
func checkPatterns(patterns []pattern, values []any) error {
	for _, p := range patterns {
		if err := p.check(values); err != nil {
			return err
		}
	}
	return nil
}

// pattern checks the call of a matcher, now or, if it holds parameters, when their values are known.
func (c *checker) pattern(o object) error {
	name := strings.ToLower(text(o, "function_name"))
	if _, ok := matchers[name]; !ok {
		return nil
	}
	p, known := patternOf(name, o)
	if !known {
		return forbidf("a pattern is a text or a parameter here, or such joined by ||; regexp_matches takes any expression")
	}
	if p.later() {
		c.patterns = append(c.patterns, p)
		return nil
	}
	return p.check(nil)
}
