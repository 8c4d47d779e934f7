package letters

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"penstock/internal/edge"
)

// pipes is a listener whose connections need no network.
type pipes chan net.Conn

// Accept implements net.Listener.
func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

// Close implements net.Listener.
func (p pipes) Close() error { close(p); return nil }

// Addr implements net.Listener.
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// serve starts a server whose answers have a second, and returns what sends a replay to it.
func serve(t *testing.T, w *world) func(body string) net.Conn {
	t.Helper()
	listener := listen(t, w)
	return func(body string) net.Conn { return post(t, listener, len(body), body) }
}

func listen(t *testing.T, w *world) pipes {
	t.Helper()
	listener := make(pipes)
	server := edge.NewServer(w.guard, edge.ServerOptions{WriteTimeout: time.Second})
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		<-served
	})
	return listener
}

// post sends a replay whose body may be shorter than it says.
func post(t *testing.T, listener pipes, length int, body string) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	listener <- theirs
	request := "POST /v1/dlq/replay HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
	if _, err := fmt.Fprintf(ours, request, length, body); err != nil {
		t.Fatal(err)
	}
	return ours
}

// TestPagesOutliveTheWriteTimeout holds that a page that is worked on for longer than a server gives an answer is answered.
func TestPagesOutliveTheWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		w.broken(30)
		conn := serve(t, w)(`{"rate":5}`)
		defer conn.Close()
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != 200 || w.log.records != 30 {
			t.Errorf("%d %s, %v: %d letters", answer.StatusCode, body, err, w.log.records)
		}
	})
}

// TestReplayEndsWithItsClient holds that nothing is replayed for somebody who has gone.
func TestReplayEndsWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		w.broken(30)
		conn := serve(t, w)(`{"rate":1}`)
		<-time.After(3500 * time.Millisecond)
		synctest.Wait()
		_ = conn.Close()
		<-time.After(time.Minute)
		synctest.Wait()
		if w.log.records != 3 || len(w.heard) != 1 || w.heard[0].Err == nil {
			t.Errorf("%d letters, heard %+v", w.log.records, w.heard)
		}
	})
}

func TestBodiesThatDoNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		w.broken(1)
		listener := listen(t, w)
		slow := post(t, listener, 100, `{"rate`)
		defer slow.Close()
		answer, err := http.ReadResponse(bufio.NewReader(slow), nil)
		if err != nil || answer.StatusCode != 408 {
			t.Errorf("%+v, %v", answer, err)
		}
		cut := post(t, listener, 100, `{}`)
		_ = cut.Close()
		synctest.Wait()
		if w.log.calls != 0 {
			t.Error("half a request took effect")
		}
	})
}
