package vfs

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"penstock"
)

// Kind names an operation.
type Kind string

// The operations that a watcher sees.
const (
	OpCreate   Kind = "create"
	OpOpen     Kind = "open"
	OpEdit     Kind = "edit"
	OpLock     Kind = "lock"
	OpMkdir    Kind = "mkdir"
	OpList     Kind = "list"
	OpRename   Kind = "rename"
	OpRemove   Kind = "remove"
	OpSyncDir  Kind = "syncdir"
	OpFree     Kind = "free"
	OpRead     Kind = "read"
	OpWrite    Kind = "write"
	OpSync     Kind = "sync"
	OpDatasync Kind = "datasync"
	OpAllocate Kind = "allocate"
	OpTruncate Kind = "truncate"
	OpSize     Kind = "size"
)

// Op is one operation that is about to happen.
type Op struct {
	Kind Kind
	Name string // of the file or directory
	To   string // OpRename
	At   int64  // where; OpAllocate, OpTruncate: the size
	Len  int    // how many bytes
	File int64  // which open file, as one Watch counts them; 0: it is no operation of an open file
}

// Changes reports whether the operation alters what is stored.
func (o Op) Changes() bool {
	switch o.Kind {
	case OpOpen, OpEdit, OpList, OpFree, OpRead, OpSize, OpLock:
		return false
	}
	return true
}

// String returns the operation as scenario texts print it: without directories, which differ from run to run.
func (o Op) String() string {
	name := filepath.Base(o.Name)
	switch o.Kind {
	case OpRename:
		return fmt.Sprintf("rename %s %s", name, filepath.Base(o.To))
	case OpWrite, OpRead:
		return fmt.Sprintf("%s %s at %d len %d", o.Kind, name, o.At, o.Len)
	case OpAllocate, OpTruncate:
		return fmt.Sprintf("%s %s to %d", o.Kind, name, o.At)
	}
	return fmt.Sprintf("%s %s", o.Kind, name)
}

// ErrShort makes a watched write store its first half and fail.
var ErrShort = errors.New("short write")

// ErrDropped makes a watched operation that returns nothing but an error do nothing and report success, as a device does that lies.
var ErrDropped = errors.New("dropped")

// Watch returns fs with each operation reported before it happens. If before returns an error, the operation fails with
// it and does nothing, except that ErrShort lets half of a write happen and ErrDropped is not told.
func Watch(fs FS, before func(Op) error) FS { return watchFS{fs, before, new(atomic.Int64)} }

type watchFS struct {
	fs     FS
	before func(Op) error
	opened *atomic.Int64
}

// ask returns whether an operation is to be done, and what it fails with if not.
func ask(before func(Op) error, op Op) (do bool, err error) {
	err = before(op)
	if errors.Is(err, ErrDropped) {
		return false, nil
	}
	return err == nil, err
}

func (w watchFS) file(op Op, open func(string) (File, error)) (File, error) {
	if err := w.before(op); err != nil {
		return nil, err
	}
	f, err := open(op.Name)
	if err != nil {
		return nil, err
	}
	file := watchFile{File: f, name: op.Name}
	id := w.opened.Add(1)
	file.before = func(op Op) error { op.File = id; return w.before(op) }
	return file, nil
}

func (w watchFS) Create(name string) (File, error) {
	return w.file(Op{Kind: OpCreate, Name: name}, w.fs.Create)
}

func (w watchFS) Open(name string) (File, error) {
	return w.file(Op{Kind: OpOpen, Name: name}, w.fs.Open)
}

func (w watchFS) Edit(name string) (File, error) {
	return w.file(Op{Kind: OpEdit, Name: name}, w.fs.Edit)
}

func (w watchFS) Lock(name, note string) (io.Closer, error) {
	if err := w.before(Op{Kind: OpLock, Name: name}); err != nil {
		return nil, err
	}
	return w.fs.Lock(name, note)
}

