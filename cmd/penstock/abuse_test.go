package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"penstock"
	"penstock/internal/edge/edgetest"
)

// The rows are those of the project's list of bad input and what it must get. They are sent to the real program as raw bytes; the answers
// stand in testdata/abuse.txt. After each row the program lives, takes an honest event, and has given its memory back.

// row is one of them.
type row struct {
	name string
	slow bool // it waits for a limit in time, beside others
	run  func(*raid)
}

// rowsUnder are the rows under a heading.
type rowsUnder struct {
	heading string
	rows    []row
}

func abuseRows() []rowsUnder {
	return []rowsUnder{
		{"Transport", transportRows()},
		{"Compression", compressionRows()},
		{"Authentication", authenticationRows()},
		{"JSON", jsonRows()},
		{"Batch", batchRows()},
		{"Time", timeRows()},
		{"Query", queryRows()},
		{"Operations", operationsRows()},
	}
}

// TestAbuse holds C-4XX.
func TestAbuse(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	s := besiege(t)
	for _, under := range abuseRows() {
		t.Run(under.heading, func(t *testing.T) {
			for _, row := range under.rows {
				t.Run(row.name, func(t *testing.T) { s.raid(t, row) })
			}
		})
	}
	s.open.t, s.guarded.t = t, t
	if got := s.open.sql("select count(*) from nothing", ""); got != "[[0]]" {
		t.Errorf("what had to be refused was stored: %s", got)
	}
	s.answers.finish(t, abuseRows())
}

const (
	honestEvent = "POST /v1/streams/honest/events HTTP/1.1\r\nHost: localhost\r\n" + keyWrite + "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}"

	// abuseStreams are for honest events, for bad ones of which some may be accepted, and for those that never are.
	abuseStreams = "streams:\n  honest:\n  clicks:\n  nothing:\n" +
		"  typed:\n    columns: {n: bigint, d: double, t: timestamp, m: \"decimal(12,2)\", s: text, b: boolean}\n"
	abuseTokens = "tokens:\n  - {name: web, secret: write-0123456789abcdef, allow: [write]}\n" +
		"  - {name: dash, secret: read-0123456789abcdef, allow: [read]}\n"
	revokedToken = "  - {name: old, secret: revoked-0123456789abcdef, allow: [write, read]}\n"

	keyWrite = "Authorization: Bearer write-0123456789abcdef\r\n"
	keyRead  = "Authorization: Bearer read-0123456789abcdef\r\n"
)

// siege is two programs that are attacked, one of them with tokens.
type siege struct {
	open, guarded *besieged
	answers       *transcripts
}

// besieged is a program, with the memory that it needs after a little honest work.
type besieged struct {
	*running
	profiles string // where its heap can be collected
	resident penstock.Bytes
	slack    penstock.Bytes // by which it may have grown when its garbage is gone
}

const (
	residentPeak = 512 << 20 // that a program may never exceed
	// statementMemory is what comes to it where statements use all the memory that they may, and statementSlack what DuckDB
	// keeps of it. Those go to the program with tokens.
	statementMemory = 768 << 20
	statementSlack  = 96 << 20
)

func besiege(t *testing.T) *siege {
	s := &siege{
		open:    newBesieged(t, abuseStreams),
		guarded: newBesieged(t, abuseTokens+revokedToken+abuseStreams),
		answers: readTranscripts(t),
	}
	s.guarded.slack = statementSlack
	t.Cleanup(func() {
		for _, c := range []struct {
			b    *besieged
			most penstock.Bytes
		}{{s.open, residentPeak}, {s.guarded, residentPeak + statementMemory}} {
			_, peak, err := c.b.Resident()
			if t.Logf("resident at first %d MiB, at most %d MiB", c.b.resident>>20, peak>>20); err != nil || peak > c.most {
				t.Errorf("the peak of resident memory is %d MiB (%v)", peak>>20, err)
			}
		}
	})
	return s
}

