package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"

	"penstock"
)

// TailQuery says which events of a stream to follow.
type TailQuery struct {
	Stream string
	Key    string // "" is all keys
	From   string // now or start, "" is now
	After  string // a cursor of an earlier event: resume behind it
}

// TailEvent is an event as the log holds it: repeats are there too.
type TailEvent struct {
	Cursor string // the place behind the event
	Data   json.RawMessage
}

// maxTailLine bounds a line of the event stream: the largest event, escaped, and what goes with it.
const maxTailLine = 16 << 20

// Tail follows a stream and calls yield for each event, in order per key, until the context ends, yield returns an error,
// which Tail returns, or the server refuses. When the connection breaks it resumes behind the last event that was
// yielded, so none is left out or shown twice; it gives up when the client's Patience passed without an answer.
func (c *Client) Tail(ctx context.Context, q TailQuery, yield func(TailEvent) error) error {
	t := tailer{client: c, query: q, yield: yield, alive: time.Now()}
	for attempt := 0; ; attempt++ {
		before := t.query.After
		err := t.follow(ctx)
		if t.stop != nil {
			return t.stop
		}
		if err == nil || !passes(err) {
			return err
		}
		if t.query.After != before {
			attempt = 0
		}
		pause := pauseOf(attempt, err)
		if time.Since(t.alive)+pause > c.patience {
			return err
		}
		if c.trace.Retry != nil {
			c.trace.Retry(err, pause)
		}
		if wait(ctx, pause) != nil {
			return penstock.Wrap(penstock.Unknown, "tail "+q.Stream, ctx.Err())
		}
	}
}

type tailer struct {
	client *Client
	query  TailQuery
	yield  func(TailEvent) error
	alive  time.Time // when the server was last heard
	stop   error     // what yield returned
}

// follow reads one connection until it ends.
func (t *tailer) follow(ctx context.Context) error {
	params := url.Values{}
	if t.query.Key != "" {
		params.Set("key", t.query.Key)
	}
	if t.query.From != "" {
		params.Set("from", t.query.From)
	}
	r := request{
		method: http.MethodGet, path: "/v1/streams/" + url.PathEscape(t.query.Stream) + "/tail",
		query: params, header: http.Header{"Accept": {"text/event-stream"}},
	}
	if t.query.After != "" {
		r.header.Set("Last-Event-Id", t.query.After)
	}
	answer, err := t.client.do(ctx, r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	t.alive = time.Now()
	err = t.read(answer.Body)
	if t.stop != nil {
		return t.stop
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return unreachable(ctx, "tail "+t.query.Stream, err)
}

// read parses server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), as far as the
// server uses them: comments, id and data. A cursor without data moves the place from which to resume.
func (t *tailer) read(body io.Reader) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 64<<10), maxTailLine)
	cursor, data := "", []byte(nil)
	for lines.Scan() {
		line := lines.Bytes()
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(line) == 0:
			if err := t.dispatch(cursor, data); err != nil {
				return err
			}
			cursor, data = "", nil
		case string(name) == "id":
			cursor = string(value)
		case string(name) == "data" && data != nil:
			data = append(append(data, '\n'), value...)
		case string(name) == "data":
			data = append([]byte{}, value...)
		}
	}
	return lines.Err()
}

func (t *tailer) dispatch(cursor string, data []byte) error {
	t.alive = time.Now()
	if data != nil {
		if t.stop = t.yield(TailEvent{Cursor: cursor, Data: data}); t.stop != nil {
			return t.stop
		}
	}
	if cursor != "" {
		t.query.After = cursor
	}
	return nil
}
