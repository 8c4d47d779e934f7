package letters

import (
	"net/http"

	"penstock"
	"penstock/internal/edge"
)

// params are the parameters of a URL, with those that only letters have.
type params struct{ edge.Params }

func paramsOf(r *http.Request, names ...string) *params { return &params{edge.ParamsOf(r, names...)} }

// state returns the state that a parameter names: open if it is missing, "" for all.
func (p *params) state(name string) penstock.LetterState {
	switch s := penstock.LetterState(p.Values.Get(name)); s {
	case "":
		return penstock.LetterOpen
	case penstock.LetterOpen, penstock.LetterParked, penstock.LetterReplayed, penstock.LetterDropped:
		return s
	case "all":
		return ""
	}
	p.Fail("bad_parameter", "%s is open, parked, replayed, dropped or all", name)
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
