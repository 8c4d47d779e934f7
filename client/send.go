package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"penstock"
)

// Batch is a request's worth of events.
type Batch struct {
	Events []byte // newline-delimited JSON objects

	IDField, KeyField, TimeField string // paths that replace the stream's own; "" leaves those

	// IdempotencyKey makes a repeat of events without ids harmless: the server derives their ids from it, the place in
	// the batch and the event's bytes. It must differ from batch to batch.
	IdempotencyKey string

	// Producer numbers the batch, so that a repeat is known by its number, whether its events have ids or not. The next number is for
	// the batch after this one, and is sent only when this one's answer is definite: after an error that is Unknown the
	// same events are sent again under the same number. The zero Producer numbers nothing.
	Producer penstock.Producer

	Wait    time.Duration // more than 0: the answer comes when the events can be queried, or after this time
	Verbose bool          // the answer names ids and positions
}

// Sent is what the server says about a batch.
type Sent struct {
	Accepted      int                  `json:"accepted"`
	RejectedCount int                  `json:"rejected_count"`
	Rejected      []penstock.Rejection `json:"rejected"` // the first 20
	Durability    penstock.Durability  `json:"durability"`
	Receipt       string               `json:"receipt"`
	ID            string               `json:"id"`
	IDs           []string             `json:"ids"`
	Positions     []penstock.Placement `json:"positions"`
	Applied       *bool                `json:"applied"`
	Durable       *bool                `json:"durable"`
}

// Send posts a batch and returns when the server's answer is definite: everything it counts as accepted is as durable as
// the answer says. Refusals that pass (429, 503) and answers that leave the outcome open are repeated with the same
// bytes, after the pause the server asks for, until the client's Patience is spent; then the last error is returned,
// Unknown if some of the events may have been stored. A batch that the server would never take in this form is Invalid; one of
// which every item was rejected is no error. The batch is read until Send returns and not kept.
func (c *Client) Send(ctx context.Context, stream string, b Batch) (Sent, error) {
	r := request{
		method: http.MethodPost, path: "/v1/streams/" + url.PathEscape(stream) + "/events",
		query: b.query(), header: http.Header{"Content-Type": {"application/x-ndjson"}}, body: b.Events,
	}
	if b.IdempotencyKey != "" {
		r.header.Set("Idempotency-Key", b.IdempotencyKey)
	}
	if b.Producer != (penstock.Producer{}) {
		if _, err := penstock.ParseProducer(b.Producer.String()); err != nil {
			return Sent{}, err
		}
		r.header.Set("Penstock-Producer", b.Producer.String())
	}
	uncertain := false
	for began, attempt := time.Now(), 0; ; attempt++ {
		sent, err := c.sendOnce(ctx, r)
		if err == nil || !passes(err) {
			return sent, err
		}
		uncertain = uncertain || penstock.Is(err, penstock.Unknown)
		pause := pauseOf(attempt, err)
		if time.Since(began)+pause > c.patience {
			return Sent{}, asUnknown(uncertain, err)
		}
		if c.trace.Retry != nil {
			c.trace.Retry(err, pause)
		}
		if wait(ctx, pause) != nil {
			return Sent{}, asUnknown(uncertain, err)
		}
	}
}

func (b Batch) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"id_field": b.IDField, "key_field": b.KeyField, "time_field": b.TimeField} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if b.Wait > 0 {
		q.Set("wait", "applied")
		q.Set("timeout", b.Wait.String())
	}
	if b.Verbose {
		q.Set("verbose", "1")
	}
	return q
}

func (c *Client) sendOnce(ctx context.Context, r request) (Sent, error) {
	answer, err := c.do(ctx, r)
	if err != nil {
		return allRejected(err)
	}
	defer answer.Body.Close()
	var sent Sent
	if err := json.NewDecoder(answer.Body).Decode(&sent); err != nil {
		return sent, unreachable(ctx, "read answer", err)
	}
	io.Copy(io.Discard, answer.Body) // so that the connection is used again
	return sent, nil
}

// allRejected returns the verdicts that a 422 carries when no item of a batch was good; other errors stay.
func allRejected(err error) (Sent, error) {
	var r *Refusal
	var sent Sent
	if errors.As(err, &r) && r.Status == http.StatusUnprocessableEntity && json.Unmarshal(r.body, &sent) == nil {
		if n := max(sent.RejectedCount, len(sent.Rejected)); n > 0 {
			sent.RejectedCount = n
			return sent, nil
		}
	}
	return Sent{}, err
}

// passes reports whether the same request may succeed later.
func passes(err error) bool {
	switch penstock.CodeOf(err) {
	case penstock.Overloaded, penstock.Full, penstock.Unavailable, penstock.Unknown:
		return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
	}
	return false
}

// asUnknown keeps the doubt of an earlier attempt: a later refusal says nothing about it.
func asUnknown(uncertain bool, err error) error {
	if !uncertain || penstock.Is(err, penstock.Unknown) {
		return err
	}
	var e *penstock.Error
	errors.As(err, &e)
	return &penstock.Error{Code: penstock.Unknown, Op: e.Op, Err: err, Reason: e.Reason}
}

// The pauses between attempts when the server names none: they double from the first to the longest.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = 5 * time.Second
)

// pauseOf returns how long to wait before the next attempt: what the server asked for, or a share of a doubling pause,
// at random so that clients that failed together do not return together.
func pauseOf(attempt int, err error) time.Duration {
	pause := min(longestPause, firstPause<<min(attempt, 10))
	jitter := time.Duration(rand.Int64N(int64(pause)))
	var r *Refusal
	if errors.As(err, &r) && r.RetryAfter > 0 {
		return r.RetryAfter + jitter/4
	}
	return pause/2 + jitter/2
}

// wait returns nil after d, or the context's error.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// newBody returns a reader that net/http knows how to rewind and to measure.
func newBody(b []byte) io.Reader { return bytes.NewReader(b) }