func newBesieged(t *testing.T, config string) *besieged {
	t.Helper()
	p := serve(t, configured(t, config), "--debug-listen", "127.0.0.1:0")
	url := regexp.MustCompile(`profiles at (http://[^/]+)/`).FindStringSubmatch(p.log.String())
	if url == nil {
		t.Fatalf("no address for profiles: %s", p.log)
	}
	s := &besieged{running: p, profiles: url[1], slack: 32 << 20}
	batch := strings.Repeat(`{"a":"`+strings.Repeat("x", 1000)+"\"}\n", 5000)
	for range 4 {
		s.warmUp(t, batch)
	}
	s.collect(t)
	var err error
	if s.resident, _, err = s.Resident(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *besieged) warmUp(t *testing.T, batch string) {
	t.Helper()
	raw := s.client(t)
	for _, body := range []string{batch, `{"a":1}`} {
		a := raw.Send(request("POST /v1/streams/honest/events", keyWrite+"Content-Type: application/x-ndjson\r\n", body))
		raw.Expect(a, http.StatusAccepted, "")
	}
	raw.Expect(raw.Send(request("POST /v1/sql", keyRead, "select count(*) from honest group by data")), http.StatusOK, "")
}

// client returns a client of raw bytes.
func (s *besieged) client(t *testing.T) *edgetest.Server {
	return edgetest.To(t, strings.TrimPrefix(s.URL, "http://"))
}

// request returns a request with its length.
func request(line, headers, body string) string {
	return fmt.Sprintf("%s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s", line, headers, len(body), body)
}

// collect lets the program collect its garbage: twice, since pools survive once.
func (s *besieged) collect(t *testing.T) {
	t.Helper()
	for range 2 {
		resp, err := http.Get(s.profiles + "/debug/pprof/heap?gc=1")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
}

// check is what must hold after a row.
func (s *besieged) check(t *testing.T) {
	t.Helper()
	select {
	case <-s.Exited():
		t.Fatalf("the program has ended: %v\n%s", s.Err(), s.log)
	default:
	}
	raw := s.client(t)
	raw.Expect(raw.Send(honestEvent), http.StatusAccepted, "")
}

// settle waits until the memory is given back.
func (s *besieged) settle(t *testing.T) {
	t.Helper()
	p := *s.running
	p.t = t
	s.collect(t)
	var now penstock.Bytes
	defer func() {
		if t.Failed() {
			t.Logf("%d MiB are resident, %d MiB were", now>>20, s.resident>>20)
		}
	}()
	p.eventually("the memory is given back", func() bool {
		var err error
		if now, _, err = s.Resident(); err != nil {
			t.Fatal(err)
		}
		return now <= s.resident+s.slack
	})
}

// raid is a row on its way.
type raid struct {
	*edgetest.Server                  // sends to the program without tokens
	guarded          *edgetest.Server // sends to the one with them
	t                *testing.T
	siege            *siege
	p                *running // the one without tokens
	lines            []string // what came back
}

func (s *siege) raid(t *testing.T, row row) {
	if row.slow {
		t.Parallel()
	}
	p := *s.open.running
	p.t = t
	r := &raid{Server: s.open.client(t), guarded: s.guarded.client(t), t: t, siege: s, p: &p}
	row.run(r)
	for _, b := range []*besieged{s.open, s.guarded} {
		b.check(t)
		if !row.slow { // others need memory at the same time
			b.settle(t)
		}
	}
	s.answers.compare(t, row.name, r.lines)
}

// note keeps an answer, to be compared with what is expected.
func (r *raid) note(what string, a edgetest.Answer) {
	r.t.Helper()
	r.checkAnswer(what, a)
	r.say("%s: %s", what, answerLine(a))
}

func (r *raid) say(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

// checkAnswer checks what holds for all answers to bad input.
func (r *raid) checkAnswer(what string, a edgetest.Answer) {
	r.t.Helper()
	if a.Status == http.StatusInternalServerError || a.Status == http.StatusServiceUnavailable && a.Code != "overloaded" {
		r.t.Errorf("%s: %d %s", what, a.Status, a.Body)
	}
	if a.Code == "" {
		return
	}
	if a.Outcome != "not_stored" {
		r.t.Errorf("%s: outcome %q", what, a.Outcome)
	}
	odd := func(c rune) bool { return c < ' ' && c != '\n' || c == 0x7f || c == '\uFFFD' } // DuckDB shows the place on a line
	if len(a.Detail) > 600 || strings.ContainsFunc(a.Detail, odd) {
		r.t.Errorf("%s: detail %q", what, a.Detail)
	}
	if a.Status == http.StatusTooManyRequests && a.Header.Get("Retry-After") == "" {
		r.t.Errorf("%s: Retry-After is missing", what)
	}
}

// answerLine returns an answer as a line of the transcript shows it.
func answerLine(a edgetest.Answer) string {
	if a.Status == 0 {
		return "closed"
	}
	text := fmt.Sprint(a.Status)
	if a.Code != "" {
		text += " " + a.Code
	}
	var batch struct {
		Accepted *int
		Rejected []struct {
			Index int
			Code  string
		}
	}
	if json.Unmarshal([]byte(a.Body), &batch) == nil && batch.Accepted != nil && a.Status < 300 {
		text += fmt.Sprintf(" accepted %d", *batch.Accepted)
		for _, item := range batch.Rejected {
			text += fmt.Sprintf(", %d %s", item.Index, item.Code)
		}
	}
	if a.Closed && a.Status >= 400 {
		text += ", closed"
	}
	return text
}

// transcripts are the answers that rows must get, and those that they got.
type transcripts struct {
	want map[string][]string

	mu  sync.Mutex
	got map[string][]string
}

var transcriptFile = filepath.Join("testdata", "abuse.txt")

func readTranscripts(t *testing.T) *transcripts {
	t.Helper()
	text, err := os.ReadFile(transcriptFile)
	if err != nil && !*rewrite {
		t.Fatal(err)
	}
	all := &transcripts{want: map[string][]string{}, got: map[string][]string{}}
	name := ""
	for line := range strings.SplitSeq(string(text), "\n") {
		if answer, ok := strings.CutPrefix(line, "  "); ok {
			all.want[name] = append(all.want[name], answer)
		} else {
			name = line
		}
	}
	return all
}

func (all *transcripts) compare(t *testing.T, name string, got []string) {
	t.Helper()
	all.mu.Lock()
	defer all.mu.Unlock()
	all.got[name] = got
	if want := all.want[name]; !*rewrite && !slices.Equal(got, want) {
		t.Errorf("the answers differ (-rewrite accepts them): got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// finish writes the file, if that was asked for.
func (all *transcripts) finish(t *testing.T, headings []rowsUnder) {
	t.Helper()
	if !*rewrite {
		return
	}
	var text strings.Builder
	for _, under := range headings {
		fmt.Fprintf(&text, "# %s\n", under.heading)
		for _, row := range under.rows {
			got, ran := all.got[row.name]
			if !ran { // it was not asked for
				got = all.want[row.name]
			}
			fmt.Fprintf(&text, "%s\n", row.name)
			for _, line := range got {
				fmt.Fprintf(&text, "  %s\n", line)
			}
		}
	}
	if err := os.WriteFile(transcriptFile, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// drip sends a byte every so often, until the connection is closed.
func drip(t *testing.T, conn io.Writer, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if _, err := conn.Write([]byte("x")); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			return
		}
	}
}

// receiptIn returns the receipt of an answer.
func receiptIn(t *testing.T, a edgetest.Answer) string {
	t.Helper()
	var answer struct{ Receipt string }
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil || answer.Receipt == "" {
		t.Fatalf("no receipt: %d %s", a.Status, a.Body)
	}
	return answer.Receipt
}
