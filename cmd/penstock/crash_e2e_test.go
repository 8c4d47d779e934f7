package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"penstock/internal/load"
)

// loaded sends batches until the server is gone, and calls then once after some were answered.
func loaded(t *testing.T, s *running, stream string, then func()) *load.Result {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		defer cancel()
		select {
		case <-s.Exited():
		case <-ctx.Done():
		}
	}()
	var answers atomic.Int64
	r, err := load.Run(ctx, load.Options{
		URL: s.URL, Stream: stream, Batch: 50, Connections: 8, Duration: patience,
		Shape: load.Shape{Size: 250, Keys: 100},
		Trace: load.Trace{Answered: func(load.Answer) {
			if answers.Add(1) == 200 {
				go then()
			}
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Events == 0 {
		t.Fatalf("nothing was accepted: %s\n%s", r.Problem, s.log)
	}
	return r
}

// checkStored compares the rows with the account of a load: what was answered is there once, what was not at most once.
func checkStored(t *testing.T, s *running, stream string, r *load.Result) {
	t.Helper()
	if err := s.probe().WaitDrained(t.Context()); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	table, err := s.probe().SQL(t.Context(), "select id from "+stream+" limit 90000")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range table.Rows {
		id := fmt.Sprint(row[0])
		if ids[id] {
			t.Errorf("%s is stored twice", id)
		}
		ids[id] = true
	}
	for _, c := range r.Acked {
		for _, run := range c.Ranges {
			for n := run.From; n < run.To; n++ {
				if id := load.EventID(c.Client, n); !ids[id] {
					t.Fatalf("%s was answered and is not stored", id)
				}
			}
		}
	}
	if n := int64(len(ids)); n < r.Events || n > r.Sent {
		t.Errorf("%d rows, %d events were answered and %d sent", n, r.Events, r.Sent)
	}
}

// TestKilledServerHasEveryAnsweredEventOnce holds C-202 and C-CRASH of the real program.
func TestKilledServerHasEveryAnsweredEventOnce(t *testing.T) {
	dir := configured(t, "streams: {load: }\n")
	s := serve(t, dir)
	r := loaded(t, s, "load", s.Kill)
	s = serve(t, dir)
	checkStored(t, s, "load", r)
	if text := string(s.get("/metrics").body); !strings.Contains(text, "penstock_unclean_start 1") {
		t.Error("the start after a kill counts as clean")
	}
}

// TestStopUnderLoadIsInOrder holds C-STOP.
func TestStopUnderLoadIsInOrder(t *testing.T) {
	dir := configured(t, "streams: {load: }\nstore: [\"duckdb:a\", \"duckdb:b\"]\n")
	s := serve(t, dir)
	ended := make(chan error, 1)
	r := loaded(t, s, "load", func() { ended <- s.Stop(patience) })
	if err := <-ended; err != nil {
		t.Fatalf("stop: %v\n%s", err, s.log)
	}
	s = serve(t, dir)
	checkStored(t, s, "load", r)
	if text := string(s.get("/metrics").body); !strings.Contains(text, "penstock_unclean_start 0") {
		t.Error("the start after a stop counts as unclean")
	}
	if got := s.sql("select store, events from penstock.lag order by store", ""); got != `[["a",0],["b",0]]` {
		t.Errorf("lag %s", got)
	}
}

// TestRequestsGetADefiniteAnswerWhileTheServerEnds holds C-503.
func TestRequestsGetADefiniteAnswerWhileTheServerEnds(t *testing.T) {
	s := serve(t, configured(t, oneStream))
	tail, err := http.Get(s.URL + "/v1/streams/clicks/tail")
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Body.Close()
	if err := syscall.Kill(s.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for {
		resp, err := http.Post(s.URL+"/v1/streams/clicks/events", "application/json", strings.NewReader(`{}`))
		if err != nil {
			break // it does not listen any more
		}
		resp.Body.Close()
		refused := resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != ""
		if resp.StatusCode != http.StatusAccepted && !refused {
			t.Fatalf("while it ends: %s %v", resp.Status, resp.Header)
		}
	}
	select { // the open tail did not hold it up
	case <-s.Exited():
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	if err := s.Err(); err != nil {
		t.Errorf("%v\n%s", err, s.log)
	}
}

func TestTailShowsEventsAsTheyCome(t *testing.T) {
	s := serve(t, configured(t, oneStream))
	s.accept("clicks", `{"id":"1","link":"a"}`)
	resp, err := http.Get(s.URL + "/v1/streams/clicks/tail?from=start")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
		t.Errorf("%s %s", resp.Status, got)
	}
	lines := bufio.NewScanner(resp.Body)
	next := func() string {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data:"); ok {
				return data
			}
		}
		t.Fatalf("the tail ended: %v", lines.Err())
		return ""
	}
	if got := next(); !strings.Contains(got, `"id":"1"`) {
		t.Errorf("the first is %s", got)
	}
	s.accept("clicks", `{"id":"2","link":"b"}`)
	if got := next(); !strings.Contains(got, `"id":"2"`) {
		t.Errorf("the second is %s", got)
	}
}
