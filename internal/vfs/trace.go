package vfs

import (
	"iter"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"

	"penstock"
)

// Trace is what happened to a file system in memory, step by step: a test can go back to any moment of it and lose power there, in
// every way that the moment allows.
type Trace struct {
	m *Memory

	mu    sync.Mutex
	start map[string]*inode // what was durable before the first step
	bytes map[*inode][]byte // of these files
	steps []step
}

// step is one change. It belongs to a file, or to the names of a directory.
type step struct {
	kind Kind
	file *inode
	at   int64  // OpWrite: where; OpTruncate: the size
	data []byte // OpWrite
	names
}

// names is the part of a step that changes names, as change has it; of OpSyncDir the directory.
type names struct{ from, to, dir string }

// Record returns a file system that does what m does and keeps a trace of it. Everything in m counts as durable.
func Record(m *Memory) (FS, *Trace) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &Trace{m: m, start: maps.Clone(m.names), bytes: map[*inode][]byte{}}
	for _, f := range m.names {
		t.bytes[f] = slices.Clone(f.data)
	}
	return recorder{m, t}, t
}

// Len returns how many steps there were so far.
func (t *Trace) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.steps)
}

// do makes a change and, if it happened, keeps its step: no other comes between.
func (t *Trace) do(change func() (step, error)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, err := change()
	if s.kind != "" {
		t.steps = append(t.steps, s)
	}
	return err
}

// Moments yields every moment of the trace: before its first step, and after each. A moment is valid until the next one.
func (t *Trace) Moments() iter.Seq2[int, *Moment] {
	return func(yield func(int, *Moment) bool) {
		t.mu.Lock()
		steps := t.steps
		t.mu.Unlock()
		m := &Moment{size: t.m.size, durable: maps.Clone(t.start), synced: map[*inode][]byte{}}
		maps.Copy(m.synced, t.bytes)
		for n := 0; ; n++ {
			if !yield(n, m) || n == len(steps) {
				return
			}
			m.take(steps[n])
		}
	}
}

// Moment is a moment of a trace: what is durable, and the steps since, of which a loss of power may leave any.
type Moment struct {
	size    int64
	durable map[string]*inode
	synced  map[*inode][]byte
	pending []step
	last    step
}

// Last returns the kind of the step before the moment; empty: there was none.
func (m *Moment) Last() Kind { return m.last.kind }

func (m *Moment) take(s step) {
	m.last = s
	switch s.kind {
	case OpSync:
		m.synced[s.file] = m.fold(m.synced[s.file], func(p step) bool { return p.file == s.file && !p.renames() })
	case OpSyncDir:
		m.pending = slices.DeleteFunc(slices.Clone(m.pending), func(p step) bool {
			in := p.renames() && p.dir == s.dir
			if in {
				p.change().apply(m.durable)
			}
			return in
		})
	default:
		m.pending = append(m.pending, s)
	}
}

// fold returns data with the pending steps of a file done to it, which then are pending no longer.
func (m *Moment) fold(data []byte, of func(step) bool) []byte {
	data = slices.Clone(data)
	m.pending = slices.DeleteFunc(slices.Clone(m.pending), func(p step) bool {
		if of(p) {
			data = p.apply(data)
			return true
		}
		return false
	})
	return data
}

func (s step) renames() bool { return s.from != "" || s.to != "" }

func (s step) change() change { return change{s.from, s.to, s.file} }

// apply does a write or a change of size.
func (s step) apply(data []byte) []byte {
	end := s.at + int64(len(s.data))
	if s.kind == OpTruncate && end < int64(len(data)) {
		return data[:end]
	}
	if more := end - int64(len(data)); more > 0 {
		data = append(data, make([]byte, more)...)
	}
	copy(data[s.at:], s.data)
	return data
}

// States yields what a loss of power at this moment may leave: only what was synced; everything; everything but one step, for each
// step that was not synced; random ones of these steps; and, after a write, that write torn at each sector, with and without its
// size, and in random sectors. The name says which. A state that would hold more than the device is left out: what is freed is not
// used again before that is durable.
func (m *Moment) States(r *rand.Rand) iter.Seq2[string, *Memory] {
	return func(yieldAny func(string, *Memory) bool) {
		yield := func(how string, state *Memory) bool {
			return state.size > 0 && state.used() > state.size || yieldAny(how, state)
		}
		all := m.pending
		if !yield("synced", m.state(nil)) {
			return
		}
		if len(all) == 0 {
			return
		}
		if !yield("everything", m.state(all)) {
			return
		}
		for i := range all {
			if len(all) > 1 && !yield("everything but "+string(all[i].kind), m.state(slices.Delete(slices.Clone(all), i, i+1))) {
				return
			}
		}
		for range 8 {
			some := slices.DeleteFunc(slices.Clone(all), func(step) bool { return r.IntN(2) == 0 })
			if len(all) > 2 && !yield("some", m.state(some)) {
				return
			}
		}
		if m.last.kind == OpWrite {
			m.torn(r, yield)
		}
	}
}

