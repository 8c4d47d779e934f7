package edge_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"penstock"
	"penstock/internal/edge"
)

// TestProblems holds what clients see of errors, for each code and for what is special.
func TestProblems(t *testing.T) {
	codes := []penstock.Code{penstock.Invalid, penstock.NotFound, penstock.Forbidden, penstock.Conflict, penstock.Overloaded,
		penstock.Full, penstock.Unavailable, penstock.Unknown, penstock.Stale, penstock.NotOwner, penstock.Trimmed,
		penstock.Corrupt, penstock.Expired, penstock.Internal, "no such code"}
	var out strings.Builder
	show := func(method string, err error) {
		w := httptest.NewRecorder()
		edge.WriteError(w, httptest.NewRequest(method, "/", nil), err)
		fmt.Fprintf(&out, "%s %.60q\n----\n%d %s", method, err.Error(), w.Code, w.Header().Get("Content-Type"))
		if after := w.Header().Get("Retry-After"); after != "" {
			fmt.Fprintf(&out, ", Retry-After: %s", after)
		}
		fmt.Fprintf(&out, "\n%s\n", w.Body)
	}
	for _, code := range codes {
		show("POST", penstock.Errorf(code, "open file", "/var/lib/secret"))
	}
	show("GET", penstock.Errorf(penstock.Internal, "open file", "/var/lib/secret"))
	show("GET", penstock.Errorf(penstock.Unknown, "append blocks", "timeout"))
	show("POST", errors.New("an error of someone else"))
	show("POST", penstock.Refusef("body_too_large", "read body", "too much"))
	show("POST", penstock.Refusef("bad_stream", "check stream name", "<b>\x1b[31m\x00\n%s", strings.Repeat("ä", 400)))
	show("POST", &penstock.Error{Code: penstock.Unavailable, Op: "admit request", Reason: "shutting_down"})
	show("POST", &penstock.Error{Code: penstock.Unknown, Op: "append blocks", Reason: "stalled"})
	show("POST", penstock.Wrap(penstock.Overloaded, "find stream", &penstock.Error{Code: penstock.Overloaded, Op: "make stream", Reason: "cardinality", Err: errors.New("there are 1000 streams")}))
	within := penstock.Errorf(penstock.NotFound, "find stream", "there is no stream orders")
	show("POST", penstock.Wrap(penstock.Invalid, "replay letters", penstock.Wrap(penstock.Invalid, "read filter", within)))
	show("POST", penstock.Errorf(penstock.Conflict, "compare", "it cannot be (%w), nor (%w)", within, penstock.Errorf(penstock.Corrupt, "read file", "/var/lib/secret")))
	show("POST", penstock.Errorf(penstock.Conflict, "compare", "it cannot be: %w", fmt.Errorf("as asked: %w", within)))
	for _, code := range codes[:4] {
		show("POST", &penstock.Error{Code: code, Op: "open file"})
	}
	golden(t, "problems.txt", out.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-rewrite accepts it):\n%s", path, got)
	}
}

func TestPanicTellsNothing(t *testing.T) {
	var panicked []string
	guard := edge.NewGuard(edge.GuardOptions{Trace: edge.GuardTrace{Panicked: func(pattern string, value any, stack []byte) {
		panicked = append(panicked, fmt.Sprint(pattern, " ", value, " ", len(stack) > 0))
	}}})
	routes(guard)
	s := startGuard(t, guard)
	a := s.Send("GET /panic HTTP/1.1\r\nHost: localhost\r\n\r\n")
	s.Expect(a, 500, "internal")
	if strings.Contains(a.Body, "secret") || !a.Closed {
		t.Errorf("closed %v: %s", a.Closed, a.Body)
	}
	if want := []string{"GET /panic secret text true"}; !slices.Equal(panicked, want) {
		t.Errorf("heard %q", panicked)
	}
}

func TestSecurityHeaders(t *testing.T) {
	s := start(t, edge.GuardOptions{}, edge.ServerOptions{})
	for _, line := range []string{"GET /healthz", "GET /nothing", "POST /healthz", events} {
		a := s.Send(line + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", line, a.Header)
		}
		if strings.HasPrefix(line, "GET") && !strings.Contains(a.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: %v", line, a.Header)
		}
	}
}
