package letters

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"penstock"
	"penstock/client"
	eventlog "penstock/eventlog/memory"
	"penstock/internal/checksum"
	"penstock/internal/edge"
	store "penstock/store/memory"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expected outputs in testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testCluster() penstock.Cluster {
	return penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Key: penstock.PartitionKey{1, 2, 3}, Partitions: 4}
}

// strict is a stream whose events need an integer n; once it was declared without columns anything goes.
func strict() penstock.Stream {
	return penstock.Stream{Name: "orders", Columns: []penstock.Column{{Name: "n", Type: penstock.Bigint, Path: "n"}}}
}

// world is an API with a log and a store in memory.
type world struct {
	t     *testing.T
	log   *gauge
	store *store.Store
	guard *edge.Guard
	api   *API
	began time.Time

	mu    sync.Mutex
	heard []Change
}

// start returns a world. What the options lack is filled in.
func start(t *testing.T, o Options) *world {
	t.Helper()
	return startWith(t, o, store.Options{Streams: []penstock.Stream{strict(), {Name: "clicks"}}})
}

func startWith(t *testing.T, o Options, so store.Options) *world {
	t.Helper()
	w := &world{t: t, began: time.Unix(1e9, 0)}
	w.log = &gauge{Log: eventlog.New(eventlog.Options{Partitions: 4, Now: func() time.Time { return w.began }})}
	so.Cluster, so.Partitions = testCluster(), penstock.All(4)
	w.store = store.Open(so)
	o.Cluster = testCluster()
	if o.Letters == nil {
		o.Letters = w.store
	}
	if o.Log == nil {
		o.Log = w.log
	}
	o.Trace.Changed = func(c Change) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.heard = append(w.heard, c)
	}
	w.api = New(o)
	t.Cleanup(w.api.Close)
	w.guard = edge.NewGuard(edge.GuardOptions{})
	w.api.Register(w.guard)
	return w
}

// event is an event as tests write them.
type event struct{ stream, id, key, body string }

// write appends events, each as a request of its own.
func (w *world) write(events ...event) {
	w.t.Helper()
	builder := penstock.NewBlockBuilder(penstock.NewPartitioner(testCluster()))
	for i, e := range events {
		sum := checksum.NewHasher(testCluster()).Stream(penstock.DefaultTenant, e.stream).Sum([]byte(e.key), []byte(e.id), []byte(e.body))
		builder.Reset(penstock.DefaultTenant, e.stream, penstock.Micros(7e14+i), 0)
		builder.Add(penstock.Event{ID: []byte(e.id), Key: []byte(e.key), Time: penstock.Micros(6e14 + i), Body: []byte(e.body), Sum: sum})
		if err := w.log.Log.Append(w.t.Context(), builder.Take()); err != nil {
			w.t.Fatal(err)
		}
	}
	w.apply()
}

