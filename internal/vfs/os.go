package vfs

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"penstock"
)

// OS returns the real file system.
func OS() FS { return osFS{} }

type osFS struct{}

func (osFS) Create(name string) (File, error) {
	return open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (osFS) Open(name string) (File, error) { return open(name, os.O_RDONLY) }

func (osFS) Edit(name string) (File, error) { return open(name, os.O_RDWR) }

func open(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Lock uses flock, which the kernel releases when the process ends in whatever way. It belongs to the open file, so a
// second Lock of the same process fails too.
func (osFS) Lock(name, note string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 256))
		err = os.NewSyscallError("flock", err)
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = &Locked{Name: name, Note: strings.TrimSpace(string(holder))}
		}
		return nil, errors.Join(err, f.Close())
	}
	// The note is for people: on a full disk the lock must be had without it.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(note+"\n"), 0)
	}
	return f, nil
}

func (o osFS) MkdirAll(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	above := filepath.Dir(dir)
	if above != dir {
		if err := o.MkdirAll(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return o.SyncDir(above)
}

func (osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	slices.Sort(names)
	return names, nil
}

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }

func (osFS) Remove(name string) error { return os.Remove(name) }

func (osFS) SyncDir(dir string) error {
	if !syncsDirs {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (osFS) Free(dir string) (free, total penstock.Bytes, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, os.NewSyscallError("statfs", err)
	}
	return penstock.Bytes(s.Bavail) * penstock.Bytes(s.Bsize), penstock.Bytes(s.Blocks) * penstock.Bytes(s.Bsize), nil
}

type osFile struct{ *os.File }

func (f osFile) Datasync() error {
	if !syncsData {
		return nil
	}
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err == nil {
			return f.journaled()
		}
		if err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// journaled returns an error if the file system has given up its journal. For some milliseconds after an error of its own ext4 says of
// flushes that all went well, and writes nothing (seen with Linux 6.18). To set an attribute that is set already changes nothing, but begins a
// transaction: if that can be done after a flush, there was a journal when the flush ended. To change the file's times is not enough: ext4 keeps to
// itself that it could not. Other errors say nothing about the journal, such as those of file systems without attributes.
func (f osFile) journaled() error {
	err := unix.Fsetxattr(int(f.Fd()), "user.penstock.flushed", []byte("1"), 0)
	if err == unix.EROFS || err == unix.EIO {
		return os.NewSyscallError("setxattr", err)
	}
	return nil
}

func (f osFile) Allocate(size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EOPNOTSUPP || err == unix.ENOSYS:
			return nil
		}
		return os.NewSyscallError("fallocate", err)
	}
}

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
