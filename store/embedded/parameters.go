package embedded

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"penstock"
)

// arguments returns parameters as the driver takes them. A number that would not keep its exact value is refused.
func arguments(params []any) ([]any, error) {
	args := make([]any, len(params))
	for i, p := range params {
		args[i] = p
		switch p := p.(type) {
		case json.Number:
			v, ok := number(p.String())
			if !ok {
				return nil, penstock.Refusef("bad_query", "bind parameters",
					"parameter %d has more digits than a number can hold here: send it as text, and cast it", i+1)
			}
			args[i] = v
		case string:
			if !utf8.ValidString(p) {
				return nil, penstock.Refusef("bad_query", "bind parameters", "parameter %d is not UTF-8", i+1)
			}
		}
	}
	return args, nil
}

// number returns an integer as one of 64 bits, any other number as the double that is written the same.
func number(text string) (any, bool) {
	if v, err := strconv.ParseInt(text, 10, 64); err == nil {
		return v, true
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !strings.ContainsAny(text, ".eE") {
		return nil, false
	}
	digits, _, _ := strings.Cut(strings.ToLower(text), "e")
	if v == 0 { // a power of any size: what follows would count its zeros
		return v, !strings.ContainsAny(digits, "123456789")
	}
	exact, ok := new(big.Rat).SetString(text)
	shortest, _ := new(big.Rat).SetString(strconv.FormatFloat(v, 'e', -1, 64))
	return v, ok && exact.Cmp(shortest) == 0
}

// checkParameters compares the parameters that a statement names with how many were given.
func checkParameters(named []string, given int) error {
	for _, name := range named {
		n, err := strconv.Atoi(name)
		if err != nil {
			return penstock.Refusef("bad_query", "bind parameters", "parameter $%.64s has a name: they are numbered here, $1, $2, …", name)
		}
		if n > given {
			return penstock.Refusef("bad_query", "bind parameters", "there is no value for parameter $%d: %d were given", n, given)
		}
	}
	return nil
}
