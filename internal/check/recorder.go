package check

import (
	"bufio"
	"encoding/json"
	"os"
	"sync"
	"time"

	"penstock"
)

// Recorder writes what clients and the nemesis do into the directory of a run. It may be used concurrently. Its first error stays
// and is returned by Close: a history with a gap must not be judged.
type Recorder struct {
	dir   Dir
	began time.Time

	mu      sync.Mutex
	history *bufio.Writer
	faults  *bufio.Writer
	files   []*os.File
	ops     int64
	open    map[*Call]struct{}
	lasting map[*Fault]struct{}
	err     error
}

// Call is an attempt that has not ended yet. It is used by one goroutine, which sets the fields that only the answer tells.
type Call struct {
	Record
	recorder *Recorder
}

// Create makes the directory of a run, which must not hold one yet, and begins its history.
func Create(dir string, c Config) (*Recorder, error) {
	const op = "create run"
	d := Dir(dir)
	if err := os.MkdirAll(d.path(finalDir), 0o750); err != nil {
		return nil, penstock.Wrap(penstock.Internal, op, err)
	}
	r := &Recorder{dir: d, began: time.Now(), open: map[*Call]struct{}{}, lasting: map[*Fault]struct{}{}}
	if err := writeNew(d.path(configFile), c); err != nil {
		return nil, penstock.Wrap(penstock.Internal, op, err)
	}
	for _, name := range [...]string{historyFile, nemesisFile} {
		f, err := os.OpenFile(d.path(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			r.closeFiles()
			return nil, penstock.Wrap(penstock.Internal, op, err)
		}
		r.files = append(r.files, f)
	}
	r.history, r.faults = bufio.NewWriterSize(r.files[0], 1<<16), bufio.NewWriter(r.files[1])
	return r, nil
}

// Dir returns the directory of the run.
func (r *Recorder) Dir() Dir { return r.dir }

// Begin notes that an attempt is about to be made. With Op 0 it is the first one of a new operation.
func (r *Recorder) Begin(rec Record) *Call {
	rec.Attempt = max(1, rec.Attempt)
	rec.Ret = 0
	c := &Call{rec, r}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Op == 0 {
		r.ops++
		c.Op = r.ops
	}
	r.open[c] = struct{}{}
	c.Call = r.now() // in the lock: what was written before has ended before
	return c
}

// End notes that the attempt has ended, as c.Outcome says; without one it is not known how.
func (c *Call) End() {
	r := c.recorder
	c.Ret = r.now()
	if c.Outcome == "" {
		c.Outcome = Unknown
	}
	line, err := json.Marshal(&c.Record)
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, open := r.open[c]; open {
		delete(r.open, c)
		r.write(r.history, line, err)
	}
}

// Again returns the next attempt at the same operation, which begins now.
func (c *Call) Again() *Call {
	next := Record{Op: c.Op, Client: c.Client, Lane: c.Lane, Kind: c.Kind, Tenant: c.Tenant, Stream: c.Stream,
		Seq: c.Seq, Count: c.Count, Attempt: c.Attempt + 1, Poison: c.Poison, Keys: c.Keys, Sums: c.Sums, Node: c.Node, What: c.What}
	return c.recorder.Begin(next)
}

// Note writes an observation that takes no time: a watch, a sample.
func (r *Recorder) Note(rec Record) {
	c := r.Begin(rec)
	c.Outcome = Ok
	c.End()
}

// Fault notes that the nemesis begins to do something. What it returns notes the end of it.
func (r *Recorder) Fault(kind string) (healed func()) {
	f := &Fault{Kind: kind}
	r.mu.Lock()
	defer r.mu.Unlock()
	f.From = r.now()
	r.lasting[f] = struct{}{}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if _, lasts := r.lasting[f]; lasts {
			delete(r.lasting, f)
			f.To = r.now()
			r.writeFault(f)
		}
	}
}

// writeFault needs the lock.
func (r *Recorder) writeFault(f *Fault) {
	line, err := json.Marshal(f)
	r.write(r.faults, line, err)
}

// Flush hands everything that was noted to the operating system.
func (r *Recorder) Flush() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flush()
	return penstock.Wrap(penstock.Internal, "write history", r.err)
}

// flush needs the lock.
func (r *Recorder) flush() {
	for _, w := range [...]*bufio.Writer{r.history, r.faults} {
		if err := w.Flush(); err != nil && r.err == nil {
			r.err = err
		}
	}
}

// Close writes attempts that have not ended as ones without an answer, faults that last as ones without an end, and everything to the files.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		rec := Record{Op: c.Op, Client: c.Client, Lane: c.Lane, Kind: c.Kind, Tenant: c.Tenant, Stream: c.Stream, Seq: c.Seq,
			Count: c.Count, Attempt: c.Attempt, Call: c.Call, Outcome: Unknown, Poison: c.Poison, Keys: c.Keys, Sums: c.Sums}
		line, err := json.Marshal(&rec)
		r.write(r.history, line, err)
	}
	for f := range r.lasting {
		r.writeFault(f)
	}
	clear(r.open)
	clear(r.lasting)
	r.flush()
	r.closeFiles()
	return penstock.Wrap(penstock.Internal, "write history", r.err)
}

// now is never 0: that means "not".
func (r *Recorder) now() int64 { return max(1, int64(time.Since(r.began))) }

// write needs the lock.
func (r *Recorder) write(w *bufio.Writer, line []byte, err error) {
	if err == nil {
		_, err = w.Write(append(line, '\n'))
	}
	if err != nil && r.err == nil {
		r.err = err
	}
}

// closeFiles needs the lock, or nobody else who knows of r.
func (r *Recorder) closeFiles() {
	for _, f := range r.files {
		if err := f.Close(); err != nil && r.err == nil {
			r.err = err
		}
	}
	r.files = nil
}
