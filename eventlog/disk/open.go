package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"penstock"
	"penstock/internal/failpoint"
	"penstock/internal/logclock"
	"penstock/internal/vfs"
)

const lockName = "LOCK"

func lockDir(files vfs.FS, dir string) (io.Closer, error) {
	const op = "lock log"
	lock, err := files.Lock(filepath.Join(dir, lockName), fmt.Sprintf("process %d", os.Getpid()))
	var held *vfs.Locked
	if errors.As(err, &held) {
		return nil, &penstock.Error{Code: penstock.Conflict, Op: op, Reason: "in_use",
			Err: fmt.Errorf("%s is in use by %s", dir, held.Note)}
	}
	if err != nil {
		return nil, penstock.Wrap(codeOf(err), op, err)
	}
	return lock, nil
}

// recover brings the directory into a state in which a new segment can be written, and begins one.
func (l *Log) recover() error {
	began := time.Now()
	ids, err := listSegments(l.fs, l.dir)
	if err != nil {
		return penstock.Wrap(penstock.Unavailable, "open log", err)
	}
	// The process before may have ended between giving a segment its name and flushing that: what refers to it must not be durable
	// before it is.
	if err := l.fs.SyncDir(l.dir); err != nil {
		return penstock.Wrap(codeOf(err), "open log", err)
	}
	if err := l.identify(ids); err != nil {
		return err
	}
	if err := l.finishRemoval(&ids); err != nil {
		return penstock.Wrap(penstock.Unavailable, "open log", err)
	}
	found, err := loadSegments(l.fs, l.dir, l.manifest, ids)
	if err != nil {
		return err
	}
	last, err := l.scanLast(found.segments)
	if err != nil {
		return err
	}
	l.segments = found.segments
	l.w.clock = logclock.Start(l.reading(), last.logTime, l.o.AcceptClock)
	if len(found.damages) == 0 {
		l.cutSealed()
	}
	if err := l.own(ids); err != nil {
		return err
	}
	if err := l.resume(last); err != nil {
		return err
	}
	for _, d := range append(found.damages, last.damages...) {
		l.damaged(d)
	}
	l.keepReserve()
	l.w.spare = l.startSpare()
	if l.o.Trace.Recovered != nil && len(ids) > 0 {
		l.o.Trace.Recovered(Recovery{Took: time.Since(began), Scanned: penstock.Bytes(last.last), Clean: last.clean,
			Rewritten: len(last.blocks), Dropped: penstock.Bytes(last.dropped)})
	}
	return nil
}

// identify reads the manifest, rebuilds it from a segment, or makes a new one, and compares it with the options.
func (l *Log) identify(ids []SegmentID) error {
	const op = "open log"
	m, err := readManifest(l.fs, l.dir)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case err == nil:
	case missing && len(ids) == 0:
		c := l.o.Cluster
		m = manifest{Version: manifestVersion, Log: randomID(), Cluster: c.ID, Partitions: c.Partitions, Key: c.Key.Fingerprint(), Epoch: 1}
	case missing || penstock.Is(err, penstock.Corrupt):
		if m, err = rebuildManifest(l.fs, l.dir, ids, err); err != nil {
			return err
		}
	default:
		return penstock.Wrap(penstock.CodeOf(err), op, err)
	}
	if len(ids) > 0 && m.Last > ids[len(ids)-1] || len(ids) == 0 && m.Last > 0 {
		return penstock.Errorf(penstock.Corrupt, op, "segments up to %d have gone: look with: penstock log verify %s", m.Last, l.dir)
	}
	l.manifest = m
	return l.o.Cluster.Mismatch(m.Cluster, m.Key, m.Partitions)
}

// rebuildManifest makes a manifest from the newest segment whose header is whole.
func rebuildManifest(files vfs.FS, dir string, ids []SegmentID, cause error) (manifest, error) {
	for _, id := range slices.Backward(ids) {
		h, _, err := readHeader(files, dir, id)
		if err == nil {
			return manifest{Version: manifestVersion, Log: h.log, Cluster: h.cluster, Partitions: len(h.next), Key: h.key,
				Epoch: h.epoch, First: ids[0], Last: ids[len(ids)-1]}, nil
		}
	}
	return manifest{}, penstock.Errorf(penstock.Corrupt, "open log",
		"no segment tells what the manifest should say: look with: penstock log dump %s: %w", dir, cause)
}

