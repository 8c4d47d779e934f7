package disk

import (
	"errors"
	"io"
	"path/filepath"
	"slices"

	"penstock"
	"penstock/internal/vfs"
)

// listSegments returns the ids of the segments in a directory, in order.
func listSegments(files vfs.FS, dir string) ([]SegmentID, error) {
	names, err := files.List(dir)
	if err != nil {
		return nil, err
	}
	var ids []SegmentID
	for _, name := range names {
		if id, ok := parseSegmentName(name); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// readHeader returns the header of a segment and the size of its file.
func readHeader(files vfs.FS, dir string, id SegmentID) (header, int64, error) {
	f, err := files.Open(filepath.Join(dir, segmentName(id)))
	if err != nil {
		return header{}, 0, penstock.Wrap(penstock.Unavailable, "open segment", err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return header{}, 0, penstock.Wrap(penstock.Unavailable, "open segment", err)
	}
	b := make([]byte, min(size, headerSize(penstock.MaxPartitions)))
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return header{}, size, penstock.Wrap(penstock.Unavailable, "read segment header", err)
	}
	h, err := parseSegmentHeader(b)
	if err == nil && h.id != id {
		err = penstock.Errorf(penstock.Corrupt, "read segment header", "it says segment %d", h.id)
	}
	return h, size, err
}

// loaded is what the headers of all segments say.
type loaded struct {
	segments []*segment
	damages  []Damage
}

// loadSegments reads the headers, from which the ends follow. A segment whose header is damaged is kept: what it would
// have said is found by scanning the one before.
func loadSegments(files vfs.FS, dir string, m manifest, ids []SegmentID) (loaded, error) {
	var all loaded
	for _, id := range ids {
		h, size, err := readHeader(files, dir, id)
		switch {
		case penstock.Is(err, penstock.Corrupt):
			h, err = all.supply(files, dir, m, id)
			if err != nil {
				return all, err
			}
			all.damages = append(all.damages, Damage{Segment: id, To: h.size(), Why: "the header is damaged"})
		case err != nil:
			return all, err
		case h.log != m.Log || len(h.next) != m.Partitions:
			return all, penstock.Errorf(penstock.Conflict, "open log", "segment %d belongs to log %s, not %s", id, h.log, m.Log)
		}
		all.follow(h, m.First)
		all.segments = append(all.segments, &segment{header: h, start: h.size(), end: size, size: size})
	}
	return all, nil
}

// follow learns from a header about the segment before; none is expected below first.
func (all *loaded) follow(h header, first SegmentID) {
	if len(all.segments) == 0 {
		if h.prev != 0 && h.prev >= first {
			all.damages = append(all.damages, Damage{Segment: h.prev, Why: "the segment is missing"})
		}
		return
	}
	prev := all.segments[len(all.segments)-1]
	switch {
	case h.prev > prev.id:
		all.damages = append(all.damages, Damage{Segment: h.prev, Why: "the segment is missing"})
	case h.prev == prev.id && h.prevEnd > prev.size:
		all.damages = append(all.damages, Damage{Segment: prev.id, From: prev.size, To: h.prevEnd, Why: "the file was cut off"})
		prev.end = prev.size
	case h.prev == prev.id:
		prev.end = h.prevEnd
	}
}

// scanSegment scans the last of the segments and sets its end. Where its first commit frame is damaged, what that would have said is
// found by scanning the one before.
func scanSegment(files vfs.FS, dir string, segments []*segment) (tailScan, error) {
	last := len(segments) - 1
	r, err := scanFile(files, dir, segments[last], nil)
	if err != nil || r.based {
		return r, err
	}
	if last == 0 {
		for i := range r.damages {
			r.damages[i].Why += "; the totals of what lay before are lost"
		}
		return r, nil
	}
	sealed := *segments[last-1]
	sealed.begun, sealed.size = sealed.end, sealed.end
	before, err := scanSegment(files, dir, append(slices.Clone(segments[:last-1]), &sealed))
	if err != nil {
		return r, err
	}
	return scanFile(files, dir, segments[last], before.totals)
}

// scanFile is scanTail for a segment of a directory, whose end it sets.
func scanFile(files vfs.FS, dir string, seg *segment, base *totals) (tailScan, error) {
	f, err := files.Open(filepath.Join(dir, segmentName(seg.id)))
	if err != nil {
		return tailScan{}, penstock.Wrap(penstock.Unavailable, "open segment", err)
	}
	defer f.Close()
	r, err := scanTail(f, seg, base)
	seg.end = r.end
	return r, err
}

// emptyFile stands for a segment whose file is missing.
type emptyFile struct{ vfs.File }

func (emptyFile) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }
func (emptyFile) Close() error                      { return nil }
