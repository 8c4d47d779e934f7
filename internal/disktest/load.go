package disktest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Load posts batches of events from several writers, and keeps account of every answer. Its methods may be called concurrently.
type Load struct {
	Writers int // with one request at a time each
	Events  int // of a batch
	Text    int // bytes of an event that compress badly

	mu       sync.Mutex
	url      string
	batches  map[batch]fate
	next     map[int]int // by writer
	answers  map[string]int
	problems map[string]int
	changed  chan struct{} // closed with the next answer
}

// batch names a request. Its events are made from that alone, so that it can be sent again.
type batch struct{ writer, number int }

// fate is what is known of a batch.
type fate int

const (
	open     fate = iota // it is not known whether it is stored, or it is to be sent again: it counts as accepted in the end
	accepted             // it has to be there, once
	refused              // it was never stored and is not sent again: nothing of it may appear
)

// Stream is where the events go; its columns writer and batch say whose they are.
const Stream = "faults"

const (
	answerPatience = 60 * time.Second
	maxAnswer      = 1 << 20
)

// pauseAfter returns how long to wait after an attempt that was not accepted: without a pause, what piles up takes long to send again.
func pauseAfter(answered bool) time.Duration {
	if answered {
		return 40 * time.Millisecond
	}
	return 100 * time.Millisecond
}

// At says where the server is. Nothing is posted before.
func (l *Load) At(url string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.batches == nil {
		l.batches, l.next, l.answers, l.problems = map[batch]fate{}, map[int]int{}, map[string]int{}, map[string]int{}
		l.changed = make(chan struct{})
	}
	l.url = url
}

// Run posts new batches until ctx ends. Of what is surely not stored every other batch is given up.
func (l *Load) Run(ctx context.Context) {
	l.each(func(writer int, c *http.Client) {
		for ctx.Err() == nil {
			b := l.newBatch(writer)
			if f, answered := l.post(ctx, c, b, true); f != accepted {
				wait(ctx, pauseAfter(answered))
			}
		}
	})
}

// Resolve sends what is open again, with the same ids, until all of it is accepted or ctx ends.
func (l *Load) Resolve(ctx context.Context) error {
	l.each(func(writer int, c *http.Client) {
		for _, b := range l.open(writer) {
			for ctx.Err() == nil {
				f, answered := l.post(ctx, c, b, false)
				if f == accepted {
					break
				}
				wait(ctx, pauseAfter(answered))
			}
		}
	})
	return ctx.Err()
}

// each runs f for each writer and waits for all.
func (l *Load) each(f func(writer int, c *http.Client)) {
	var working sync.WaitGroup
	for w := range l.Writers {
		working.Go(func() {
			c := &http.Client{Timeout: answerPatience, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
			defer c.CloseIdleConnections()
			f(w, c)
		})
	}
	working.Wait()
}

func (l *Load) newBatch(writer int) batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := batch{writer, l.next[writer]}
	l.next[writer]++
	l.batches[b] = open
	return b
}

func (l *Load) open(writer int) []batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []batch
	for b, f := range l.batches {
		if b.writer == writer && f == open {
			all = append(all, b)
		}
	}
	return all
}

// body returns the events of a batch.
func (l *Load) body(b batch) []byte {
	random := rand.New(rand.NewPCG(uint64(b.writer), uint64(b.number)))
	raw := make([]byte, l.Text*3/4)
	var out bytes.Buffer
	for i := range l.Events {
		for j := range raw {
			raw[j] = byte(random.Uint32())
		}
		fmt.Fprintf(&out, `{"id":"w%d-%d-%d","key":"k%d","writer":%d,"batch":%d,"text":"%s"}`+"\n",
			b.writer, b.number, i, random.IntN(100), b.writer, b.number, base64.StdEncoding.EncodeToString(raw))
	}
	return out.Bytes()
}

// post sends a batch once and notes what is known then. A request that was begun is waited for. Only if it is the first of its batch
// can the batch be given up: one that may be stored stays open, whatever a repeat of it is answered.
func (l *Load) post(ctx context.Context, c *http.Client, b batch, first bool) (f fate, answered bool) {
	l.mu.Lock()
	url := l.url
	l.mu.Unlock()
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, url+"/v1/streams/"+Stream+"/events", bytes.NewReader(l.body(b)))
	if err != nil {
		return l.note(b, open, err.Error()), false
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	r, err := c.Do(req)
	if err != nil {
		return l.note(b, open, "no answer"), false
	}
	defer r.Body.Close()
	text, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	if err != nil {
		return l.note(b, open, "half an answer"), false
	}
	var kind string
	f, kind = l.read(r, text)
	if f == refused && (!first || b.number%2 == 0) {
		f = open
	}
	return l.note(b, f, kind), true
}

// read says what an answer means, and notes a form that the contract does not promise.
func (l *Load) read(r *http.Response, text []byte) (fate, string) {
	var said struct {
		Code, Outcome string
		Accepted      int
	}
	err := json.Unmarshal(text, &said)
	if r.StatusCode == http.StatusAccepted {
		if err != nil || said.Accepted != l.Events {
			l.problem(fmt.Sprintf("202 that does not accept all: %.200s", text))
		}
		return accepted, "202"
	}
	kind := fmt.Sprintf("%d %s %s", r.StatusCode, said.Code, said.Outcome)
	switch {
	case err != nil, said.Code == "", said.Outcome != "not_stored" && said.Outcome != "unknown":
		l.problem(fmt.Sprintf("%d without code and outcome: %.200s", r.StatusCode, text))
	case r.StatusCode == http.StatusServiceUnavailable && r.Header.Get("Retry-After") == "":
		l.problem(kind + " without Retry-After")
	}
	if said.Outcome == "not_stored" {
		return refused, kind
	}
	return open, kind
}

// note counts an answer and keeps what is known of its batch.
func (l *Load) note(b batch, f fate, kind string) fate {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers[kind]++
	l.batches[b] = f
	close(l.changed)
	l.changed = make(chan struct{})
	return f
}

func (l *Load) problem(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problems[text]++
}

// Count returns how many answers of a kind there were: "202", "503 log_full not_stored", "no answer".
func (l *Load) Count(kind string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answers[kind]
}

// Await returns when there were so many more answers of a kind, or ctx ends.
func (l *Load) Await(ctx context.Context, kind string, more int) error {
	for want := l.Count(kind) + more; ; {
		l.mu.Lock()
		now, changed := l.answers[kind], l.changed
		l.mu.Unlock()
		if now >= want {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d more answers %q did not come, only %d: %v", more, kind, now-want+more, l.Answers())
		}
	}
}

// Answers returns how many answers of each kind there were.
func (l *Load) Answers() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]int{}
	for kind, n := range l.answers {
		all[kind] = n
	}
	return all
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
