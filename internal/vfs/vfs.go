// Package vfs is the file system as an argument: code that stores data receives it, so that tests can lose power, fill
// the disk or fail the n-th call. OS is the real one; Memory, Watch, Faulty and Delayed are for tests and measurements.
package vfs

import (
	"errors"
	"io"

	"penstock"
)

// FS is a file system. Names are paths as of package path/filepath. All methods may be called concurrently.
type FS interface {
	Files
	Names
	Space
}

// Files opens files.
type Files interface {
	// Create makes an empty file for reading and writing. It fails with fs.ErrExist if the name is taken. Neither the
	// file nor its name survives a loss of power before Sync and SyncDir.
	Create(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (File, error)
	// Edit opens a file that exists for reading and writing.
	Edit(name string) (File, error)
	// Lock takes the lock that the named file stands for and writes note into it. It does not wait: if another process,
	// or another Lock of this one, holds it, it fails with *Locked. The lock ends with Close or with the process.
	Lock(name, note string) (io.Closer, error)
}

// Names changes and lists directories.
type Names interface {
	// MkdirAll makes a directory and those above it, durably.
	MkdirAll(dir string) error
	// List returns the names in a directory, in order.
	List(dir string) ([]string, error)
	// Rename gives a file another name in the same directory; a file that had it is gone.
	Rename(from, to string) error
	// Remove removes a name.
	Remove(name string) error
	// SyncDir makes all names of a directory durable.
	SyncDir(dir string) error
}

// Space tells how much room there is.
type Space interface {
	// Free returns how many bytes an ordinary process may still write to the file system of dir, and its size.
	Free(dir string) (free, total penstock.Bytes, err error)
}

// File is an open file. ReadAt may be called beside anything; the other methods by one goroutine at a time.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Durable
	Sized
}

// Durable makes writes survive a loss of power. An error is final for the file: what was written before may be gone
// although a second call succeeds.
type Durable interface {
	// Sync makes bytes and size durable.
	Sync() error
	// Datasync makes bytes durable, and as much of the size as reading them needs.
	Datasync() error
}

// Sized changes and tells a file's size.
type Sized interface {
	// Allocate makes room for size bytes from the beginning, as zeros where nothing was written, and makes the file
	// that long if it is shorter. A file system that cannot do so does nothing.
	Allocate(size int64) error
	// Truncate cuts or extends the file.
	Truncate(size int64) error
	// Size returns the length.
	Size() (int64, error)
}

// Locked says that someone else holds a lock.
type Locked struct {
	Name string
	Note string // what the holder wrote
}

// Error names the holder.
func (l *Locked) Error() string { return "locked by " + l.Note }

// ReadFile returns the bytes of a file.
func ReadFile(fs FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	if _, err := f.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return data, nil
}

// WriteFile makes a file with these bytes, synced. Its name is not durable before SyncDir.
func WriteFile(fs FS, name string, data []byte) error {
	f, err := fs.Create(name)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(data, 0); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
