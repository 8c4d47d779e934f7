package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"penstock"
	"penstock/eventlog/memory"
	"penstock/ingest"
	"penstock/internal/edge"
	"penstock/protocol/jsonevents"
	"penstock/query"
	store "penstock/store/memory"
)

var rewrite = flag.Bool("rewrite", false, "write what the scenarios give into their files")

// stage is a server for client commands: the real door, tail and query API over a log in memory and a store that knows a
// few statements. It is its own directory of streams.
type stage struct {
	t      *testing.T
	url    string
	log    *memory.Log
	guard  *edge.Guard
	before http.HandlerFunc // sees each request first, and may answer it
	lag    query.Lag
	kept   *store.Store // nil: nothing is applied
	halt   func()       // ends applying

	mu      sync.Mutex
	streams map[string]*penstock.Stream
	closed  bool // no stream is made by its first use
}

var stageCluster = penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Partitions: 4}

var stageNoon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, streams: map[string]*penstock.Stream{}, guard: edge.NewGuard(edge.GuardOptions{})}
	s.log = memory.New(memory.Options{Partitions: stageCluster.Partitions, Cluster: stageCluster, Now: func() time.Time { return stageNoon }})
	door := ingest.New(ingest.Options{
		Protocols: []penstock.Protocol{jsonevents.New()}, Log: s.log, Streams: s, Cluster: stageCluster,
		Now: func() time.Time { return stageNoon }, Limits: ingest.Limits{Batch: 100, Body: 64 << 10, Event: 4 << 10},
	})
	door.Register(s.guard)
	api := query.New(query.Options{
		Querier: stageStore{}, Log: s.log, Cluster: stageCluster, Streams: s.list, Limits: query.Limits{Rows: 3},
		Position: s.position,
		Lag:      func(context.Context) (query.Lag, error) { return s.lag, nil },
	})
	api.Register(s.guard)
	s.guard.Handle("GET /v1/cluster", edge.Admin, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		edge.WriteJSON(w, http.StatusOK, clusterIdentity{stageCluster.ID, strings.Repeat("ab", 16), stageCluster.Partitions})
	}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.before != nil {
			answered := &answeredWriter{ResponseWriter: w}
			if s.before(answered, r); answered.done {
				return
			}
		}
		s.guard.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { api.Close(); server.Close(); s.log.Close() })
	s.url = server.URL
	return s
}

// answeredWriter notices that a request was answered.
type answeredWriter struct {
	http.ResponseWriter
	done bool
}

func (w *answeredWriter) WriteHeader(status int) {
	w.done = true
	w.ResponseWriter.WriteHeader(status)
}

// Stream implements penstock.Streams.
func (s *stage) Stream(_, name string) (*penstock.Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[name] == nil {
		if s.closed {
			return nil, &penstock.Error{Code: penstock.NotFound, Op: "find stream", Reason: "unknown_stream", Err: fmt.Errorf("there is no stream %s", name)}
		}
		made := streamOf(name, defaultStream())
		return &made, nil
	}
	return s.streams[name], nil
}

// Use implements penstock.Streams.
func (s *stage) Use(_ string, used *penstock.Stream) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[used.Name] == nil {
		s.streams[used.Name] = used
	}
	return nil
}

func (s *stage) list() []penstock.Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []penstock.Stream
	for _, stream := range s.streams {
		all = append(all, *stream)
	}
	return all
}

