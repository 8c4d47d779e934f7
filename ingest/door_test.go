package ingest

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"penstock"
)

// What the log's errors mean to a sender is section 1 of docs/contract.md.
// It holds C-UNK and C-503: which refusals are in doubt.
func TestAppendErrors(t *testing.T) {
	log := &counter{}
	s, _, _ := start(t, Options{Log: log})
	for _, c := range []struct {
		err           error
		status        int
		code, outcome string
	}{
		{penstock.Errorf(penstock.Overloaded, "append", "queue"), 503, "overloaded", "not_stored"},
		{penstock.Errorf(penstock.Full, "append", "disk"), 503, "log_full", "not_stored"},
		{penstock.Errorf(penstock.Unavailable, "append", "closed"), 503, "unavailable", "not_stored"},
		{&penstock.Error{Code: penstock.Unavailable, Op: "append", Reason: "storage_failed"}, 503, "storage_failed", "not_stored"},
		{penstock.Errorf(penstock.Unknown, "append", "sync"), 503, "unknown", "unknown"},
		{&penstock.Error{Code: penstock.Unknown, Op: "append", Reason: "stalled"}, 503, "stalled", "unknown"},
		{penstock.Errorf(penstock.Corrupt, "append", "a code that promises nothing"), 503, "unknown", "unknown"},
		{penstock.Errorf(penstock.Expired, "append", "a code that promises nothing"), 503, "unknown", "unknown"},
		{errors.New("anything else"), 503, "unknown", "unknown"},
		{context.Canceled, 503, "unknown", "unknown"},
	} {
		log.fail = c.err
		a := s.Send(request(path, "", "x"))
		if a.Status != c.status || a.Code != c.code || a.Outcome != c.outcome || a.Header.Get("Retry-After") == "" {
			t.Errorf("%v: got %d %v %s", c.err, a.Status, a.Header, a.Body)
		}
	}
	log.fail = nil
}

func TestShuttingDown(t *testing.T) {
	s, door, log := start(t, Options{})
	s.Expect(s.Send(request(path, "", "x")), 202, "")
	door.Close()
	s.Expect(s.Send(request(path, "", "x")), 503, "shutting_down")
	expectStored(t, log, 1)
	door.closed.Store(false) // for the honest request that ends each test
}

func TestNotReady(t *testing.T) {
	var mu sync.Mutex
	ready := error(&penstock.Error{Code: penstock.Full, Op: "check log"})
	s, _, _ := start(t, Options{Ready: func() error {
		mu.Lock()
		defer mu.Unlock()
		return ready
	}, DrainRate: func() float64 { return 0 }})
	a := s.Send(request(path, "", "x"))
	s.Expect(a, 503, "log_full")
	if a.Header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After %q though nothing drains", a.Header.Get("Retry-After"))
	}
	mu.Lock()
	ready = nil
	mu.Unlock()
}

// With its bytes in flight the door refuses what would exceed the limit, says when to come back, and recovers.
func TestInFlight(t *testing.T) {
	log := &counter{block: make(chan struct{})}
	s, door, _ := start(t, Options{Log: log, Limits: Limits{InFlight: 100 << 10}, DrainRate: func() float64 { return 10 << 10 }})
	held := make(chan int, 3)
	body := strings.Repeat("x", 30<<10)
	for range 3 {
		go func() { held <- s.Send(request(path, "", body)).Status }()
	}
	for door.InFlight() < 90<<10 {
		runtime.Gosched()
	}
	a := s.Send(request(path, "", body))
	s.Expect(a, 503, "overloaded")
	if got := a.Header.Get("Retry-After"); got != "10" && got != "9" {
		t.Errorf("Retry-After %s, want what 90 KiB take at 10 KiB/s", got)
	}
	s.Expect(s.Send(path+" HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n7800\r\n"+body+"\r\n0\r\n\r\n"), 503, "overloaded")
	close(log.block)
	for range 3 {
		if status := <-held; status != 202 {
			t.Errorf("a request that was admitted got %d", status)
		}
	}
	s.Expect(s.Send(request(path, "", body)), 202, "")
}