// apply brings the store to the end of the log.
func (w *world) apply() {
	w.t.Helper()
	ctx := w.t.Context()
	_, end, err := w.log.Bounds(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	at, err := w.store.Safe(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	cursor, err := w.log.Open(ctx, at)
	if err != nil {
		w.t.Fatal(err)
	}
	defer cursor.Close()
	maps.DeleteFunc(end, func(_ penstock.Partition, e penstock.Position) bool { return e.Offset == 0 })
	for !at.Reached(end) {
		b, err := cursor.Next(ctx, 1000)
		if err != nil {
			w.t.Fatal(err)
		}
		if err := w.store.Apply(ctx, b); err != nil {
			w.t.Fatal(err)
		}
		at = b.Next
	}
}

// mend makes every event of the strict stream good.
func (w *world) mend() {
	w.store.Declare([]penstock.Stream{{Name: "orders"}, {Name: "clicks"}})
}

// broken writes n events that cannot be rows, with keys k0 to k4, and bodies that say which they are.
func (w *world) broken(n int) {
	w.t.Helper()
	var events []event
	for i := range n {
		events = append(events, event{"orders", fmt.Sprintf("id%04d", i), fmt.Sprintf("k%d", i%5), fmt.Sprintf(`{"n":"no","i":%d}`, i)})
	}
	w.write(events...)
}

// answer is what came back.
type answer struct {
	status int
	body   string
	code   string
}

// ask sends a request and reads the whole answer.
func (w *world) ask(method, target, body string) answer {
	w.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	return w.send(httptest.NewRequestWithContext(w.t.Context(), method, "http://localhost"+target, reader))
}

func (w *world) send(r *http.Request) answer {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.guard.ServeHTTP(rec, r)
	a := answer{status: rec.Code, body: rec.Body.String()}
	if rec.Header().Get("Content-Type") == "application/problem+json" {
		var p struct {
			Code   string
			Status int
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || p.Status != a.status {
			w.t.Errorf("a problem that is none: %s", a.body)
		}
		a.code = p.Code
	}
	if retry := rec.Header().Get("Retry-After"); (a.status == 429 || a.status == 503) && retry == "" {
		w.t.Error("Retry-After is missing")
	}
	return a
}

func (a answer) expect(t *testing.T, status int, code string) {
	t.Helper()
	if a.status != status || a.code != code {
		t.Errorf("got %d %q %.300s, want %d %q", a.status, a.code, a.body, status, code)
	}
}

// into decodes an answer of 200.
func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil || a.status != 200 {
		t.Fatalf("got %d %s: %v", a.status, a.body, err)
	}
}

// RoundTrip implements http.RoundTripper, so that a client needs no network.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w.guard.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// client returns a client that asks through a transport.
func (w *world) client(via http.RoundTripper) *client.Client {
	w.t.Helper()
	c, err := client.New(client.Options{URL: "http://localhost", HTTP: &http.Client{Transport: via}})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// letters returns the letters in a state.
func (w *world) letters(s penstock.LetterState) []penstock.Letter {
	w.t.Helper()
	found, err := w.store.Letters(context.Background(), penstock.LetterQuery{State: s, Limit: 1 << 20})
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// checkOnce checks that each of n broken events is one row, and that those of a key are in order.
func (w *world) checkOnce(n int) {
	w.t.Helper()
	rows := w.store.Records()
	last := map[string]int{}
	for _, r := range rows {
		var body struct{ I int }
		if err := json.Unmarshal(r.Body, &body); err != nil {
			w.t.Fatal(err)
		}
		if before, ok := last[string(r.Key)]; ok && before >= body.I {
			w.t.Errorf("key %s: %d comes after %d", r.Key, body.I, before)
		}
		last[string(r.Key)] = body.I
		if want := fmt.Sprintf("id%04d", body.I); string(r.ID) != want || r.ReceivedAt != penstock.Micros(7e14+body.I) || r.Time != penstock.Micros(6e14+body.I) {
			w.t.Errorf("event %d became %s, received %d, time %d", body.I, r.ID, r.ReceivedAt, r.Time)
		}
	}
	if open := w.letters(penstock.LetterOpen); len(rows) != n || len(open) != 0 {
		w.t.Errorf("%d rows and %d open letters of %d events", len(rows), len(open), n)
	}
}

// gauge is a log that tells what is appended to it, and fails when it is told to.
type gauge struct {
	*eventlog.Log
	fault    func(blocks []*penstock.Block) (before, after error) // before: instead of appending; after: although it was done
	appended func(blocks []*penstock.Block)
	records  int
	calls    int
}

func (g *gauge) Append(ctx context.Context, blocks ...*penstock.Block) error {
	g.calls++
	var before, after error
	if g.fault != nil {
		before, after = g.fault(blocks)
	}
	if before != nil {
		return before
	}
	if err := g.Log.Append(ctx, blocks...); err != nil {
		return err
	}
	for _, b := range blocks {
		g.records += b.Len()
	}
	if g.appended != nil {
		g.appended(blocks)
	}
	return after
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

func newGuard(a *API) *edge.Guard {
	g := edge.NewGuard(edge.GuardOptions{})
	a.Register(g)
	return g
}
