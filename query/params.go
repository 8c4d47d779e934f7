package query

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"penstock"
)

// params reads the parameters of a URL and keeps the first mistake.
type params struct {
	values url.Values
	err    error
}

// paramsOf accepts only the parameters that a route names, each once unless it may repeat: a misspelt filter that is
// ignored would answer another question than the one asked.
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
		case len(list) > 1 && name != "after":
			p.fail("bad_parameter", "parameter %s is there twice", name)
		}
		for _, v := range list {
			if !utf8.ValidString(v) {
				p.fail("bad_parameter", "parameter %.40q is not UTF-8", name)
			}
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
	n, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil && len(text) > 19 && allDigits(text), err == nil && n > uint64(most):
		p.fail("query_too_large", "%s is at most %d", name, most)
	case err != nil || n == 0:
		p.fail("bad_parameter", "%s is a number from 1 to %d", name, most)
	}
	return int(min(n, uint64(most)))
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// duration returns how long to wait, def if text is empty. It is at most most.
func (p *params) duration(name, text string, def, most time.Duration) time.Duration {
	if text == "" {
		return min(def, most)
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		p.fail("bad_parameter", "%s is a time such as 5s or 500ms", name)
		return 0
	}
	if d > most {
		p.fail("query_too_large", "%s is at most %s", name, most)
	}
	return d
}

// moment returns the time that a parameter names, in RFC 3339 or as a Unix number read as the door does: below 1e11
// seconds, 1e14 milliseconds, 1e17 microseconds, else nanoseconds. Zero if it is missing.
func (p *params) moment(name string) penstock.Micros {
	text := p.values.Get(name)
	if text == "" {
		return 0
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		if year := t.UTC().Year(); year >= 1970 && year < 2262 {
			return penstock.MicrosOf(t)
		}
	} else if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		switch {
		case n < 1e11:
			return penstock.Micros(n * 1e6)
		case n < 1e14:
			return penstock.Micros(n * 1e3)
		case n < 1e17:
			return penstock.Micros(n)
		}
		return penstock.Micros(n / 1e3)
	}
	p.fail("bad_parameter", "%s is a time such as 2026-01-31T12:00:00Z, or a Unix number", name)
	return 0
}

// receipts parses the tokens of after into the positions that an answer must have reached.
func (p *params) receipts(tokens []string, cluster string, most int) penstock.Positions {
	if len(tokens) > most {
		p.fail("query_too_large", "at most %d receipts", most)
		return nil
	}
	want := penstock.Positions{}
	for _, token := range tokens {
		r, err := penstock.ParseReceipt(token, cluster)
		if err != nil {
			if p.err == nil {
				p.err = err
			}
			return nil
		}
		want.Raise(r.Positions)
	}
	return want
}

// oneOrMany is a JSON string or an array of strings.
type oneOrMany []string

// UnmarshalJSON implements json.Unmarshaler.
func (m *oneOrMany) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		return json.Unmarshal(data, (*[]string)(m))
	}
	var one *string
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	if one != nil {
		*m = oneOrMany{*one}
	}
	return nil
}
