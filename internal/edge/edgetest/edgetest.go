// Package edgetest sends raw bytes to a real listener and looks at what comes back: for tests of what bad requests get.
package edgetest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"penstock/internal/edge"
)

// Options says what to start and what an honest sender would send to it.
type Options struct {
	Handler http.Handler
	Server  edge.ServerOptions
	Listen  edge.ListenOptions
	Honest  string // a raw request
	Status  int    // its answer; 200 if zero
}

// Server is a server on a free port of the loopback address. When its test ends it checks that an honest request still
// works and that memory is back to where it was, and stops.
type Server struct {
	Addr string

	t      *testing.T
	honest string
	status int
}

const (
	patience = 20 * time.Second // how long a test waits for an answer that does not come
	slack    = 16 << 20         // bytes that the process may have grown by
)

// Start starts a server for one test.
func Start(t *testing.T, o Options) *Server {
	t.Helper()
	base := memory()
	listener, err := edge.Listen("127.0.0.1:0", o.Listen)
	if err != nil {
		t.Fatal(err)
	}
	server := edge.NewServer(o.Handler, o.Server)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	s := &Server{Addr: listener.Addr().String(), t: t, honest: o.Honest, status: o.Status}
	if s.status == 0 {
		s.status = http.StatusOK
	}
	t.Cleanup(func() {
		s.Honest()
		_ = server.Close()
		<-done
		if grown := memory() - base; grown > slack {
			t.Errorf("memory grew by %d KiB", grown>>10)
		}
	})
	return s
}

// To returns a client of a server that runs elsewhere, for one test. When the test ends nothing is checked.
func To(t *testing.T, addr string) *Server { return &Server{Addr: addr, t: t} }

// memory returns what the process holds of the system's memory, garbage not counted.
func memory() int64 {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased)
}

// Honest checks that an honest request works.
func (s *Server) Honest() {
	s.t.Helper()
	if s.honest == "" {
		return
	}
	if a := s.Send(s.honest); a.Status != s.status {
		s.t.Errorf("an honest request got %d %s", a.Status, a.Body)
	}
}

// Dial opens a connection that the test's end closes.
func (s *Server) Dial() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	s.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// Answer is what came back; Status 0 means that the connection was closed without one.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	Closed bool   // the server closed the connection after it
	Code   string // of problem+json
	Detail string
	// Outcome is "not_stored" or "unknown".
	Outcome string
}

// Send sends raw bytes over a new connection and returns the first answer.
func (s *Server) Send(raw string) Answer {
	s.t.Helper()
	return s.Stream(strings.NewReader(raw))
}

// Stream is Send for bytes that are made while they are sent; it does not mind if the server stops reading.
func (s *Server) Stream(raw io.Reader) Answer {
	s.t.Helper()
	conn := s.Dial()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.Copy(conn, raw)
	}()
	a := s.Read(conn)
	_ = conn.Close()
	<-sent
	return a
}

// SendAll sends raw bytes and then the end, and returns all answers until the server closes.
func (s *Server) SendAll(raw string) []Answer {
	s.t.Helper()
	conn := s.Dial()
	_, _ = io.WriteString(conn, raw)
	_ = conn.(*net.TCPConn).CloseWrite()
	in := bufio.NewReader(conn)
	var all []Answer
	for {
		a := s.readOne(in)
		if a.Status == 0 {
			return all
		}
		all = append(all, a)
	}
}

// Read reads one answer from a connection.
func (s *Server) Read(conn net.Conn) Answer {
	s.t.Helper()
	in := bufio.NewReader(conn)
	a := s.readOne(in)
	if a.Closed {
		if _, err := in.ReadByte(); isTimeout(err) || err == nil {
			s.t.Errorf("the connection stays open: %v", err)
		}
	}
	return a
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (s *Server) readOne(in *bufio.Reader) Answer {
	s.t.Helper()
	resp, err := http.ReadResponse(in, nil)
	if isTimeout(err) {
		s.t.Fatal("no answer, and the connection is still open")
	}
	if err != nil {
		return Answer{Closed: true}
	}
	body, _ := io.ReadAll(resp.Body)
	a := Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(body), Closed: resp.Close}
	if resp.Header.Get("Content-Type") == "application/problem+json" {
		var p struct {
			Status                int
			Code, Detail, Outcome string
		}
		if err := json.Unmarshal(body, &p); err != nil || p.Status != a.Status {
			s.t.Errorf("a problem that is none: %v %s", err, body)
		}
		a.Code, a.Detail, a.Outcome = p.Code, p.Detail, p.Outcome
	}
	return a
}

// Expect checks an answer's status, and its code unless that is empty. Every problem but "unknown" must say that nothing was stored.
func (s *Server) Expect(a Answer, status int, code string) {
	s.t.Helper()
	if a.Status != status || code != "" && a.Code != code {
		s.t.Errorf("got %d %q %s, want %d %q", a.Status, a.Code, bytes.TrimSpace([]byte(a.Body)), status, code)
	}
	if a.Code != "" && a.Outcome != "not_stored" {
		s.t.Errorf("outcome %q", a.Outcome)
	}
	if (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) && a.Header.Get("Retry-After") == "" {
		s.t.Error("Retry-After is missing")
	}
}
