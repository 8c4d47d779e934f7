package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"penstock"
)

// Letter is an event that was accepted and cannot be a row.
type Letter struct {
	Place      string                `json:"place"` // its name: PARTITION-EPOCH-OFFSET
	Stream     string                `json:"stream"`
	ID         string                `json:"id"`
	Key        string                `json:"key"`
	Time       string                `json:"time"`
	ReceivedAt string                `json:"received_at"`
	Partition  penstock.Partition    `json:"partition"`
	Epoch      penstock.Epoch        `json:"epoch"`
	Offset     penstock.Offset       `json:"offset"`
	Reason     penstock.LetterReason `json:"reason"`
	Detail     string                `json:"detail"`
	State      penstock.LetterState  `json:"state"`
	Since      string                `json:"since"` // when it became a letter, or was last replayed
	Size       int                   `json:"size"`  // bytes of its body

	// The body, of a letter that was asked for by its place: Body if it is JSON, else BodyBase64.
	Body       json.RawMessage `json:"body"`
	BodyBase64 []byte          `json:"body_base64"`
}

// LetterQuery asks for a list of letters.
type LetterQuery struct {
	Stream, Reason, ID string // "": any
	State              string // open, parked, replayed, dropped or all; "" is open
	Limit              int    // 0: the server's default
	Cursor             string // of the page before
}

// LetterPage is a part of a list of letters, in the order of their places.
type LetterPage struct {
	Letters []Letter `json:"letters"`
	Next    string   `json:"next"` // cursor of the next page, "" behind the last
}

// Letters asks for a page of letters, without their bodies.
func (c *Client) Letters(ctx context.Context, q LetterQuery) (LetterPage, error) {
	params := url.Values{}
	for name, value := range map[string]string{"stream": q.Stream, "reason": q.Reason, "id": q.ID, "state": q.State, "cursor": q.Cursor} {
		if value != "" {
			params.Set(name, value)
		}
	}
	if q.Limit > 0 {
		params.Set("limit", strconv.Itoa(q.Limit))
	}
	var page LetterPage
	return page, c.get(ctx, "/v1/dlq", params, &page)
}

// Letter asks for one letter and its body. It fails with NotFound if there is none at the place.
func (c *Client) Letter(ctx context.Context, place string) (Letter, error) {
	var l Letter
	return l, c.get(ctx, "/v1/dlq/"+url.PathEscape(place), nil, &l)
}

// LetterChange says which open letters to replay or to drop: those that match all of it.
type LetterChange struct {
	Stream string   `json:"stream,omitempty"` // "": any
	Reason string   `json:"reason,omitempty"`
	ID     string   `json:"id,omitempty"`
	Places []string `json:"places,omitzero"` // nil: any; an empty list: none
	Rate   int      `json:"rate,omitempty"`  // of a replay: letters a second at most; 0: as fast as they go
	DryRun bool     `json:"dry_run,omitempty"`
	Cursor string   `json:"cursor,omitempty"` // only letters past it
}

// Replayed says what a replay did.
type Replayed struct {
	Matched       int              // letters
	Replayed      int              // that are in the log once more
	RejectedCount int              // that no replay can mend
	Rejected      []LetterRejected // the first 20
	Receipt       string           // when its events are applied, those that could be rows are; "": nothing was replayed
	Next          string           // cursor of what is left, "" if nothing is
}

// LetterRejected is a letter that cannot be replayed.
type LetterRejected struct {
	Place   string `json:"place"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Replay appends open letters to the log once more, and returns when those that could be are there, as durable as the log
// makes them. It asks for page after page and calls progress, unless that is nil, with the sums so far. A page whose answer did
// not come, or that was refused for now (429, 503), is asked for again, until the client's Patience passed without progress.
// Beside an error it returns the sums so far: to go on from there, pass Next as Cursor. A page that was done twice does no harm,
// and is counted as the second answer has it.
func (c *Client) Replay(ctx context.Context, q LetterChange, progress func(Replayed)) (Replayed, error) {
	sum := Replayed{Next: q.Cursor}
	for {
		var page struct {
			Matched       int              `json:"matched"`
			Replayed      int              `json:"replayed"`
			RejectedCount int              `json:"rejected_count"`
			Rejected      []LetterRejected `json:"rejected"`
			Receipt       string           `json:"receipt"`
			Next          string           `json:"next"`
		}
		q.Cursor = sum.Next
		ask := struct {
			LetterChange
			Receipt string `json:"receipt,omitempty"`
		}{q, sum.Receipt}
		if err := c.change(ctx, "/v1/dlq/replay", ask, &page); err != nil {
			return sum, err
		}
		sum.Matched += page.Matched
		sum.Replayed += page.Replayed
		sum.RejectedCount += page.RejectedCount
		sum.Rejected = append(sum.Rejected, page.Rejected[:min(len(page.Rejected), maxRejected-len(sum.Rejected))]...)
		sum.Receipt, sum.Next = page.Receipt, page.Next
		if progress != nil {
			progress(sum)
		}
		if sum.Next == "" {
			return sum, nil
		}
	}
}

const maxRejected = 20

// Dropped says what a drop did.
type Dropped struct {
	Matched int    `json:"matched"`
	Dropped int    `json:"dropped"`
	Next    string `json:"next"` // cursor of what is left, "" if nothing is
}

// Drop gives open letters up for ever, on the same terms as Replay: it fails with Invalid if a Rate is given.
func (c *Client) Drop(ctx context.Context, q LetterChange, progress func(Dropped)) (Dropped, error) {
	sum := Dropped{Next: q.Cursor}
	for {
		var page Dropped
		q.Cursor = sum.Next
		if err := c.change(ctx, "/v1/dlq/drop", q, &page); err != nil {
			return sum, err
		}
		sum = Dropped{sum.Matched + page.Matched, sum.Dropped + page.Dropped, page.Next}
		if progress != nil {
			progress(sum)
		}
		if sum.Next == "" {
			return sum, nil
		}
	}
}

// change posts a request that may be repeated, until there is an answer that tells what was done.
func (c *Client) change(ctx context.Context, path string, ask, answer any) error {
	body, err := json.Marshal(ask)
	if err != nil {
		return penstock.Wrap(penstock.Invalid, "encode request", err)
	}
	r := request{method: http.MethodPost, path: path, header: http.Header{"Content-Type": {"application/json"}}, body: body}
	uncertain := false
	for began, attempt := time.Now(), 0; ; attempt++ {
		err := c.changeOnce(ctx, r, answer)
		if err == nil || !passes(err) {
			return err
		}
		uncertain = uncertain || penstock.Is(err, penstock.Unknown)
		pause := pauseOf(attempt, err)
		if time.Since(began)+pause > c.patience {
			return asUnknown(uncertain, err)
		}
		if c.trace.Retry != nil {
			c.trace.Retry(err, pause)
		}
		if wait(ctx, pause) != nil {
			return asUnknown(uncertain, err)
		}
	}
}

func (c *Client) changeOnce(ctx context.Context, r request, answer any) error {
	a, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if err := json.NewDecoder(a.Body).Decode(answer); err != nil {
		return unreachable(ctx, "read answer", err)
	}
	return nil
}
