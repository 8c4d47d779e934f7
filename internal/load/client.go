package load

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"
)

// client is one connection and the events that it sends, one request at a time.
type client struct {
	run    *run
	number int
	conn   *conn
	stamp  stamp
	random splitmix
	next   int64 // sequence of the next event
	acked  Ranges

	request []byte
	lead    []byte // request line and headers up to the value of Content-Length
}

func newClient(r *run, number int) (*client, error) {
	c := &client{run: r, number: number, stamp: newStamp(number), next: r.opts.First}
	c.random = splitmix(uint64(r.opts.Seed)<<20 + uint64(number))
	kind := "application/x-ndjson"
	if r.opts.Batch == 1 {
		kind = "application/json"
	}
	c.lead = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\n", r.opts.Path, r.host, kind)
	if r.opts.Token != "" {
		c.lead = fmt.Appendf(c.lead, "Authorization: Bearer %s\r\n", r.opts.Token)
	}
	c.lead = append(c.lead, "Content-Length: "...)
	var err error
	c.conn, err = dial(r.host)
	return c, err
}

// work sends requests until the run is over. In an open loop it takes the moments that the pacer hands out.
func (c *client) work(ctx context.Context) {
	for {
		var due time.Time
		if c.run.due != nil {
			var ok bool
			if due, ok = <-c.run.due; !ok {
				return
			}
		}
		n := c.run.claim()
		if n == 0 && c.run.due == nil || ctx.Err() != nil {
			return
		}
		if n > 0 && !c.post(ctx, n, due) {
			return
		}
	}
}

// post sends n new events, again as long as the answer is a definite "not stored, later", and reports whether the client
// can go on. In an open loop it was due at a moment.
func (c *client) post(ctx context.Context, n int, due time.Time) bool {
	first := c.next
	c.next += int64(n)
	c.build(n, first)
	began := due
	if began.IsZero() {
		began = time.Now()
	}
	for {
		sent := time.Now()
		a, err := c.conn.send(c.request)
		ended := time.Now()
		if err != nil {
			c.run.add(tally{failed: 1, problem: err.Error()}, 0)
			return c.redial(ctx)
		}
		again := c.settle(a, Answer{c.number, first, n, a.status, sent, ended, a.body}, ended.Sub(began))
		if a.close && !c.redial(ctx) {
			return false
		}
		if !again {
			return true
		}
		if !pause(ctx, min(max(a.retryAfter, 10*time.Millisecond), 5*time.Second)) || c.run.stop.Load() {
			return false
		}
	}
}

// build writes the request into the client's buffer.
func (c *client) build(n int, first int64) {
	size := n * c.run.template.line
	if c.run.opts.Batch == 1 {
		size-- // one object needs no newline
	}
	c.request = append(c.request[:0], c.lead...)
	c.request = strconv.AppendInt(c.request, int64(size), 10)
	c.request = append(c.request, "\r\n\r\n"...)
	body := len(c.request)
	c.stamp.at(time.Now().Add(-c.run.opts.Age))
	c.request = c.run.template.appendBatch(c.request, &c.stamp, n, first, c.key)
	c.request = c.request[:body+size]
}

func (c *client) key() uint32 { return c.run.keys(c.random.next()) }

// settle counts an answer and reports whether the same request is to be sent again.
func (c *client) settle(a answer, what Answer, latency time.Duration) (again bool) {
	switch {
	case a.status == 200 || a.status == 202:
		if got := acceptedIn(a.body); got >= 0 && got != what.Count {
			c.run.add(tally{failed: 1, problem: fmt.Sprintf("%d of %d accepted: %.300s", got, what.Count, a.body)}, 0)
			return false
		}
		c.acked = c.acked.Add(what.First, what.First+int64(what.Count))
		c.run.add(tally{events: int64(what.Count), bytes: int64(what.Count * (c.run.template.line - 1))}, latency)
		if c.run.opts.Trace.Answered != nil {
			c.run.opts.Trace.Answered(what)
		}
		return false
	case (a.status == 429 || a.status == 503) && !bytes.Contains(a.body, []byte(`"unknown"`)):
		refused := tally{refused: 1}
		if a.retryAfter == 0 {
			refused.unsaid = 1
		}
		c.run.add(refused, 0)
		return !c.run.opts.Drop
	}
	c.run.add(tally{failed: 1, problem: fmt.Sprintf("%d: %.300s", a.status, a.body)}, 0)
	return false
}

// acceptedIn returns the number behind "accepted", or -1: a handler that only reads bodies does not say.
func acceptedIn(body []byte) int {
	const name = `"accepted":`
	at := bytes.Index(body, []byte(name))
	if at < 0 {
		return -1
	}
	n, digits := 0, 0
	for _, b := range bytes.TrimLeft(body[at+len(name):], " ") {
		if b < '0' || b > '9' {
			break
		}
		n, digits = n*10+int(b-'0'), digits+1
	}
	if digits == 0 {
		return -1
	}
	return n
}

// redial replaces a lost connection, patiently, until the run is over.
func (c *client) redial(ctx context.Context) bool {
	c.conn.close()
	for !c.run.stop.Load() {
		fresh, err := dial(c.run.host)
		if err == nil {
			c.conn = fresh
			return true
		}
		if !pause(ctx, 20*time.Millisecond) {
			return false
		}
	}
	return false
}

// pause waits, and reports whether ctx still stands.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
