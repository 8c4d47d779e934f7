package query

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"penstock"
	"penstock/internal/edge"
)

// params are the parameters of a URL, with those that only queries have.
type params struct{ edge.Params }

func paramsOf(r *http.Request, names ...string) *params { return &params{edge.ParamsOf(r, names...)} }

// duration returns how long to wait, def if text is empty. It is at most most.
func (p *params) duration(name, text string, def, most time.Duration) time.Duration {
	if text == "" {
		return min(def, most)
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		p.Fail("bad_parameter", "%s is a time such as 5s or 500ms", name)
		return 0
	}
	if d > most {
		p.Fail("query_too_large", "%s is at most %s", name, most)
	}
	return d
}

// moment returns the time that a parameter names, in RFC 3339 or as a Unix number read as the door does: below 1e11
// seconds, 1e14 milliseconds, 1e17 microseconds, else nanoseconds. Zero if it is missing.
func (p *params) moment(name string) penstock.Micros {
	text := p.Values.Get(name)
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
	p.Fail("bad_parameter", "%s is a time such as 2026-01-31T12:00:00Z, or a Unix number", name)
	return 0
}

// maxRange is how far from and to may lie apart.
const maxRange = penstock.Micros(100 * 366 * 24 * time.Hour / time.Microsecond)

// period returns the times from and to, which is excluded; zero is open.
func (p *params) period() (from, to penstock.Micros) {
	from, to = p.moment("from"), p.moment("to")
	switch {
	case to != 0 && to < from, to == 0 && p.Values.Get("to") != "":
		p.Fail("bad_parameter", "to lies before from")
	case to-from > maxRange && from != 0:
		p.Fail("query_too_large", "from and to are more than 100 years apart")
	}
	return from, to
}

// number returns a number from 0 to most, def if the parameter is missing.
func (p *params) number(name string, def, most int) int {
	text := p.Values.Get(name)
	if text == "" {
		return def
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case n < 0, err != nil && n == 0: // beyond the range ParseInt returns the nearest number
		p.Fail("bad_parameter", "%s is a number from 0 to %d", name, most)
	case n > int64(most):
		p.Fail("query_too_large", "%s is at most %d", name, most)
	}
	return int(min(n, int64(most)))
}

// receipts parses the tokens of after into the positions that an answer must have reached.
func (p *params) receipts(tokens []string, cluster string, most int) penstock.Positions {
	if len(tokens) > most {
		p.Fail("query_too_large", "at most %d receipts", most)
		return nil
	}
	want := penstock.Positions{}
	for _, token := range tokens {
		r, err := penstock.ParseReceipt(token, cluster)
		if err != nil {
			if p.Err == nil {
				p.Err = err
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
