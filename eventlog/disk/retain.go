package disk

import (
	"context"
	"path/filepath"
	"time"

	"penstock"
	"penstock/internal/failpoint"
)

// Retain removes whole segments, oldest first, all of whose records lie below safe and that are older than Keep by log
// time, or while the log is larger than Max less a margin for what comes until the next call.
func (l *Log) Retain(ctx context.Context, safe penstock.Positions) error {
	const op = "retain log"
	l.retaining.Lock()
	defer l.retaining.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	old := l.removable(safe)
	if len(old) == 0 {
		return nil
	}
	// First it is written down, then done: files that a loss of power brings back are removed again by the next Open.
	m := l.manifest
	m.First = old[len(old)-1].id + 1
	if err := l.withReserve(func() error { return writeManifest(l.fs, l.dir, m) }); err != nil {
		return penstock.Wrap(codeOf(err), op, err)
	}
	failpoint.Hit("retain.pointed")
	l.manifest.First = m.First
	l.mu.Lock()
	l.segments = l.segments[len(old):]
	l.mu.Unlock()
	for _, s := range old {
		if err := l.fs.Remove(filepath.Join(l.dir, segmentName(s.id))); err != nil {
			return penstock.Wrap(codeOf(err), op, err)
		}
		failpoint.Hit("retain.removed")
		if l.o.Trace.Removed != nil {
			l.o.Trace.Removed(s.id)
		}
	}
	l.keepReserve()
	return penstock.Wrap(penstock.Unavailable, op, l.fs.SyncDir(l.dir))
}

// removable returns the segments that may go: a prefix of the list, never the last.
func (l *Log) removable(safe penstock.Positions) []*segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	// The clock belongs to the writer; what it last said is late by no more than the time since the last append.
	now := max(l.logTime, l.active().logTime)
	size, most := l.bytes(), l.o.Max-min(l.o.Max/8, 4*l.o.SegmentSize)
	n := 0
	for ; n+1 < len(l.segments); n++ {
		s, next := l.segments[n], l.segments[n+1]
		aged := !l.doubtful && time.Duration(now-next.logTime)*time.Microsecond > l.o.Keep
		if !isSafe(s, next, safe) || !aged && size <= most {
			break
		}
		size -= penstock.Bytes(s.size)
	}
	return l.segments[:n]
}

// isSafe reports whether every record of s lies below safe; next is the segment that follows.
func isSafe(s, next *segment, safe penstock.Positions) bool {
	for p := range s.next {
		if s.next[p] == next.next[p] {
			continue
		}
		if safe[penstock.Partition(p)].Less(penstock.Position{Epoch: s.epoch, Offset: next.next[p]}) {
			return false
		}
	}
	return true
}
