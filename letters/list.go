package letters

import (
	"context"
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"penstock"
)

// letter is a letter in an answer.
type letter struct {
	Place      string                `json:"place"`
	Stream     string                `json:"stream"`
	ID         string                `json:"id"`
	Key        *string               `json:"key"`
	Time       string                `json:"time"`
	ReceivedAt string                `json:"received_at"`
	Partition  penstock.Partition    `json:"partition"`
	Epoch      penstock.Epoch        `json:"epoch"`
	Offset     penstock.Offset       `json:"offset"`
	Reason     penstock.LetterReason `json:"reason"`
	Detail     string                `json:"detail"`
	State      penstock.LetterState  `json:"state"`
	Since      string                `json:"since"`
	Size       int                   `json:"size"` // bytes of the body

	// The body, if it was asked for: as it is when it is JSON, else in base64.
	Body       json.RawMessage `json:"body,omitzero"`
	BodyBase64 []byte          `json:"body_base64,omitzero"`
}

func letterOf(l penstock.Letter) letter {
	shown := letter{
		Place: placeText(placeOf(l)), Stream: l.Stream, ID: l.ID,
		Time: timeText(l.Time), ReceivedAt: timeText(l.ReceivedAt),
		Partition: l.Partition, Epoch: l.Position.Epoch, Offset: l.Position.Offset,
		Reason: l.Reason, Detail: l.Detail, State: l.State, Since: timeText(l.Since), Size: len(l.Body),
	}
	if l.Key != "" {
		shown.Key = &l.Key
	}
	return shown
}

func timeText(m penstock.Micros) string { return m.Time().Format("2006-01-02T15:04:05.999999Z07:00") }

const defaultList = 100

func (a *API) serveList(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	p := paramsOf(r, "stream", "reason", "id", "state", "limit", "cursor")
	q := penstock.LetterQuery{
		Stream: p.Values.Get("stream"), ID: p.Values.Get("id"), Reason: penstock.LetterReason(p.Values.Get("reason")),
		State: p.state("state"),
	}
	limit := p.Limit("limit", defaultList, a.o.Limits.Page)
	if text := p.Values.Get("cursor"); text != "" && p.Err == nil {
		q.After, p.Err = a.cursor(text)
	}
	if p.Err == nil {
		p.Err = checkFilter(q)
	}
	if p.Err != nil {
		return p.Err
	}
	answer := struct {
		Letters []letter `json:"letters"`
		Next    *string  `json:"next"` // cursor of the next page; null behind the last
	}{Letters: []letter{}}
	err := a.each(ctx, selection{LetterQuery: q}, func(l penstock.Letter) bool {
		if len(answer.Letters) == limit {
			answer.Next = &answer.Letters[limit-1].Place
			return false
		}
		answer.Letters = append(answer.Letters, letterOf(l))
		return true
	})
	if err != nil {
		return err
	}
	a.answer(w, answer)
	return nil
}

func (a *API) serveOne(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	if p := paramsOf(r); p.Err != nil {
		return p.Err
	}
	at, ok := parsePlace(r.PathValue("place"), a.o.Cluster.Partitions)
	if !ok {
		return penstock.Refusef("bad_place", "find letter", "a place is PARTITION-EPOCH-OFFSET, as lists of letters show it")
	}
	l, err := a.find(ctx, at)
	if err != nil {
		return err
	}
	shown := letterOf(l)
	if body := []byte(l.Body); json.Valid(body) && utf8.Valid(body) {
		shown.Body = body
	} else {
		shown.BodyBase64 = body
	}
	a.answer(w, shown)
	return nil
}
