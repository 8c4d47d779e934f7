package letters

import (
	"bytes"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"slices"

	"penstock"
	"penstock/internal/edge"
	"penstock/internal/jsonscan"
)

// ask is a request to replay or to drop letters.
type ask struct {
	selection // of open letters
	limit     int
	rate      int  // letters a second; 0: no limit
	dryRun    bool // nothing is changed
	reached   penstock.Positions
}

const (
	opReadRequest = "read request"
	defaultLimit  = 1000
)

// readAsk reads the body of a request to replay or to drop.
func (a *API) readAsk(w http.ResponseWriter, r *http.Request, replay bool) (ask, error) {
	if err := a.checkHead(r); err != nil {
		return ask{}, refuse(w, r, err)
	}
	body, err := edge.ReadBody(w, r, a.o.Limits.Body)
	if err != nil {
		return ask{}, err
	}
	members, err := a.members(body)
	if err != nil {
		return ask{}, err
	}
	return a.askOf(members, replay)
}

func (a *API) checkHead(r *http.Request) error {
	if p := paramsOf(r); p.Err != nil {
		return p.Err
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	encoding := r.Header.Get("Content-Encoding")
	switch {
	case r.ContentLength > int64(a.o.Limits.Body):
		return edge.ErrBodyTooLarge
	case encoding != "" && encoding != "identity":
		return penstock.Refusef("unsupported_encoding", opReadRequest, "the body is sent as it is, not compressed")
	case r.Header.Get("Content-Type") == "", err == nil && kind == "application/json":
		return nil
	case err == nil && kind == "application/x-www-form-urlencoded": // curl's default
		return nil
	}
	return penstock.Refusef("unsupported_media_type", opReadRequest, "the body is application/json")
}

// members checks that the body is one JSON object, strictly, and takes it apart.
func (a *API) members(body []byte) (map[string]json.RawMessage, error) {
	scanner := jsonscan.Scanner{Limits: jsonscan.Limits{Depth: 4, Nodes: a.o.Limits.Page + 16}}
	n, fault := scanner.Scan(body, nil, nil)
	if fault == nil && len(bytes.TrimLeft(body[n:], " \t\r\n")) > 0 {
		fault = &jsonscan.Fault{Code: jsonscan.BadJSON, Offset: n, Message: "something behind the value"}
	}
	if fault != nil {
		return nil, penstock.Refusef(fault.Code, opReadRequest, "%s", fault.Error())
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return nil, penstock.Refusef("bad_shape", opReadRequest, "the body is an object")
	}
	return members, nil
}

// askOf takes a request from the members of its body. A filter that is empty or null is refused: a variable that somebody
// forgot to set must not stand for everything.
func (a *API) askOf(members map[string]json.RawMessage, replay bool) (ask, error) {
	q := ask{selection: selection{LetterQuery: penstock.LetterQuery{State: penstock.LetterOpen}}}
	limit, rate := int64(min(defaultLimit, a.o.Limits.Page)), int64(0)
	var places []string
	var cursor, receipt string
	known := map[string]any{
		"stream": &q.Stream, "reason": &q.Reason, "id": &q.ID, "places": &places, "limit": &limit, "cursor": &cursor, "dry_run": &q.dryRun,
	}
	if replay {
		known["rate"], known["receipt"] = &rate, &receipt
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		to, ok := known[name]
		value := string(members[name])
		switch {
		case !ok:
			return q, penstock.Refusef("bad_shape", opReadRequest, "member %s is not known here", jsonscan.Excerpt([]byte(name)))
		case value == "null" || value == `""`:
			return q, penstock.Refusef("bad_shape", opReadRequest, "member %s is empty: leave it out if it does not matter", name)
		case json.Unmarshal(members[name], to) != nil:
			return q, penstock.Refusef("bad_shape", opReadRequest, "member %s is of another type: stream, reason, id, cursor and receipt are text, "+
				"places is a list of text, limit and rate are whole numbers, dry_run is true or false", name)
		}
	}
	_, limited := members["rate"]
	if err := edge.CheckLimit("limit", limit, a.o.Limits.Page); err != nil {
		return q, err
	}
	if limited {
		if err := edge.CheckLimit("rate", rate, a.o.Limits.Rate); err != nil {
			return q, err
		}
	}
	q.limit, q.rate, q.named = int(limit), int(rate), places != nil
	return q, a.complete(&q, places, cursor, receipt)
}

// complete reads what is text in the body and something else behind it.
func (a *API) complete(q *ask, places []string, cursor, receipt string) (err error) {
	if err := checkFilter(q.LetterQuery); err != nil {
		return err
	}
	if len(places) > a.o.Limits.Page {
		return penstock.Refusef("query_too_large", opReadRequest, "at most %d places", a.o.Limits.Page)
	}
	for _, text := range places {
		at, ok := parsePlace(text, a.o.Cluster.Partitions)
		if !ok {
			return penstock.Refusef("bad_place", opReadRequest, "%s is no place: they are PARTITION-EPOCH-OFFSET, as lists of letters show them", jsonscan.Excerpt([]byte(text)))
		}
		q.places = append(q.places, at)
	}
	slices.SortFunc(q.places, comparePlaces)
	q.places = slices.Compact(q.places)
	if cursor != "" {
		if q.After, err = a.cursor(cursor); err != nil {
			return err
		}
	}
	q.reached = penstock.Positions{}
	if receipt != "" {
		r, err := penstock.ParseReceipt(receipt, a.o.Cluster.ID)
		if err != nil {
			return err
		}
		q.reached = r.Positions
	}
	return nil
}

func comparePlaces(p, q penstock.Place) int {
	switch {
	case p.Less(q):
		return -1
	case q.Less(p):
		return 1
	}
	return 0
}
