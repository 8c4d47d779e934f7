package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"penstock"
)

// Views asks for what is known about the views, in the order of their names.
func (c *Client) Views(ctx context.Context) ([]penstock.ViewStatus, error) {
	var answer struct {
		Views []penstock.ViewStatus `json:"views"`
	}
	err := c.get(ctx, "/v1/views", nil, &answer)
	return answer.Views, err
}

// Rebuild begins to count a view anew, beside the version that answers until the new one has everything; Views says how far it is. It fails with
// NotFound if there is no such view, with Conflict if it is being rebuilt already.
func (c *Client) Rebuild(ctx context.Context, view string) error {
	answer, err := c.do(ctx, request{method: http.MethodPost, path: "/v1/views/" + url.PathEscape(view) + "/rebuild"})
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// ViewQuery asks for rows of a view.
type ViewQuery struct {
	View     string
	Where    map[string]string // of group columns, as text
	From, To string            // windows that begin in between, To excluded: RFC 3339 or a Unix number; "" is open
	Every    string            // merges windows to steps: all, or a time such as 1h or 1d; "" is the view's own windows
	Order    string            // a column, with - before it from its largest value down; "" is time and group
	Limit    int               // rows of a page; 0: the server's default
	Cursor   string            // of the page before
	After    []string          // receipts: the answer contains their events, or is Expired
	Timeout  time.Duration     // how long to wait for them, 0: the server's default
}

// ViewPage is a part of a view's rows.
type ViewPage struct {
	AsOf    string                  `json:"as_of"` // a receipt: an answer after it is not older than this one
	Columns []penstock.ResultColumn `json:"columns"`
	Rows    []json.RawMessage       `json:"rows"`   // objects, their members in the order of the columns
	Cursor  string                  `json:"cursor"` // of the next page, "" behind the last
}

// View asks for a page of a view's rows. It fails with NotFound if there is no such view, with Unavailable while it is being built, with Invalid
// if the question does not fit it, with Expired if the receipts are not visible in time.
func (c *Client) View(ctx context.Context, q ViewQuery) (ViewPage, error) {
	var page ViewPage
	err := c.get(ctx, "/v1/views/"+url.PathEscape(q.View), q.params(), &page)
	return page, err
}

// ViewPages asks for page after page of a view's rows, until the last, an error, or the end of the loop. No page is older than the one
// before it. Each shows what the view says when it is asked for: a row whose value of Order changes meanwhile may come twice, or not at all.
func (c *Client) ViewPages(ctx context.Context, q ViewQuery) iter.Seq2[ViewPage, error] {
	after := q.After
	return func(yield func(ViewPage, error) bool) {
		q := q // each loop begins at the first page
		for {
			page, err := c.View(ctx, q)
			if !yield(page, err) || err != nil || page.Cursor == "" {
				return
			}
			q.Cursor = page.Cursor
			q.After = append(after[:len(after):len(after)], page.AsOf)
		}
	}
}

func (q ViewQuery) params() url.Values {
	params := url.Values{}
	for name, value := range map[string]string{"from": q.From, "to": q.To, "every": q.Every, "order": q.Order, "cursor": q.Cursor} {
		if value != "" {
			params.Set(name, value)
		}
	}
	for column, value := range q.Where {
		params.Set("where."+column, value)
	}
	if q.Limit > 0 {
		params.Set("limit", strconv.Itoa(q.Limit))
	}
	return waited(params, q.After, q.Timeout)
}

// waited adds which receipts an answer has to contain.
func waited(params url.Values, after []string, timeout time.Duration) url.Values {
	if len(after) > 0 {
		params["after"] = after
	}
	if timeout > 0 {
		params.Set("timeout", timeout.String())
	}
	return params
}

// RankQuery asks for a member's place on a leaderboard.
type RankQuery struct {
	View, Member string
	Around       int // members on either side; 0: none
	After        []string
	Timeout      time.Duration
}

// Ranking is a member's place on a leaderboard, and the members around it.
type Ranking struct {
	AsOf   string          `json:"as_of"`
	Member string          `json:"member"`
	Rank   int64           `json:"rank"` // 1 and as many as have a higher score
	Score  json.RawMessage `json:"score"`
	Rows   []Standing      `json:"rows"` // the best first
}

// Standing is one member's place.
type Standing struct {
	Rank   int64           `json:"rank"`
	Member string          `json:"member"`
	Score  json.RawMessage `json:"score"` // an exact number
}

// Rank asks for a member's place. It fails with NotFound if there is no such view or member, with Invalid if the view is no leaderboard, with
// Unavailable while it is being built.
func (c *Client) Rank(ctx context.Context, q RankQuery) (Ranking, error) {
	params := waited(url.Values{"member": {q.Member}, "around": {strconv.Itoa(q.Around)}}, q.After, q.Timeout)
	var r Ranking
	err := c.get(ctx, "/v1/views/"+url.PathEscape(q.View)+"/rank", params, &r)
	return r, err
}