// torn yields the states that the last write leaves when only some of its sectors reached the disk.
func (m *Moment) torn(r *rand.Rand, yield func(string, *Memory) bool) {
	before := m.pending[:len(m.pending)-1]
	w := m.last
	end := w.at + int64(len(w.data))
	sized := step{kind: OpTruncate, file: w.file, at: max(end, m.length(w.file))}
	for cut := w.at - w.at%sector + sector; cut < end; cut += sector {
		short := w
		short.data = w.data[:cut-w.at]
		if !yield("torn", m.state(append(slices.Clone(before), short))) || !yield("torn, with its size", m.state(append(slices.Clone(before), sized, short))) {
			return
		}
	}
	for range 4 {
		some := append(slices.Clone(before), sized)
		for from := w.at; from < end; {
			to := min(from-from%sector+sector, end)
			if r.IntN(2) == 0 {
				some = append(some, step{kind: OpWrite, file: w.file, at: from, data: w.data[from-w.at : to-w.at]})
			}
			from = to
		}
		if (end-1)/sector > w.at/sector && !yield("random sectors", m.state(some)) {
			return
		}
	}
}

// length returns how long a file is.
func (m *Moment) length(f *inode) int64 {
	n := int64(len(m.synced[f]))
	for _, p := range m.pending {
		if p.file != f || p.renames() {
			continue
		}
		n = max(n, p.at+int64(len(p.data)))
		if p.kind == OpTruncate {
			n = p.at
		}
	}
	return n
}

// state returns the file system with those steps done.
func (m *Moment) state(done []step) *Memory {
	files := maps.Clone(m.durable)
	for _, s := range done {
		if s.renames() {
			s.change().apply(files)
		}
	}
	after := NewMemory(penstock.Bytes(m.size))
	copies := map[*inode]*inode{}
	for name, f := range files {
		if copies[f] == nil {
			data := slices.Clone(m.synced[f])
			for _, s := range done {
				if s.file == f && !s.renames() {
					data = s.apply(data)
				}
			}
			copies[f] = &inode{data: data, synced: slices.Clone(data), dirty: map[int64]struct{}{}}
		}
		after.names[name], after.durable[name] = copies[f], copies[f]
	}
	return after
}

// recorder is a Memory whose changes are kept.
type recorder struct {
	*Memory
	t *Trace
}

func (r recorder) Create(name string) (File, error) {
	var f File
	err := r.t.do(func() (step, error) {
		made, err := r.Memory.Create(name)
		if err != nil {
			return step{}, err
		}
		mf := made.(*memoryFile)
		f = recordedFile{mf, r.t}
		return step{kind: OpCreate, file: mf.f, names: names{to: name, dir: filepath.Dir(name)}}, nil
	})
	return f, err
}

func (r recorder) Open(name string) (File, error) {
	f, err := r.Memory.Open(name)
	if err != nil {
		return nil, err
	}
	return recordedFile{f.(*memoryFile), r.t}, nil
}

func (r recorder) Edit(name string) (File, error) { return r.Open(name) }

func (r recorder) Rename(from, to string) error {
	return r.t.do(func() (step, error) {
		r.mu.Lock()
		f := r.Memory.names[from]
		r.mu.Unlock()
		err := r.Memory.Rename(from, to)
		if err != nil {
			return step{}, err
		}
		return step{kind: OpRename, file: f, names: names{from: from, to: to, dir: filepath.Dir(to)}}, nil
	})
}

func (r recorder) Remove(name string) error {
	return r.t.do(func() (step, error) {
		err := r.Memory.Remove(name)
		if err != nil {
			return step{}, err
		}
		return step{kind: OpRemove, names: names{from: name, dir: filepath.Dir(name)}}, nil
	})
}

func (r recorder) SyncDir(dir string) error {
	return r.t.do(func() (step, error) { return step{kind: OpSyncDir, names: names{dir: dir}}, r.Memory.SyncDir(dir) })
}

type recordedFile struct {
	*memoryFile
	t *Trace
}

func (f recordedFile) WriteAt(p []byte, at int64) (n int, err error) {
	err = f.t.do(func() (step, error) {
		n, err = f.memoryFile.WriteAt(p, at)
		if n == 0 {
			return step{}, err
		}
		return step{kind: OpWrite, file: f.f, at: at, data: slices.Clone(p[:n])}, err
	})
	return n, err
}

func (f recordedFile) Sync() error {
	return f.t.do(func() (step, error) { return step{kind: OpSync, file: f.f}, f.memoryFile.Sync() })
}

func (f recordedFile) Datasync() error { return f.Sync() }

func (f recordedFile) Allocate(size int64) error {
	return f.resize(func() error { return f.memoryFile.Allocate(size) })
}

func (f recordedFile) Truncate(size int64) error {
	return f.resize(func() error { return f.memoryFile.Truncate(size) })
}

func (f recordedFile) resize(do func() error) error {
	return f.t.do(func() (step, error) {
		before, _ := f.Size()
		err := do()
		after, _ := f.Size()
		if before == after {
			return step{}, err
		}
		return step{kind: OpTruncate, file: f.f, at: after}, err
	})
}
