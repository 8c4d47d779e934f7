package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"penstock/internal/load/child"
	"penstock/internal/load/probe"
)

// beProgram is the variable that makes the test's own executable the program: servers, and commands that start some, run it.
const beProgram = "TEST_BINARY_IS_PENSTOCK"

func TestMain(m *testing.M) {
	fuzzing := slices.ContainsFunc(os.Args, func(arg string) bool { return strings.HasPrefix(arg, "-test.fuzzworker") })
	if os.Getenv(beProgram) != "" && !fuzzing {
		main()
	}
	if err := os.Setenv(beProgram, "1"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// patience bounds what a test waits for; nothing takes nearly that long.
const patience = time.Minute

// running is a server in a process of its own, and a client of it.
type running struct {
	*child.Process
	t     *testing.T
	dir   string
	token string
	log   *transcript
}

// directory returns a new directory with a configuration.
func configured(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	configure(t, dir, config)
	return dir
}

func configure(t *testing.T, dir, config string) {
	t.Helper()
	text := "listen: 127.0.0.1:0\ndata: ./data\n" + config
	if err := os.WriteFile(filepath.Join(dir, "penstock.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start runs the program in a directory until the test ends, and waits until it is ready.
func start(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := &running{t: t, dir: dir, log: &transcript{}}
	s.Process, err = child.Start(ctx, child.Options{Program: self, Args: args, Dir: dir, Log: s.log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	if err := s.probe().WaitReady(ctx); err != nil {
		t.Fatalf("wait until it is ready: %v\n%s", err, s.log)
	}
	return s
}

func serve(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	return start(t, dir, append([]string{"serve", "-c", "penstock.yaml"}, args...)...)
}

func (s *running) probe() *probe.Probe { return &probe.Probe{URL: s.URL, Token: s.token} }

// stop asks the server to end, which it has to do in order.
func (s *running) stop() {
	s.t.Helper()
	if err := s.Stop(patience); err != nil {
		s.t.Fatalf("stop: %v\n%s", err, s.log)
	}
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   []byte
	json   map[string]any // if it is an object
}

func (s *running) do(method, path, body string, headers ...string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", method, path, err, s.log)
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if a.body, err = io.ReadAll(resp.Body); err != nil {
		s.t.Fatal(err)
	}
	_ = json.Unmarshal(a.body, &a.json)
	return a
}

func (s *running) get(path string, headers ...string) answer {
	s.t.Helper()
	return s.do(http.MethodGet, path, "", headers...)
}

// post sends events as curl -d does. Behind the stream's name there may be a query.
func (s *running) post(stream, body string) answer {
	s.t.Helper()
	stream, query, _ := strings.Cut(stream, "?")
	return s.do(http.MethodPost, "/v1/streams/"+stream+"/events?"+query, body, "Content-Type", "application/x-www-form-urlencoded")
}

// accept sends events that have to be accepted, and returns the receipt.
func (s *running) accept(stream, body string) string {
	s.t.Helper()
	a := s.post(stream, body)
	receipt, _ := a.json["receipt"].(string)
	if a.status != http.StatusAccepted || receipt == "" {
		s.t.Fatalf("post to %s: %d %s", stream, a.status, a.body)
	}
	return receipt
}

// sql returns the rows of a query, as JSON, that contain what a receipt names; "" names nothing.
func (s *running) sql(query, receipt string) string {
	s.t.Helper()
	ask := map[string]any{"query": query, "timeout": "20s"}
	if receipt != "" {
		ask["after"] = receipt
	}
	body, err := json.Marshal(ask)
	if err != nil {
		s.t.Fatal(err)
	}
	a := s.do(http.MethodPost, "/v1/sql", string(body), "Content-Type", "application/json")
	if a.status != http.StatusOK {
		s.t.Fatalf("%s: %d %s\n%s", query, a.status, a.body, s.log)
	}
	rows, err := json.Marshal(a.json["rows"])
	if err != nil {
		s.t.Fatal(err)
	}
	return string(rows)
}

// expect fails unless an answer has a status, and the code of its problem unless that is "".
func (s *running) expect(what string, a answer, status int, code string) {
	s.t.Helper()
	got, _ := a.json["code"].(string)
	if a.status != status || code != "" && got != code {
		s.t.Errorf("%s: got %d %s, want %d %s", what, a.status, a.body, status, code)
	}
}

// eventually waits until a condition holds.
func (s *running) eventually(what string, holds func() bool) {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(patience)
	defer late.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late.C:
			s.t.Fatalf("%s: it never came\n%s", what, s.log)
		}
	}
}

// command runs the program to its end and returns its status and what it wrote.
func command(t *testing.T, dir string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, self, args...)
	c.Dir = dir
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String(), errs.String()
}

// transcript keeps what a server wrote.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *transcript) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String returns everything.
func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
