package ingest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"penstock"
	"penstock/internal/edge"
)

// BenchmarkOneEvent shows what the door costs: one event of 250 B a request over 256 connections, against a handler that only
// reads the body, behind the same client. Both take turns, so that a noisy machine disturbs them alike: "ratio" is the
// door's rate over the other's.
func BenchmarkOneEvent(b *testing.B) {
	body := []byte(`{"x":"` + strings.Repeat("x", 242) + `"}`)
	compare(b, body, 256, 1)
}

// BenchmarkBatch shows the door with 1,000 events of 250 B a request.
func BenchmarkBatch(b *testing.B) {
	body := bytes.Repeat([]byte(`{"x":"`+strings.Repeat("x", 241)+"\"}\n"), 1000)
	compare(b, body, 64, 1000)
}

const rounds = 20

func compare(b *testing.B, body []byte, connections, events int) {
	bare, door := startLoad(b, bareHandler(), body, connections), startLoad(b, doorHandler(), body, connections)
	var bareTime, doorTime time.Duration
	each := b.N/rounds + connections
	b.ResetTimer()
	for range rounds {
		bareTime += bare.run(b, each)
		doorTime += door.run(b, each)
	}
	requests := float64(rounds * each)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(requests/bareTime.Seconds(), "bare-requests/s")
	b.ReportMetric(requests/doorTime.Seconds(), "door-requests/s")
	b.ReportMetric(requests*float64(events)/doorTime.Seconds(), "events/s")
	b.ReportMetric(bareTime.Seconds()/doorTime.Seconds(), "ratio")
}

// BenchmarkDoorAlone is for profiles.
func BenchmarkDoorAlone(b *testing.B) {
	body := []byte(`{"x":"` + strings.Repeat("x", 242) + `"}`)
	door := startLoad(b, doorHandler(), body, 256)
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
	d := New(Options{Protocols: []penstock.Protocol{&lines{}}, Log: &counter{}, Streams: anyStream{}, Cluster: testCluster()})
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

func startLoad(b *testing.B, h http.Handler, body []byte, connections int) *loader {
	listener, err := edge.Listen("127.0.0.1:0", edge.ListenOptions{})
	if err != nil {
		b.Fatal(err)
	}
	server := edge.NewServer(h, edge.ServerOptions{})
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() { _ = server.Close() })
	l := &loader{request: fmt.Appendf(nil, "POST /v1/streams/clicks/lines HTTP/1.1\r\nHost: localhost\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)}
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
