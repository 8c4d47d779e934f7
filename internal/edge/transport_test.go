package edge_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"penstock/internal/edge"
	"penstock/internal/edge/edgetest"
)

// The rows are those of the project's list of bad input and what it must get.

func TestRow01Slowloris(t *testing.T) {
	s := start(t, edge.GuardOptions{}, edge.ServerOptions{HeaderTimeout: 200 * time.Millisecond})
	var closed sync.WaitGroup
	for range 300 {
		conn := s.Dial()
		closed.Go(func() {
			_, _ = io.WriteString(conn, "POST /v1/streams/a/events HTTP/1.1\r\nX-")
			drip := time.NewTicker(20 * time.Millisecond)
			defer drip.Stop()
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				_, _ = io.Copy(io.Discard, conn) // ends when the server closes
			}()
			for {
				select {
				case <-gone:
					return
				case <-drip.C:
					_, _ = conn.Write([]byte("x"))
				}
			}
		})
	}
	s.Honest()
	closed.Wait()
}

func TestRow03LargeHeaders(t *testing.T) {
	s := start(t, edge.GuardOptions{}, edge.ServerOptions{})
	request := func(headers string) string {
		return "GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n"
	}
	a := s.Send(request("X-Long: " + strings.Repeat("x", 17<<10) + "\r\n"))
	s.Expect(a, 431, "")
	s.Expect(s.Send(request(strings.Repeat("a: b\r\n", 1000))), 431, "too_many_headers")
	s.Expect(s.Send(request(strings.Repeat("a: b\r\n", 99))), 200, "")
	s.Expect(s.Send(request(strings.Repeat("a: b\r\n", 101))), 431, "too_many_headers")
}

func TestRow04LongURL(t *testing.T) {
	s := start(t, edge.GuardOptions{}, edge.ServerOptions{})
	s.Expect(s.Send("GET /healthz?"+strings.Repeat("x", 9<<10)+" HTTP/1.1\r\nHost: localhost\r\n\r\n"), 414, "uri_too_long")
}

const post = "POST /v1/streams/a/events HTTP/1.1\r\nHost: localhost\r\n"

func TestRow06TwoLengths(t *testing.T) {
	s := start(t, edge.GuardOptions{}, edge.ServerOptions{})
	a := s.Send(post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc")
	s.Expect(a, 400, "")
	if !a.Closed {
		t.Error("the connection stays open")
	}
}

// The chunks are read as the framing says, and what follows them is the next request; the length is ignored.
func TestRow07LengthAndChunks(t *testing.T) {
	s := start(t, edge.GuardOptions{}, edge.ServerOptions{})
	smuggled := "GET /v1/streams HTTP/1.1\r\nHost: localhost\r\n\r\n"
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled)
	all := s.SendAll(post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)
	if len(all) != 1 {
		t.Fatalf("%d answers to one request", len(all))
	}
	if want := fmt.Sprintf(`"read":%d`, len(smuggled)); all[0].Status == 200 && !strings.Contains(all[0].Body, want) {
		t.Errorf("got %s, want %s", all[0].Body, want)
	}
}

func TestRow08OddTransferEncoding(t *testing.T) {
	s := start(t, edge.GuardOptions{}, edge.ServerOptions{})
	for _, te := range []string{"chunked, identity", "xchunked", "chunked\r\nTransfer-Encoding: identity", "\x0bchunked", "identity"} {
		a := s.Send(post + "Transfer-Encoding: " + te + "\r\n\r\n0\r\n\r\n")
		if a.Status != 400 && a.Status != 501 || !a.Closed {
			t.Errorf("%q: got %d, closed %v", te, a.Status, a.Closed)
		}
	}
}

