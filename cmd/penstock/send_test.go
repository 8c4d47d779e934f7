package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"penstock/internal/edge"
)

// TestSendKeepsTheOrderOfEachKey sends interleaved keys through many lanes in small requests.
// It holds C-ORD on the way into the log.
func TestSendKeepsTheOrderOfEachKey(t *testing.T) {
	s := newStage(t)
	const events, keys = 5000, 37
	var in strings.Builder
	for i := range events {
		fmt.Fprintf(&in, "{\"key\":\"k%d\",\"n\":%d}\n", i*i%keys, i)
	}
	o := s.penstock(strings.NewReader(in.String()), "send", "clicks", "--connections", "8", "--batch", "7", "-o", "json")
	if o.status != exitDone || !strings.Contains(o.stdout, `{"sent":5000,"accepted":5000,"rejected":0,`) {
		t.Fatalf("%+v", o)
	}
	held := s.held("clicks")
	last := map[string]int{}
	for _, line := range held {
		key, rest, _ := strings.Cut(line, " ")
		_, body, _ := strings.Cut(rest, " ")
		var e struct{ N int }
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			t.Fatal(err)
		}
		if before, ok := last[key]; ok && e.N <= before {
			t.Fatalf("key %s: %d comes after %d", key, e.N, before)
		}
		last[key] = e.N
	}
	if len(held) != events {
		t.Errorf("the log holds %d events", len(held))
	}
}

// TestSendFitsRequestsToTheServer meets a server that takes 100 items or 64 KiB a request, and events of 4 KiB.
func TestSendFitsRequestsToTheServer(t *testing.T) {
	s := newStage(t)
	var in strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&in, "{\"id\":\"%d\",\"text\":\"%s\"}\n", i, strings.Repeat("x", i))
	}
	fmt.Fprintf(&in, "{\"text\":\"%s\"}\n", strings.Repeat("x", 5<<10))
	fmt.Fprintf(&in, "{\"text\":\"%s\"}\n", strings.Repeat("x", 70<<10))
	o := s.penstock(strings.NewReader(in.String()), "send", "clicks", "-o", "json")
	if o.status != exitPartly || !strings.Contains(o.stdout, `{"sent":1002,"accepted":1000,"rejected":2,`) {
		t.Fatalf("%+v", o)
	}
	if !strings.Contains(o.stderr, "line 1001: too_large: ") || !strings.Contains(o.stderr, "line 1002: body_too_large: ") {
		t.Errorf("%s", o.stderr)
	}
	ids := map[string]int{}
	for _, line := range s.held("clicks") {
		ids[strings.Fields(line)[1]]++
	}
	for id, n := range ids {
		if n != 1 {
			t.Errorf("id %s is there %d times", id, n)
		}
	}
	if len(ids) != 1000 {
		t.Errorf("%d ids", len(ids))
	}
}

// TestSendRepeatsTheSameBytes lets the first answers say "later", and lets one get lost.
func TestSendRepeatsTheSameBytes(t *testing.T) {
	s := newStage(t)
	var bodies []string
	s.before = func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		bodies = append(bodies, string(body))
		w.Header().Set("Retry-After", "0.001")
		switch len(bodies) {
		case 1, 2:
			w.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(w, `{"code":"log_full","detail":"the log is full","outcome":"not_stored"}`)
		case 3:
			edge.Abandon(w)
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
	o := s.penstock(strings.NewReader("{\"n\":1}\n{\"n\":2}\n"), "send", "clicks", "--connections", "1")
	if o.status != exitDone || len(bodies) != 4 || strings.Count(o.stderr, "the log is full (log_full); trying again") != 1 {
		t.Fatalf("%+v after %q", o, bodies)
	}
	for _, body := range bodies {
		if body != bodies[0] || strings.Count(body, `"id":"`) != 2 {
			t.Errorf("%q after %q", body, bodies[0])
		}
	}
}

func TestSendEndsWhenPatienceDoes(t *testing.T) {
	s := newStage(t)
	s.before = func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
	o := s.penstock(strings.NewReader("{\"n\":1}\n"), "send", "clicks", "--retry", "0s", "-o", "json")
	if o.status != exitFailed || !strings.Contains(o.stderr, "0 events were acknowledged, of 1 more the outcome is not known") ||
		!strings.Contains(o.stdout, `{"sent":1,"accepted":0,"rejected":0,`) {
		t.Errorf("%+v", o)
	}
}

// TestSendTellsWhatWasAcknowledgedWhenItIsInterrupted interrupts while the second request hangs and more input is to come.
func TestSendTellsWhatWasAcknowledgedWhenItIsInterrupted(t *testing.T) {
	s := newStage(t)
	ctx, interrupt := context.WithCancel(t.Context())
	in, feed := io.Pipe()
	t.Cleanup(func() { feed.Close() })
	posts := 0
	s.before = func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			return
		}
		if posts++; posts == 2 {
			io.Copy(io.Discard, r.Body) // only then the server notices that the client goes
			interrupt()
			<-r.Context().Done()
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
	go func() {
		for i := range 4 {
			fmt.Fprintf(feed, "{\"n\":%d}\n", i)
		}
	}()
	o := runOnStage(ctx, s.url, in, "send", "clicks", "--connections", "1", "--batch", "2", "-o", "json")
	var r sendReport
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatalf("%v in %+v", err, o)
	}
	want := fmt.Sprintf("penstock: %d events were acknowledged, of %d more the outcome is not known; sent again, they have the same ids\npenstock: interrupted\n",
		r.Accepted, r.Sent-r.Accepted)
	if o.status != exitInterrupted || o.stderr != want || r.Accepted == 0 || r.Accepted == r.Sent {
		t.Errorf("%+v, want %q", o, want)
	}
}

