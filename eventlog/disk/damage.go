package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"penstock/internal/vfs"
)

const (
	quarantineDir = "quarantine"
	maxDamages    = 4096 // ranges remembered so that each is reported once
)

// damaged copies a range aside and reports it, once.
func (l *Log) damaged(d Damage) {
	at := place{d.Segment, d.From}
	l.mu.Lock()
	known := l.damages[at]
	if len(l.damages) < maxDamages {
		l.damages[at] = true
	}
	l.mu.Unlock()
	if known {
		return
	}
	if name, err := quarantine(l.fs, l.dir, d); err == nil {
		d.Copy = name
	}
	if l.o.Trace.Damaged != nil {
		l.o.Trace.Damaged(d)
	}
}

// quarantine copies the damaged range into a file of its own, for people to look at, and returns its name.
func quarantine(files vfs.FS, dir string, d Damage) (string, error) {
	if d.From >= d.To {
		return "", fs.ErrNotExist
	}
	aside := filepath.Join(dir, quarantineDir)
	if err := files.MkdirAll(aside); err != nil {
		return "", err
	}
	f, err := files.Open(filepath.Join(dir, segmentName(d.Segment)))
	if err != nil {
		return "", err
	}
	defer f.Close()
	data := make([]byte, d.To-d.From)
	n, err := salvage(f, data, d.From)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	name := filepath.Join(quarantineDir, fmt.Sprintf("%016d-%d-%d", d.Segment, d.From, d.To))
	err = vfs.WriteFile(files, filepath.Join(dir, name), data[:n])
	if errors.Is(err, fs.ErrExist) {
		return name, nil
	}
	if err != nil {
		return "", err
	}
	return name, files.SyncDir(aside)
}
