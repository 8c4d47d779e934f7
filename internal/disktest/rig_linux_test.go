package disktest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"penstock/internal/load/child"
	"penstock/internal/load/probe"
)

// rig is an installation and what loads it.
type rig struct {
	t      *testing.T
	ctx    context.Context // ends before the test would be ended
	cancel context.CancelFunc
	dir    string
	disk   *disk
	wrap   []string // what the program is started by; nil: nothing
	args   []string // of serve, beside the configuration
	server *child.Process
	said   *lines
	load   *Load
	stop   func() // ends the load
}

// patience bounds everything that a round waits for.
const patience = 90 * time.Second

func newRig(t *testing.T, config string) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), said: &lines{}, load: &Load{Writers: 3, Events: 50, Text: 400}, stop: func() {}}
	r.ctx, r.cancel = context.WithTimeout(t.Context(), patience)
	text := "listen: 127.0.0.1:0\ndata: data\npartitions: 8\n" + config +
		"streams: {" + Stream + ": {columns: {writer: bigint, batch: bigint}}}\n"
	if err := os.WriteFile(filepath.Join(r.dir, "penstock.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

// guard ends everything with the test. What has to outlive the server is made before.
func (r *rig) guard() {
	t := r.t
	t.Cleanup(func() {
		r.cancel()
		r.stop()
		if r.server != nil {
			r.server.Kill()
		}
		if t.Failed() {
			t.Logf("answers: %v\nthe server said:\n%s", r.load.Answers(), r.said)
		}
	})
}

// path returns the name of a directory within the data directory.
func (r *rig) path(name string) string { return filepath.Join(r.dir, "data", name) }

func (r *rig) must(what string, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
}

// try starts the server.
func (r *rig) try() error {
	args := append([]string{*program, "serve", "-c", "penstock.yaml"}, r.args...)
	args = append(r.wrap[:len(r.wrap):len(r.wrap)], args...)
	p, err := child.Start(r.ctx, child.Options{Program: args[0], Args: args[1:], Dir: r.dir, Log: r.said})
	if err == nil {
		r.server = p
		r.load.At(p.URL)
	}
	return err
}

func (r *rig) start() {
	r.t.Helper()
	r.must("start", r.try())
}

// end stops the server in order.
func (r *rig) end() {
	r.t.Helper()
	r.must("stop", r.server.Stop(30*time.Second))
}

func (r *rig) ask() *probe.Probe { return &probe.Probe{URL: r.server.URL} }

// begin loads the server, and returns when some was accepted.
func (r *rig) begin() {
	r.t.Helper()
	r.resume()
	r.await("202", 20)
}

// resume loads the server.
func (r *rig) resume() {
	ctx, cancel := context.WithCancel(r.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.load.Run(ctx)
	}()
	r.stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
}

// await waits for more answers of a kind.
func (r *rig) await(kind string, more int) {
	r.t.Helper()
	r.must("await", r.load.Await(r.ctx, kind, more))
}

// reads checks that what is there can be asked for.
func (r *rig) reads(what string) {
	r.t.Helper()
	if n, err := r.ask().Number(r.ctx, "select count(*) from "+Stream); err != nil || n == 0 {
		r.t.Errorf("%s: %d rows, %v", what, n, err)
	}
}

// alive fails if the server has ended.
func (r *rig) alive(what string) {
	r.t.Helper()
	select {
	case <-r.server.Exited():
		r.t.Fatalf("%s: the server has ended: %v", what, r.server.Err())
	default:
	}
}

// until waits for a condition.
func (r *rig) until(what string, is func() bool) {
	r.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			r.t.Fatalf("%s: it did not come", what)
		}
	}
}

// judge ends the load, waits until all is decided and applied, and compares.
func (r *rig) judge() Sum {
	r.t.Helper()
	r.stop()
	r.must("resolve", r.load.Resolve(r.ctx))
	r.must("drain", r.ask().WaitDrained(r.ctx))
	sum, err := r.load.Judge(r.ctx, r.ask())
	r.must("judge", err)
	if sum.Problems != 0 || sum.Accepted == 0 {
		r.t.Errorf("%+v, %v", sum, r.load.Problems())
	}
	return sum
}

// lines keeps what the server says.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String returns all of it.
func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// exit waits until the server has ended, and returns its status.
func (r *rig) exit() error {
	r.t.Helper()
	select {
	case <-r.server.Exited():
		return r.server.Err()
	case <-r.ctx.Done():
		return errors.New("it did not end")
	}
}
