package query

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"penstock"
	"penstock/internal/edge"
	"penstock/internal/jsonscan"
)

// ask is a request for SQL.
type ask struct {
	query    penstock.Query
	format   string             // a media type
	want     penstock.Positions // that the answer must have reached
	patience time.Duration      // for that
}

const opReadQuery = "read query"

// readAsk reads a request as far as it can be judged without asking anyone. Who fails before the body was read closes
// the connection.
func (a *API) readAsk(w http.ResponseWriter, r *http.Request) (ask, error) {
	q, plain, err := a.askHead(r)
	if err == nil && r.ContentLength > int64(a.o.Limits.Body) {
		err = edge.ErrBodyTooLarge
	}
	if err != nil {
		if r.ContentLength != 0 {
			edge.Abandon(w)
		}
		return ask{}, err
	}
	body, err := edge.ReadBody(w, r, a.o.Limits.Body)
	if err != nil {
		return ask{}, err
	}
	if plain == sniff {
		plain = "text/plain"
		if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
			plain = "application/json"
		}
	}
	if plain == "application/json" {
		err = a.askOfJSON(&q, r, body)
	} else {
		err = a.askOfText(&q, r, body)
	}
	return q, err
}

// sniff stands for a body whose first character tells JSON, which begins with {, from SQL, which never does.
const sniff = ""

// askHead judges the headers and returns the format of the answer and the media type of the body.
func (a *API) askHead(r *http.Request) (q ask, body string, err error) {
	if q.format, err = accepted(r, formatsFor(r)...); err != nil {
		return q, "", err
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return q, "", penstock.Refusef("unsupported_encoding", opReadQuery, "a query is sent as it is, not compressed")
	}
	header := r.Header.Get("Content-Type")
	if header == "" {
		return q, sniff, nil
	}
	kind, params, err := mime.ParseMediaType(header)
	if charset := params["charset"]; err == nil && charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		err = errors.New("charset")
	}
	switch {
	case err != nil:
	case kind == "application/json", kind == "text/plain":
		return q, kind, nil
	case kind == "application/x-www-form-urlencoded": // curl's default
		return q, sniff, nil
	}
	return q, "", penstock.Refusef("unsupported_media_type", opReadQuery, "a query is sent as application/json or text/plain, in UTF-8")
}

// askOfText takes the body as the statement; the rest stands in the URL.
func (a *API) askOfText(q *ask, r *http.Request, body []byte) error {
	switch {
	case !utf8.Valid(body):
		return penstock.Refusef("bad_utf8", opReadQuery, "the statement is not UTF-8")
	case bytes.IndexByte(body, 0) >= 0:
		return penstock.Refusef("nul_not_allowed", opReadQuery, "the statement has a NUL")
	}
	p := paramsOf(r, "after", "timeout")
	q.query.SQL = string(body)
	return a.complete(q, p, p.Values["after"], p.Values.Get("timeout"))
}

// askOfJSON takes everything from the body.
func (a *API) askOfJSON(q *ask, r *http.Request, body []byte) error {
	members, err := a.members(body)
	if err != nil {
		return err
	}
	var after oneOrMany
	var timeout string
	var params []json.RawMessage
	for name, value := range members {
		var err error
		switch name {
		case "query":
			err = json.Unmarshal(value, &q.query.SQL)
		case "params":
			err = json.Unmarshal(value, &params)
		case "after":
			err = json.Unmarshal(value, &after)
		case "timeout":
			err = json.Unmarshal(value, &timeout)
		default:
			return penstock.Refusef("bad_shape", opReadQuery, "member %s is not known here", jsonscan.Excerpt([]byte(name)))
		}
		if err != nil {
			return penstock.Refusef("bad_shape", opReadQuery, "member %s is of another type: query and timeout are text, after is text or a list of it, params is a list", name)
		}
	}
	if q.query.Params, err = paramValues(params); err != nil {
		return err
	}
	return a.complete(q, paramsOf(r), after, timeout)
}

// members checks that the body is one JSON object, strictly, and takes it apart.
func (a *API) members(body []byte) (map[string]json.RawMessage, error) {
	scanner := jsonscan.Scanner{Limits: jsonscan.Limits{Depth: 8, String: int(a.o.Limits.Body)}}
	n, fault := scanner.Scan(body, nil, nil)
	if fault == nil && len(bytes.TrimLeft(body[n:], " \t\r\n")) > 0 {
		fault = &jsonscan.Fault{Code: jsonscan.BadJSON, Offset: n, Message: "something behind the value"}
	}
	if fault != nil {
		return nil, penstock.Refusef(fault.Code, opReadQuery, "%s", fault.Error())
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return nil, penstock.Refusef("bad_shape", opReadQuery, "the body is an object with the members query, params, after and timeout")
	}
	return members, nil
}

// paramValues returns what a statement's parameters are bound to. Numbers stay text, and so exact.
func paramValues(params []json.RawMessage) ([]any, error) {
	values := make([]any, len(params))
	for i, raw := range params {
		switch raw[0] {
		case '{', '[':
			return nil, penstock.Refusef("bad_shape", opReadQuery, "parameter %d is neither text, number, boolean nor null", i+1)
		case '"', 't', 'f', 'n':
			if err := json.Unmarshal(raw, &values[i]); err != nil {
				return nil, penstock.Refusef("bad_shape", opReadQuery, "parameter %d cannot be read", i+1)
			}
		default:
			values[i] = json.Number(raw)
		}
	}
	return values, nil
}

// complete checks what both kinds of request have.
func (a *API) complete(q *ask, p *params, after []string, timeout string) error {
	if strings.TrimSpace(q.query.SQL) == "" {
		p.Fail("bad_shape", "there is no query")
	}
	q.patience = p.duration("timeout", timeout, a.o.Limits.Wait, a.o.Limits.Timeout)
	q.want = p.receipts(after, a.o.Cluster.ID, a.o.Limits.Receipts)
	return p.Err
}
