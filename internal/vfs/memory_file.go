package vfs

import (
	"io"
	"syscall"
)

// memoryFile is an open file of a Memory. It stays usable after its name is gone, as on a real file system.
type memoryFile struct {
	m *Memory
	f *inode
}

// ReadAt reads.
func (h *memoryFile) ReadAt(p []byte, at int64) (int, error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if at >= int64(len(h.f.data)) {
		return 0, io.EOF
	}
	n := copy(p, h.f.data[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt writes; on a full device it writes what fits.
func (h *memoryFile) WriteAt(p []byte, at int64) (int, error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	end := at + int64(len(p))
	more := end - int64(len(h.f.data))
	if h.m.room(more) != nil {
		fits := max(0, h.m.size-h.m.used())
		end = min(end, int64(len(h.f.data))+fits)
		if end <= at {
			return 0, syscall.ENOSPC
		}
		h.write(p[:end-at], at)
		return int(end - at), syscall.ENOSPC
	}
	h.write(p, at)
	return len(p), nil
}

func (h *memoryFile) write(p []byte, at int64) {
	end := at + int64(len(p))
	if end > int64(len(h.f.data)) {
		h.f.resize(end)
	}
	copy(h.f.data[at:], p)
	h.f.touch(at, end)
}

// Sync makes the file durable.
func (h *memoryFile) Sync() error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	h.f.sync()
	return nil
}

// Datasync makes the file durable.
func (h *memoryFile) Datasync() error { return h.Sync() }

// Allocate makes room.
func (h *memoryFile) Allocate(size int64) error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if size <= int64(len(h.f.data)) {
		return nil
	}
	if err := h.m.room(size - int64(len(h.f.data))); err != nil {
		return err
	}
	h.f.resize(size)
	return nil
}

// Truncate cuts or extends.
func (h *memoryFile) Truncate(size int64) error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if err := h.m.room(size - int64(len(h.f.data))); err != nil {
		return err
	}
	h.f.resize(size)
	return nil
}

// Size returns the length.
func (h *memoryFile) Size() (int64, error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	return int64(len(h.f.data)), nil
}

// Close does nothing.
func (h *memoryFile) Close() error { return nil }