func TestRow11OddHeaderBytes(t *testing.T) {
	s := start(t, edge.GuardOptions{}, edge.ServerOptions{})
	for _, header := range []string{"X: a\x00b", "X: a\rb", "X\x00: a", "X : a", ": a", "no colon"} {
		s.Expect(s.Send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n"+header+"\r\n\r\n"), 400, "")
	}
}

func TestRow14NotHTTP(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	log := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
	}
	now := time.Unix(1e9, 0) // stands still, so that one line is all there may be
	s := start(t, edge.GuardOptions{}, edge.ServerOptions{Log: log, Now: func() time.Time { return now }, HeaderTimeout: 100 * time.Millisecond})
	hello := "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x07", 500)
	random := strings.Repeat("\x9e\x01\xffq\r\x00", 300)
	for _, raw := range []string{"GET /healthz\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", hello, hello + "\r\n\r\n", random, random + "\n\n"} {
		for _, a := range s.SendAll(raw) {
			if a.Status < 400 || a.Status > 505 || !a.Closed {
				t.Errorf("%.20q: got %d, closed %v", raw, a.Status, a.Closed)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(lines) > 1 {
		t.Errorf("%d lines in one second: %q", len(lines), lines)
	}
}

func TestRow15ManyConnections(t *testing.T) {
	guard := edge.NewGuard(edge.GuardOptions{})
	routes(guard)
	s := edgetest.Start(t, edgetest.Options{
		Handler: guard, Honest: honest,
		Server: edge.ServerOptions{IdleTimeout: 300 * time.Millisecond},
		Listen: edge.ListenOptions{MaxConns: 8},
	})
	var idle []net.Conn
	for range 8 {
		conn := s.Dial()
		_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		one := make([]byte, 1)
		if _, err := io.ReadFull(conn, one); err != nil {
			t.Fatal(err)
		}
		idle = append(idle, conn)
	}
	for range 20 {
		a := s.Send(honest)
		s.Expect(a, 503, "overloaded")
	}
	for _, conn := range idle {
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("an idle connection was not closed: %v", err)
		}
	}
}

func TestRow16WrongMethod(t *testing.T) {
	s := start(t, edge.GuardOptions{}, edge.ServerOptions{})
	paths := map[string]string{"/healthz": "GET, HEAD", "/v1/streams/a/events": "POST", "/v1/streams": "GET, HEAD", "/v1/sql": "POST", "/v1/dlq/replay": "POST"}
	for path, allow := range paths {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"} {
			if strings.Contains(allow, method) {
				continue
			}
			a := s.Send(method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx")
			s.Expect(a, 405, "method_not_allowed")
			if a.Header.Get("Allow") != allow {
				t.Errorf("%s %s: Allow %q, want %q", method, path, a.Header.Get("Allow"), allow)
			}
		}
	}
	s.Expect(s.Send("CONNECT example.com:443 HTTP/1.1\r\nHost: localhost\r\n\r\n"), 405, "method_not_allowed")
	s.Expect(s.Send("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"), 405, "method_not_allowed")
}

func TestRow17ExpectWithBadKey(t *testing.T) {
	s := start(t, edge.GuardOptions{Tokens: tokens()}, edge.ServerOptions{})
	a := s.Send(post + "Authorization: Bearer wrong\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n")
	s.Expect(a, 401, "unauthorized")
	a = s.Send(post + "Authorization: Bearer wrong\r\nContent-Length: 100\r\n\r\n") // the body never comes
	s.Expect(a, 401, "unauthorized")
	if !a.Closed {
		t.Error("the connection stays open for a body that nobody reads")
	}
}

func TestRow20Host(t *testing.T) {
	get := func(host string) string { return "GET /healthz HTTP/1.1\r\n" + host + "\r\n" }
	s := start(t, edge.GuardOptions{Hosts: []string{"192.0.2.7:7367"}}, edge.ServerOptions{})
	s.Expect(s.Send(get("")), 400, "")
	s.Expect(s.Send("GET /healthz HTTP/1.0\r\n\r\n"), 400, "bad_host")
	for _, host := range []string{"localhost", "LOCALHOST:7367", "127.0.0.1:7367", "127.9.9.9", "[::1]:7367", "[::1]", "192.0.2.7", "192.0.2.7:7367"} {
		s.Expect(s.Send(get("Host: "+host+"\r\n")), 200, "")
	}
	for _, host := range []string{"evil.example", "localhost.evil.example", "127.0.0.1.evil.example:7367", "192.0.2.8", "2130706433", "[::2]"} {
		s.Expect(s.Send(get("Host: "+host+"\r\n")), 421, "misdirected")
	}
	s.Expect(s.Send("GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"), 421, "misdirected")
	guarded := start(t, edge.GuardOptions{Tokens: tokens()}, edge.ServerOptions{})
	guarded.Expect(guarded.Send(get("Host: go.example\r\n")), 200, "")
}

func TestRow22OddPaths(t *testing.T) {
	s := start(t, edge.GuardOptions{}, edge.ServerOptions{})
	for _, path := range []string{"//healthz", "/healthz//", "/v1//streams", "/v1/../healthz", "/..", "/.", "/./healthz", "/%2e%2e/healthz",
		"/v1/%2e%2e%2fhealthz", "/%00", "/healthz%00", "/\\healthz", "/%5chealthz", "/%c0%ae%c0%ae/x", "/%ff", "/%zz", "healthz",
		"/etc/passwd", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/favicon.ico", "/" + strings.Repeat("a/", 3000)} {
		a := s.Send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if a.Status != http.StatusBadRequest && a.Status != http.StatusNotFound {
			t.Errorf("%.40q: got %d", path, a.Status)
		}
	}
}
