package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"penstock/client"
)

// typist plays a person at a prompt: it types, and waits for what it wants to see.
type typist struct {
	t    *testing.T
	keys *io.PipeWriter
	done chan error

	mu     sync.Mutex
	screen bytes.Buffer
	seen   int
	change chan struct{}
}

// Write implements io.Writer for the prompt's screen.
func (p *typist) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.screen.Write(b)
	select {
	case p.change <- struct{}{}:
	default:
	}
	return len(b), nil
}

func sitDown(t *testing.T, s *stage, home string) *typist {
	t.Helper()
	in, keys := io.Pipe()
	p := &typist{t: t, keys: keys, done: make(chan error, 1), change: make(chan struct{}, 1)}
	c, err := client.New(client.Options{URL: s.url})
	if err != nil {
		t.Fatal(err)
	}
	prompt := newPrompt(&program{env: envOf(map[string]string{"HOME": home})}, asker{client: c}, promptScreen{in: in, out: p, width: 80, height: 24})
	go func() { p.done <- prompt.run(t.Context()) }()
	t.Cleanup(func() { keys.Close(); c.Close() })
	return p
}

func (p *typist) types(keys string) {
	p.t.Helper()
	if _, err := io.WriteString(p.keys, keys); err != nil {
		p.t.Fatal(err)
	}
}

// sees waits until the screen shows a text behind what was seen before.
func (p *typist) sees(text string) {
	p.t.Helper()
	for {
		p.mu.Lock()
		shown := p.screen.String()
		at := strings.Index(shown[p.seen:], text)
		if at >= 0 {
			p.seen += at + len(text)
		}
		p.mu.Unlock()
		if at >= 0 {
			return
		}
		select {
		case <-p.change:
		case <-p.t.Context().Done():
			p.t.Fatalf("%q does not come:\n%s", text, shown)
		case err := <-p.done:
			p.t.Fatalf("%q does not come, the prompt ended with %v:\n%s", text, err, shown)
		}
	}
}

func (p *typist) leaves() {
	p.t.Helper()
	if err := <-p.done; err != nil {
		p.t.Error(err)
	}
}

func TestPrompt(t *testing.T) {
	s := newStage(t)
	if err := s.declare([]string{"clicks", "price=decimal(12,2)", "country=text@geo.country"}); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	p := sitDown(t, s, home)
	p.sees("penstock> ")
	p.types("select numbers;\r")
	p.sees("│ 20 │ NULL        │\r\n")
	p.sees("(3 rows, ")
	p.types("select\r")
	p.sees(nextPrompt)
	p.types("json; select nothing; sel\r") // one on two lines, another, and the beginning of a third
	p.sees(`syntax error near "select\njson"`)
	p.sees("(0 rows, ")
	p.sees(nextPrompt)
	p.types("\x03")
	p.sees(firstPrompt)
	p.types(`\d` + "\r")
	p.sees("│ clicks │ id │ key │ time │ 2       │")
	p.types(`\d clicks` + "\r")
	p.sees("│ country     │ text          │ geo.country │")
	p.types(`\d nosuch` + "\r")
	p.sees("error: there is no stream nosuch")
	p.types(`\?` + "\r")
	p.sees("Ctrl-C cancels a query that runs")
	p.types(`\x` + "\r")
	p.sees(`\x is not a command`)
	p.types("half\x03")
	p.sees(firstPrompt)
	p.types(`\q` + "\r")
	p.leaves()
	want := "select numbers;\nselect json;\nselect nothing;\n\\d\n\\d clicks\n\\d nosuch\n\\?\n\\x\n\\q\n"
	if text, err := os.ReadFile(filepath.Join(home, ".local/state/penstock/history")); err != nil || string(text) != want {
		t.Errorf("history %q, %v", text, err)
	}
}

// TestPromptSurvivesACancelledQuery presses Ctrl-C while a query hangs, and then asks another, from the history of before.
func TestPromptSurvivesACancelledQuery(t *testing.T) {
	s := newStage(t)
	asked := make(chan struct{}, 8)
	s.before = func(_ http.ResponseWriter, r *http.Request) { asked <- struct{}{} }
	home := t.TempDir()
	p := sitDown(t, s, home)
	p.sees(firstPrompt)
	p.types("select numbers;\r")
	<-asked
	p.sees("(3 rows, ")
	p.sees(firstPrompt)
	p.types("select hang;\r")
	<-asked
	p.types("\x03")
	p.sees("error: cancelled\r\n")
	p.sees(firstPrompt)
	p.types("\x1b[A\x1b[A\r") // the statement before the last
	p.sees("(3 rows, ")
	p.types("\x04")
	p.leaves()

	p = sitDown(t, s, home)
	p.sees(firstPrompt)
	p.types("\x1b[A\r")
	p.sees("select numbers;")
	p.sees("(3 rows, ")
	p.keys.Close()
	p.leaves()
}

// TestCtrlCBetweenLineAndQuery presses it when the line was read and its query has not begun.
func TestCtrlCBetweenLineAndQuery(t *testing.T) {
	k := newKeyboard(nil)
	if k.interrupted() {
		t.Error("interrupted before anything was typed")
	}
	if keys := k.filter([]byte("ab\x03cd")); string(keys) != string(discardLine)+"cd" {
		t.Errorf("%q", keys)
	}
	cancelled := 0
	stop := k.onInterrupt(func() { cancelled++ })
	if cancelled != 1 || k.interrupted() {
		t.Errorf("cancelled %d times", cancelled)
	}
	if keys := k.filter([]byte("\x03later")); string(keys) != "later" || cancelled != 2 {
		t.Errorf("%q, cancelled %d times", keys, cancelled)
	}
	stop()
	if k.filter([]byte{ctrlC}); cancelled != 2 || !k.interrupted() || k.interrupted() {
		t.Errorf("cancelled %d times", cancelled)
	}
}

func TestStatementEnd(t *testing.T) {
	for sql, want := range map[string]int{
		"":                        -1,
		"select 1":                -1,
		"select 1;":               8,
		";;":                      0,
		"select ';';":             10,
		"select 'it''s;';":        15,
		`select ";" from "a;b";`:  21,
		"select 1 -- no; no\n;":   19,
		"select 1 -- no; no":      -1,
		"select /* a;b */ 1;":     18,
		"select /* a;b":           -1,
		"select 'a;":              -1,
		"select 1-1;":             10,
		"select 1/2;":             10,
		"select 'a' || ';' || 1;": 22,
	} {
		if got := statementEnd(sql); got != want {
			t.Errorf("%q ends at %d, want %d", sql, got, want)
		}
	}
}

func TestHistoryIsBoundedAndPrivate(t *testing.T) {
	state := t.TempDir()
	env := envOf(map[string]string{"XDG_STATE_HOME": state})
	h := openHistory(env)
	for i := range maxHistory + 5 {
		h.remember("select " + strings.Repeat("x", i%7) + ";\n-- more")
	}
	h.remember("last")
	h.remember("last")
	again := openHistory(env)
	if again.Len() != maxHistory || again.At(0) != "last" || strings.Contains(again.At(1), "\n") || again.At(1) == "last" {
		t.Errorf("%d entries, %q before %q", again.Len(), again.At(1), again.At(0))
	}
	info, err := os.Stat(filepath.Join(state, "penstock", "history"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if nowhere := openHistory(envOf(nil)); nowhere.file != "" {
		t.Errorf("a history in %s", nowhere.file)
	}
}
