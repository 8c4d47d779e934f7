package ingest

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"penstock/internal/edge"
)

// The rows are those of the project's list of bad input and what it must get.

// drip sends a byte at a time until the connection is closed.
func drip(conn net.Conn, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if _, err := conn.Write([]byte("x")); err != nil {
			return
		}
		<-tick.C
	}
}

func TestRow02SlowBody(t *testing.T) {
	// The limits are a hundredth of the usual ones, and so is the pause between bytes.
	limits := Limits{BodyFloor: 100 << 10, BodyGrace: 100 * time.Millisecond, BodyTime: 300 * time.Millisecond}
	s, _, log := startWith(t, Options{Limits: limits}, edge.ServerOptions{ReadTimeout: 5 * time.Second})
	for _, framing := range []string{"Content-Length: 100000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nfffff\r\n"} {
		conn := s.Dial()
		_, _ = io.WriteString(conn, path+" HTTP/1.1\r\nHost: localhost\r\n"+framing+"begin")
		dripped := make(chan struct{})
		go func() {
			defer close(dripped)
			drip(conn, time.Millisecond)
		}()
		a := s.Read(conn)
		s.Expect(a, 408, "body_too_slow")
		if !a.Closed {
			t.Error("the connection stays open")
		}
		_ = conn.Close()
		<-dripped
	}
	expectStored(t, log, 0)
}

