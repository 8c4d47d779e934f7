// Package client speaks the HTTP API of Penstock. The command line and the end-to-end tests use it, and so may any Go
// program: it needs nothing but the vocabulary package.
//
// Every error is a *penstock.Error. Its code says what to do; its Reason is the stable word of the server's answer, or
// Unreachable when no whole answer came.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"penstock"
)

// DefaultURL is where a server listens that was told nothing else.
const DefaultURL = "http://127.0.0.1:7367"

// Unreachable is the Reason of an error for which no whole answer of the server came.
const Unreachable = "unreachable"

// maxProblem bounds how much of a refusal is read.
const maxProblem = 64 << 10

// Options says which server to speak to, and how.
type Options struct {
	URL      string        // "" is DefaultURL
	Token    string        // "" sends none
	HTTP     *http.Client  // nil: one with a connection pool of its own
	Patience time.Duration // how long Send goes on repeating a request; 0 is a minute, less than 0 is one attempt
	Trace    Trace
}

// Trace reports what a client does; nil functions mean silence. They may be called concurrently.
type Trace struct {
	Retry func(err error, after time.Duration) // before a pause, after which a request is repeated
}

// Client is a connection pool to one server. It may be used concurrently.
type Client struct {
	base     *url.URL
	token    string
	http     *http.Client
	patience time.Duration
	trace    Trace
}

// New returns a client. It fails with Invalid if the URL is none; it does not speak to the server yet.
func New(o Options) (*Client, error) {
	if o.URL == "" {
		o.URL = DefaultURL
	}
	if !strings.Contains(o.URL, "://") {
		o.URL = "http://" + o.URL
	}
	base, err := url.Parse(strings.TrimRight(o.URL, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, penstock.Errorf(penstock.Invalid, "read URL", "%q is not an address such as %s", o.URL, DefaultURL)
	}
	if o.HTTP == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 256
		t.ResponseHeaderTimeout = 2 * time.Minute
		o.HTTP = &http.Client{Transport: t}
	}
	if o.Patience == 0 {
		o.Patience = time.Minute
	}
	return &Client{base: base, token: o.Token, http: o.HTTP, patience: o.Patience, trace: o.Trace}, nil
}

// URL returns the server's address.
func (c *Client) URL() string { return c.base.String() }

// Close closes the connections that are idle.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Ready returns nil if the server says that it does what its roles ask of it.
func (c *Client) Ready(ctx context.Context) error {
	return c.get(ctx, "/readyz", nil, nil)
}

// request is one HTTP request of the API.
type request struct {
	method, path string
	query        url.Values
	header       http.Header
	body         []byte
}

// do sends a request once. The caller closes the answer's body, whose status is below 400.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	op := strings.ToLower(r.method) + " " + r.path
	u := c.base.JoinPath(r.path)
	u.RawQuery = r.query.Encode()
	var body io.Reader
	if r.body != nil {
		body = newBody(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, penstock.Wrap(penstock.Invalid, op, err)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return nil, unreachable(ctx, op, err)
	}
	if answer.StatusCode >= 400 {
		defer answer.Body.Close()
		return nil, refusal(op, answer)
	}
	return answer, nil
}

// get asks for a path and decodes the JSON answer into v, unless v is nil.
func (c *Client) get(ctx context.Context, path string, query url.Values, v any) error {
	answer, err := c.do(ctx, request{method: http.MethodGet, path: path, query: query})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if v == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, maxProblem))
	} else {
		err = json.NewDecoder(answer.Body).Decode(v)
	}
	if err != nil {
		return unreachable(ctx, "read "+path, err)
	}
	return nil
}

// unreachable is the error of a request that had no whole answer: whether it took effect is not known.
func unreachable(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return penstock.Wrap(penstock.Unknown, op, ctx.Err())
	}
	var address *url.Error
	if errors.As(err, &address) {
		err = address.Err
	}
	return &penstock.Error{Code: penstock.Unknown, Op: op, Err: err, Reason: Unreachable}
}

// problem is the body of a refusal.
type problem struct {
	Title   string `json:"title"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
	Outcome string `json:"outcome"`
}

// Refusal is the cause of an error that the server answered with.
type Refusal struct {
	Status     int
	Detail     string
	RetryAfter time.Duration // 0 if the server named none
	body       []byte
}

// Error returns the server's words.
func (r *Refusal) Error() string {
	if r.Detail == "" {
		return fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status))
	}
	return r.Detail
}

// refusal turns an answer of 400 or more into an error.
func refusal(op string, answer *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxProblem))
	var p problem
	if json.Unmarshal(body, &p) != nil {
		p = problem{}
	}
	r := &Refusal{Status: answer.StatusCode, Detail: p.Detail, RetryAfter: retryAfter(answer.Header), body: body}
	if r.Detail == "" {
		r.Detail = p.Title
	}
	return &penstock.Error{Code: codeOf(answer.StatusCode, p), Op: op, Err: r, Reason: p.Code}
}

// codeOf is the way back of the translation that the server's edge makes.
func codeOf(status int, p problem) penstock.Code {
	switch {
	case p.Outcome == "unknown":
		return penstock.Unknown
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return penstock.Forbidden
	case status == http.StatusNotFound:
		return penstock.NotFound
	case status == http.StatusConflict:
		return penstock.Conflict
	case status == http.StatusTooManyRequests:
		return penstock.Overloaded
	case status == http.StatusGatewayTimeout:
		return penstock.Expired
	case status == http.StatusServiceUnavailable && p.Code == "log_full":
		return penstock.Full
	case status == http.StatusServiceUnavailable && p.Outcome == "not_stored":
		return penstock.Unavailable
	case status >= 500:
		return penstock.Unknown
	}
	return penstock.Invalid
}

func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds > 0 {
		return time.Duration(seconds * float64(time.Second))
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// IsUnreachable reports whether err says that no whole answer came from the server.
func IsUnreachable(err error) bool {
	var e *penstock.Error
	return errors.As(err, &e) && e.Reason == Unreachable
}
