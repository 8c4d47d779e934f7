package audit

import (
	"net/http"
	"net/url"
	"time"

	"penstock"
	"penstock/internal/edge"
)

// Register adds GET /v1/audit to a guard: for who may read.
func (a *Audit) Register(g *edge.Guard) {
	g.Handle("GET /v1/audit", edge.Read, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		report, err := a.serve(w, r)
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
		if err != nil {
			edge.WriteError(w, r, err)
			return
		}
		edge.WriteJSON(w, http.StatusOK, report)
	}))
}

const answerTime = 20 * time.Second // for a reader to take the answer

func (a *Audit) serve(w http.ResponseWriter, r *http.Request) (Report, error) {
	if r.ContentLength != 0 {
		edge.Abandon(w) // while a body is unread net/http does not notice that the client went away
		return Report{}, penstock.Refusef("bad_body", "check request", "this route takes no body")
	}
	ask, err := askOf(r.URL.RawQuery)
	if err != nil {
		return Report{}, err
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // the audit's own limits end it
	return a.Run(r.Context(), ask)
}

// askOf reads the parameters partitions and deep. Any other is a mistake, not a wish that is passed over.
func askOf(query string) (Ask, error) {
	var ask Ask
	values, err := url.ParseQuery(query)
	if err != nil {
		return ask, penstock.Refusef("bad_parameter", "read parameters", "the query string: %v", err)
	}
	wishes := map[string]*bool{"partitions": &ask.Partitions, "deep": &ask.Deep}
	for name, list := range values {
		wish := wishes[name]
		switch {
		case wish == nil:
			return ask, penstock.Refusef("bad_parameter", "read parameters", "parameter %.40q is not known here", name)
		case len(list) > 1:
			return ask, penstock.Refusef("bad_parameter", "read parameters", "parameter %s is there twice", name)
		case list[0] != "0" && list[0] != "1":
			return ask, penstock.Refusef("bad_parameter", "read parameters", "%s is 0 or 1", name)
		}
		*wish = list[0] == "1"
	}
	return ask, nil
}