// finishRemoval removes what an earlier process had decided to remove, and what it left half made.
func (l *Log) finishRemoval(ids *[]SegmentID) error {
	for _, name := range []string{spareName, manifestTemp} {
		if err := l.removeIfThere(name); err != nil {
			return err
		}
	}
	for len(*ids) > 0 && (*ids)[0] < l.manifest.First {
		if err := l.removeIfThere(segmentName((*ids)[0])); err != nil {
			return err
		}
		*ids = (*ids)[1:]
	}
	return nil
}

// scanLast reads the last segment, which may end in the middle of a write.
func (l *Log) scanLast(segments []*segment) (tailScan, error) {
	if len(segments) == 0 {
		return tailScan{next: make([]penstock.Offset, l.manifest.Partitions), totals: newTotals(l.manifest.Partitions), clean: true}, nil
	}
	return scanSegment(l.fs, l.dir, segments)
}

// own writes this process's token into the manifest, which stops an older process at its next segment.
func (l *Log) own(ids []SegmentID) error {
	m := &l.manifest
	l.owner = randomID()
	m.Owner = l.owner
	if len(ids) > 0 {
		m.Last = ids[len(ids)-1]
	}
	if l.o.NewEpoch && len(ids) > 0 {
		m.Epoch++
	}
	// A start that finds the clock set right again does not settle what was written before: that looks as old as the clock had been wrong.
	m.Doubtful = l.w.clock.Doubtful() || m.Doubtful && !l.o.AcceptClock
	err := l.withReserve(func() error { return writeManifest(l.fs, l.dir, *m) })
	return penstock.Wrap(codeOf(err), "write manifest", err)
}

// resume begins a segment with what the last one may have acknowledged without a witness, so that it is flushed
// before anyone reads it, and sets the writer and the readers up.
func (l *Log) resume(last tailScan) error {
	w := &l.w
	w.epoch, w.next = l.manifest.Epoch, last.start
	h := header{prev: 0, prevEnd: 0}
	if n := len(l.segments); n > 0 {
		w.epoch = l.segments[n-1].epoch
		h.prev, h.prevEnd = l.segments[n-1].id, last.end
	}
	if w.next == nil {
		w.next = last.next
	}
	h = l.header(max(h.prev, l.manifest.Last)+1, h.prev, h.prevEnd)
	l.totals = last.totals
	err := l.withReserve(func() error {
		f, err := l.makeFile()
		if err != nil {
			return penstock.Wrap(codeOf(err), "begin segment", err)
		}
		failpoint.Hit("recover.before-rewrite")
		return l.begin(f, h, last.blocks)
	})
	if err != nil {
		return err
	}
	failpoint.Hit("recover.rewritten")
	if err := l.totals.count(last.blocks...); err != nil {
		return err
	}
	w.next = last.next
	l.next, l.logTime, l.doubtful = slices.Clone(w.next), last.logTime, l.manifest.Doubtful
	if w.epoch != l.manifest.Epoch {
		w.epoch = l.manifest.Epoch
		if err := l.roll(); err != nil {
			return err
		}
	}
	l.cutOld(last)
	l.tail = tail{start: l.tail.end, end: l.tail.end, from: slices.Clone(w.next)}
	return nil
}

// cutSealed gives back what was made ahead for sealed segments: cutting it off was no promise, and a loss of power may have undone it. On
// a full disk the start needs that room. What lies beyond the end that the next segment names is void.
func (l *Log) cutSealed() {
	for i, s := range l.segments {
		if i == len(l.segments)-1 || s.size <= s.end {
			continue
		}
		f, err := l.fs.Edit(filepath.Join(l.dir, segmentName(s.id)))
		if err != nil {
			continue
		}
		if f.Truncate(s.end) == nil {
			s.size = s.end
		}
		_ = f.Close()
	}
}

// cutOld gives back what was made ahead for the segment of the process before. Bytes that mean something stay.
func (l *Log) cutOld(last tailScan) {
	if last.id == 0 {
		return
	}
	f, err := l.fs.Edit(filepath.Join(l.dir, segmentName(last.id)))
	if err != nil {
		return
	}
	_ = f.Truncate(max(last.last, last.end))
	_ = f.Close()
}
