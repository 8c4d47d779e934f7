package ingest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"penstock"
	"penstock/internal/edge"
)

// wishes is what a request's query asks of the door; the zero value is what it gets without a query.
type wishes struct {
	whole   bool // partial=false: all items or none
	debug   bool
	verbose bool
	applied bool // wait=applied
	timeout time.Duration
}

func (w wishes) partial() bool { return !w.whole }

const defaultWait = 5 * time.Second

func wishesOf(q url.Values, maxWait time.Duration) (wishes, error) {
	w := wishes{
		whole:   q.Get("partial") == "false" || q.Get("partial") == "0",
		debug:   flag(q.Get("debug")),
		verbose: flag(q.Get("verbose")),
		timeout: min(defaultWait, maxWait),
	}
	switch q.Get("wait") {
	case "":
	case "applied":
		w.applied = true
	default:
		return w, penstock.Refusef("bad_wait", "read query", "wait is applied or absent")
	}
	if text := q.Get("timeout"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return w, penstock.Refusef("bad_timeout", "read query", "timeout is a duration such as 5s")
		}
		w.timeout = min(d, maxWait)
	}
	return w, nil
}

func flag(value string) bool { return value == "1" || value == "true" }

// answer says what became of the request. Everything that it names as accepted is durable by now.
func (v *visit) answer(w http.ResponseWriter, r *http.Request, block *penstock.Block) error {
	o := &v.outcome
	o.Accepted, o.RejectedCount, o.Rejected = block.Len(), v.rejectedCount, v.rejected
	o.Durability = v.lane.durability
	if block.Len() > 0 {
		w.Header()["Durability"] = v.lane.header
		o.Receipt = penstock.ReceiptOf(v.door.o.Cluster.ID, o.Durability, block)
		v.describe(block)
		v.releaseGate()
		v.waitApplied(r.Context(), block)
	}
	status, contentType, body := v.protocol.Reply(&v.request, o)
	h := w.Header()
	h["Content-Type"] = contentTypeOf(contentType)
	if len(body) > 1<<10 { // net/http counts short answers itself
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away is not our error
	return nil
}

var jsonContent = []string{"application/json"}

func contentTypeOf(s string) []string {
	if s == jsonContent[0] {
		return jsonContent
	}
	return []string{s}
}

// describe adds the ids and places that the answer shows.
func (v *visit) describe(block *penstock.Block) {
	if v.request.Single {
		v.ids[0] = string(v.firstID)
		v.outcome.IDs = v.ids[:]
	}
	if !v.wishes.verbose {
		return
	}
	v.outcome.IDs = make([]string, 0, block.Len())
	for record := range block.Records() {
		v.outcome.IDs = append(v.outcome.IDs, string(record.ID))
	}
	v.outcome.Positions = make([]penstock.Placement, 0, len(block.Groups))
	for _, g := range block.Groups {
		v.outcome.Positions = append(v.outcome.Positions,
			penstock.Placement{Partition: g.Partition, Epoch: block.Epoch, First: g.First, Next: g.End()})
	}
}

// waitApplied waits until queries see the events, if that was asked for. They are durable whatever comes of it.
func (v *visit) waitApplied(ctx context.Context, block *penstock.Block) {
	if !v.wishes.applied {
		return
	}
	applied := false
	if v.door.o.Applied != nil {
		ctx, cancel := context.WithTimeout(ctx, v.wishes.timeout)
		applied = v.door.o.Applied(ctx, block.Ends()) == nil
		cancel()
	}
	v.outcome.Applied = &applied
}

// explained is an event as debug=1 shows it.
type explained struct {
	ID        string             `json:"id"`
	Given     bool               `json:"given,omitempty"` // the id is the server's
	Key       string             `json:"key,omitempty"`
	Time      time.Time          `json:"time"`
	Partition penstock.Partition `json:"partition"`
	Data      json.RawMessage    `json:"data"`
}

// explain answers what would be stored.
func (v *visit) explain(w http.ResponseWriter, block *penstock.Block) {
	events := make([]explained, 0, block.Len())
	for r := range block.Records() {
		events = append(events, explained{ID: string(r.ID), Given: r.Flags&penstock.ServerID != 0, Key: string(r.Key),
			Time: r.Time.Time(), Partition: r.Partition, Data: r.Body})
	}
	edge.WriteJSON(w, http.StatusOK, struct {
		Debug         bool                 `json:"debug"`
		Events        []explained          `json:"events"`
		RejectedCount int                  `json:"rejected_count"`
		Rejected      []penstock.Rejection `json:"rejected"`
	}{true, events, v.rejectedCount, append([]penstock.Rejection{}, v.rejected...)})
}
