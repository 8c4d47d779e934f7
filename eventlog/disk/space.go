package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"penstock"
)

const (
	reserveName = "reserve"
	spaceEvery  = 100 * time.Millisecond // how long an answer of the file system about its free space holds
	highWater   = 1 << 30
)

// space remembers how much room the file system has.
type space struct {
	asked time.Time
	free  penstock.Bytes
	total penstock.Bytes
}

func (s *space) stale() { s.asked = time.Time{} }

// room fails with Full if size more bytes would exceed Max, or leave the file system with less than the high-water mark.
func (l *Log) room(size int64) error {
	const op = "append"
	l.mu.Lock()
	used := l.bytes()
	l.mu.Unlock()
	if used+penstock.Bytes(size) > l.o.Max {
		return &penstock.Error{Code: penstock.Full, Op: op, Reason: "log_full",
			Err: penstock.Errorf(penstock.Full, "check size", "the log holds %d of %d bytes", used, l.o.Max)}
	}
	s := &l.w.space
	if time.Since(s.asked) > spaceEvery {
		free, total, err := l.fs.Free(l.dir)
		if err != nil {
			return penstock.Wrap(penstock.Unavailable, "ask for free space", err)
		}
		*s = space{time.Now(), free, total}
	}
	mark := l.o.HighWater
	if mark == 0 {
		mark = min(highWater, s.total/20)
	}
	if s.free < mark {
		return &penstock.Error{Code: penstock.Full, Op: op, Reason: "log_full",
			Err: penstock.Errorf(penstock.Full, "check disk", "%d bytes are free, %d are kept", s.free, mark)}
	}
	return nil
}

// withReserve does what must be possible on a full disk: if there is no room it gives up the reserve and tries again.
func (l *Log) withReserve(do func() error) error {
	err := do()
	if err == nil || codeOf(err) != penstock.Full {
		return err
	}
	if removed := l.fs.Remove(filepath.Join(l.dir, reserveName)); removed != nil {
		return err
	}
	return do()
}

// keepReserve makes the reserve if it is missing and there is room well above the high-water mark for it. It is no fault if that fails.
func (l *Log) keepReserve() {
	name := filepath.Join(l.dir, reserveName)
	if l.o.Reserve < 0 {
		return
	}
	if f, err := l.fs.Open(name); err == nil {
		size, err := f.Size()
		_ = f.Close()
		if err == nil && size >= int64(l.o.Reserve) {
			return
		}
		_ = l.fs.Remove(name)
	}
	if free, _, err := l.fs.Free(l.dir); err != nil || free < 2*l.o.Reserve {
		return
	}
	f, err := l.fs.Create(name)
	if err != nil {
		return
	}
	err = errors.Join(f.Allocate(int64(l.o.Reserve)), f.Sync(), f.Close())
	if err != nil {
		_ = l.fs.Remove(name)
	}
}

// removeIfThere removes a file, which may not exist.
func (l *Log) removeIfThere(name string) error {
	err := l.fs.Remove(filepath.Join(l.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