func TestRow02NoBodyAtAll(t *testing.T) {
	s, _, _ := startWith(t, Options{}, edge.ServerOptions{ReadTimeout: 100 * time.Millisecond})
	a := s.Send(path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")
	s.Expect(a, 408, "body_too_slow")
}

// A body that keeps up with the slowest rate is read, though it takes longer than the server gives others.
func TestRow02PatientBody(t *testing.T) {
	limits := Limits{BodyFloor: 1, BodyGrace: 10 * time.Second}
	s, _, log := startWith(t, Options{Limits: limits}, edge.ServerOptions{ReadTimeout: 50 * time.Millisecond})
	conn := s.Dial()
	const size = 100
	_, _ = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\nx", path, size)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range size - 1 {
		<-tick.C
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	s.Expect(s.Read(conn), 202, "")
	expectStored(t, log, 1)
}

func TestRow05CutBody(t *testing.T) {
	s, _, log := start(t, Options{})
	for _, raw := range []string{"Content-Length: 1000\r\n\r\nwhole line\nhalf", "Transfer-Encoding: chunked\r\n\r\nff\r\nwhole line\nhalf", "Transfer-Encoding: chunked\r\n\r\n"} {
		all := s.SendAll(path + " HTTP/1.1\r\nHost: localhost\r\n" + raw)
		if len(all) != 1 {
			t.Fatalf("%d answers", len(all))
		}
		s.Expect(all[0], 400, "body_cut")
	}
	expectStored(t, log, 0)
}

// endless is the body of a request that never ends.
type endless struct {
	head  io.Reader
	piece []byte
	rest  []byte
}

func (e *endless) Read(p []byte) (int, error) {
	if n, _ := e.head.Read(p); n > 0 {
		return n, nil
	}
	if len(e.rest) == 0 {
		e.rest = e.piece
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func TestRow09EndlessBody(t *testing.T) {
	s, _, log := start(t, Options{})
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 64<<10, strings.Repeat("line\n", 64<<10/5)+"x")
	a := s.Stream(&endless{
		head:  strings.NewReader(path + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"),
		piece: []byte(chunk),
	})
	s.Expect(a, 413, "body_too_large")
	s.Expect(s.Send(path+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8388609\r\n\r\n"), 413, "body_too_large")
	expectStored(t, log, 0)
	s.Expect(s.Send(request(path, "", strings.Repeat("x", 8<<20))), 202, "")
}

// A chunk of 2^64-1 bytes is well formed, as far as net/http can see: it gets what an endless or an unfinished body gets.
func TestRow10BadChunks(t *testing.T) {
	s, _, log := start(t, Options{Limits: Limits{BodyGrace: 100 * time.Millisecond}})
	huge := path + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n"
	s.Expect(s.SendAll(huge + "x")[0], 400, "body_cut")
	s.Expect(s.Send(huge+"x"), 408, "body_too_slow")
	s.Expect(s.Stream(io.MultiReader(strings.NewReader(huge), zeros{})), 413, "body_too_large")
	for _, chunk := range []string{
		"FFFFFFFFFFFFFFFFF\r\nx", "-1\r\nx", "x\r\n", "5\r\nhelloXX\r\n", "\r\n", "0x5\r\nhello\r\n",
		"5;" + strings.Repeat("x", 1<<20) + "\r\nhello\r\n0\r\n\r\n",
		strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\nx\r\n", 1000) + "0\r\n\r\n",
	} {
		a := s.Send(path + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + "\r\n0\r\n\r\n")
		if a.Status != 400 || !a.Closed {
			t.Errorf("%.20q: got %d %s, closed %v", chunk, a.Status, a.Body, a.Closed)
		}
	}
	expectStored(t, log, 0)
}

const jsonPath = "POST /v1/streams/clicks/events"

func TestRow18ContentType(t *testing.T) {
	s, _, log := start(t, Options{})
	for _, headers := range []string{
		"Content-Type: text/plain\r\n", "Content-Type: application/xml\r\n", "Content-Type: nonsense\r\n",
		"Origin: https://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-origin\r\n",
		"Content-Type: application/x-www-form-urlencoded\r\nOrigin: null\r\n", "Content-Type: text/plain\r\nOrigin: http://localhost\r\n",
	} {
		a := s.Send(request(jsonPath, headers, `{"a":1}`))
		s.Expect(a, 415, "unsupported_media_type")
		expectBody(t, a, "curl -H")
	}
	expectStored(t, log, 0)
	for _, headers := range []string{
		"", "Content-Type: application/x-www-form-urlencoded\r\n", "Content-Type: application/json\r\nOrigin: https://shop.example\r\n",
	} {
		s.Expect(s.Send(request(jsonPath, headers, `{"a":1}`)), 202, "")
	}
	expectStored(t, log, 3)
}

func TestRow19Charset(t *testing.T) {
	s, _, _ := start(t, Options{})
	s.Expect(s.Send(request(jsonPath, "Content-Type: application/json; charset=utf-16\r\n", `{"a":1}`)), 415, "unsupported_media_type")
	s.Expect(s.Send(request(jsonPath, "Content-Type: application/json; charset=UTF-8\r\n", `{"a":1}`)), 202, "")
}

// Who the events belong to follows from the token alone.
func TestRow38ForeignTenant(t *testing.T) {
	log := &counter{kept: true}
	s, _, _ := start(t, Options{Log: log})
	s.Expect(s.Send(request(path+"?tenant=other&tenant_id=other", "X-Tenant: other\r\nX-Tenant-Id: other\r\n", `{"tenant_id":"other"}`)), 202, "")
	block := log.keep[0]
	if block.Tenant != "default" {
		t.Errorf("tenant %q", block.Tenant)
	}
	for r := range block.Records() {
		if string(r.Body) != `{"tenant_id":"other"}` {
			t.Errorf("the event was changed: %s", r.Body)
		}
	}
}

func TestRow57TooManyItems(t *testing.T) {
	s, _, log := start(t, Options{})
	s.Expect(s.Send(request(path, "", strings.Repeat("x\n", 5001))), 413, "too_many_items")
	expectStored(t, log, 0)
	s.Expect(s.Send(request(path, "", strings.Repeat("x\n", 5000))), 202, "")
}

// TestRow58OneBadItem holds C-BATCH.
func TestRow58OneBadItem(t *testing.T) {
	s, _, log := start(t, Options{})
	body := strings.Repeat("x\n", 17) + "bad\n" + strings.Repeat("x\n", 982)
	a := s.Send(request(path, "", body))
	s.Expect(a, 202, "")
	expectBody(t, a, `"accepted":999`, `"rejected_count":1`, `"rejected_17":"bad_json"`)
	expectStored(t, log, 999)
	a = s.Send(request(path+"?partial=false", "", body))
	s.Expect(a, 400, "bad_item")
	expectBody(t, a, "item 17: bad_json")
	expectStored(t, log, 999)
}

// TestRow73TooManyStreams holds C-429.
func TestRow73TooManyStreams(t *testing.T) {
	s, _, _ := start(t, Options{})
	s.Expect(s.Send(request("POST /v1/streams/one_too_many/lines", "", "x")), 429, "cardinality")
}

func TestRow74StreamNames(t *testing.T) {
	s, _, log := start(t, Options{})
	for _, name := range []string{"a'b", "A", "1a", "a-b", "a%20b", "%2e%2e%2fetc", "pg_class", "duckdb_x", "penstock", strings.Repeat("a", 65), strings.Repeat("a", 64), "a%00"} {
		a := s.Send(request("POST /v1/streams/"+name+"/lines", "", "x"))
		if a.Status != 400 || a.Code != "bad_stream" && a.Code != "bad_path" {
			t.Errorf("%s: got %d %s", name, a.Status, a.Body)
		}
	}
	s.Expect(s.Send(request("POST /v1/streams/order/lines", "", "x")), 202, "")
	s.Expect(s.Send(request("POST /v1/streams/removed/lines", "", "x")), 404, "unknown_stream")
	expectStored(t, log, 1)
}