func TestDurabilityHeader(t *testing.T) {
	memory := &memoryCounter{}
	s, _, log := start(t, Options{Memory: memory})
	if a := s.Send(request(path, "", "x")); a.Header.Get("Durability") != "disk" {
		t.Errorf("%v", a.Header)
	}
	if a := s.Send(request("POST /v1/streams/volatile/lines", "", "x")); a.Header.Get("Durability") != "memory" {
		t.Errorf("%v", a.Header)
	}
	expectStored(t, log, 1)
	expectStored(t, &memory.counter, 1)
}

type memoryCounter struct{ counter }

func (*memoryCounter) Durability() penstock.Durability { return penstock.DurabilityMemory }

func TestReceiptNamesThePlaces(t *testing.T) {
	s, _, _ := start(t, Options{})
	a := s.Send(request(path+"?verbose=1", "", "a\nb\nc\n"))
	expectBody(t, a, `"ids":3`, `"positions":`)
	_, token, _ := strings.Cut(a.Body, `"receipt":"`)
	token, _, _ = strings.Cut(token, `"`)
	receipt, err := penstock.ParseReceipt(token, testCluster().ID)
	if err != nil {
		t.Fatal(err)
	}
	n := penstock.Offset(0)
	for _, at := range receipt.Positions {
		n += at.Offset
	}
	if n != 3 {
		t.Errorf("the receipt of 3 events has %v", receipt.Positions)
	}
	if a := s.Send(request(path, "", "a")); !strings.Contains(a.Body, `"ids":1`) {
		t.Errorf("a single object's answer lacks its id: %s", a.Body)
	}
	if a := s.Send(request(path, "", "a\nb\n")); strings.Contains(a.Body, `"ids"`) {
		t.Errorf("ids nobody asked for: %s", a.Body)
	}
}

// TestWaitApplied holds C-APPLIED.
func TestWaitApplied(t *testing.T) {
	var mu sync.Mutex
	var result error
	s, _, _ := start(t, Options{Applied: func(ctx context.Context, upTo penstock.Positions) error {
		if _, ok := ctx.Deadline(); !ok || len(upTo) == 0 {
			t.Error("no deadline, or no positions")
		}
		mu.Lock()
		defer mu.Unlock()
		return result
	}})
	expectBody(t, s.Send(request(path+"?wait=applied", "", "x")), `"applied":true`)
	mu.Lock()
	result = penstock.Errorf(penstock.Expired, "wait", "time is up")
	mu.Unlock()
	a := s.Send(request(path+"?wait=applied&timeout=10ms", "", "x"))
	s.Expect(a, 202, "")
	expectBody(t, a, `"applied":false`)
	s.Expect(s.Send(request(path+"?wait=applied&timeout=soon", "", "x")), 400, "bad_timeout")
	s.Expect(s.Send(request(path+"?wait=for_me", "", "x")), 400, "bad_wait")
	s.Expect(s.Send(request(path+"?a=%zz", "", "x")), 400, "bad_query")
}

func TestDebugStoresNothing(t *testing.T) {
	s, _, log := start(t, Options{Now: func() time.Time { return time.Unix(1e9, 0) }})
	a := s.Send(request(path+"?debug=1", "", "{\"a\":1}\nbad\n"))
	s.Expect(a, 200, "")
	expectBody(t, a, `"debug":true`, `"id":"0"`, `"time":"2001-09-09T01:46:40Z"`, `"data":{"a":1}`, `"rejected_count":1`, `"index":1`)
	expectStored(t, log, 0)
}

func TestWholeRequestRefused(t *testing.T) {
	s, _, log := start(t, Options{})
	s.Expect(s.Send(request(path, "", "a\nb\nbroken\nc")), 400, "bad_json")
	s.Expect(s.Send(request(path, "", "")), 400, "empty_batch")
	s.Expect(s.Send(request(path, "", "bad")), 422, "")
	s.Expect(s.Send(request(path, "Content-Type: image/png\r\n", "x")), 415, "unsupported_media_type")
	expectStored(t, log, 0)
	a := s.Send(request(path, "", "panic"))
	if a.Status != 500 || a.Outcome != "unknown" || strings.Contains(a.Body, "secret") {
		t.Errorf("a panic was answered %d %s", a.Status, a.Body)
	}
	expectStored(t, log, 0)
	s.Expect(s.Send(request(path, "", "a\nb\n")), 202, "")
	expectStored(t, log, 2)
}

