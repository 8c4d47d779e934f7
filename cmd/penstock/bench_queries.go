package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"penstock/internal/load"
	"penstock/internal/load/probe"
)

// question is one of the queries that readers ask while events come in.
type question struct {
	name    string
	ask     func(context.Context, *probe.Probe) error
	latency *load.Latency

	mu     sync.Mutex
	failed int64
	first  string
}

// asked is how a question fared.
type asked struct {
	Name    string `json:"name"`
	Latency millis `json:"latency_ms"`
	Errors  int64  `json:"errors"`
	Problem string `json:"problem,omitempty"`
}

// readers is eight clients that together ask a steady number of queries a second.
type readers struct {
	cancel    context.CancelFunc
	done      sync.WaitGroup
	questions []*question
}

const readerCount = 8

// sqlQuestion asks one statement, in which STREAM stands for the stream.
func sqlQuestion(name, stream, statement string) *question {
	statement = strings.ReplaceAll(statement, "STREAM", stream)
	return &question{name: name, latency: load.NewLatency(), ask: func(ctx context.Context, p *probe.Probe) error {
		_, err := p.SQL(ctx, statement)
		return err
	}}
}

// lastOfKey asks for the newest 20 events of a key.
func lastOfKey(stream, key string) *question {
	path := "/v1/streams/" + url.PathEscape(stream) + "/events?order=desc&limit=20&key=" + url.QueryEscape(key)
	return &question{name: "last 20 of a key", latency: load.NewLatency(), ask: func(ctx context.Context, p *probe.Probe) error {
		return p.Get(ctx, path)
	}}
}

// startQueries starts the readers; at rate 0 there are none.
func startQueries(ctx context.Context, ask *probe.Probe, f *benchFlags) *readers {
	ctx, cancel := context.WithCancel(ctx)
	r := &readers{cancel: cancel}
	if f.queries <= 0 {
		return r
	}
	key := fmt.Sprintf("k%08d", f.shape.Keys/2)
	r.questions = []*question{
		lastOfKey(f.stream, key),
		sqlQuestion("count of the last minute", f.stream, "select count(*) from STREAM where received_at > now() - interval 1 minute"),
		sqlQuestion("last hour by column", f.stream, "select country, count(*), avg(latency_ms) from STREAM"+
			" where time > now() - interval 1 hour group by country order by country"),
	}
	period := time.Duration(float64(readerCount) / f.queries * float64(time.Second))
	for i := range readerCount {
		r.done.Go(func() { r.read(ctx, ask, i, period) })
	}
	return r
}

// read is one reader: it asks the questions in turn, one every period, its clock shifted against the others'.
func (r *readers) read(ctx context.Context, ask *probe.Probe, number int, period time.Duration) {
	due := time.Now().Add(period * time.Duration(number) / readerCount)
	for i := number; ; i++ {
		timer := time.NewTimer(time.Until(due))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		q := r.questions[i%len(r.questions)]
		err := q.ask(ctx, ask)
		if ctx.Err() != nil {
			return
		}
		q.note(time.Since(due), err)
		due = due.Add(period)
	}
}

func (q *question) note(took time.Duration, err error) {
	if err == nil {
		q.latency.Record(took)
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failed++; q.first == "" {
		q.first = err.Error()
	}
}

// stop ends the readers and returns how each question fared.
func (r *readers) stop() []asked {
	r.cancel()
	r.done.Wait()
	var all []asked
	for _, q := range r.questions {
		all = append(all, asked{Name: q.name, Latency: *millisOf(q.latency), Errors: q.failed, Problem: q.first})
	}
	return all
}
