package edge_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"penstock/internal/edge"
)

func request(line, headers string) string {
	return line + " HTTP/1.1\r\nHost: go.example\r\n" + headers + "\r\n"
}

const events = "POST /v1/streams/a/events"

// Whatever is wrong with a token, the answer is the same to the byte.
func TestRow32NoToken(t *testing.T) {
	s := start(t, edge.GuardOptions{Tokens: tokens()}, edge.ServerOptions{})
	want := s.Send(request(events, ""))
	s.Expect(want, 401, "unauthorized")
	want.Header.Del("Date")
	for _, headers := range []string{
		"Authorization: Bearer wrong\r\n", "Authorization: Bearer\r\n", "Authorization: Bearer \r\n", "Authorization: \r\n",
		"Authorization: Basic d2ViOnNlY3JldA==\r\n", "Authorization: " + webToken + "\r\n", "X-Write-Key: wrong\r\n",
		"X-Write-Key: " + webToken[:len(webToken)-1] + "\r\n", "Authorization: Bearer " + strings.ToUpper(webToken) + "\r\n",
	} {
		a := s.Send(request(events, headers))
		a.Header.Del("Date")
		if a.Status != want.Status || a.Body != want.Body || fmt.Sprint(a.Header) != fmt.Sprint(want.Header) {
			t.Errorf("%q: got %d %v %s", headers, a.Status, a.Header, a.Body)
		}
	}
	for _, headers := range []string{"Authorization: Bearer " + webToken + "\r\n", "Authorization: bearer " + webToken + "\r\n", "X-Write-Key: " + webToken + "\r\n"} {
		s.Expect(s.Send(request(events, headers)), 200, "")
	}
}

func TestRow32RevokedToken(t *testing.T) {
	guard := edge.NewGuard(edge.GuardOptions{Tokens: tokens()})
	routes(guard)
	s := startGuard(t, guard)
	mine := request(events, "X-Write-Key: "+webToken+"\r\n")
	s.Expect(s.Send(mine), 200, "")
	guard.SetTokens(edge.NewTokens([]edge.Token{{Name: "web", Secret: "another", Allow: edge.Write}, {Name: "none", Allow: edge.Admin}}))
	s.Expect(s.Send(mine), 401, "unauthorized")
	s.Expect(s.Send(request(events, "X-Write-Key: \r\n")), 401, "unauthorized")
	s.Expect(s.Send(request(events, "X-Write-Key: another\r\n")), 200, "")
}

func TestRow33Scopes(t *testing.T) {
	s := start(t, edge.GuardOptions{Tokens: tokens()}, edge.ServerOptions{})
	for _, c := range []struct {
		line                     string
		none, write, read, admin int
	}{
		{line: "GET /healthz", none: 200, write: 200, read: 200, admin: 200},
		{line: events, none: 401, write: 200, read: 403, admin: 200},
		{line: "GET /v1/streams", none: 401, write: 403, read: 200, admin: 200},
		{line: "POST /v1/sql", none: 401, write: 403, read: 200, admin: 200},
		{line: "POST /v1/dlq/replay", none: 401, write: 403, read: 403, admin: 200},
	} {
		for token, want := range map[string]int{"": c.none, webToken: c.write, readToken: c.read, adminToken: c.admin} {
			headers := ""
			if token != "" {
				headers = "Authorization: Bearer " + token + "\r\n"
			}
			if a := s.Send(request(c.line, headers)); a.Status != want {
				t.Errorf("%s with %q: got %d, want %d", c.line, token, a.Status, want)
			}
		}
	}
}

func TestRow34TokenInQuery(t *testing.T) {
	s := start(t, edge.GuardOptions{Tokens: tokens()}, edge.ServerOptions{})
	for _, name := range []string{"token", "access_token", "api_key", "writeKey"} {
		a := s.Send(request(events+"?x=1&"+name+"="+webToken, ""))
		s.Expect(a, 401, "unauthorized")
		if a.Header.Get("Warning") == "" {
			t.Errorf("%s: no warning", name)
		}
		if strings.Contains(fmt.Sprint(a), webToken) {
			t.Errorf("%s: the answer repeats the secret", name)
		}
	}
	if a := s.Send(request(events+"?key=k", "")); a.Header.Get("Warning") != "" {
		t.Error("key is an ordinary parameter")
	}
}

