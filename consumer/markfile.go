package consumer

import (
	"errors"
	"io"
	"io/fs"

	"penstock"
	"penstock/internal/vfs"
)

// MarkFile is a Marker in a file (docs/format/marker.md). A mark is one write in place and no flush: it outlives the process because the
// kernel holds it, and costs microseconds. After a loss of power it may be damaged, which counts as none.
type MarkFile struct {
	file    vfs.File
	scratch []byte
}

// OpenMarkFile opens the file, and makes it if it does not exist. A consumer has its own, and one process at a time has it open.
func OpenMarkFile(files vfs.Files, name string) (*MarkFile, error) {
	const op = "open marker"
	file, err := files.Edit(name)
	if errors.Is(err, fs.ErrNotExist) {
		file, err = files.Create(name)
	}
	if err != nil {
		return nil, penstock.Wrap(penstock.Unavailable, op, err)
	}
	// With its blocks given to it beforehand a mark can be written on a full disk. Where that fails it may still work later.
	_ = file.Allocate(maxMark)
	return &MarkFile{file: file}, nil
}

// Load returns the mark, as Marker says.
func (f *MarkFile) Load() (Mark, error) {
	data := make([]byte, maxMark)
	n, err := f.file.ReadAt(data, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Mark{}, penstock.Wrap(penstock.Unavailable, "read marker", err)
	}
	return decodeMark(data[:n])
}

// Save writes the mark, as Marker says.
func (f *MarkFile) Save(m Mark) error {
	f.scratch = m.appendTo(f.scratch[:0])
	_, err := f.file.WriteAt(f.scratch, 0)
	return penstock.Wrap(penstock.Unavailable, "write marker", err)
}

// Close closes the file. The mark stays.
func (f *MarkFile) Close() error { return f.file.Close() }
