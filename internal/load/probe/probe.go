// Package probe asks a Penstock server the few questions that measuring and proving need, over HTTP. Like package load it
// shares no code with the server or its client.
package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"penstock"
)

// Probe asks one server. It may be used concurrently.
type Probe struct {
	URL   string // http://host:port
	Token string // empty: none
}

// Table is the answer of a query. Numbers are json.Number.
type Table struct {
	Columns   []struct{ Name, Type string } `json:"columns"`
	Rows      [][]any                       `json:"rows"`
	Truncated bool                          `json:"truncated"`
}

// Lag is how far the stores are behind the log.
type Lag struct {
	Events  int64   `json:"events"`
	Seconds float64 `json:"seconds"`
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 256 << 20

// SQL runs one query.
func (p *Probe) SQL(ctx context.Context, query string) (*Table, error) {
	body, err := json.Marshal(map[string]string{"query": query, "timeout": "30s"})
	if err != nil {
		return nil, err
	}
	var t Table
	if err := p.ask(ctx, http.MethodPost, "/v1/sql", body, &t); err != nil {
		return nil, err
	}
	if t.Truncated {
		return nil, penstock.Errorf(penstock.Invalid, "ask sql", "the answer is cut: %.200s", query)
	}
	return &t, nil
}

// Number runs a query whose answer is one integer.
func (p *Probe) Number(ctx context.Context, query string) (int64, error) {
	t, err := p.SQL(ctx, query)
	if err != nil {
		return 0, err
	}
	if len(t.Rows) != 1 || len(t.Rows[0]) != 1 {
		return 0, penstock.Errorf(penstock.Internal, "ask sql", "%.200s: %d rows instead of one number", query, len(t.Rows))
	}
	n, ok := t.Rows[0][0].(json.Number)
	if !ok {
		return 0, penstock.Errorf(penstock.Internal, "ask sql", "%.200s: %v is no number", query, t.Rows[0][0])
	}
	return n.Int64()
}

// Applied reports whether a receipt's events can be queried.
func (p *Probe) Applied(ctx context.Context, receipt string) (bool, error) {
	var answer struct {
		Applied bool `json:"applied"`
	}
	err := p.ask(ctx, http.MethodGet, "/v1/receipts/"+receipt, nil, &answer)
	return answer.Applied, err
}

// Lag returns how far the stores are behind.
func (p *Probe) Lag(ctx context.Context) (Lag, error) {
	var l Lag
	err := p.ask(ctx, http.MethodGet, "/v1/lag", nil, &l)
	return l, err
}

// Ask sends a JSON body to a path, or with a nil one asks for it, and reads the answer into out.
func (p *Probe) Ask(ctx context.Context, path string, body []byte, out any) error {
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	return p.ask(ctx, method, path, body, out)
}

// Get asks a path and drops the answer.
func (p *Probe) Get(ctx context.Context, path string) error {
	return p.ask(ctx, http.MethodGet, path, nil, nil)
}

// Ready reports whether the server says that it is.
func (p *Probe) Ready(ctx context.Context) bool { return p.Get(ctx, "/readyz") == nil }

// WaitReady asks every few milliseconds until the server is ready or ctx ends.
func (p *Probe) WaitReady(ctx context.Context) error {
	return every(ctx, 5*time.Millisecond, func() (bool, error) { return p.Ready(ctx), nil })
}

// WaitDrained asks until nothing is behind or ctx ends.
func (p *Probe) WaitDrained(ctx context.Context) error {
	return every(ctx, 20*time.Millisecond, func() (bool, error) {
		l, err := p.Lag(ctx)
		return err == nil && l.Events == 0, err
	})
}

// every calls done again and again until it says so, fails, or ctx ends.
func every(ctx context.Context, pause time.Duration, done func() (bool, error)) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// ask sends a request and reads its JSON answer into out, if out is not nil. Any other status than 200 is an error.
func (p *Probe) ask(ctx context.Context, method, path string, body []byte, out any) error {
	op := "ask " + strings.Trim(path, "/")
	req, err := http.NewRequestWithContext(ctx, method, p.URL+path, bytes.NewReader(body))
	if err != nil {
		return penstock.Wrap(penstock.Invalid, op, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if p.Token != "" {
		req.Header.Set("Authorization", "Bearer "+p.Token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return penstock.Wrap(penstock.Unavailable, op, err)
	}
	defer resp.Body.Close()
	answer := io.LimitReader(resp.Body, maxAnswer)
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer, 500))
		return penstock.Wrap(penstock.Unavailable, op, fmt.Errorf("%s: %s", resp.Status, text))
	}
	if out == nil {
		_, err = io.Copy(io.Discard, answer)
		return err
	}
	d := json.NewDecoder(answer)
	d.UseNumber()
	return penstock.Wrap(penstock.Internal, op, d.Decode(out))
}
