package killtest

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"

	"penstock"
	"penstock/internal/check"
)

// letter is a dead letter as the server shows it.
type letter struct {
	Place      string                `json:"place"`
	Stream     string                `json:"stream"`
	ID         string                `json:"id"`
	Key        string                `json:"key"`
	Partition  penstock.Partition    `json:"partition"`
	Epoch      penstock.Epoch        `json:"epoch"`
	Offset     penstock.Offset       `json:"offset"`
	Reason     penstock.LetterReason `json:"reason"`
	State      penstock.LetterState  `json:"state"`
	Body       json.RawMessage       `json:"body"`
	BodyBase64 []byte                `json:"body_base64"`
}

// lettersOf yields the letters of the clients from first to last, in whatever state.
func (t *tester) lettersOf(ctx context.Context, first, last uint32) iter.Seq2[*check.Entry, error] {
	return func(yield func(*check.Entry, error) bool) {
		var page struct {
			Letters []letter
			Next    string
		}
		for more := true; more; more = page.Next != "" {
			path := "/v1/dlq?state=all&limit=10000"
			if page.Next != "" {
				path += "&cursor=" + url.QueryEscape(page.Next)
			}
			page.Letters, page.Next = nil, ""
			if err := t.ask().Ask(ctx, path, nil, &page); err != nil {
				yield(nil, err)
				return
			}
			for _, l := range page.Letters {
				if client, _, ours := check.ParseEventID(l.ID); ours && (client < first || client > last) {
					continue
				}
				if e, err := t.whole(ctx, l); !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

// whole returns a letter with its body, which is asked for once.
func (t *tester) whole(ctx context.Context, l letter) (*check.Entry, error) {
	e := t.letters[l.Place]
	if e == nil {
		var shown letter
		if err := t.ask().Ask(ctx, "/v1/dlq/"+url.PathEscape(l.Place), nil, &shown); err != nil {
			return nil, err
		}
		body := shown.BodyBase64
		if body == nil {
			body = shown.Body
		}
		e = &check.Entry{Partition: l.Partition, Epoch: l.Epoch, Offset: l.Offset, Stream: l.Stream, ID: l.ID, Key: l.Key, Body: body}
		t.letters[l.Place] = e
	}
	e.Reason, e.State = l.Reason, l.State
	return e, nil
}

// dropLetters gives up, before some rounds, all letters that are open: what was parked behind them becomes rows.
func (t *tester) dropLetters(ctx context.Context) error {
	if !t.Poison || t.random.IntN(2) == 0 {
		return nil
	}
	call := t.recorder.Begin(check.Record{Kind: check.Drop, Stream: halting})
	defer call.End()
	answer := struct{ Next string }{}
	for more := true; more; more = answer.Next != "" {
		body, err := json.Marshal(map[string]string{"stream": halting})
		if answer.Next != "" {
			body, err = json.Marshal(map[string]string{"stream": halting, "cursor": answer.Next})
		}
		answer.Next = ""
		if err == nil {
			err = t.ask().Ask(ctx, "/v1/dlq/drop", body, &answer)
		}
		if err != nil {
			return err
		}
	}
	call.Outcome = check.Ok
	t.dropped = true
	total, err := t.countAll(ctx)
	t.total = total
	return err
}

// tallies is what the audit says.
type tallies struct {
	OK      bool          `json:"ok"`
	Streams []check.Tally `json:"streams"`
}

func (t *tester) tallies(ctx context.Context) (tallies, error) {
	var a tallies
	return a, t.ask().Ask(ctx, "/v1/audit", nil, &a)
}
