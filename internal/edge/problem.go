package edge

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"penstock"
)

// problem is the body of every refusal (RFC 9457, with code and outcome added).
type problem struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
	Outcome string `json:"outcome"`
}

const maxDetail = 512 // bytes of a detail; who writes the text keeps what it echoes of the input below 64

// WriteError answers with err as application/problem+json. One table translates Error.Reason, or else Error.Code, to a
// status. 429 and 503 carry Retry-After: 1, unless the header was set before. The outcome is "unknown" only for
// Unknown and Internal on requests that may change something, else "not_stored". The text of an error reaches the client only if
// its code says that the client is the one to act on it.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(r, err)
	h := w.Header()
	h.Del("Content-Length")
	h["Content-Type"] = problemJSON
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		if h.Get("Retry-After") == "" {
			h["Retry-After"] = retrySoon
		}
	}
	writeJSON(w, p.Status, p)
}

// WriteJSON answers with v as application/json.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	w.Header()["Content-Type"] = plainJSON
	writeJSON(w, status, v)
}

// Header values that are set often; a slice is shared by all answers and never changed.
var (
	problemJSON = []string{"application/problem+json"}
	plainJSON   = []string{"application/json"}
	retrySoon   = []string{"1"}
)

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"code":"internal"}`)
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that went away is not our error
}

func problemOf(r *http.Request, err error) problem {
	code := penstock.CodeOf(err)
	rule, ok := codes[code]
	if !ok {
		code, rule = penstock.Internal, codes[penstock.Internal]
	}
	p := problem{Status: rule.status, Code: rule.word, Detail: rule.text, Outcome: "not_stored"}
	if rule.open {
		p.Detail = cut(sentence(err))
	}
	if cause := reasoned(err); cause != nil && code != penstock.Internal {
		p.Code = cause.Reason
		if status, ok := statuses[cause.Reason]; ok {
			p.Status = status
		}
		if code == penstock.Overloaded && cause.Err != nil { // it was made for clients: which limit, and how large
			p.Detail = cut(sentence(cause.Err))
		}
	}
	if (code == penstock.Unknown || code == penstock.Internal) && changes(r) {
		p.Outcome = "unknown"
	}
	p.Title, p.Type = http.StatusText(p.Status), "urn:penstock:problem:"+p.Code
	return p
}

// sentence returns what err says to a client: the text of its cause without the operations of the errors around it, which are words
// of the server to itself. Of an error within it that is not the client's to act on only its rule's text is left.
func sentence(err error) string {
	text := err.Error()
	switch e := err.(type) {
	case *penstock.Error:
		rule, ok := codes[e.Code]
		if !ok {
			rule = codes[penstock.Internal]
		}
		if !rule.open || e.Err == nil {
			return rule.text
		}
		return sentence(e.Err)
	case interface{ Unwrap() error }:
		text = quoted(text, e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			text = quoted(text, inner)
		}
	}
	return text
}

// quoted replaces, in the text of an error that wraps another, that other's text by its sentence.
func quoted(text string, inner error) string {
	if inner == nil || inner.Error() == "" {
		return text
	}
	return strings.Replace(text, inner.Error(), sentence(inner), 1)
}

// Reason returns the stable word by which clients know err: its reason, or the word of its code.
func Reason(err error) string {
	code := penstock.CodeOf(err)
	if cause := reasoned(err); cause != nil && code != penstock.Internal {
		return cause.Reason
	}
	if rule, ok := codes[code]; ok {
		return rule.word
	}
	return codes[penstock.Internal].word
}

// reasoned returns the first error in the chain that has a reason: an operation that wraps a refusal does not hide it.
func reasoned(err error) *penstock.Error {
	for err != nil {
		var e *penstock.Error
		if !errors.As(err, &e) {
			return nil
		}
		if e.Reason != "" {
			return e
		}
		err = e.Err
	}
	return nil
}

func changes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions
}

// cut shortens a detail at a character, and takes out what a terminal would obey: clients print it. Markup is escaped by the
// JSON encoder.
func cut(s string) string {
	s = strings.Map(func(c rune) rune {
		if c != '\n' && (unicode.Is(unicode.C, c) || c == utf8.RuneError) {
			return '?'
		}
		return c
	}, s)
	if len(s) <= maxDetail {
		return s
	}
	end := maxDetail
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
