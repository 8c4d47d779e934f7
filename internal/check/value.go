package check

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"penstock"
)

// value is what an event has in a field.
type value struct {
	null   bool
	text   string   // as it is grouped by, and as estimates take it
	exact  *big.Rat // of numbers
	double float64  // of numbers
}

// textOf reads a member as text. To a path that no column declares numbers and booleans are what was sent.
func textOf(raw json.RawMessage, loose bool) value {
	var text string
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return value{null: true}
	case raw[0] == '"':
		if json.Unmarshal(raw, &text) != nil {
			return value{null: true}
		}
		return value{text: text}
	case loose && raw[0] != '{' && raw[0] != '[':
		return value{text: string(raw)}
	}
	return value{null: true}
}

// numberOf reads a JSON number as a column's type.
func numberOf(raw json.RawMessage, c penstock.Column) value {
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return value{null: true}
	}
	v := value{}
	var err error
	if v.double, err = strconv.ParseFloat(string(raw), 64); err != nil {
		return value{null: true}
	}
	if c.Type == penstock.Double {
		v.exact = new(big.Rat).SetFloat64(v.double)
		return v
	}
	exact, ok := new(big.Rat).SetString(string(raw))
	if !ok {
		return value{null: true}
	}
	v.exact = exact
	v.text = exact.FloatString(int(c.Scale))
	return v
}

// condition is a comparison of a row's member with a literal.
type condition struct {
	name, operator string
	text           string
	number         *big.Rat // nil: the literal is text
}

// parseConditions reads comparisons such as amount >= 50000 and country <> 'US'.
func parseConditions(where string) ([]condition, error) {
	if where == "" {
		return nil, nil
	}
	var all []condition
	for part := range strings.SplitSeq(where, " and ") {
		words := strings.Fields(part)
		if len(words) != 3 {
			return nil, fmt.Errorf("a condition %q", part)
		}
		c := condition{name: words[0], operator: words[1]}
		if text, ok := strings.CutPrefix(words[2], "'"); ok {
			c.text = strings.TrimSuffix(text, "'")
		} else if c.number, ok = new(big.Rat).SetString(words[2]); !ok {
			return nil, fmt.Errorf("a literal %q", words[2])
		}
		if _, ok := verdicts(c.operator); !ok {
			return nil, fmt.Errorf("an operator %q", c.operator)
		}
		all = append(all, c)
	}
	return all, nil
}

// verdicts returns of which results of a comparison, -1, 0 and 1, an operator is true.
func verdicts(operator string) ([3]bool, bool) {
	switch operator {
	case "=":
		return [3]bool{false, true, false}, true
	case "<>":
		return [3]bool{true, false, true}, true
	case "<":
		return [3]bool{true, false, false}, true
	case "<=":
		return [3]bool{true, true, false}, true
	case ">":
		return [3]bool{false, false, true}, true
	case ">=":
		return [3]bool{false, true, true}, true
	}
	return [3]bool{}, false
}

// holds reports whether the condition is true of a row. With NULL nothing is.
func (c condition) holds(r *row) bool {
	of := penstock.Field{Column: penstock.Column{Name: c.name, Type: penstock.Text, Path: c.name}}
	if c.name == "key" || c.name == "id" {
		of.Path = ""
	}
	compared := 0
	if c.number != nil {
		v := numberOf(r.member(c.name), penstock.Column{Type: penstock.Decimal})
		if v.null {
			return false
		}
		compared = v.exact.Cmp(c.number)
	} else {
		v := r.value(of)
		if v.null {
			return false
		}
		compared = strings.Compare(v.text, c.text)
	}
	is, _ := verdicts(c.operator)
	return is[compared+1]
}
