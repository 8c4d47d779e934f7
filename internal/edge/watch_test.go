package edge_test

import (
	"io"
	"net"
	"net/http"
	"testing"

	"penstock/internal/edge"
)

// A handler that sees its work through is not told that its client went away; the next one on the same connection is.
func TestUnwatch(t *testing.T) {
	waiting, goOn, told := make(chan struct{}), make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /append", func(w http.ResponseWriter, r *http.Request) {
		edge.Unwatch(r)
		defer edge.Watch(r)
		if body, err := io.ReadAll(r.Body); err != nil || string(body) != "body" {
			t.Errorf("%q, %v", body, err)
		}
		if r.URL.RawQuery != "" {
			close(waiting)
			<-goOn
		}
		if r.Context().Err() != nil {
			t.Error("it was told")
		}
	})
	mux.HandleFunc("GET /watch", func(_ http.ResponseWriter, r *http.Request) {
		close(waiting)
		<-r.Context().Done()
		close(told)
	})
	listener, err := edge.Listen("127.0.0.1:0", edge.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	server := edge.NewServer(mux, edge.ServerOptions{})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	send := func(c net.Conn, text string) {
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
	}
	const post = " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody"

	c := dial()
	for range 3 { // requests in a row, and two at once
		send(c, "POST /append"+post+"POST /append"+post)
		for range 2 {
			answer(t, c)
		}
	}
	send(c, "GET /watch HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-waiting
	_ = c.Close()
	<-told

	waiting = make(chan struct{})
	c = dial()
	send(c, "POST /append?wait"+post)
	<-waiting
	_ = c.Close()
	close(goOn)
	_ = server.Shutdown(t.Context())
	if err := <-served; err != http.ErrServerClosed {
		t.Error(err)
	}
}

// answer reads an answer with an empty body.
func answer(t *testing.T, c net.Conn) {
	t.Helper()
	var head []byte
	for one := make([]byte, 1); len(head) < 4 || string(head[len(head)-4:]) != "\r\n\r\n"; head = append(head, one...) {
		if _, err := c.Read(one); err != nil {
			t.Fatalf("after %q: %v", head, err)
		}
	}
	if string(head[:12]) != "HTTP/1.1 200" {
		t.Fatalf("%q", head)
	}
}
