package disk

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"penstock"
	"penstock/internal/checksum"
	"penstock/internal/logclock"
	"penstock/internal/vfs"
)

// Log is an open log. It implements penstock.Appender, Reader, Retainer and Accountant, and may be used concurrently.
type Log struct {
	fs       vfs.FS
	dir      string
	o        Options
	lock     io.Closer
	manifest manifest // First is guarded by retaining
	sums     checksum.Hasher
	owner    string // this process's token in the manifest
	began    time.Time

	w       writer
	wake    chan struct{} // to the writer: there is a group, or the log closes
	stopped chan struct{} // the writer has ended
	failed  chan struct{}

	retaining sync.Mutex // one Retain at a time; guards what the manifest says

	mu       sync.Mutex
	queue    []*group // not yet taken by the writer
	waiting  penstock.Bytes
	writing  time.Time // when the oldest block of the group in the writer's hands came; zero: none
	closed   bool
	failure  error
	segments []*segment        // in order; the last is written
	next     []penstock.Offset // that follow the durable records
	totals   *totals           // of the durable records; changed by the writer alone
	logTime  penstock.Micros   // of the newest durable record
	tail     tail
	cursors  map[*cursor]place // of each reader: what lies before it is not asked for again
	changed  chan struct{}     // closed when something became durable; nil: nobody waits
	damages  map[place]bool
	doubtful bool
}

// Open opens the log in a directory, or makes one. What an earlier process may have acknowledged is durable, and what
// it surely did not is gone, before Open returns. It fails with Conflict, reason in_use, if another process, or
// another Log of this one, has the directory; with Conflict if the directory belongs to another cluster or a newer
// version; with Corrupt if it cannot be told what the directory holds.
func Open(fs vfs.FS, dir string, o Options) (*Log, error) {
	const op = "open log"
	if err := o.Cluster.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	l := &Log{
		fs: fs, dir: dir, o: o, began: o.Now(), sums: checksum.NewHasher(o.Cluster),
		wake: make(chan struct{}, 1), stopped: make(chan struct{}), failed: make(chan struct{}),
		damages: map[place]bool{}, cursors: map[*cursor]place{},
	}
	if err := fs.MkdirAll(dir); err != nil {
		return nil, penstock.Wrap(codeOf(err), op, err)
	}
	lock, err := lockDir(fs, dir)
	if err != nil {
		return nil, err
	}
	l.lock = lock
	if err := l.recover(); err != nil {
		return nil, errors.Join(err, l.w.closeFile(), lock.Close())
	}
	go l.run()
	return l, nil
}

// Durability is disk: what Append returned nil for survives a loss of power.
func (l *Log) Durability() penstock.Durability { return penstock.DurabilityDisk }

// Bounds returns the oldest position kept and the next one of each partition.
func (l *Log) Bounds(ctx context.Context) (first, next penstock.Positions, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return positions(l.segments[0].epoch, l.segments[0].next), positions(l.active().epoch, l.next), nil
}

func positions(e penstock.Epoch, offsets []penstock.Offset) penstock.Positions {
	ps := make(penstock.Positions, len(offsets))
	for p, o := range offsets {
		ps[penstock.Partition(p)] = penstock.Position{Epoch: e, Offset: o}
	}
	return ps
}

// active returns the segment that is written. The mutex is held.
func (l *Log) active() *segment { return l.segments[len(l.segments)-1] }

// Failed is closed when the log has stopped for good, as after a failed flush: the process should end. Err says why.
func (l *Log) Failed() <-chan struct{} { return l.failed }

// Err returns what Failed was closed for, nil before.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

// Stats describes the log at a moment.
type Stats struct {
	Bytes, Max     penstock.Bytes  // of the segments, and where Append fails with Full
	Oldest, Newest penstock.Micros // log time at which the oldest segment begins, and of the newest record
	Segments       int
	Waiting        penstock.Bytes // blocks not yet flushed
	Stalled        time.Duration  // how long the oldest of them waits
	Doubtful       bool           // nothing expires by age until an operator confirms the clock
}

// Stats returns what it says.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{
		Bytes: l.bytes(), Max: l.o.Max, Oldest: l.segments[0].logTime, Newest: l.logTime,
		Segments: len(l.segments), Waiting: l.waiting, Doubtful: l.doubtful,
	}
	if oldest := l.oldestWait(); !oldest.IsZero() {
		s.Stalled = time.Since(oldest)
	}
	return s
}

// bytes returns the size of all segments. The mutex is held.
func (l *Log) bytes() penstock.Bytes {
	var n int64
	for _, s := range l.segments {
		n += max(s.size, s.end)
	}
	return penstock.Bytes(n)
}

// Close makes durable what waits, refuses what comes, ends the cursors and frees the directory. It returns when no
// other goroutine of the log runs, with the error that the log had stopped for, if any.
func (l *Log) Close() error {
	l.mu.Lock()
	again := l.closed
	l.closed = true
	l.announce()
	l.mu.Unlock()
	if !again {
		l.poke()
	}
	<-l.stopped
	if again {
		return nil
	}
	return errors.Join(l.Err(), l.w.closeFile(), l.lock.Close())
}

// reading is what the clocks show.
func (l *Log) reading() logclock.Reading {
	return logclock.Reading{Wall: penstock.MicrosOf(l.o.Now()), Mono: time.Since(l.began)}
}

// announce wakes the readers that wait. The mutex is held.
func (l *Log) announce() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}
