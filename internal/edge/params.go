package edge

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"unicode/utf8"

	"penstock"
)

// Params reads the parameters of a URL and keeps the first mistake.
type Params struct {
	Values url.Values
	Err    error
}

// Repeated is the parameter that may be there more than once: receipts to wait for.
const Repeated = "after"

// ParamsOf accepts only the parameters that a route names, each once unless it may repeat: a misspelt filter that is
// ignored would answer another question than the one asked.
func ParamsOf(r *http.Request, names ...string) Params {
	values, err := url.ParseQuery(r.URL.RawQuery)
	p := Params{Values: values}
	if err != nil {
		p.Fail("bad_parameter", "the query string: %v", err)
		return p
	}
	for name, list := range values {
		switch {
		case !slices.Contains(names, name):
			p.Fail("bad_parameter", "parameter %.40q is not known here", name)
		case len(list) > 1 && name != Repeated:
			p.Fail("bad_parameter", "parameter %s is there twice", name)
		case slices.ContainsFunc(list, func(v string) bool { return !utf8.ValidString(v) }):
			p.Fail("bad_parameter", "parameter %s is not UTF-8", name)
		}
	}
	return p
}

// Fail notes a mistake, unless there was one before.
func (p *Params) Fail(reason, format string, args ...any) {
	if p.Err == nil {
		p.Err = penstock.Refusef(reason, "read parameters", format, args...)
	}
}

// Limit returns a number from 1 to most, def if the parameter is missing.
func (p *Params) Limit(name string, def, most int) int {
	text := p.Values.Get(name)
	if text == "" {
		return min(def, most)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil && n <= 0 { // beyond the range ParseInt returns the nearest number
		p.Fail("bad_parameter", "%s is a number from 1 to %d", name, most)
		return 0
	}
	if err := CheckLimit(name, n, most); err != nil && p.Err == nil {
		p.Err = err
	}
	return int(min(n, int64(most)))
}

// CheckLimit fails unless n lies within 1 to most.
func CheckLimit(name string, n int64, most int) error {
	const op = "read parameters"
	switch {
	case n < 1:
		return penstock.Refusef("bad_parameter", op, "%s is a number from 1 to %d", name, most)
	case n > int64(most):
		return penstock.Refusef("query_too_large", op, "%s is at most %d", name, most)
	}
	return nil
}

// Flag returns whether a parameter is 1, not 0 or missing.
func (p *Params) Flag(name string) bool {
	switch p.Values.Get(name) {
	case "1":
		return true
	case "0":
		return false
	}
	if p.Values.Has(name) {
		p.Fail("bad_parameter", "%s is 0 or 1", name)
	}
	return false
}
