package letters

import (
	"net/http"
	"net/url"
	"strconv"
	"unicode/utf8"

	"penstock"
)

// params reads the parameters of a URL and keeps the first mistake.
type params struct {
	values url.Values
	err    error
}

// paramsOf accepts only the parameters that a route names, each once: a misspelt filter that is ignored would answer
// another question than the one asked.
func paramsOf(r *http.Request, names ...string) *params {
	values, err := url.ParseQuery(r.URL.RawQuery)
	p := &params{values: values}
	if err != nil {
		p.fail("bad_parameter", "the query string: %v", err)
		return p
	}
	known := map[string]bool{}
	for _, n := range names {
		known[n] = true
	}
	for name, list := range values {
		switch {
		case !known[name]:
			p.fail("bad_parameter", "parameter %.40q is not known here", name)
		case len(list) > 1:
			p.fail("bad_parameter", "parameter %s is there twice", name)
		case !utf8.ValidString(list[0]):
			p.fail("bad_parameter", "parameter %s is not UTF-8", name)
		}
	}
	return p
}

func (p *params) fail(reason, format string, args ...any) {
	if p.err == nil {
		p.err = penstock.Refusef(reason, "read parameters", format, args...)
	}
}

// limit returns a number from 1 to most, def if the parameter is missing.
func (p *params) limit(name string, def, most int) int {
	text := p.values.Get(name)
	if text == "" {
		return min(def, most)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil && n <= 0 { // beyond the range ParseInt returns the nearest number
		p.fail("bad_parameter", "%s is a number from 1 to %d", name, most)
		return 0
	}
	if p.err == nil {
		p.err = checkNumber(name, n, most)
	}
	return int(min(n, int64(most)))
}

// checkNumber fails unless n lies within 1 to most.
func checkNumber(name string, n int64, most int) error {
	const op = "read parameters"
	switch {
	case n < 1:
		return penstock.Refusef("bad_parameter", op, "%s is a number from 1 to %d", name, most)
	case n > int64(most):
		return penstock.Refusef("query_too_large", op, "%s is at most %d", name, most)
	}
	return nil
}

// state returns the state that a parameter names: open if it is missing, "" for all.
func (p *params) state(name string) penstock.LetterState {
	switch s := penstock.LetterState(p.values.Get(name)); s {
	case "":
		return penstock.LetterOpen
	case penstock.LetterOpen, penstock.LetterParked, penstock.LetterReplayed, penstock.LetterDropped:
		return s
	case "all":
		return ""
	}
	p.fail("bad_parameter", "%s is open, parked, replayed, dropped or all", name)
	return ""
}

// cursor reads where a page ended.
func (a *API) cursor(text string) (penstock.Place, error) {
	at, ok := parsePlace(text, a.o.Cluster.Partitions)
	if !ok {
		return at, penstock.Refusef("bad_cursor", "read cursor", "it was not made by this server")
	}
	return at, nil
}

const maxReason = 64 // bytes of a reason

// checkFilter fails if no letter can match.
func checkFilter(q penstock.LetterQuery) error {
	if q.Stream != "" {
		if err := penstock.CheckStreamName(q.Stream); err != nil {
			return err
		}
	}
	switch {
	case len(q.ID) > int(penstock.MaxIDLen):
		return penstock.Refusef("bad_parameter", "read filter", "an id has at most %d bytes", penstock.MaxIDLen)
	case len(q.Reason) > maxReason:
		return penstock.Refusef("bad_parameter", "read filter", "a reason has at most %d bytes", maxReason)
	}
	return nil
}
