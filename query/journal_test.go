package query

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"penstock"
	"penstock/eventlog/memory"
)

// journal is a log that tests write to.
type journal struct {
	*memory.Log
	builder *penstock.BlockBuilder

	mu     sync.Mutex
	opened []penstock.Positions
	open   int
}

func newJournal(o memory.Options) *journal {
	o.Partitions = testCluster().Partitions
	return &journal{Log: memory.New(o), builder: penstock.NewBlockBuilder(penstock.NewPartitioner(testCluster()))}
}

// Open implements penstock.Reader, and remembers what was asked for.
func (j *journal) Open(ctx context.Context, from penstock.Positions) (penstock.Cursor, error) {
	c, err := j.Log.Open(ctx, from)
	if err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.opened = append(j.opened, from.Clone())
	j.open++
	return &counted{c, j}, nil
}

type counted struct {
	penstock.Cursor
	journal *journal
}

func (c *counted) Close() error {
	c.journal.mu.Lock()
	c.journal.open--
	c.journal.mu.Unlock()
	return c.Cursor.Close()
}

// write appends a block of events with the bodies {"n":FIRST}, {"n":FIRST+1}, … whose keys are k0, k1, … in turn.
func (j *journal) write(t *testing.T, stream string, first, n int) {
	t.Helper()
	var events []penstock.Event
	for i := range n {
		events = append(events, penstock.Event{
			ID: fmt.Appendf(nil, "id%d", first+i), Key: fmt.Appendf(nil, "k%d", (first+i)%20), Time: 1e15,
			Body: fmt.Appendf(nil, `{"n":%d}`, first+i),
		})
	}
	j.append(t, stream, events...)
}

func (j *journal) append(t *testing.T, stream string, events ...penstock.Event) {
	t.Helper()
	j.builder.Reset(penstock.DefaultTenant, stream, 1e15+1, 1<<10)
	for _, e := range events {
		j.builder.Add(e)
	}
	if err := j.Append(t.Context(), j.builder.Take()); err != nil {
		t.Fatal(err)
	}
}

// shown is an event as a tail shows it.
type shown struct {
	cursor string
	data   string
	number int
}

// reading is a tail that is being read.
type reading struct {
	t      *testing.T
	resp   *http.Response
	lines  *bufio.Scanner
	cancel context.CancelFunc
	cursor string // the last id
	beats  int
}

// tail opens a tail; resp tells how that went.
func (w *world) tail(query, lastID string) *reading {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	header := fields{"Accept": "text/event-stream"}
	if lastID != "" {
		header["Last-Event-ID"] = lastID
	}
	resp, err := w.client.Do(w.request(ctx, "GET", "/v1/streams/clicks/tail"+query, header, ""))
	if err != nil {
		w.t.Fatal(err)
	}
	r := &reading{t: w.t, resp: resp, lines: bufio.NewScanner(resp.Body), cancel: cancel}
	r.lines.Buffer(nil, 1<<20)
	w.t.Cleanup(r.stop)
	return r
}

func (r *reading) stop() {
	r.cancel()
	_ = r.resp.Body.Close()
}

// next returns the next event, or false when the tail ended.
func (r *reading) next() (shown, bool) {
	r.t.Helper()
	e, hasData := shown{}, false
	for r.lines.Scan() {
		name, value, _ := strings.Cut(r.lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case r.lines.Text() == "" && hasData:
			e.cursor = r.cursor
			var body struct{ Data struct{ N int } }
			if err := json.Unmarshal([]byte(e.data), &body); err != nil {
				r.t.Fatalf("%v: %s", err, e.data)
			}
			e.number = body.Data.N
			return e, true
		case r.lines.Text() == "":
			if r.beats++; r.beats > 1000 {
				r.t.Fatal("nothing comes but beats")
			}
		case name == "id":
			r.cursor = value
		case name == "data" && !hasData:
			e.data, hasData = value, true
		case name == "":
		default:
			r.t.Fatalf("a line %q", r.lines.Text())
		}
	}
	return shown{}, false
}

// take returns the next n events and expects them to have ids.
func (r *reading) take(n int) []shown {
	r.t.Helper()
	var events []shown
	seen := r.cursor
	for len(events) < n {
		e, ok := r.next()
		if !ok {
			r.t.Fatalf("the tail ended after %d of %d events: %v", len(events), n, r.lines.Err())
		}
		if e.cursor == seen {
			r.t.Fatalf("event %d has the cursor of the one before", e.number)
		}
		seen = e.cursor
		events = append(events, e)
	}
	return events
}

func numbers(events []shown) []int {
	var ns []int
	for _, e := range events {
		ns = append(ns, e.number)
	}
	return ns
}

// expect checks that the tail was refused.
func (r *reading) expect(status int, code string) {
	r.t.Helper()
	body, _ := io.ReadAll(r.resp.Body)
	if r.resp.StatusCode != status || !strings.Contains(string(body), fmt.Sprintf(`"code":%q`, code)) {
		r.t.Errorf("got %d %s, want %d %q", r.resp.StatusCode, body, status, code)
	}
	r.stop()
}
