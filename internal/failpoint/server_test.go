package failpoint_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"penstock/internal/failpoint"
	"penstock/internal/load/child"
	"penstock/internal/load/probe"
)

const (
	kept  = "kept"
	brief = "brief"

	// With so small a log its segments are of a megabyte.
	settings = "listen: 127.0.0.1:0\ndata: ./data\nlog: {url: 'disk:', max: 8MiB}\nstreams:\n"
	keptOnly = settings + "  kept: {columns: {amount: bigint}}\n"
	open     = settings + "  kept: {}\n"
	briefToo = settings + "  kept: {dedup: off}\n  brief: {keep_rows: 1s, dedup: off}\n"

	patience = time.Minute
	loadTime = 20 * time.Second // within which a point is come by
	writers  = 4
	batch    = 50
	letters  = 30
)

// server is a data directory, the process that has it open, and what was sent there.
type server struct {
	t       *testing.T
	program string
	dir     string
	process *child.Process
	said    *bytes.Buffer // by the process, whole when that has ended

	mu      sync.Mutex
	sent    int      // events of the stream that is kept, which are there in the end
	unknown []string // bodies that have no answer yet
	number  int      // of the next batch
}

func newServer(t *testing.T, program string) *server {
	s := &server{t: t, program: program, dir: t.TempDir()}
	s.configure(keptOnly)
	t.Cleanup(func() {
		if s.process != nil {
			s.process.Kill()
		}
	})
	return s
}

func (s *server) configure(text string) {
	if err := os.WriteFile(filepath.Join(s.dir, "penstock.yaml"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// copyFrom takes over the directory of another one, whose process is dead.
func (s *server) copyFrom(other *server) error {
	s.sent, s.number = other.sent, other.number
	s.unknown = append(s.unknown, other.unknown...)
	return errors.Join(os.RemoveAll(filepath.Join(s.dir, "penstock.yaml")), os.CopyFS(s.dir, os.DirFS(other.dir)))
}

// start starts the program with a point set and waits until it is ready.
func (s *server) start(setting string, args ...string) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	s.said = &bytes.Buffer{}
	p, err := child.Start(ctx, child.Options{
		Program: s.program, Dir: s.dir, Args: append([]string{"serve", "-c", "penstock.yaml"}, args...),
		Env: []string{failpoint.Variable + "=" + setting}, Log: s.said,
	})
	s.process = p
	if err != nil {
		return err
	}
	ready := make(chan error, 1)
	go func() { ready <- (&probe.Probe{URL: p.URL}).WaitReady(ctx) }()
	select {
	case err = <-ready:
	case <-p.Exited():
		err = errors.New("it ended before it was ready")
	}
	return err
}

// died reports whether the process ended at the point, after it had the time to. Whatever else ended it is no such death.
func (s *server) died(point string) bool {
	if s.process != nil { // else it died before it listened
		select {
		case <-s.process.Exited():
		default:
			_ = s.process.Stop(patience) // some points are come by at the end only
		}
	}
	return strings.Contains(s.said.String(), "failpoint: "+point+"\n")
}

func (s *server) stop() error { return s.process.Stop(patience) }

// load posts so many batches, all of which are answered.
func (s *server) load(stream string, batches int) error {
	for range batches {
		if !s.post(stream, s.events(stream)) {
			return errors.New("a batch has no answer")
		}
	}
	return nil
}

// loadUntilDead posts from several clients until the process is dead, or should be.
func (s *server) loadUntilDead(stream string) {
	until := time.Now().Add(loadTime)
	var working sync.WaitGroup
	for range writers {
		working.Go(func() {
			for time.Now().Before(until) && s.post(stream, s.events(stream)) {
			}
		})
	}
	working.Wait()
}

// events makes the body of a batch.
func (s *server) events(stream string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	if stream == kept {
		s.sent += batch
	}
	random := rand.New(rand.NewPCG(uint64(s.number), 1))
	var b bytes.Buffer
	for i := range batch {
		fmt.Fprintf(&b, `{"id":"%d-%d","key":"k%d","amount":%d,"noise":"`, s.number, i, random.IntN(50), i)
		for range 12 {
			fmt.Fprintf(&b, "%016x", random.Uint64())
		}
		b.WriteString("\"}\n")
	}
	return b.String()
}

// post sends a body until it is taken, and reports whether the process gave an answer to it.
func (s *server) post(stream, body string) bool {
	for {
		status := s.attempt(stream, body)
		switch status {
		case http.StatusAccepted:
			return true
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			if s.wait(20 * time.Millisecond) {
				continue
			}
		case 0:
		default:
			s.t.Errorf("%d for %.100s", status, body)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if stream == kept {
			s.unknown = append(s.unknown, body)
		}
		return false
	}
}

// wait reports false if the process is dead before the time is over.
func (s *server) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.process.Exited():
		return false
	}
}

// attempt returns the status of the answer, 0 if there is none.
func (s *server) attempt(stream, body string) int {
	r, err := http.Post(s.process.URL+"/v1/streams/"+stream+"/events", "application/x-ndjson", bytes.NewReader([]byte(body)))
	if err != nil {
		return 0
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return 0
	}
	return r.StatusCode
}

// makeLetters lets the log accept what the stream has no room for when it is applied, and makes the room again.
func (s *server) makeLetters() error {
	s.configure(open)
	if err := s.start("", "--roles", "ingest"); err != nil {
		return err
	}
	var b bytes.Buffer
	for i := range letters {
		fmt.Fprintf(&b, `{"id":"letter-%d","amount":"much"}`+"\n", i)
	}
	if !s.post(kept, b.String()) {
		return errors.New("the letters have no answer")
	}
	s.sent += letters
	s.configure(keptOnly)
	if err := errors.Join(s.stop(), s.start("")); err != nil {
		return err
	}
	if err := s.drained(); err != nil {
		return err
	}
	s.configure(open)
	return s.stop()
}

func (s *server) drained() error {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	return (&probe.Probe{URL: s.process.URL}).WaitDrained(ctx)
}

// replay replays all letters that are open. It fails if the process dies of it.
func (s *server) replay() error {
	if err := s.drained(); err != nil {
		return err
	}
	r, err := http.Post(s.process.URL+"/v1/dlq/replay", "application/json", strings.NewReader(`{"stream":"`+kept+`"}`))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != http.StatusOK {
		return fmt.Errorf("replay: %s: %w", r.Status, err)
	}
	return nil
}

// judge sends again what has no answer, waits until all is applied, and counts.
func (s *server) judge() (lost, doubled int, err error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	unknown := s.unknown
	s.unknown = nil
	for _, body := range unknown {
		if !s.post(kept, body) {
			return 0, 0, errors.New("a batch has no answer although nothing ends the process")
		}
	}
	if err := s.drained(); err != nil {
		return 0, 0, err
	}
	ask := &probe.Probe{URL: s.process.URL}
	rows, err := ask.Number(ctx, "select count(*) from "+kept)
	if err != nil {
		return 0, 0, err
	}
	ids, err := ask.Number(ctx, "select count(distinct id) from "+kept)
	return s.sent - int(ids), int(rows - ids), err
}

// verifyLog lets the offline command read the log of the stopped server.
func (s *server) verifyLog() error {
	c := exec.CommandContext(s.t.Context(), s.program, "log", "verify", filepath.Join(s.dir, "data"))
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("log verify: %w: %s", err, out)
	}
	return nil
}
