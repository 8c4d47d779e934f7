package query

import (
	"context"
	"fmt"
	"net/http"

	"penstock"
	"penstock/internal/edge"
)

// event is an event in an answer of the events of a key, and in a tail.
type event struct {
	ID         string             `json:"id"`
	Key        *string            `json:"key"`
	Time       string             `json:"time"`
	ReceivedAt string             `json:"received_at"`
	Data       rawJSON            `json:"data"`
	Partition  penstock.Partition `json:"partition"`
	Epoch      penstock.Epoch     `json:"epoch"`
	Offset     penstock.Offset    `json:"offset"`
}

// rawJSON is JSON text that is part of an answer as it is, so that its numbers stay exact.
type rawJSON []byte

// MarshalJSON implements json.Marshaler.
func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

func eventOf(row penstock.Row) event {
	e := event{
		ID: row.ID, Time: timeText(row.Time.Time()), ReceivedAt: timeText(row.ReceivedAt.Time()), Data: rawJSON(row.Body),
		Partition: row.Partition, Epoch: row.Position.Epoch, Offset: row.Position.Offset,
	}
	if row.Key != "" {
		e.Key = &row.Key
	}
	return e
}

const defaultPage = 1000

func (a *API) serveEvents(w http.ResponseWriter, r *http.Request) error {
	if a.o.Querier == nil {
		return missing("store")
	}
	p := paramsOf(r, "key", "from", "to", "order", "limit", "cursor", "after", "timeout")
	q := penstock.KeyQuery{
		Stream: r.PathValue("stream"), Key: p.Values.Get("key"), Limit: p.Limit("limit", defaultPage, a.o.Limits.Page),
	}
	q.From, q.To = p.period()
	order := p.Values.Get("order")
	q.Newest = order == "desc"
	question := fmt.Sprintf("events %q %q %d %d %t", q.Stream, q.Key, q.From, q.To, q.Newest)
	switch {
	case order != "" && order != "asc" && order != "desc":
		p.Fail("bad_parameter", "order is asc or desc")
	case len(q.Key) == 0 || len(q.Key) > int(penstock.MaxKeyLen):
		p.Fail("bad_parameter", "key is needed: 1 to %d bytes", penstock.MaxKeyLen)
	}
	if token := p.Values.Get("cursor"); token != "" && p.Err == nil {
		var at penstock.Positions
		at, p.Err = a.tokens.open(question, token)
		for _, position := range at {
			q.After = position
		}
	}
	patience := p.duration("timeout", p.Values.Get("timeout"), a.o.Limits.Wait, a.o.Limits.Timeout)
	want := p.receipts(p.Values["after"], a.o.Cluster.ID, a.o.Limits.Receipts)
	if p.Err != nil {
		return p.Err
	}
	if err := a.checkStream(q.Stream); err != nil {
		return err
	}
	ctx, cancel := a.lifetime(r)
	defer cancel()
	unhurried(w)
	if err := a.await(ctx, want, patience); err != nil {
		return goneOr(ctx, err)
	}
	rows, err := a.lookUp(ctx, q)
	if err != nil {
		return goneOr(ctx, err)
	}
	a.hurry(w)
	a.writePage(w, question, q.Limit, rows)
	return nil
}

// lookUp asks for the events when it is the request's turn.
func (a *API) lookUp(ctx context.Context, q penstock.KeyQuery) ([]penstock.Row, error) {
	ctx, cancel := context.WithTimeout(ctx, a.o.Limits.Timeout)
	defer cancel()
	if err := a.lookups.enter(ctx); err != nil {
		return nil, err
	}
	defer a.lookups.leave()
	q.Limit++ // one more tells whether there is a next page
	rows, err := a.o.Querier.Events(ctx, q)
	return rows, a.limitReached(ctx, err)
}

func (a *API) writePage(w http.ResponseWriter, question string, limit int, rows []penstock.Row) {
	answer := struct {
		Events []event `json:"events"`
		Cursor *string `json:"cursor"` // of the next page; null behind the last
	}{Events: []event{}}
	if len(rows) > limit {
		rows = rows[:limit]
		last := rows[limit-1]
		next := a.tokens.sign(question, penstock.Positions{last.Partition: last.Position}, []penstock.Partition{last.Partition})
		answer.Cursor = &next
	}
	for _, row := range rows {
		answer.Events = append(answer.Events, eventOf(row))
	}
	edge.WriteJSON(w, http.StatusOK, answer)
}
