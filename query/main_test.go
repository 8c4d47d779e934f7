package query

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"penstock"
	"penstock/internal/edge"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expected outputs in testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testCluster() penstock.Cluster {
	return penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Key: penstock.PartitionKey{1, 2, 3}, Partitions: 8}
}

// world is an API behind a real server, over connections without a network: within synctest time is the test's own.
type world struct {
	t       *testing.T
	api     *API
	store   *fakeStore
	conns   chan net.Conn
	client  *http.Client
	mu      sync.Mutex
	clients []net.Conn
	ended   []Statement
}

// start starts a server that ends with the test. What the options lack is filled in.
func start(t *testing.T, o Options) *world {
	t.Helper()
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	return startWith(t, o, protocols)
}

func startWith(t *testing.T, o Options, protocols *http.Protocols) *world {
	t.Helper()
	w := &world{t: t, conns: make(chan net.Conn), store: &fakeStore{}}
	if o.Querier == nil {
		o.Querier = w.store
	}
	if o.Position == nil {
		o.Position = w.store.position
	}
	if o.Streams == nil {
		o.Streams = func() []penstock.Stream { return []penstock.Stream{{Name: "clicks"}, {Name: "orders"}} }
	}
	o.Cluster = testCluster()
	o.Trace.Statement = func(s Statement) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended = append(w.ended, s)
	}
	w.api = New(o)
	guard := edge.NewGuard(edge.GuardOptions{})
	w.api.Register(guard)
	var handlers sync.WaitGroup
	server := edge.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		handlers.Add(1)
		defer handlers.Done()
		guard.ServeHTTP(rw, r)
	}), edge.ServerOptions{})
	server.Protocols = protocols
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(w)
	}()
	w.client = &http.Client{Transport: &http.Transport{
		DialContext:        func(context.Context, string, string) (net.Conn, error) { return w.dial(), nil },
		DisableCompression: true,
		Protocols:          protocols,
	}}
	t.Cleanup(func() {
		w.api.Close()
		w.client.CloseIdleConnections()
		_ = server.Close()
		<-served
		w.cut()
		handlers.Wait()
		if n := w.api.turns.open() + w.api.lookups.open() + w.api.views.open() + w.api.tails.open(); n != 0 {
			t.Errorf("%d turns were not given back", n)
		}
	})
	return w
}

// Accept implements net.Listener.
func (w *world) Accept() (net.Conn, error) {
	conn, ok := <-w.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

// Close implements net.Listener.
func (w *world) Close() error { close(w.conns); return nil }

// Addr implements net.Listener.
func (w *world) Addr() net.Addr { return &net.TCPAddr{} }

func (w *world) dial() net.Conn {
	ours, theirs := net.Pipe()
	w.conns <- theirs
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clients = append(w.clients, ours)
	return ours
}

// cut breaks all connections.
func (w *world) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.clients {
		_ = c.Close()
	}
	w.clients = nil
}

// statements returns how SQL requests ended.
func (w *world) statements() []Statement {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Statement(nil), w.ended...)
}

// answer is what came back.
type answer struct {
	status  int
	header  http.Header
	trailer http.Header
	body    string
	broken  error // the body ended early
	code    string
}

type fields map[string]string

// ask sends a request and reads the whole answer.
func (w *world) ask(method, target string, header fields, body string) answer {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Minute) // longer than any answer takes
	defer cancel()
	resp, err := w.client.Do(w.request(ctx, method, target, header, body))
	if err != nil {
		return answer{broken: err}
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	text, err := io.ReadAll(resp.Body)
	a.body, a.broken, a.trailer = string(text), err, resp.Trailer
	if resp.Header.Get("Content-Type") == "application/problem+json" {
		var p struct {
			Code   string
			Status int
		}
		if err := json.Unmarshal(text, &p); err != nil || p.Status != a.status {
			w.t.Errorf("a problem that is none: %s", text)
		}
		a.code = p.Code
	}
	if retry := a.header.Get("Retry-After"); (a.status == 429 || a.status == 503) && retry == "" {
		w.t.Error("Retry-After is missing")
	}
	return a
}

func (w *world) request(ctx context.Context, method, target string, header fields, body string) *http.Request {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://localhost"+target, reader)
	if err != nil {
		w.t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	return r
}

// sql asks a query as text.
func (w *world) sql(query, accept string) answer {
	w.t.Helper()
	return w.ask("POST", "/v1/sql", fields{"Content-Type": "text/plain", "Accept": accept}, query)
}

func (a answer) expect(t *testing.T, status int, code string) {
	t.Helper()
	if a.status != status || a.code != code || a.broken != nil {
		t.Errorf("got %d %q %v %.300s, want %d %q", a.status, a.code, a.broken, a.body, status, code)
	}
}

// fakeStore is a store of which tests say what it answers.
type fakeStore struct {
	query  func(context.Context, penstock.Query) (penstock.Rows, error)
	events func(context.Context, penstock.KeyQuery) ([]penstock.Row, error)

	mu sync.Mutex
	at penstock.Positions
}

func (s *fakeStore) Query(ctx context.Context, q penstock.Query) (penstock.Rows, error) {
	return s.query(ctx, q)
}

func (s *fakeStore) Events(ctx context.Context, q penstock.KeyQuery) ([]penstock.Row, error) {
	return s.events(ctx, q)
}

func (s *fakeStore) position(_ context.Context, p penstock.Partition) (penstock.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at[p], nil
}

// raise moves the store's positions forward.
func (s *fakeStore) raise(ps penstock.Positions) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil {
		s.at = penstock.Positions{}
	}
	s.at.Raise(ps)
}

// answers makes every query return the same result.
func (s *fakeStore) answers(columns []penstock.ResultColumn, rows ...[]any) {
	s.query = func(context.Context, penstock.Query) (penstock.Rows, error) {
		return &fakeRows{columns: columns, rows: rows}, nil
	}
}

// fakeRows gives rows, and then what next returns; without next, the end.
type fakeRows struct {
	columns []penstock.ResultColumn
	rows    [][]any
	next    func() ([]any, error)
	closed  func()
}

func (r *fakeRows) Columns() []penstock.ResultColumn { return r.columns }

func (r *fakeRows) Next() ([]any, error) {
	if len(r.rows) > 0 {
		row := r.rows[0]
		r.rows = r.rows[1:]
		return row, nil
	}
	if r.next != nil {
		return r.next()
	}
	return nil, io.EOF
}

func (r *fakeRows) Close() error {
	if r.closed != nil {
		r.closed()
	}
	return nil
}

// column returns a result of one column.
func column(kind string) []penstock.ResultColumn {
	return []penstock.ResultColumn{{Name: "c", Type: kind}}
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

// send writes a raw request over a new connection.
func (w *world) send(raw string) net.Conn {
	w.t.Helper()
	conn := w.dial()
	if _, err := io.WriteString(conn, raw); err != nil {
		w.t.Fatal(err)
	}
	return conn
}

func rawSQL(query string) string {
	return fmt.Sprintf("POST /v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(query), query)
}

// status reads the status of the answer that a connection carries.
func status(t *testing.T, conn net.Conn) int {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}
