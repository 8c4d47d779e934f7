package audit

import (
	"net/http"
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
	p := edge.ParamsOf(r, "partitions", "deep")
	ask := Ask{Partitions: p.Flag("partitions"), Deep: p.Flag("deep")}
	if p.Err != nil {
		return Report{}, p.Err
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // the audit's own limits end it
	return a.Run(r.Context(), ask)
}