// held returns what the log holds of a stream: key, id and body of each event, in log order.
func (s *stage) held(stream string) []string {
	s.t.Helper()
	first, next, err := s.log.Bounds(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	cursor, err := s.log.Open(s.t.Context(), first)
	if err != nil {
		s.t.Fatal(err)
	}
	defer cursor.Close()
	var all []string
	for at := first.Clone(); !at.Reached(next); {
		b, err := cursor.Next(s.t.Context(), 1<<20)
		if err != nil {
			s.t.Fatal(err)
		}
		at.Raise(b.Next)
		for r := range b.Records() {
			if r.Stream == stream {
				all = append(all, fmt.Sprintf("%s %s %s", orDash(r.Key), r.ID, r.Body))
			}
		}
	}
	return all
}

func orDash(b []byte) string {
	if len(b) == 0 {
		return "-"
	}
	return string(b)
}

// stageStore answers the statements that the tests ask.
type stageStore struct{}

func (stageStore) Query(ctx context.Context, q penstock.Query) (penstock.Rows, error) {
	switch q.SQL {
	case "select numbers", "select many":
		rows := [][]any{{int64(1), "a,b"}, {int64(20), nil}, {int64(-3), "=x\x1b[1m\n"}}
		if q.SQL == "select many" {
			rows = append(rows, rows...)
		}
		return &stageRows{columns: []penstock.ResultColumn{{Name: "n", Type: "BIGINT"}, {Name: "text", Type: "VARCHAR"}}, rows: rows}, nil
	case "select json":
		return &stageRows{columns: []penstock.ResultColumn{{Name: "data", Type: "JSON"}}, rows: [][]any{{penstock.Raw(`{"z":1,"a":[9007199254740993]}`)}}}, nil
	case `select count(*), json_group_structure(data) from (select data from "visits" limit 100000)`:
		return &stageRows{columns: []penstock.ResultColumn{{Name: "n", Type: "BIGINT"}, {Name: "s", Type: "JSON"}}, rows: [][]any{{int64(1234), penstock.Raw(
			`{"id":"VARCHAR","key":"UBIGINT","at":"VARCHAR","ms":"HUGEINT","price":"DOUBLE","ok":"BOOLEAN","userId":"UBIGINT","user_id":"VARCHAR","tags":["VARCHAR"],` +
				`"mixed":"JSON","nothing":"NULL","a.b":"DOUBLE","Data":"VARCHAR","9th":"VARCHAR","geo":{"country":"VARCHAR","at":{"lat":"DOUBLE","x":{"y":"DOUBLE","z":{"u":"DOUBLE"}}}},"n":"VARCHAR"}`)}}}, nil
	case "select nothing":
		return &stageRows{columns: []penstock.ResultColumn{{Name: "n", Type: "BIGINT"}}}, nil
	case "select hang":
		<-ctx.Done()
		return nil, penstock.Wrap(penstock.Unavailable, "query", ctx.Err())
	}
	if strings.HasPrefix(q.SQL, "select count(*), json_group_structure") {
		return &stageRows{columns: []penstock.ResultColumn{{Name: "n", Type: "BIGINT"}, {Name: "s", Type: "JSON"}}, rows: [][]any{{int64(1), penstock.Raw(`"JSON"`)}}}, nil
	}
	return nil, penstock.Refusef("bad_query", "parse statement", "syntax error near %q", q.SQL)
}

func (stageStore) Events(context.Context, penstock.KeyQuery) ([]penstock.Row, error) { return nil, nil }

type stageRows struct {
	columns []penstock.ResultColumn
	rows    [][]any
}

func (r *stageRows) Columns() []penstock.ResultColumn { return r.columns }

func (r *stageRows) Next() ([]any, error) {
	if len(r.rows) == 0 {
		return nil, io.EOF
	}
	row := r.rows[0]
	r.rows = r.rows[1:]
	return row, nil
}

func (r *stageRows) Close() error { return nil }

// outcome is how a command ended.
type outcome struct {
	status         int
	stdout, stderr string
}

// penstock runs a command against the stage.
func (s *stage) penstock(stdin io.Reader, args ...string) outcome {
	return runOnStage(s.t.Context(), s.url, stdin, args...)
}

func runOnStage(ctx context.Context, url string, stdin io.Reader, args ...string) outcome {
	var out, errs bytes.Buffer
	status := run(ctx, args, stdin, &out, &lockedWriter{w: &errs}, envOf(map[string]string{"PENSTOCK_URL": url}))
	return outcome{status, out.String(), errs.String()}
}

// lockedWriter may be written to by a command that is still retrying when it is cancelled.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// TestCommands runs testdata/commands/*.txt, each on a server of its own in a directory of its own. Up to the dashes
// stands a command with its input below it, behind them what comes of it, up to a blank line:
//
//	penstock ARGS      runs the program: "! " begins what it wrote to standard error, "exit N" says its status. The server's
//	                   address is written http://server
//	file NAME          writes a file
//	cat NAME           shows one
//	log STREAM         shows key, id and body of what the log holds
//	stream NAME k=v …  declares a stream on the server: id_field, key_field, time_field, keep_rows, durability, dedup, on_poison; else a column
//	closed             from now on no stream is made by its first use
//	token SCOPE        from now on the server wants a token; commands have one with this scope
//	lag                lets the server be behind
//	keep               from now on a store applies what comes, and there are letters and an audit
//	put STREAM ID KEY  appends the input as an event that the door has not looked at
//	settle             waits until the store has all
//	halt, mend         applies nothing more; applies again, by the streams as they are now
//	answer PATH        lets the server answer with the input
func TestCommands(t *testing.T) {
	files, err := filepath.Glob("testdata/commands/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			path, err := filepath.Abs(file)
			if err != nil {
				t.Fatal(err)
			}
			t.Chdir(t.TempDir())
			playScenario(t, path)
		})
	}
}