// TestSendDoesNotWaitForMoreLines feeds a line and looks for it while the input stays open.
func TestSendDoesNotWaitForMoreLines(t *testing.T) {
	s := newStage(t)
	in, feed := io.Pipe()
	answered := make(chan struct{}, 8)
	s.before = func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			answered <- struct{}{}
		}
	}
	var ended sync.WaitGroup
	var o outcome
	ended.Go(func() { o = s.penstock(in, "send", "clicks") })
	for i := range 3 {
		fmt.Fprintf(feed, "{\"n\":%d}\n", i)
		<-answered
	}
	feed.Close()
	ended.Wait()
	if o.status != exitDone || !strings.HasPrefix(o.stdout, "3 sent, 3 accepted") || len(s.held("clicks")) != 3 {
		t.Errorf("%+v", o)
	}
}

func TestSendFreshMakesOtherIDs(t *testing.T) {
	s := newStage(t)
	for range 2 {
		if o := s.penstock(strings.NewReader("{\"n\":1}\n"), "send", "clicks", "--fresh"); o.status != exitDone {
			t.Fatalf("%+v", o)
		}
	}
	held := s.held("clicks")
	if len(held) != 2 || strings.Fields(held[0])[1] == strings.Fields(held[1])[1] {
		t.Errorf("%q", held)
	}
}

// TestSendFailsWhenTheInputDoes still sends what was read.
func TestSendFailsWhenTheInputDoes(t *testing.T) {
	s := newStage(t)
	in := io.MultiReader(strings.NewReader("{\"n\":1}\n"), iotest.ErrReader(errReading))
	o := s.penstock(in, "send", "clicks")
	if o.status != exitFailed || !strings.Contains(o.stderr, "1 events were acknowledged") || !strings.Contains(o.stderr, errReading.Error()) || len(s.held("clicks")) != 1 {
		t.Errorf("%+v", o)
	}
}

func TestSendListsTheFirstRejectedLines(t *testing.T) {
	s := newStage(t)
	o := s.penstock(strings.NewReader(strings.Repeat("[]\n", 90)), "send", "clicks", "--connections", "1")
	if o.status != exitPartly || strings.Count(o.stderr, ": bad_shape: ") != maxListed || !strings.HasSuffix(o.stderr, "70 more lines were rejected\n") {
		t.Errorf("%+v", o)
	}
}

// readAll returns the lines of an input as "number size text", "…" for those that are too long, and "~" where the reader
// had nothing at hand.
func readAll(t *testing.T, in io.Reader) ([]string, error) {
	t.Helper()
	var got []string
	r := lineReader{
		line: func(_ context.Context, l inputLine) error {
			got = append(got, fmt.Sprintf("%d %d %s", l.number, l.size, l.text))
			return nil
		},
		tooLong: func(l inputLine) { got = append(got, fmt.Sprintf("%d %d …", l.number, l.size)) },
		drained: func() { got = append(got, "~") },
	}
	err := r.read(t.Context(), in)
	return got, err
}

func TestLineReader(t *testing.T) {
	long := strings.Repeat("x", 3<<20)
	tooLong := strings.Repeat("y", maxLine+1)
	for _, c := range []struct{ in, want string }{
		{"", "~"},
		{"a\nb", "~|1 2 a|~|2 1 b"},
		{"\xef\xbb\xbfa\r\n\r\n \t\nb \n", "~|1 6 a|4 8 b|~"},
		{"\n\n", "~|~"},
		{long + "\nb\n", "~|1 3145729 " + long + "|2 2 b|~"},
		{tooLong + "\nb\n" + tooLong, "~|1 16777218 …|2 2 b|~|3 16777217 …"},
	} {
		got, err := readAll(t, strings.NewReader(c.in))
		if joined := strings.Join(got, "|"); err != nil || joined != c.want {
			t.Errorf("%.40q: %.80q, %v; want %.80q", c.in, joined, err, c.want)
		}
	}
	got, err := readAll(t, io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(errReading)))
	if !errors.Is(err, errReading) || strings.Join(got, "|") != "~|1 2 a|~|2 1 b" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestLineReaderEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	r := lineReader{
		line:    func(context.Context, inputLine) error { cancel(errReading); return nil },
		drained: func() {},
	}
	if err := r.read(ctx, strings.NewReader("a\nb\n")); !errors.Is(err, errReading) {
		t.Error(err)
	}
}
