package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"penstock"
)

const sector = 512

// Memory is a file system in memory that knows what a loss of power would take: bytes that were not synced, sector by
// sector, and names whose directory was not synced. The zero value is not usable; NewMemory makes one.
type Memory struct {
	mu      sync.Mutex
	names   map[string]*inode
	durable map[string]*inode // the names that survive
	pending []change          // what happened to names since their directory was synced
	locks   map[string]string
	size    int64 // of the device; 0: no bound
}

// change is one atomic change of names: file appears as to, and from is gone. Either may be empty.
type change struct {
	from, to string
	file     *inode
}

type inode struct {
	data   []byte
	synced []byte
	dirty  map[int64]struct{} // sectors that differ from synced
}

// NewMemory returns an empty file system of the given size; 0 means without bound.
func NewMemory(size penstock.Bytes) *Memory {
	return &Memory{names: map[string]*inode{}, durable: map[string]*inode{}, locks: map[string]string{}, size: int64(size)}
}

// SetSize changes the size of the device, as when others use or free its space.
func (m *Memory) SetSize(size penstock.Bytes) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.size = int64(size)
}

// CrashClone returns what a loss of power at this moment may leave. Seed 0 keeps only what was synced, seed 1 keeps
// everything; any other keeps each unsynced sector and each unsynced change of a name or not, as the seed decides.
func (m *Memory) CrashClone(seed uint64) *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := rand.New(rand.NewPCG(seed, 0))
	keep := func() bool { return seed == 1 || seed > 1 && r.IntN(2) == 0 }
	after := NewMemory(penstock.Bytes(m.size))
	files := map[string]*inode{}
	for name, f := range m.durable {
		files[name] = f
	}
	for _, c := range m.pending {
		if keep() {
			c.apply(files)
		}
	}
	clones := map[*inode]*inode{}
	for _, name := range sortedNames(files) {
		f := files[name]
		if clones[f] == nil {
			clones[f] = f.crash(keep)
		}
		after.names[name], after.durable[name] = clones[f], clones[f]
	}
	return after
}

func sortedNames(files map[string]*inode) []string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (c change) apply(names map[string]*inode) {
	if c.from != "" {
		delete(names, c.from)
	}
	if c.to != "" {
		names[c.to] = c.file
	}
}

// crash returns the file as it may be after a loss of power.
func (f *inode) crash(keep func() bool) *inode {
	size := len(f.synced)
	if len(f.data) != size && keep() {
		size = len(f.data)
	}
	data := make([]byte, size)
	copy(data, f.synced)
	for s := int64(0); s < int64(size); s += sector {
		if _, dirty := f.dirty[s/sector]; !dirty || s >= int64(len(f.data)) || !keep() {
			continue
		}
		copy(data[s:], f.data[s:min(s+sector, int64(len(f.data)))])
	}
	return &inode{data: data, synced: slices.Clone(data), dirty: map[int64]struct{}{}}
}

func (f *inode) sync() {
	if len(f.synced) > len(f.data) {
		f.synced = f.synced[:len(f.data)]
	}
	if grow := len(f.data) - len(f.synced); grow > 0 {
		f.synced = append(f.synced, make([]byte, grow)...)
	}
	for s := range f.dirty {
		if from := s * sector; from < int64(len(f.data)) {
			copy(f.synced[from:min(from+sector, int64(len(f.data)))], f.data[from:])
		}
	}
	clear(f.dirty)
}

func (f *inode) touch(from, to int64) {
	for s := from / sector; s*sector < to; s++ {
		f.dirty[s] = struct{}{}
	}
}

// resize cuts or extends the data; room is checked by the caller.
func (f *inode) resize(size int64) {
	old := int64(len(f.data))
	if size <= old {
		f.data = f.data[:size:size]
		return
	}
	f.data = append(f.data, make([]byte, size-old)...)
	f.touch(old, size)
}

func (m *Memory) used() int64 {
	var n int64
	seen := map[*inode]bool{}
	for _, f := range m.names {
		if !seen[f] {
			n += int64(len(f.data))
			seen[f] = true
		}
	}
	return n
}

func (m *Memory) room(more int64) error {
	if m.size > 0 && more > 0 && m.used()+more > m.size {
		return syscall.ENOSPC
	}
	return nil
}

// Create makes an empty file.
func (m *Memory) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	f := &inode{dirty: map[int64]struct{}{}}
	m.change(change{to: name, file: f})
	return &memoryFile{m, f}, nil
}

func (m *Memory) change(c change) {
	c.apply(m.names)
	m.pending = append(m.pending, c)
}

// Open opens a file.
func (m *Memory) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.names[name]
	if f == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &memoryFile{m, f}, nil
}

// Edit opens a file.
func (m *Memory) Edit(name string) (File, error) { return m.Open(name) }

// Lock takes a lock.
func (m *Memory) Lock(name, note string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if holder, ok := m.locks[name]; ok {
		return nil, &Locked{Name: name, Note: holder}
	}
	m.locks[name] = note
	return memoryLock{m, name}, nil
}

type memoryLock struct {
	m    *Memory
	name string
}

func (l memoryLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	delete(l.m.locks, l.name)
	return nil
}

// MkdirAll does nothing: directories exist as soon as a file lies in them.
func (m *Memory) MkdirAll(string) error { return nil }

// List returns the names in a directory, those of directories among them.
func (m *Memory) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.names {
		if rest, ok := strings.CutPrefix(name, dir+string(filepath.Separator)); ok {
			first, _, _ := strings.Cut(rest, string(filepath.Separator))
			names = append(names, first)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Rename gives a file another name.
func (m *Memory) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.names[from]
	if f == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	m.change(change{from: from, to: to, file: f})
	return nil
}

// Remove removes a name.
func (m *Memory) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	m.change(change{from: name})
	return nil
}

// SyncDir makes the names of a directory durable.
func (m *Memory) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var rest []change
	for _, c := range m.pending {
		name := c.to
		if name == "" {
			name = c.from
		}
		if filepath.Dir(name) == dir {
			c.apply(m.durable)
		} else {
			rest = append(rest, c)
		}
	}
	m.pending = rest
	return nil
}

// Free returns what is left of the size.
func (m *Memory) Free(string) (free, total penstock.Bytes, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.size == 0 {
		return 1 << 50, 1 << 50, nil
	}
	return penstock.Bytes(max(0, m.size-m.used())), penstock.Bytes(m.size), nil
}

// Flip inverts bits of one stored byte, as decay does.
func (m *Memory) Flip(name string, at int64, bits byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.names[name]
	if f == nil || at >= int64(len(f.data)) {
		return fmt.Errorf("flip %s at %d: no such byte", name, at)
	}
	f.data[at] ^= bits
	if at < int64(len(f.synced)) {
		f.synced[at] ^= bits
	}
	return nil
}
