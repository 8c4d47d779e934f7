package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"penstock/internal/edge/edgetest"
	"penstock/internal/load/child"
)

func transportRows() []row {
	return []row{
		{"row_03_headers", false, rowHeaders},
		{"row_04_long_url", false, rowLongURL},
		{"row_05_body_cut", false, rowBodyCut},
		{"row_06_two_lengths", false, rowTwoLengths},
		{"row_07_length_and_chunks", false, rowLengthAndChunks},
		{"row_08_transfer_encoding", false, rowTransferEncoding},
		{"row_09_endless_body", false, rowEndlessBody},
		{"row_10_chunk_sizes", false, rowChunkSizes},
		{"row_11_header_bytes", false, rowHeaderBytes},
		{"row_14_not_http", false, rowNotHTTP},
		{"row_15_idle_connections", false, rowIdleConnections},
		{"row_15_connection_cap", false, rowConnectionCap},
		{"row_16_methods", false, rowMethods},
		{"row_17_expect_with_bad_key", false, rowExpect},
		{"row_18_content_type", false, rowContentType},
		{"row_19_charset", false, rowCharset},
		{"row_20_host", false, rowHost},
		{"row_21_forwarded_for", false, rowForwardedFor},
		{"row_22_paths", false, rowPaths},
		{"row_01_slowloris", true, rowSlowloris},
		{"row_02_slow_body", true, rowSlowBody},
		{"row_10_chunk_that_does_not_come", true, rowChunkStalls},
	}
}

const (
	toNothing = "POST /v1/streams/nothing/events"
	toClicks  = "POST /v1/streams/clicks/events"
	local     = " HTTP/1.1\r\nHost: localhost\r\n"
	chunked   = "Transfer-Encoding: chunked\r\n\r\n"
)

func get(path, headers string) string { return "GET " + path + local + headers + "\r\n" }

func rowHeaders(r *raid) {
	r.note("a field of 17 KiB", r.Send(get("/healthz", "X-Long: "+strings.Repeat("x", 17<<10)+"\r\n")))
	r.note("1,000 fields", r.Send(get("/healthz", strings.Repeat("a: b\r\n", 1000))))
	r.note("1,000 fields of an event", r.Send(request(toNothing, strings.Repeat("a: b\r\n", 1000), "{}")))
}

func rowLongURL(r *raid) {
	r.note("9 KiB", r.Send(get("/healthz?"+strings.Repeat("x", 9<<10), "")))
}

func rowBodyCut(r *raid) {
	for _, c := range [][2]string{
		{"a length of 1,000", "Content-Length: 1000\r\n\r\n{\"a\":1}\n{\"a\":2}\n"},
		{"a chunk of 255", chunked + "ff\r\n{\"a\":1}\n{\"a\":2}\n"},
		{"no chunk at all", chunked},
		{"no last chunk", chunked + "7\r\n{\"a\":1}\r\n"},
	} {
		raw := toNothing + local + "Content-Type: application/x-ndjson\r\n" + c[1]
		for _, a := range r.SendAll(raw) {
			r.note(c[0]+", then the end", a)
		}
		conn := r.Dial()
		_, _ = io.WriteString(conn, raw)
		_ = conn.Close() // nobody reads an answer
	}
}

func rowTwoLengths(r *raid) {
	r.note("2 and 3", r.Send(toNothing+local+"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} "))
	r.note("2, 3", r.Send(toNothing+local+"Content-Length: 2, 3\r\n\r\n{} "))
	r.note("-1", r.Send(toNothing+local+"Content-Length: -1\r\n\r\n{}"))
	r.note("+2", r.Send(toNothing+local+"Content-Length: +2\r\n\r\n{}"))
}

// The chunks are read as the framing says; what they hold is never taken for a request.
func rowLengthAndChunks(r *raid) {
	smuggled := get("/v1/streams", "")
	all := r.SendAll(toNothing + local + "Content-Length: 5\r\n" + chunked + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled))
	if len(all) != 1 {
		r.t.Errorf("%d answers to one request", len(all))
	}
	r.note("a request within a chunk", all[0])
	all = r.SendAll(toNothing + local + "Content-Length: 100\r\n" + chunked + "0\r\n\r\n" + smuggled)
	if len(all) > 2 {
		r.t.Errorf("%d answers to two requests", len(all))
	}
	r.note("an empty body, and a length that covers the next request", all[0])
}

