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
	s := &l.w.space
	if time.Since(s.asked) > spaceEvery {
		free, total, err := l.fs.Free(l.dir)
		if err != nil {
			return penstock.Wrap(penstock.Unavailable, "ask for free space", err)
		}
		*s = space{time.Now(), free, total}
	}
	l.mu.Lock()
	used := l.bytes()
	l.mu.Unlock()
	return l.o.room(used+penstock.Bytes(size), *s)
}

// room fails with Full if a log of the given size is too large, or the file system has too little room.
func (o Options) room(used penstock.Bytes, s space) error {
	const op = "append"
	if used > o.Max {
		return &penstock.Error{Code: penstock.Full, Op: op, Reason: "log_full",
			Err: penstock.Errorf(penstock.Full, "check size", "the log would hold %d bytes, %d are allowed", used, o.Max)}
	}
	if mark := o.mark(s.total); s.free < mark {
		return &penstock.Error{Code: penstock.Full, Op: op, Reason: "log_full",
			Err: penstock.Errorf(penstock.Full, "check disk", "%d bytes are free, %d are kept", s.free, mark)}
	}
	return nil
}

// mark returns how much of a file system of that size is kept free.
func (o Options) mark(total penstock.Bytes) penstock.Bytes {
	if o.HighWater == 0 {
		return min(highWater, total/20)
	}
	return max(0, o.HighWater)
}

// Ready returns why an Append of size bytes would add nothing now, or nil: Unavailable when the log has stopped or closes,
// Overloaded when too much waits or the disk does not answer, Full when there is no room.
func (l *Log) Ready(size penstock.Bytes) error {
	const op = "check log"
	l.mu.Lock()
	used := l.bytes()
	err := l.refusal(op, size)
	if err == nil {
		err = l.stalled(op)
	}
	l.mu.Unlock()
	if err != nil {
		return err
	}
	free, total, err := l.fs.Free(l.dir)
	if err != nil {
		return penstock.Wrap(penstock.Unavailable, "ask for free space", err)
	}
	return l.o.room(used+size, space{free: free, total: total})
}

// reserves are the files that are given up when there is no room, in that order: names alone, for a disk without inodes, each of which
// lets the log start once more or go on to what retention makes; then the one that has room.
var reserves = [...]string{reserveName + "-1", reserveName + "-2", reserveName + "-3", reserveName}

// withReserve does what must be possible on a full disk: if there is no room it gives up a reserve and tries again.
func (l *Log) withReserve(do func() error) error {
	err := do()
	for _, name := range reserves {
		if err == nil || codeOf(err) != penstock.Full {
			return err
		}
		if l.fs.Remove(filepath.Join(l.dir, name)) == nil {
			err = do()
		}
	}
	return err
}

// keepReserve makes the reserves that are missing, the one with room only if there is room well above the high-water mark for it. It is
// no fault if that fails.
func (l *Log) keepReserve() {
	name := filepath.Join(l.dir, reserveName)
	if l.o.Reserve < 0 {
		return
	}
	for _, name := range reserves[:len(reserves)-1] {
		l.keepName(filepath.Join(l.dir, name))
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

// keepName makes an empty file if it is missing. Nothing depends on it.
func (l *Log) keepName(name string) {
	f, err := l.fs.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = l.fs.Create(name)
	}
	if err == nil {
		_ = f.Close()
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