// A connection serves requests of all kinds, good and refused, without one seeing anything of another's.
func TestOneConnection(t *testing.T) {
	log := &counter{kept: true}
	s, _, _ := start(t, Options{Log: log})
	raw := request(path, "", "first\nsecond\n") + request(path, "", "bad") + request(path, "", "x\nbroken\n") +
		request(path, "Content-Encoding: gzip\r\n", "not gzip") + request(path, "", strings.Repeat("y", 100<<10)) + request(path, "", "last")
	var got []int
	for _, a := range s.SendAll(raw) {
		got = append(got, a.Status)
	}
	want := []int{202, 422, 400, 400, 202, 202}
	if len(got) != len(want) {
		t.Fatalf("answers %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("answers %v, want %v", got, want)
		}
	}
	var bodies []string
	for _, b := range log.keep {
		for r := range b.Records() {
			bodies = append(bodies, string(r.Body[:1]))
		}
	}
	if strings.Join(bodies, "") != "fsyl" {
		t.Errorf("stored %q", bodies)
	}
}

// A stream is made by its first event, and by nothing else.
func TestOnlyEventsMakeAStream(t *testing.T) {
	streams := &firstUse{}
	s, _, log := start(t, Options{Streams: streams})
	s.Expect(s.Send(request(path, "", "")), 400, "empty_batch")
	s.Expect(s.Send(request(path, "", "x\nbroken\n")), 400, "bad_json")
	s.Expect(s.Send(request(path, "", "bad")), 422, "")
	s.Expect(s.Send(request(path+"?partial=false", "", "x\nbad\n")), 400, "bad_item")
	s.Expect(s.Send(request(path+"?debug=1", "", "{}")), 200, "")
	s.Expect(s.Send(request(path, "Content-Type: image/png\r\n", "x")), 415, "unsupported_media_type")
	s.Expect(s.Send(request(path, "Penstock-Producer: none\r\n", "x")), 400, "bad_producer")
	s.Expect(s.Send(request(path, "Content-Encoding: gzip\r\n", "x")), 400, "bad_encoding")
	if len(streams.made) != 0 {
		t.Errorf("made %q", streams.made)
	}
	streams.fail = penstock.Errorf(penstock.Unavailable, "declare streams", "the store is busy")
	s.Expect(s.Send(request(path, "", "x")), 503, "unavailable")
	streams.fail = &penstock.Error{Code: penstock.Overloaded, Op: "make stream", Reason: "cardinality"}
	s.Expect(s.Send(request(path, "", "x")), 429, "cardinality")
	expectStored(t, log, 0)
	streams.fail = nil
	s.Expect(s.Send(request(path, "", "x\nbad\n")), 202, "")
	if len(streams.made) != 1 || streams.made[0] != "default/clicks" {
		t.Errorf("made %q", streams.made)
	}
	expectStored(t, log, 1)
}

func TestTrace(t *testing.T) {
	var mu sync.Mutex
	heard := map[string]int{}
	hear := func(what string, n int) {
		mu.Lock()
		defer mu.Unlock()
		heard[what] += n
	}
	s, _, _ := start(t, Options{Trace: Trace{
		Accepted: func(stream string, events int, _ penstock.Bytes, _ time.Duration) { hear("accepted "+stream, events) },
		Rejected: func(stream, code string, events int) { hear("rejected "+stream+" "+code, events) },
		Refused:  func(reason string, _ error) { hear("refused "+reason, 1) },
	}})
	s.Send(request(path, "", "a\nbad\nb\nbad\n"))
	s.Send(request(path, "", "broken"))
	mu.Lock()
	defer mu.Unlock()
	if heard["accepted clicks"] != 2 || heard["rejected clicks bad_json"] != 2 || heard["refused bad_json"] != 1 || len(heard) != 3 {
		t.Errorf("heard %v", heard)
	}
}