func rowTransferEncoding(r *raid) {
	for _, te := range []string{"chunked, identity", "identity", "xchunked", "\x0bchunked", "chunked\r\nTransfer-Encoding: identity", "gzip, chunked", "chunked\r\n folded"} {
		r.note(fmt.Sprintf("%q", te), r.Send(toNothing+local+"Transfer-Encoding: "+te+"\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))
	}
}

// forever is a head and then a piece again and again.
type forever struct {
	head, piece, rest string
}

func (f *forever) Read(p []byte) (int, error) {
	if f.head != "" {
		n := copy(p, f.head)
		f.head = f.head[n:]
		return n, nil
	}
	if f.rest == "" {
		f.rest = f.piece
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

func rowEndlessBody(r *raid) {
	line := "{\"a\":\"" + strings.Repeat("x", 1015) + "\"}\n"
	head := toNothing + local + "Content-Type: application/x-ndjson\r\n" + chunked
	r.note("chunks of 64 KiB", r.Stream(&forever{head: head, piece: fmt.Sprintf("10000\r\n%s\r\n", strings.Repeat(line, 64))}))
	r.note("chunks of a byte", r.Stream(&forever{head: head, piece: strings.Repeat("1\r\n \r\n", 10_000)}))
	r.note("a length of 8 MiB and a byte", r.Send(toNothing+local+"Content-Length: 8388609\r\n\r\n"))
	r.note("a length of 2^63-1", r.Send(toNothing+local+"Content-Length: 9223372036854775807\r\n\r\n"))
	r.note("a length of 2^64", r.Send(toNothing+local+"Content-Length: 18446744073709551616\r\n\r\n"))
}

const hugeChunk = toNothing + local + chunked + "FFFFFFFFFFFFFFFF\r\n"

func rowChunkSizes(r *raid) {
	r.note("FFFFFFFFFFFFFFFF, then the end", r.SendAll(hugeChunk + "{}")[0])
	r.note("FFFFFFFFFFFFFFFF, endless", r.Stream(&forever{head: hugeChunk, piece: strings.Repeat(" ", 4096)}))
	for _, c := range [][2]string{
		{"FFFFFFFFFFFFFFFFF", "FFFFFFFFFFFFFFFFF\r\n{}"},
		{"-1", "-1\r\n{}"},
		{"no number", "x\r\n{}"},
		{"0x2", "0x2\r\n{}\r\n"},
		{"empty", "\r\n{}"},
		{"more than it says", "2\r\n{}XX\r\n"},
		{"an extension of 1 MiB", "2;" + strings.Repeat("x", 1<<20) + "\r\n{}\r\n"},
		{"1,000 extensions of 1 KiB", strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\n \r\n", 1000)},
		{"a trailer of 1 MiB", "2\r\n{}\r\n0\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n"},
	} {
		r.note(c[0], r.Send(toNothing+local+chunked+c[1]+"\r\n0\r\n\r\n"))
	}
}

func rowChunkStalls(r *raid) {
	huge, small := r.Dial(), r.Dial()
	_, _ = io.WriteString(huge, hugeChunk+"{}")
	_, _ = io.WriteString(small, toNothing+local+chunked+"2\r\n")
	r.note("FFFFFFFFFFFFFFFF, then nothing", r.Read(huge))
	r.note("2, then nothing", r.Read(small))
}

func rowHeaderBytes(r *raid) {
	for _, header := range []string{"X: a\x00b", "X: a\rb", "X: \x7f", "X\x00: a", "X : a", ": a", "no colon", " X: a"} {
		r.note(fmt.Sprintf("%q", header), r.Send(get("/healthz", header+"\r\n")))
	}
}

func rowNotHTTP(r *raid) {
	before := len(r.p.log.String())
	hello := "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x07", 500)
	random := strings.Repeat("\x9e\x01\xffq\r\x00", 300)
	for range 20 {
		for _, c := range [][2]string{
			{"HTTP/0.9", "GET /healthz\r\n\r\n"}, {"HTTP/3.7", "GET /healthz HTTP/3.7\r\n\r\n"}, {"PRI *", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
			{"a TLS hello", hello}, {"a TLS hello and a line end", hello + "\r\n\r\n"}, {"random bytes", random}, {"random lines", random + "\n\n"}, {"only line ends", "\r\n\r\n\r\n"},
		} {
			all := append(r.SendAll(c[1]), edgetest.Answer{Closed: true})
			line := c[0] + ": " + answerLine(all[0])
			if r.checkAnswer(c[0], all[0]); !slices.Contains(r.lines, line) {
				r.say("%s", line)
			}
		}
	}
	r.checkLogRate(r.p.log.String()[before:])
}

// checkLogRate expects a second between the lines about broken connections.
func (r *raid) checkLogRate(log string) {
	var last time.Time
	for line := range strings.Lines(log) {
		var entry struct {
			Time time.Time
			Msg  string
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			r.t.Fatalf("%v: %q", err, line)
		}
		if entry.Msg != "http" {
			continue
		}
		if apart := entry.Time.Sub(last); apart < 900*time.Millisecond {
			r.t.Errorf("%v between two lines about broken connections", apart)
		}
		last = entry.Time
	}
}

// rowIdleConnections leaves connections open that idle; that they are closed after a minute is a test of internal/edge.
func rowIdleConnections(r *raid) {
	first := make([]byte, len("HTTP/1.1 200"))
	for range 500 {
		conn := r.Dial()
		_, _ = io.WriteString(conn, get("/healthz", ""))
		if _, err := io.ReadFull(conn, first); err != nil || string(first) != "HTTP/1.1 200" {
			r.t.Fatalf("%q, %v", first, err)
		}
	}
	r.say("500 connections: %s", first)
}

// rowConnectionCap starts a program that may open few files: the connections stay below that, and shards and log can be
// read and written when no more come in.
func rowConnectionCap(r *raid) {
	self, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	p := &running{t: r.t, dir: configured(r.t, abuseStreams), log: &transcript{}}
	p.Process, err = child.Start(r.t.Context(), child.Options{
		Program: "/bin/sh", Dir: p.dir, Log: p.log,
		Args: []string{"-c", `ulimit -n 600 && exec "$0" "$@"`, self, "serve", "-c", "penstock.yaml"},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(p.Kill)
	// This connection is there before the others.
	p.eventually("it is ready", func() bool { return p.get("/readyz").status == http.StatusOK })
	raw := (&besieged{running: p}).client(r.t)
	var held []net.Conn
	for range 400 {
		held = append(held, raw.Dial())
	}
	// While many are turned away some are closed without an answer.
	var a edgetest.Answer
	p.eventually("an answer", func() bool { a = raw.Send(honestEvent); return a.Status != 0 })
	r.note("one more than the cap", a)
	receipt := p.accept("honest", `{"id":"1"}`)
	if got := p.sql("select count(*) from honest", receipt); got != "[[1]]" {
		r.t.Errorf("rows %s", got)
	}
	for _, conn := range held {
		_ = conn.Close()
	}
	p.eventually("there is room again", func() bool { return raw.Send(honestEvent).Status == http.StatusAccepted })
	p.stop()
}

func rowMethods(r *raid) {
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/version", "/v1/cluster", "/v1/streams", "/v1/streams/clicks", "/v1/streams/clicks/events",
		"/v1/streams/clicks/tail", "/v1/sql", "/v1/receipts/x", "/v1/lag", "*"} {
		allow := ""
		for _, method := range []string{"TRACE", "CONNECT", "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW", "get"} {
			if slices.Contains(strings.Split(allow, ", "), method) || path == "*" && method != "OPTIONS" {
				continue
			}
			a := r.Send(method + " " + path + local + "Content-Length: 1\r\n\r\nx")
			r.Expect(a, http.StatusMethodNotAllowed, "method_not_allowed")
			if got := a.Header.Get("Allow"); allow != "" && got != allow {
				r.t.Errorf("%s %s: Allow %q, not %q", method, path, got, allow)
			}
			allow = a.Header.Get("Allow")
		}
		r.say("%s: 405 method_not_allowed, Allow: %s", path, allow)
	}
	r.note("CONNECT of another host", r.Send("CONNECT example.com:443"+local+"\r\n"))
}

func rowExpect(r *raid) {
	const big = "Content-Type: application/json\r\nContent-Length: 1000000\r\n"
	r.note("a wrong key", r.guarded.Send(toNothing+local+"Authorization: Bearer wrong\r\nExpect: 100-continue\r\n"+big+"\r\n"))
	r.note("a wrong key and no Expect", r.guarded.Send(toNothing+local+"Authorization: Bearer wrong\r\n"+big+"\r\n"))
	r.note("no key", r.guarded.Send(toNothing+local+"Expect: 100-continue\r\n"+big+"\r\n"))
	r.note("another expectation", r.guarded.Send(toNothing+local+keyWrite+"Expect: wonders\r\n"+big+"\r\n"))
}

func rowContentType(r *raid) {
	for _, headers := range []string{
		"Content-Type: text/plain", "Content-Type: application/xml", "Content-Type: multipart/form-data; boundary=x", "Content-Type: nonsense",
		"Origin: https://evil.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-origin",
		"Content-Type: application/x-www-form-urlencoded\r\nOrigin: null", "Content-Type: text/plain\r\nOrigin: http://localhost",
	} {
		a := r.Send(request(toNothing, headers+"\r\n", `{"a":1}`))
		r.note(strings.ReplaceAll(headers, "\r\n", ", "), a)
		if !strings.Contains(a.Detail, "curl -H 'Content-Type: application/json'") {
			r.t.Errorf("the detail shows no command: %s", a.Detail)
		}
	}
	for _, headers := range []string{"", "Content-Type: application/x-www-form-urlencoded\r\n", "Content-Type: application/json\r\nOrigin: https://shop.example\r\n"} {
		r.note("legal: "+strings.ReplaceAll(headers, "\r\n", ", "), r.Send(request(toClicks, headers, `{"a":1}`)))
	}
}

func rowCharset(r *raid) {
	for _, charset := range []string{"utf-16", "iso-8859-1", "UTF-8"} {
		r.note(charset, r.Send(request(toClicks, "Content-Type: application/json; charset="+charset+"\r\n", `{"a":1}`)))
	}
}

func rowHost(r *raid) {
	for _, server := range []struct {
		name string
		to   *edgetest.Server
	}{{"without tokens", r.Server}, {"with tokens", r.guarded}} {
		r.note(server.name+", absent", server.to.Send("GET /healthz HTTP/1.1\r\n\r\n"))
		r.note(server.name+", absent in HTTP/1.0", server.to.Send("GET /healthz HTTP/1.0\r\n\r\n"))
		for _, host := range []string{"localhost:1", "127.0.0.1", "[::1]", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "2130706433", "a b", "localhost\r\nHost: localhost"} {
			r.note(fmt.Sprintf("%s, %q", server.name, host), server.to.Send("GET /healthz HTTP/1.1\r\nHost: "+host+"\r\n\r\n"))
		}
		r.note(server.name+", in the target", server.to.Send("GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	}
}

// sendFrom sends from an address of this machine.
func (r *raid) sendFrom(address, raw string) edgetest.Answer {
	r.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	conn, err := d.DialContext(r.t.Context(), "tcp", r.guarded.Addr)
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, raw)
	return r.guarded.Read(conn)
}

// rowForwardedFor claims another address with each wrong key; what counts is where they come from.
func rowForwardedFor(r *raid) {
	n := 0
	for r.p.t.Context().Err() == nil {
		claim := fmt.Sprintf("1.2.3.%d", n)
		a := r.sendFrom("127.0.0.21", request(toNothing, "Authorization: Bearer wrong\r\nX-Forwarded-For: "+claim+"\r\nX-Real-IP: "+claim+"\r\nForwarded: for="+claim+"\r\n", "{}"))
		if a.Status != http.StatusUnauthorized {
			r.note("in the end", a)
			break
		}
		n++
	}
	if n < 20 {
		r.t.Errorf("refused after %d", n)
	}
	r.note("from elsewhere, claiming that address", r.guarded.Send(request(toNothing, "Authorization: Bearer wrong\r\nX-Forwarded-For: 127.0.0.21\r\n", "{}")))
}

func rowPaths(r *raid) {
	for _, path := range []string{"//healthz", "/healthz//", "/v1/../healthz", "/..", "/./healthz", "/%2e%2e/healthz", "/v1/%2e%2e%2f%2e%2e%2fetc/passwd", "/%00", "/healthz%00",
		"/\\healthz", "/%5chealthz", "/%c0%ae%c0%ae/x", "/%ff", "/%zz", "healthz", "/etc/passwd", "/v1/streams/..%2f..%2fdata/events", "/data/cluster.json", "/favicon.ico"} {
		r.note(path, r.Send(get(path, "")))
	}
}

func rowSlowloris(r *raid) {
	const connections = 500 // a tenth of what bench/ uses
	var closed sync.WaitGroup
	for range connections {
		conn := r.Dial()
		closed.Go(func() {
			_, _ = io.WriteString(conn, toNothing+" HTTP/1.1\r\nX-")
			gone, stop := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(gone)
				drip(r.t, conn, 4*time.Second)
			}()
			go func() {
				defer close(stop)
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}()
			<-stop
			<-gone
		})
	}
	r.note("an honest event meanwhile", r.Send(honestEvent))
	closed.Wait()
	r.say("%d connections: closed", connections)
}

func rowSlowBody(r *raid) {
	var dripped sync.WaitGroup
	framings := [][2]string{{"a length", "Content-Length: 100000\r\n\r\n"}, {"a chunk", chunked + "fffff\r\n"}}
	var conns []net.Conn
	for _, framing := range framings {
		conn := r.Dial()
		_, _ = io.WriteString(conn, toNothing+local+framing[1])
		dripped.Go(func() { drip(r.t, conn, 100*time.Millisecond) })
		conns = append(conns, conn)
	}
	for i, conn := range conns {
		r.note("10 bytes a second of "+framings[i][0], r.Read(conn))
		_ = conn.Close()
	}
	dripped.Wait()
}
