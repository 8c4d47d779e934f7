package disk

import (
	"errors"
	"runtime"
	"slices"
	"syscall"
	"time"

	"penstock"
	"penstock/internal/failpoint"
	"penstock/internal/logclock"
	"penstock/internal/vfs"
)

// writer is what only the writing goroutine touches.
type writer struct {
	file  vfs.File
	id    SegmentID
	epoch penstock.Epoch
	end   int64 // of what is written and flushed
	start int64 // of the first frame

	next  []penstock.Offset // of the next record of each partition
	clock *logclock.Clock
	dirty bool // frames were flushed that no later frame witnesses
	since bool // the last commit frame of all lanes
	buf   []byte
	space space
	spare *spare

	warned bool // of the clock
}

func (w *writer) closeFile() error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}

// run writes a group at a time until the log closes or fails.
func (l *Log) run() {
	defer close(l.stopped)
	defer l.w.spare.stop()
	idle := time.NewTimer(idleAfter)
	defer idle.Stop()
	for {
		select {
		case <-l.wake:
		case <-idle.C:
			l.witness(false)
			continue
		}
		for l.gather(); ; l.gather() {
			g := l.take()
			if g == nil {
				break
			}
			l.publish(g, l.write(g))
		}
		if l.ended() {
			l.witness(true)
			return
		}
		if l.w.dirty {
			idle.Reset(idleAfter)
		}
	}
}

// gather lets everybody run who is ready to, for as long as that brings blocks, so that they share the flush that comes: on an
// idle machine it returns at once, on a busy one a flush takes processor time from those who would have shared it.
func (l *Log) gather() {
	began := time.Now()
	for before := penstock.Bytes(-1); time.Since(began) < gatherFor; {
		l.mu.Lock()
		waiting := l.waiting
		l.mu.Unlock()
		if waiting <= before {
			return
		}
		before = waiting
		runtime.Gosched()
	}
}

// take returns the oldest group, nil if none waits.
func (l *Log) take() *group {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return nil
	}
	g := l.queue[0]
	l.queue = slices.Delete(l.queue, 0, 1)
	l.writing = g.since
	return g
}

func (l *Log) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed && len(l.queue) == 0
}

// write makes a group durable. On an error it says what became of it.
func (l *Log) write(g *group) error {
	const op = "append"
	if err := l.Err(); err != nil {
		return &penstock.Error{Code: penstock.Unavailable, Op: op, Err: err, Reason: "storage_failed"}
	}
	size := int64(g.bytes) + int64(len(g.blocks)*(frameHeaderSize+frameAlign))
	// A commit frame, and the header of a next segment with another one, may come with it.
	if err := l.room(size + headerSize(len(l.w.next)) + 2*commitSize(len(l.w.next), l.totals)); err != nil {
		return err
	}
	w := &l.w
	if w.end > w.start && w.end+size > int64(l.o.SegmentSize) {
		if err := l.roll(); err != nil {
			return err
		}
	}
	before := slices.Clone(w.next)
	w.encode(g, l.now())
	failpoint.Hit("log.before-write")
	if _, err := w.file.WriteAt(w.buf, w.end); err != nil {
		w.next = before
		return l.cutBack(err)
	}
	failpoint.Hit("log.written")
	began := time.Now()
	if err := w.file.Datasync(); err != nil {
		return l.fail(penstock.Wrap(penstock.Unknown, "flush segment", err))
	}
	failpoint.Hit("log.synced")
	w.end += int64(len(w.buf))
	w.dirty, w.since = true, true
	l.traceSync(g, time.Since(began))
	return nil
}

// now advances log time.
func (l *Log) now() penstock.Micros {
	now := l.w.clock.Advance(l.reading())
	if jumped := l.w.clock.Jumped(); jumped != l.w.warned {
		l.w.warned = jumped
		if jumped && l.o.Trace.Clock != nil {
			l.o.Trace.Clock(l.w.clock.Off())
		}
	}
	return now
}