func TestRow35LongToken(t *testing.T) {
	s := start(t, edge.GuardOptions{Tokens: tokens()}, edge.ServerOptions{})
	s.Expect(s.Send(request(events, "Authorization: Bearer "+strings.Repeat("x", 10<<20)+"\r\n")), 431, "")
}

// TestRow36GuessedTokens holds C-429.
func TestRow36GuessedTokens(t *testing.T) {
	var clock sync.Mutex
	now := time.Unix(1e9, 0)
	s := start(t, edge.GuardOptions{Tokens: tokens(), Now: func() time.Time {
		clock.Lock()
		defer clock.Unlock()
		return now
	}}, edge.ServerOptions{})
	wrong := func(i int) int {
		return s.Send(request(events, fmt.Sprintf("X-Forwarded-For: 192.0.2.%d\r\nX-Write-Key: guess%d\r\n", i%250, i))).Status
	}
	for i := range 20 {
		if got := wrong(i); got != 401 {
			t.Fatalf("guess %d: got %d", i, got)
		}
	}
	s.Expect(s.Send(request(events, "X-Write-Key: guess\r\n")), 429, "too_many_attempts")
	for i := range 50 { // row 21: another X-Forwarded-For for each of them helps nobody
		if got := wrong(i); got != 429 {
			t.Fatalf("guess %d: got %d", i, got)
		}
	}
	s.Expect(s.Send(request(events, "X-Write-Key: "+webToken+"\r\n")), 200, "")
	clock.Lock()
	now = now.Add(2 * time.Second)
	clock.Unlock()
	if a, b, c := wrong(1), wrong(2), wrong(3); a != 401 || b != 401 || c != 429 {
		t.Errorf("after two seconds: %d %d %d", a, b, c)
	}
}

func TestRow37TwoTokens(t *testing.T) {
	s := start(t, edge.GuardOptions{Tokens: tokens()}, edge.ServerOptions{})
	bearer := "Authorization: Bearer " + webToken + "\r\n"
	s.Expect(s.Send(request(events, bearer+"X-Write-Key: other\r\n")), 400, "two_tokens")
	s.Expect(s.Send(request(events, bearer+bearer)), 400, "two_tokens")
	s.Expect(s.Send(request(events, bearer+"X-Write-Key: "+webToken+"\r\n")), 200, "")
}

func TestRow100CrossSite(t *testing.T) {
	s := start(t, edge.GuardOptions{}, edge.ServerOptions{})
	for _, headers := range []string{"Sec-Fetch-Site: cross-site\r\n", "Origin: https://evil.example\r\n"} {
		for _, line := range []string{"POST /v1/dlq/replay", "POST /v1/sql"} {
			a := s.Send(line + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "Content-Type: text/plain\r\n\r\n")
			s.Expect(a, 403, "forbidden")
		}
	}
}

// A clock that jumps neither locks out who has a token, nor lets more guesses pass than it makes time pass.
func TestClockJumpsAndTokens(t *testing.T) {
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, jump := range []time.Duration{
		time.Hour, -time.Hour, -24 * time.Hour, 10 * 365 * 24 * time.Hour, -time.Second,
		time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC).Sub(began), time.Unix(0, 0).Sub(began),
	} {
		t.Run(jump.String(), func(t *testing.T) {
			var clock sync.Mutex
			now := began
			step := func(by time.Duration) {
				clock.Lock()
				defer clock.Unlock()
				now = now.Add(by)
			}
			s := start(t, edge.GuardOptions{Tokens: tokens(), WrongKeys: 3, Now: func() time.Time {
				clock.Lock()
				defer clock.Unlock()
				return now
			}}, edge.ServerOptions{})
			right := func() { s.Expect(s.Send(request(events, "X-Write-Key: "+webToken+"\r\n")), 200, "") }
			guesses := func() (taken int) {
				for range 5 {
					if s.Send(request(events, "X-Write-Key: guess\r\n")).Status == 401 {
						taken++
					}
				}
				return taken
			}
			right()
			if n := guesses(); n != 3 {
				t.Errorf("%d guesses at first", n)
			}
			for _, by := range []time.Duration{jump, -jump} { // and back
				step(by)
				right()
				want := 0
				if by > 0 {
					want = min(3, int(by/time.Second)) // that much time has passed, for all that is known
				}
				if n := guesses(); n != want {
					t.Errorf("%d guesses after %v, want %d", n, by, want)
				}
				step(2 * time.Second)
				if n := guesses(); n != 2 {
					t.Errorf("%d guesses two seconds after %v", n, by)
				}
			}
		})
	}
}