func playScenario(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	var out strings.Builder
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i := 0; i < len(lines); {
		if lines[i] == "" || lines[i][0] == '#' {
			fmt.Fprintln(&out, lines[i])
			i++
			continue
		}
		first := i
		for i < len(lines) && lines[i] != "----" {
			i++
		}
		input := lines[first+1 : i]
		want := min(i+1, len(lines))
		for i < len(lines) && lines[i] != "" {
			i++
		}
		got := s.play(lines[first], strings.Join(append(slices.Clone(input), ""), "\n"))
		if expected := strings.Join(lines[want:max(want, i)], "\n"); got != expected && !*rewrite {
			t.Errorf("%s:%d: %s\ngot:\n%s\nwant:\n%s", filepath.Base(file), first+1, lines[first], got, expected)
		}
		for _, line := range append([]string{lines[first]}, input...) {
			fmt.Fprintln(&out, line)
		}
		fmt.Fprintln(&out, "----")
		if got != "" {
			fmt.Fprintln(&out, got)
		}
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// play runs one command of a scenario and returns what came of it.
func (s *stage) play(command, input string) string {
	name, rest, _ := strings.Cut(command, " ")
	switch name {
	case "penstock":
		return s.mask(s.penstock(strings.NewReader(input), splitArguments(strings.ReplaceAll(rest, "http://server", s.url))...))
	case "file":
		return errorText(errors.Join(os.MkdirAll(filepath.Dir(rest), 0o700), os.WriteFile(rest, []byte(input), 0o600)))
	case "cat":
		text, err := os.ReadFile(rest)
		return s.mask(outcome{stdout: string(text) + errorText(err)})
	case "log":
		return s.mask(outcome{stdout: strings.Join(s.held(rest), "\n")})
	case "stream":
		return errorText(s.declare(strings.Fields(rest)))
	case "closed":
		s.closed = true
	case "token":
		scope := map[string]edge.Scope{"write": edge.Write, "read": edge.Read, "admin": edge.Admin}[rest]
		s.guard.SetTokens(edge.NewTokens([]edge.Token{{Name: "t", Secret: "the-token-of-tests", Allow: scope}}))
	case "keep":
		s.keep()
	case "halt":
		s.halt()
	case "mend":
		s.kept.Declare(s.list())
		s.resume()
	case "put":
		words := append(strings.SplitN(rest, " ", 3), "")
		return errorText(s.put(words[0], words[1], words[2], strings.TrimSuffix(input, "\n")))
	case "settle":
		return errorText(s.settle())
	case "answer":
		s.canned(rest, input)
	case "lag":
		drain := 2.5
		s.lag = query.Lag{Events: 1500, Seconds: 3.25, DrainSeconds: &drain, Stores: []query.StoreLag{
			{Store: "shard-0", Events: 1500, Seconds: 3.25, Partitions: []query.PartitionLag{{Partition: 1, Position: 10, Next: 1510}}}, {Store: "shard-1"},
		}}
	default:
		return "no such command"
	}
	return ""
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// splitArguments splits at spaces outside of double quotes.
func splitArguments(line string) []string {
	var args []string
	for _, m := range regexp.MustCompile(`"[^"]*"|[^ ]+`).FindAllString(line, -1) {
		args = append(args, strings.Trim(m, `"`))
	}
	return args
}

func (s *stage) declare(words []string) error {
	stream := new(penstock.Stream)
	*stream = streamOf(words[0], defaultStream())
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "id_field":
			stream.IDField = value
		case "key_field":
			stream.KeyField = value
		case "time_field":
			stream.TimeField = value
		case "durability":
			stream.Durability = penstock.Durability(value)
		case "keep_rows":
			d, err := time.ParseDuration(value)
			if err != nil {
				return err
			}
			stream.KeepRows = d
		case "dedup":
			window, ids, _ := strings.Cut(value, "/")
			var d DedupConfig
			if err := errors.Join(d.Window.scan(window), d.MaxIDs.scan(ids)); err != nil {
				return err
			}
			stream.Dedup = penstock.Dedup{Window: time.Duration(d.Window), MaxIDs: int64(d.MaxIDs)}
		case "on_poison":
			stream.HaltKey = value == haltKey
		default:
			kind, path, _ := strings.Cut(value, "@")
			column, err := columnOf(name, ColumnConfig{Type: kind, Path: path})
			if err != nil {
				return err
			}
			stream.Columns = append(stream.Columns, column)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams[stream.Name] = stream
	return nil
}

// changing are the parts of an output that differ from run to run.
var changing = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`in [0-9.]+s \([0-9,]+/s\)`), "in …s (…/s)"},
	{regexp.MustCompile(`"seconds":[0-9.e-]+(,"durability"|\})`), `"seconds":S$1`},
	{regexp.MustCompile(`"elapsed_ms":[0-9.]+`), `"elapsed_ms":M`},
	{regexp.MustCompile(`"as_of":"[^"]+"`), `"as_of":"…"`},
	{regexp.MustCompile("\x1b"), `\e`},
	{regexp.MustCompile(`2026-06-01T12:00:00\.[0-9]+Z`), "SINCE"},
	{regexp.MustCompile(`^(\d+,\d+,\d+),[0-9.]+$`), "$1,S"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
}

// mask returns what a command wrote without what changes from run to run, and without blank lines.
func (s *stage) mask(o outcome) string {
	var lines []string
	for line := range strings.Lines(o.stdout) {
		lines = append(lines, strings.TrimRight(line, "\r\n"))
	}
	for line := range strings.Lines(o.stderr) {
		lines = append(lines, "! "+strings.TrimRight(line, "\r\n"))
	}
	if o.status != 0 {
		lines = append(lines, fmt.Sprintf("exit %d", o.status))
	}
	for i, line := range lines {
		for _, c := range changing {
			line = c.pattern.ReplaceAllString(line, c.instead)
		}
		if line = strings.TrimRight(strings.ReplaceAll(line, s.url, "http://server"), " "); line == "" {
			line = "·"
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

// errReading is what a broken input fails with.
var errReading = errors.New("the disk is gone")
