package killtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"penstock/internal/check"
)

// writer is one client: it posts batches of events, one request at a time, and records every attempt.
type writer struct {
	recorder *check.Recorder
	maker    *check.Maker
	client   uint32
	source   source
	batch    int
	asks     bool   // what a view says of its own events, now and then
	poison   string // a member that makes an event poison; "": none are
	random   *rand.Rand
	http     *http.Client

	attempts []check.Record // as they ended
	sent     int64
	acked    int64
	requests int         // operations, which number the requests of a source that does
	unknown  *check.Call // the last attempt, if it has no answer
	body     []byte      // of the last attempt
	receipt  string      // the last
}

func (t *tester) newWriter(client uint32, s source, batch int) *writer {
	return &writer{
		recorder: t.recorder, maker: check.NewMaker(t.Seed, client), client: client, source: s, batch: batch,
		random: rand.New(rand.NewPCG(t.Seed, uint64(client))),
		http:   &http.Client{Timeout: answerPatience, Transport: &http.Transport{MaxIdleConnsPerHost: 1}},
	}
}

// work posts until ctx ends or an attempt has no answer: then the server is dead. It calls answered after each answer that is one.
func (w *writer) work(ctx context.Context, url string, answered func()) {
	defer w.http.CloseIdleConnections()
	for ctx.Err() == nil && w.unknown == nil {
		next := check.Record{Kind: check.Post, Client: w.client, Stream: w.source.stream, Seq: w.maker.Next(), Count: w.batch}
		w.body = w.body[:0]
		for i := range w.batch {
			rest := w.rest()
			if w.poison != "" && (next.Seq+uint64(i))%poisonous == poisonous/2 {
				rest += w.poison
				next.Poison = append(next.Poison, i)
			}
			w.body = append(w.maker.Append(w.body, w.key(), rest), '\n')
		}
		w.sent += int64(w.batch)
		w.requests++
		call := w.recorder.Begin(next)
		w.settle(ctx, url, call)
		if w.unknown == nil {
			answered()
			w.ask(ctx, url)
		}
	}
}

// settle makes attempts until one has another outcome than "not stored".
func (w *writer) settle(ctx context.Context, url string, call *check.Call) {
	for {
		w.attempt(url, call)
		w.attempts = append(w.attempts, call.Record)
		switch call.Outcome {
		case check.Ok:
			w.acked += int64(call.Accepted)
			w.receipt = call.Receipt
			return
		case check.Unknown:
			w.unknown = call
			return
		}
		seconds, err := strconv.Atoi(call.RetryAfter)
		if err != nil || call.Status < 429 {
			return // it will never be taken
		}
		wait(ctx, min(time.Duration(seconds)*time.Second, 5*time.Second))
		if ctx.Err() != nil {
			return
		}
		call = call.Again()
	}
}

// resolve sends the attempt that has no answer again, with the same ids, until there is one.
func (w *writer) resolve(ctx context.Context, url string) error {
	for w.unknown != nil {
		call := w.unknown.Again()
		w.unknown = nil
		if w.settle(ctx, url, call); w.unknown != nil {
			wait(ctx, 20*time.Millisecond)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// attempt posts the body once. The request is not bound to a context: it ends when the server answers or dies.
func (w *writer) attempt(url string, call *check.Call) {
	defer call.End()
	req, err := http.NewRequest(http.MethodPost, url+"/v1/streams/"+w.source.stream+"/events?verbose=1", bytes.NewReader(w.body))
	if err != nil {
		call.Code = err.Error()
		return
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if w.source.numbers {
		req.Header.Set("Penstock-Producer", fmt.Sprintf("writer-%d/%d", w.client, w.requests))
	}
	r, err := w.http.Do(req)
	if err != nil {
		call.Code = err.Error()
		return
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	if err != nil {
		call.Code = err.Error()
		return
	}
	call.Answered(r.StatusCode, r.Header.Get("Retry-After"), body)
}

// ask asks a view, after every fourth answer, how many events of the hot key there are, after the receipt of what was just answered.
func (w *writer) ask(ctx context.Context, url string) {
	if !w.asks || w.random.IntN(4) != 0 {
		return
	}
	call := w.recorder.Begin(check.Record{Kind: check.View, Client: w.client, Stream: w.source.stream, What: "per_key"})
	defer call.End()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v1/views/per_key?where.key="+hotKey+"&every=all&after="+w.receipt, nil)
	if err != nil {
		call.Code = err.Error()
		return
	}
	r, err := w.http.Do(req)
	if err != nil {
		call.Code = err.Error()
		return
	}
	defer r.Body.Close()
	var page struct{ Rows []struct{ Events int64 } }
	err = json.NewDecoder(io.LimitReader(r.Body, maxAnswer)).Decode(&page)
	switch {
	case err != nil:
		call.Code = err.Error()
	case r.StatusCode != http.StatusOK:
		call.Status, call.Outcome = r.StatusCode, check.Fail
	default:
		call.Status, call.Outcome, call.Told = r.StatusCode, check.Ok, &check.Told{View: "per_key", Key: hotKey}
		for _, row := range page.Rows {
			call.Told.Events += row.Events
		}
	}
}

// key is the same one for three events of ten, where the source has a hot one.
func (w *writer) key() string {
	if w.source.hot && w.random.IntN(10) < 3 {
		return hotKey
	}
	return fmt.Sprintf("k%03d", w.random.IntN(1000))
}

// rest is the time, a second later in each request and for one event of ten up to ten minutes before that, the members that the stream
// declares as columns, and a note.
func (w *writer) rest() string {
	const note = 100
	at := time.Unix(began+int64(w.requests), 0)
	if w.random.IntN(10) == 0 {
		at = at.Add(-time.Duration(w.random.IntN(600_000)) * time.Millisecond)
	}
	return fmt.Sprintf(`,"time":"%s","amount":%d,"country":"%s","note":"%s"`, at.UTC().Format(time.RFC3339Nano), w.random.IntN(100_000), [...]string{"DE", "FR", "US"}[w.random.IntN(3)],
		strings.Repeat(string('a'+rune(w.random.IntN(26))), note))
}

// resolveAll lets every writer of a round find out what became of its last attempt.
func (t *tester) resolveAll(ctx context.Context, writers []*writer) error {
	var working sync.WaitGroup
	errs := make([]error, len(writers))
	for i, w := range writers {
		working.Go(func() { errs[i] = w.resolve(ctx, t.server.URL) })
	}
	working.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
