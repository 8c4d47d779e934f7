package ingest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The records of a numbered request carry its producer and their index among those that were accepted; the next request has none.
// It holds C-PRODUCER at the door.
func TestProducer(t *testing.T) {
	log := &counter{kept: true}
	s, _, _ := start(t, Options{Log: log})
	numbered := func(seq int) string { return fmt.Sprintf("Penstock-Producer: agent-1/%d\r\n", seq) }
	raw := request(path, numbered(7), "a\nbad\nb\nc\n") + request(path, "", "d") + request(path, numbered(8), "bad") + request(path, "penstock-"+numbered(9)[9:], "e")
	plain := request(path, "", "a\nbad\nb\nc\n")
	bodies := []string{}
	for _, a := range s.SendAll(raw + plain) {
		answer, _, _ := strings.Cut(a.Body, `,"receipt"`)
		bodies = append(bodies, answer)
	}
	if len(bodies) != 5 || bodies[0] != bodies[4] {
		t.Errorf("a number changes the answer: %q", bodies)
	}
	var got []string
	for _, b := range log.keep[:3] {
		for r := range b.Records() {
			got = append(got, fmt.Sprintf("%s %s %d", r.Body, r.Producer, r.Item))
		}
	}
	want := []string{"a agent-1/7 0", "b agent-1/7 1", "c agent-1/7 2", "d /0 0", "e agent-1/9 0"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A number that is none is refused before any of the body is read.
func TestBadProducer(t *testing.T) {
	s, _, log := start(t, Options{})
	for _, header := range []string{"agent-1", "agent-1/0", "agent-1/x", "/1", "", strings.Repeat("n", 65) + "/1", "a/1\r\nPenstock-Producer: a/2", "a/1, a/2"} {
		a := s.Send(path + " HTTP/1.1\r\nHost: localhost\r\nPenstock-Producer: " + header + "\r\nContent-Length: 100\r\n\r\n") // the body never comes
		s.Expect(a, 400, "bad_producer")
		if a.Outcome != "not_stored" || !a.Closed {
			t.Errorf("%q: outcome %s, closed %v", header, a.Outcome, a.Closed)
		}
	}
	expectStored(t, log, 0)
}
