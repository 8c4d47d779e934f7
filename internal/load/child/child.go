// Package child runs a server program as a process of its own, so that it can be measured and killed from outside.
package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"penstock"
)

// Options says what to run.
type Options struct {
	Program string   // path of the executable
	Args    []string // without --url-file, which Start adds
	Env     []string // beside the parent's, of which nothing that begins with PENSTOCK_ is passed on
	Dir     string   // working directory, also the place of the URL file
	Log     io.Writer
}

// Process is a running server. Its methods may be called concurrently.
type Process struct {
	URL string // http://host:port

	command *exec.Cmd
	exited  chan struct{}

	mu  sync.Mutex
	err error // of Wait, once exited is closed
}

// urlFile is where the program writes the URL that it listens on.
const urlFile = "url"

// Start starts the program and returns once it has written its URL. It fails when the program ends before that, or ctx
// does; then nothing runs any more.
func Start(ctx context.Context, o Options) (*Process, error) {
	op := "start " + filepath.Base(o.Program)
	path := filepath.Join(o.Dir, urlFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, penstock.Wrap(penstock.Internal, op, err)
	}
	var said tail
	p := &Process{exited: make(chan struct{})}
	p.command = exec.Command(o.Program, append(o.Args, "--url-file", path)...)
	p.command.Dir = o.Dir
	p.command.Env = append(withoutSettings(os.Environ()), o.Env...)
	p.command.Stderr = &said
	if o.Log != nil {
		p.command.Stderr = io.MultiWriter(o.Log, &said)
	}
	// A process group of its own: an interrupt at the terminal reaches only the parent, which ends the child in order.
	p.command.SysProcAttr = ownGroup()
	if err := p.command.Start(); err != nil {
		return nil, penstock.Wrap(penstock.Internal, op, err)
	}
	go p.reap()
	if err := p.awaitURL(ctx, path); err != nil {
		p.Kill()
		return nil, penstock.Wrap(penstock.Unavailable, op, fmt.Errorf("%w; it said: %s", err, said.String()))
	}
	return p, nil
}

// withoutSettings drops the variables that would override the configuration file: a server that is to be measured or
// killed must not open the data directory that the user's environment names.
func withoutSettings(env []string) []string {
	return slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, "PENSTOCK_") })
}

func (p *Process) reap() {
	err := p.command.Wait()
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	close(p.exited)
}

func (p *Process) awaitURL(ctx context.Context, path string) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(path)
		if line, whole := strings.CutSuffix(string(text), "\n"); err == nil && whole {
			p.URL = strings.TrimRight(line, "/")
			return nil
		}
		select {
		case <-tick.C:
		case <-p.exited:
			return fmt.Errorf("it ended: %w", errors.Join(p.Err(), errors.New(p.command.ProcessState.String())))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Err returns how the process ended, nil while it runs or when it ended with status 0.
func (p *Process) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Kill ends the process at once, as SIGKILL does, and waits until it is gone.
func (p *Process) Kill() {
	// An error means that it has ended by itself.
	_ = p.command.Process.Kill()
	<-p.exited
}

// Stop asks the process to end in order, and kills it when it has not after the time given. It returns how it ended.
func (p *Process) Stop(patience time.Duration) error {
	// An error means that it has ended by itself.
	_ = p.command.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.exited:
		return p.Err()
	case <-timer.C:
		p.Kill()
		return penstock.Errorf(penstock.Expired, "stop server", "it had to be killed after %v", patience)
	}
}

// Signal sends the process a signal. It fails when the process has ended; it never reaches another one.
func (p *Process) Signal(s os.Signal) error { return p.command.Process.Signal(s) }

// PID returns the number of the process.
func (p *Process) PID() int { return p.command.Process.Pid }

// tail keeps the last part of what was written, for a message.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-1000):]
	return len(b), nil
}

// String returns what is kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
