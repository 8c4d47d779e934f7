package jsonevents

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"penstock"
)

var rewrite = flag.Bool("rewrite", false, "write what the scenarios give into their files")

// TestScenarios runs testdata/*.txt: a command with a body, a line of dashes, and what comes of it, up to a blank line.
//
//	decode [type=T] [browser] [idempotency=K] [query=Q] [event=N] [batch=N] [stream=NAME]
//
// The body is the lines below the command; with "parts" it is a row of Go strings, each perhaps repeated: "x"*100. The clock
// stands at 2026-06-01T12:00:00Z.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScenario(t, file) })
	}
}

func runScenario(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p := New()
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
		want := i + 1
		for i < len(lines) && lines[i] != "" {
			i++
		}
		got := runCommand(t, p, lines[first], lines[first+1:want-1])
		if expected := strings.Join(lines[min(want, i):i], "\n"); got != expected && !*rewrite {
			t.Errorf("%s:%d: %s\ngot:\n%s\nwant:\n%s", file, first+1, lines[first], got, expected)
		}
		fmt.Fprintf(&out, "%s\n----\n%s\n", strings.Join(lines[first:want-1], "\n"), got)
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var noon = penstock.MicrosOf(time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC))

// streams are what the scenarios' streams declare.
var streams = map[string]*penstock.Stream{
	"clicks": {Name: "clicks"},
	"fields": {Name: "fields", IDField: "meta.id", KeyField: "user.id", TimeField: `meta.sent\.at`},
	"typed": {Name: "typed", Columns: []penstock.Column{
		{Name: "name", Type: penstock.Text, Path: "name"},
		{Name: "n", Type: penstock.Bigint, Path: "n"},
		{Name: "x", Type: penstock.Double, Path: "x"},
		{Name: "price", Type: penstock.Decimal, Precision: 6, Scale: 2, Path: "price"},
		{Name: "ok", Type: penstock.Boolean, Path: "ok"},
		{Name: "seen", Type: penstock.Timestamp, Path: "seen"},
		{Name: "extra", Type: penstock.JSON, Path: "deep.extra"},
	}},
	"broken": {Name: "broken", IDField: "a..b"},
}

func runCommand(t *testing.T, p *Protocol, command string, lines []string) string {
	t.Helper()
	words := strings.Fields(command)
	if words[0] != "decode" {
		t.Fatalf("unknown command %q", command)
	}
	r := &penstock.Request{Stream: streams["clicks"], ContentType: jsonType, ReceivedAt: noon}
	body := []byte(strings.Join(lines, "\n"))
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		n, _ := strconv.Atoi(value)
		switch name {
		case "type":
			r.ContentType = strings.ReplaceAll(value, ";", "; ")
		case "browser":
			r.FromBrowser = true
		case "idempotency":
			r.IdempotencyKey = value
		case "query":
			r.Query, _ = url.ParseQuery(value)
		case "event":
			r.Limits.Event = penstock.Bytes(n)
		case "batch":
			r.Limits.Batch = n
		case "stream":
			r.Stream = streams[value]
		case "parts":
			body = parts(t, strings.Join(lines, " "))
		default:
			t.Fatalf("unknown word %q", word)
		}
	}
	r.Body = body
	return outcomeOf(p, r)
}

// parts joins Go strings, each perhaps with "*count" behind it.
func parts(t *testing.T, text string) []byte {
	t.Helper()
	var body []byte
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		part, _ := strconv.Unquote(quoted)
		text = text[len(quoted):]
		count := 1
		if rest, ok := strings.CutPrefix(text, "*"); ok {
			digits, after, _ := strings.Cut(rest, " ")
			if count, err = strconv.Atoi(digits); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			text = after
		}
		body = append(body, bytes.Repeat([]byte(part), count)...)
	}
	return body
}

// outcomeOf describes what Decode does: each item, the first four only, and the end.
func outcomeOf(p *Protocol, r *penstock.Request) string {
	var out []string
	n := 0
	note := func(text string) {
		if n++; n <= 4 {
			out = append(out, text)
		}
	}
	add := func(e penstock.Event) { note(describe(r, e)) }
	err := p.Decode(r, add, func(x penstock.Rejection) { note(fmt.Sprintf("reject %d %s: %s", x.Index, x.Code, x.Message)) })
	if n > 4 {
		out = append(out, fmt.Sprintf("… %d in all", n))
	}
	if r.Single {
		out = append(out, "single")
	}
	var refusal *penstock.Error
	if errors.As(err, &refusal) {
		out = append(out, fmt.Sprintf("refuse %s %s: %v", refusal.Code, refusal.Reason, refusal.Err))
	}
	return strings.Join(out, "\n")
}

func describe(r *penstock.Request, e penstock.Event) string {
	id, at, body := fmt.Sprintf("%q", e.ID), e.Time.Time().Format(time.RFC3339Nano), string(e.Body)
	if e.Flags&penstock.ServerID != 0 {
		id = fmt.Sprintf("given (%d bytes)", len(e.ID))
	}
	if e.Time == r.ReceivedAt {
		at = "now"
	}
	if len(body) > 60 {
		body = fmt.Sprintf("%d bytes", len(body))
	}
	return fmt.Sprintf("event id %s key %q time %s: %q", id, e.Key, at, body)
}