func (w watchFS) MkdirAll(dir string) error {
	if err := w.before(Op{Kind: OpMkdir, Name: dir}); err != nil {
		return err
	}
	return w.fs.MkdirAll(dir)
}

func (w watchFS) List(dir string) ([]string, error) {
	if err := w.before(Op{Kind: OpList, Name: dir}); err != nil {
		return nil, err
	}
	return w.fs.List(dir)
}

func (w watchFS) Rename(from, to string) error {
	if do, err := ask(w.before, Op{Kind: OpRename, Name: from, To: to}); !do {
		return err
	}
	return w.fs.Rename(from, to)
}

func (w watchFS) Remove(name string) error {
	if do, err := ask(w.before, Op{Kind: OpRemove, Name: name}); !do {
		return err
	}
	return w.fs.Remove(name)
}

func (w watchFS) SyncDir(dir string) error {
	if do, err := ask(w.before, Op{Kind: OpSyncDir, Name: dir}); !do {
		return err
	}
	return w.fs.SyncDir(dir)
}

func (w watchFS) Free(dir string) (free, total penstock.Bytes, err error) {
	if err := w.before(Op{Kind: OpFree, Name: dir}); err != nil {
		return 0, 0, err
	}
	return w.fs.Free(dir)
}

type watchFile struct {
	File
	name   string
	before func(Op) error
}

func (f watchFile) ReadAt(p []byte, at int64) (int, error) {
	if err := f.before(Op{Kind: OpRead, Name: f.name, At: at, Len: len(p)}); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, at)
}

func (f watchFile) WriteAt(p []byte, at int64) (int, error) {
	err := f.before(Op{Kind: OpWrite, Name: f.name, At: at, Len: len(p)})
	if errors.Is(err, ErrShort) {
		n, _ := f.File.WriteAt(p[:len(p)/2], at)
		return n, err
	}
	if err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, at)
}

func (f watchFile) Sync() error {
	if do, err := ask(f.before, Op{Kind: OpSync, Name: f.name}); !do {
		return err
	}
	return f.File.Sync()
}

func (f watchFile) Datasync() error {
	if do, err := ask(f.before, Op{Kind: OpDatasync, Name: f.name}); !do {
		return err
	}
	return f.File.Datasync()
}

func (f watchFile) Allocate(size int64) error {
	if do, err := ask(f.before, Op{Kind: OpAllocate, Name: f.name, At: size}); !do {
		return err
	}
	return f.File.Allocate(size)
}

func (f watchFile) Truncate(size int64) error {
	if do, err := ask(f.before, Op{Kind: OpTruncate, Name: f.name, At: size}); !do {
		return err
	}
	return f.File.Truncate(size)
}

func (f watchFile) Size() (int64, error) {
	if err := f.before(Op{Kind: OpSize, Name: f.name}); err != nil {
		return 0, err
	}
	return f.File.Size()
}

// Fault is a rule: the Nth operation of a kind, counted from 1, fails with Err.
type Fault struct {
	Kind Kind
	Nth  int
	Err  error // such as syscall.EIO, syscall.ENOSPC, ErrShort
	Ever bool  // all later ones fail too
}

// Faulty returns fs with a fault in it, and a function that tells whether it has struck.
func Faulty(fs FS, fault Fault) (faulty FS, struck func() bool) {
	var mu sync.Mutex
	seen := 0
	faulty = Watch(fs, func(op Op) error {
		if op.Kind != fault.Kind {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if seen++; seen == fault.Nth || fault.Ever && seen > fault.Nth {
			return fault.Err
		}
		return nil
	})
	return faulty, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return seen >= fault.Nth
	}
}

// Delayed returns fs with d added to each sync of a file, as a slower disk has it.
func Delayed(fs FS, d time.Duration) FS {
	return Watch(fs, func(op Op) error {
		if op.Kind == OpSync || op.Kind == OpDatasync {
			time.Sleep(d)
		}
		return nil
	})
}
