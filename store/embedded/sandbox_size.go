package embedded

import (
	"encoding/json"
	"math/big"

	"penstock"
)

// The functions that make much out of little. DuckDB's memory limit does not count what a scalar function builds for
// one value, and one value cannot be interrupted.
const (
	maxSeries = 1_000_000 // elements of a range or generate_series
	maxRepeat = 10_000    // repetitions, and characters of a padded text
	maxText   = 1 << 20   // bytes of a repeated text
)

// checkSize checks the arguments that say how much a call makes: they are constants within the bounds.
func checkSize(name string, call object, inFrom bool) error {
	args, _ := call["children"].([]any)
	switch name {
	case "range", "generate_series":
		return checkSeries(name, args, inFrom)
	case "repeat":
		return checkRepeat(args)
	case "lpad", "rpad":
		if len(args) < 2 {
			return nil // DuckDB says what is wrong
		}
		return checkCount(name, args[1])
	case "bar":
		if len(args) < 4 {
			return nil
		}
		return checkCount(name, args[3])
	}
	return nil
}

// checkRepeat bounds the product. What is repeated is a literal: else a repeated text could be repeated again.
func checkRepeat(args []any) error {
	if len(args) != 2 {
		return nil // DuckDB says what is wrong
	}
	literal, _ := args[0].(object)
	value, _ := literal["value"].(object)
	s, ok := value["value"].(string)
	if text(literal, "class") != "CONSTANT" || !ok {
		return forbidf("repeat needs a literal text here")
	}
	if err := checkCount("repeat", args[1]); err != nil {
		return err
	}
	if n, _ := integer(args[1]); n.Sign() > 0 && n.Int64()*int64(len(s)) > maxText {
		return penstock.Refusef("query_too_large", "check statement", "repeat makes %d bytes, the limit is %d", n.Int64()*int64(len(s)), maxText)
	}
	return nil
}

func checkCount(name string, arg any) error {
	n, ok := integer(arg)
	if !ok {
		return forbidf("%s needs a constant number here", name)
	}
	if n.CmpAbs(big.NewInt(maxRepeat)) > 0 {
		return penstock.Refusef("query_too_large", "check statement", "%s: %s is over %d", name, n, maxRepeat)
	}
	return nil
}

// checkSeries counts a series of constant integers. A series of times may only stand in FROM, where DuckDB streams it and
// the time limit bounds it; as a value it would be one list.
func checkSeries(name string, args []any, inFrom bool) error {
	start, step := new(big.Int), big.NewInt(1)
	var stop *big.Int
	numbers := make([]*big.Int, len(args))
	for i, a := range args {
		n, ok := integer(a)
		if !ok && !constant(a) {
			return forbidf("%s needs constants here", name)
		}
		if !ok && !inFrom {
			return forbidf("%s of times stands in FROM: FROM %s(…) AS t(moment)", name, name)
		}
		if !ok {
			return nil // times: all further arguments are of the same kind or DuckDB refuses them
		}
		numbers[i] = n
	}
	switch len(numbers) {
	case 1:
		stop = numbers[0]
	case 2:
		start, stop = numbers[0], numbers[1]
	case 3:
		start, stop, step = numbers[0], numbers[1], numbers[2]
	default:
		return nil
	}
	if step.Sign() == 0 {
		return penstock.Refusef("bad_query", "check statement", "%s: a step of 0", name)
	}
	count := new(big.Int).Quo(new(big.Int).Sub(stop, start), step)
	if count.Cmp(big.NewInt(maxSeries)) > 0 {
		return penstock.Refusef("query_too_large", "check statement", "%s makes %s elements, the limit is %d", name, count, maxSeries)
	}
	return nil
}

// integer returns the value of a constant integer, also under a minus sign or a cast to an integer.
func integer(v any) (*big.Int, bool) {
	o, _ := v.(object)
	args, _ := o["children"].([]any)
	if text(o, "class") == "FUNCTION" && text(o, "function_name") == "-" && len(args) == 1 {
		n, ok := integer(args[0])
		if ok {
			n.Neg(n)
		}
		return n, ok
	}
	if text(o, "class") != "CONSTANT" {
		return nil, false
	}
	value, _ := o["value"].(object)
	n, ok := value["value"].(json.Number)
	if !ok {
		return nil, false
	}
	typ, _ := value["type"].(object)
	if typ["type_info"] != nil { // a decimal: its unscaled number would be taken for more than it is
		return nil, false
	}
	return new(big.Int).SetString(n.String(), 10)
}

// constant reports whether a tree holds only constants, casts, and calls that make intervals.
func constant(v any) bool {
	o, _ := v.(object)
	switch text(o, "class") {
	case "CONSTANT":
		return true
	case "CAST":
		return constant(o["child"])
	case "FUNCTION":
		switch text(o, "function_name") {
		case "to_days", "to_hours", "to_minutes", "to_seconds", "to_weeks", "to_months", "to_years", "trunc":
		default:
			return false
		}
		args, _ := o["children"].([]any)
		for _, a := range args {
			if !constant(a) {
				return false
			}
		}
		return true
	}
	return false
}