// encode gives the group's records their places and makes its frames.
func (w *writer) encode(g *group, now penstock.Micros) {
	w.buf = w.buf[:0]
	for i := range g.blocks {
		b := g.blocks[i].block
		b.Epoch, b.LogTime = w.epoch, now
		for j := range b.Groups {
			at := &w.next[b.Groups[j].Partition]
			b.Groups[j].First = *at
			*at += penstock.Offset(b.Groups[j].Count)
		}
		w.buf = g.blocks[i].appendFrame(w.buf, w.id, w.end+int64(len(w.buf)), w.end)
		g.blocks[i].end = w.end + int64(len(w.buf))
	}
}

// publish shows the group to readers if it is durable, and wakes all who wait for it.
func (l *Log) publish(g *group, err error) {
	w := &l.w
	l.mu.Lock()
	if err == nil {
		for i := range g.blocks {
			l.tail.add(g.blocks[i].block, place{w.id, g.blocks[i].end})
			l.totals.add(g.blocks[i].block, g.blocks[i].sums)
		}
		l.active().end = w.end
		l.tail.end = place{w.id, w.end}
		l.tail.evict(l.o.TailMemory, l.slowest())
		copy(l.next, w.next)
		l.logTime = g.blocks[0].block.LogTime
		l.announce()
	}
	l.waiting -= g.bytes
	l.writing = time.Time{}
	l.mu.Unlock()
	failpoint.Hit("log.published")
	g.end(err)
}

// witness flushes a commit frame, so that what was flushed before it cannot be taken for torn. It runs when nothing
// was appended for a while; otherwise the next frames are the witness. At the end it has the totals of all lanes.
func (l *Log) witness(end bool) {
	w := &l.w
	if !w.dirty && !(end && w.since) || l.Err() != nil {
		return
	}
	w.dirty, w.since = false, w.since && !end
	w.buf = appendCommit(w.buf[:0], place{w.id, w.end}, commit{epoch: w.epoch, logTime: l.now(), next: w.next, all: end}, l.totals)
	if _, err := w.file.WriteAt(w.buf, w.end); err != nil {
		_ = l.cutBack(err)
		return
	}
	if err := w.file.Datasync(); err != nil {
		_ = l.fail(penstock.Wrap(penstock.Unknown, "flush segment", err))
		return
	}
	l.mu.Lock()
	w.end += int64(len(w.buf))
	l.active().end, l.tail.end.at = w.end, w.end
	l.totals.forget()
	l.mu.Unlock()
}

// cutBack removes what a failed write may have left. Only when that is durable is it sure that nothing was stored;
// a file that cannot be cut is not written again: the next segment will say where it ends.
func (l *Log) cutBack(cause error) error {
	const op = "append"
	w := &l.w
	if l.o.Trace.WriteFailed != nil {
		l.o.Trace.WriteFailed(cause)
	}
	w.space.stale()
	if err := w.file.Truncate(w.end); err != nil {
		if err := l.roll(); err != nil {
			return l.fail(penstock.Wrap(penstock.Unknown, "cut segment", errors.Join(cause, err)))
		}
		return penstock.Wrap(codeOf(cause), op, cause)
	}
	if err := w.file.Sync(); err != nil {
		return l.fail(penstock.Wrap(penstock.Unknown, "flush segment", errors.Join(cause, err)))
	}
	return penstock.Wrap(codeOf(cause), op, cause)
}

// fail stops the log for good and returns err.
func (l *Log) fail(err error) error {
	l.mu.Lock()
	first := l.failure == nil
	if first {
		l.failure = err
	}
	l.mu.Unlock()
	if first {
		close(l.failed)
		if l.o.Trace.Failed != nil {
			l.o.Trace.Failed(err)
		}
	}
	return err
}

func (l *Log) traceSync(g *group, took time.Duration) {
	if l.o.Trace.Synced == nil {
		return
	}
	s := Sync{Blocks: len(g.blocks), Bytes: penstock.Bytes(len(l.w.buf)), Took: took}
	for i := range g.blocks {
		s.Events += g.blocks[i].block.Len()
	}
	l.o.Trace.Synced(s)
}

// codeOf says what a caller should do about a failed call of the file system that surely left nothing behind.
func codeOf(err error) penstock.Code {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return penstock.Full
	}
	return penstock.Unavailable
}
