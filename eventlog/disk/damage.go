package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"penstock"
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
	d.Lost = l.lostIn(d)
	if name, err := quarantine(l.fs, l.dir, d); err == nil {
		d.Copy = name
	}
	if l.o.Trace.Damaged != nil {
		l.o.Trace.Damaged(d)
	}
}

// lostIn returns the offsets that a damaged range held, as far as the rest of its segment and the next one tell.
func (l *Log) lostIn(d Damage) []LostRange {
	l.mu.Lock()
	var seg *segment
	following := l.next
	for i, s := range l.segments {
		if s.id == d.Segment {
			seg = &segment{header: s.header, start: s.start, end: s.end}
			if i+1 < len(l.segments) {
				following = l.segments[i+1].next
			}
		}
	}
	following = slices.Clone(following)
	l.mu.Unlock()
	if seg == nil {
		return nil
	}
	all, _ := walkSegment(l.fs, l.dir, seg, following, func(frame, *penstock.Block) error { return nil })
	for _, other := range all {
		if other.From == d.From {
			return other.Lost
		}
	}
	return nil
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
