package ingest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"penstock"
	"penstock/internal/edge"
	"penstock/protocol/jsonevents"
)

// BenchmarkOneEvent shows what the door costs: one event of 250 B a request over 256 connections, against a handler that only
// reads the body, behind the same client. Both take turns, so that a noisy machine disturbs them alike: "ratio" is the
// door's rate over the other's.
func BenchmarkOneEvent(b *testing.B) {
	compare(b, event(0), 256, 1)
}

// BenchmarkBatch shows the door with 1,000 events of 250 B a request.
func BenchmarkBatch(b *testing.B) {
	var body []byte
	for i := range 1000 {
		body = append(append(body, event(i)...), '\n')
	}
	compare(b, body, 64, 1000)
}

// BenchmarkHandler is the handler without a network, for what the door itself takes.
func BenchmarkHandler(b *testing.B) {
	h := doorHandler()
	body := event(0)
	b.ReportAllocs()
	for b.Loop() {
		r := &http.Request{Method: "POST", URL: &url.URL{Path: "/v1/streams/clicks/events"}, Host: "localhost:7367", ProtoMajor: 1,
			Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(iotest.DataErrReader(bytes.NewReader(body))), ContentLength: int64(len(body))}
		w := nullWriter{http.Header{}}
		h.ServeHTTP(w, r)
	}
}

type nullWriter struct{ header http.Header }

func (w nullWriter) Header() http.Header         { return w.header }
func (w nullWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w nullWriter) WriteHeader(int)             {}

// event returns 250 bytes as an application would send them.
func event(i int) []byte {
	e := fmt.Appendf(nil, `{"id":"01890a5d-ac96-774b-bcce-%012d","key":"user-%d","time":"2025-06-01T12:00:00.%06dZ","type":"click",`+
		`"page":"/products/%d","latency_ms":%d.5,"ok":true,"agent":"`, i, i%97, i, i, i%100)
	for len(e) < 248 {
		e = append(e, 'x')
	}
	return append(e, "\"}"...)
}

const rounds = 20

func compare(b *testing.B, body []byte, connections, events int) {
	bare := startLoad(b, &http.Server{Handler: bareHandler()}, body, connections)
	door := startLoad(b, edge.NewServer(doorHandler(), edge.ServerOptions{}), body, connections)
	var bareTime, doorTime, bareCPU, doorCPU time.Duration
	each := b.N/rounds + connections
	b.ResetTimer()
	for range rounds {
		begun := cpuTime()
		bareTime += bare.run(b, each)
		turn := cpuTime()
		doorTime += door.run(b, each)
		bareCPU, doorCPU = bareCPU+turn-begun, doorCPU+cpuTime()-turn
	}
	requests := float64(rounds * each)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(requests/bareTime.Seconds(), "bare-requests/s")
	b.ReportMetric(requests/doorTime.Seconds(), "door-requests/s")
	b.ReportMetric(requests*float64(events)/doorTime.Seconds(), "events/s")
	b.ReportMetric(bareTime.Seconds()/doorTime.Seconds(), "ratio")
	b.ReportMetric(bareCPU.Seconds()/doorCPU.Seconds(), "cpu-ratio")
}

// cpuTime returns the processor time that client and server took together. Where all cores are busy its ratio is that of
// the rates, and other programs disturb it less.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkDoorAlone is for profiles.
func BenchmarkDoorAlone(b *testing.B) {
	door := startLoad(b, edge.NewServer(doorHandler(), edge.ServerOptions{}), event(0), 256)
	b.ReportAllocs()
	b.ResetTimer()
	door.run(b, b.N)
}

func bareHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
	})
}

func doorHandler() http.Handler {
	d := New(Options{Protocols: []penstock.Protocol{jsonevents.New()}, Log: &counter{}, Streams: anyStream{}, Cluster: testCluster()})
	g := edge.NewGuard(edge.GuardOptions{})
	d.Register(g)
	return g
}

// loader holds connections to a server, each of which waits for its own answers.
type loader struct {
	request []byte
	conns   []net.Conn
	readers []*bufio.Reader
}

func startLoad(b *testing.B, server *http.Server, body []byte, connections int) *loader {
	listener, err := edge.Listen("127.0.0.1:0", edge.ListenOptions{})
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() { _ = server.Close() })
	l := &loader{request: fmt.Appendf(nil, "POST /v1/streams/clicks/events HTTP/1.1\r\nHost: localhost\r\n"+
		"Content-Type: %s\r\nContent-Length: %d\r\n\r\n%s", contentType(body), len(body), body)}
	for range connections {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		l.conns, l.readers = append(l.conns, conn), append(l.readers, bufio.NewReader(conn))
	}
	return l
}

func contentType(body []byte) string {
	if bytes.IndexByte(body, '\n') >= 0 {
		return "application/x-ndjson"
	}
	return "application/json"
}

// run sends n requests and returns how long that took.
func (l *loader) run(b *testing.B, n int) time.Duration {
	var todo atomic.Int64
	todo.Store(int64(n))
	var clients sync.WaitGroup
	start := time.Now()
	for i := range l.conns {
		clients.Go(func() {
			for todo.Add(-1) >= 0 {
				if _, err := l.conns[i].Write(l.request); err != nil || !readAnswer(l.readers[i]) {
					b.Error("an answer is missing")
					return
				}
			}
		})
	}
	clients.Wait()
	return time.Since(start)
}

// readAnswer reads one answer, cheaply, and reports whether it is a 202.
func readAnswer(in *bufio.Reader) bool {
	ok, length := false, 0
	for i := 0; ; i++ {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return false
		}
		if i == 0 {
			ok = bytes.HasPrefix(line, []byte("HTTP/1.1 202"))
		}
		if rest, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			for _, c := range bytes.TrimSpace(rest) {
				length = 10*length + int(c-'0')
			}
		}
		if len(line) == 2 {
			_, err := in.Discard(length)
			return ok && err == nil
		}
	}
}
