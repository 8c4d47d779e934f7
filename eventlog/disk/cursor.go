package disk

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"penstock"
	"penstock/internal/vfs"
)

// cursor walks a set of partitions: through the segments where it is behind, through the tail where it keeps up.
type cursor struct {
	log  *Log
	sent penstock.Positions // the Next of the batch before
	at   penstock.Positions // of the next record wanted of each partition
	next place              // of the next frame to look at
	file vfs.File           // of the segment that scan reads, nil: none
	scan *scanner
	some [256]entry

	busy   sync.Mutex // held by Next
	closed atomic.Bool
}

// Open returns a cursor, as penstock.Reader says.
func (l *Log) Open(ctx context.Context, from penstock.Positions) (penstock.Cursor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, penstock.Errorf(penstock.Unavailable, "open cursor", "the log is closed")
	}
	if err := l.checkPositions(from); err != nil {
		return nil, err
	}
	c := &cursor{log: l, sent: from.Clone(), at: from.Clone(), next: l.find(from)}
	l.cursors[c] = c.next
	return c, nil
}

// slowest returns the place that all cursors are past, the log's end if there is none. The mutex is held.
func (l *Log) slowest() place {
	past := l.tail.end
	for _, at := range l.cursors {
		if at.less(past) {
			past = at
		}
	}
	return past
}

// checkPositions fails if a position lies outside of what the log holds. The end of an older epoch is within it
// however far: the log was restored from a copy, and what followed was lost with the original. The mutex is held.
func (l *Log) checkPositions(from penstock.Positions) error {
	const op = "open cursor"
	first, last := l.segments[0], l.active()
	for p, at := range from {
		switch {
		case int(p) >= len(l.next):
			return penstock.Errorf(penstock.Invalid, op, "partition %d of %d", p, len(l.next))
		case at == (penstock.Position{}):
		case at.Epoch == 0 || at.Epoch > last.epoch:
			return penstock.Errorf(penstock.Conflict, op, "partition %d: the log is in epoch %d, the position is %v", p, last.epoch, at)
		case at.Epoch == last.epoch && at.Offset > l.next[p]:
			return penstock.Errorf(penstock.Conflict, op, "partition %d: the log ends at %d:%d, the position is %v", p, last.epoch, l.next[p], at)
		case at.Less(penstock.Position{Epoch: first.epoch, Offset: first.next[p]}):
			return penstock.Errorf(penstock.Trimmed, op, "partition %d: the log begins at %d:%d, the position is %v", p, first.epoch, first.next[p], at)
		}
	}
	return nil
}

// find returns the place at or before the first record that any of the positions asks for. The mutex is held.
func (l *Log) find(from penstock.Positions) place {
	last := l.active()
	covers := func(epoch penstock.Epoch, offsets []penstock.Offset) bool {
		for p, at := range from {
			if at == (penstock.Position{}) {
				at = penstock.Position{Epoch: l.segments[0].epoch, Offset: l.segments[0].next[p]}
			}
			if at.Less(penstock.Position{Epoch: epoch, Offset: offsets[p]}) {
				return false
			}
		}
		return true
	}
	if covers(last.epoch, l.next) {
		return l.tail.end
	}
	if covers(last.epoch, l.tail.from) {
		return l.tail.start
	}
	for i := len(l.segments) - 1; i > 0; i-- {
		if s := l.segments[i]; covers(s.epoch, s.next) {
			return place{s.id, s.start}
		}
	}
	return place{l.segments[0].id, l.segments[0].start}
}

// Next returns what is at hand, as penstock.Cursor says.
func (c *cursor) Next(ctx context.Context, most penstock.Bytes) (penstock.Batch, error) {
	c.busy.Lock()
	defer c.busy.Unlock()
	b := penstock.Batch{From: c.sent.Clone()}
	var size penstock.Bytes
	for {
		// What was gathered is handed out also when the context ends: the next call must not begin behind it.
		if err := ctx.Err(); err != nil && len(b.Blocks) == 0 {
			return penstock.Batch{}, err
		}
		more, err := c.gather(&b, &size, most)
		if len(b.Blocks) > 0 && (err != nil || more != nil || size >= most || ctx.Err() != nil) {
			c.sent = c.at.Clone()
			b.Next = c.sent.Clone()
			return b, nil
		}
		if err != nil {
			return penstock.Batch{}, err
		}
		if more == nil {
			continue
		}
		select {
		case <-more:
		case <-ctx.Done():
		}
	}
}

// gather adds what comes next to the batch: some of the tail, or of a segment. If nothing is at hand it returns a channel
// that is closed when there is.
func (c *cursor) gather(b *penstock.Batch, size *penstock.Bytes, most penstock.Bytes) (more <-chan struct{}, err error) {
	l := c.log
	l.mu.Lock()
	if l.closed || c.closed.Load() {
		l.mu.Unlock()
		return nil, penstock.Errorf(penstock.Unavailable, "read log", "the cursor is closed")
	}
	l.cursors[c] = c.next
	if c.next.less(l.tail.start) {
		seg, err := c.segment()
		l.mu.Unlock()
		if err != nil {
			return nil, err
		}
		return nil, c.read(seg, b, size, most)
	}
	n := l.tail.after(c.next, c.some[:])
	if n == 0 {
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		more = l.changed
	}
	l.mu.Unlock()
	if n > 0 {
		c.release()
	}
	for _, e := range c.some[:n] {
		c.take(e.block, b, size)
		c.next = e.end
		if *size >= most && len(b.Blocks) > 0 {
			break
		}
	}
	clear(c.some[:n])
	return more, nil
}

// take adds a block to the batch if it has records that the cursor wants.
func (c *cursor) take(block *penstock.Block, b *penstock.Batch, size *penstock.Bytes) {
	wanted := false
	for _, g := range block.Groups {
		end := penstock.Position{Epoch: block.Epoch, Offset: g.End()}
		if at, ok := c.at[g.Partition]; ok && at.Less(end) {
			c.at[g.Partition] = end
			wanted = true
		}
	}
	if wanted {
		b.Blocks = append(b.Blocks, block)
		*size += block.Size()
	}
}

// segment returns the segment in which the cursor goes on, as it is now. The log's mutex is held.
func (c *cursor) segment() (segment, error) {
	l := c.log
	if c.next.segment < l.segments[0].id {
		if err := l.checkPositions(c.at); err != nil {
			return segment{}, err
		}
		return *l.segments[0], nil
	}
	i, found := slices.BinarySearchFunc(l.segments, c.next.segment, func(s *segment, id SegmentID) int { return cmp.Compare(s.id, id) })
	if found && c.next.at >= l.segments[i].end && i+1 < len(l.segments) {
		i++
	}
	return *l.segments[min(i, len(l.segments)-1)], nil
}

// read adds frames of a segment to the batch until that is large enough or the segment ends.
func (c *cursor) read(seg segment, b *penstock.Batch, size *penstock.Bytes, most penstock.Bytes) error {
	if c.next.segment != seg.id {
		c.enter(seg)
	}
	if err := c.open(seg); err != nil {
		return err
	}
	for c.scan.limit = seg.end; *size < most || len(b.Blocks) == 0; {
		_, block, err := c.scan.nextBlock()
		switch {
		case errors.Is(err, io.EOF):
			c.next.at = seg.end
			return nil
		case errors.Is(err, errBad):
			if err := c.skipDamage(seg); err != nil {
				return err
			}
		case err != nil:
			return err
		case block != nil:
			c.take(block, b, size)
		}
		c.next.at = c.scan.at
	}
	return nil
}

// enter goes to the beginning of a segment. Where that begins beyond what was read, records before it were lost:
// waiting for them would keep retention waiting too.
func (c *cursor) enter(seg segment) {
	c.next = place{seg.id, seg.start}
	for p, at := range c.at {
		if at.Epoch == seg.epoch && at.Offset < seg.header.next[p] {
			c.at[p] = penstock.Position{Epoch: seg.epoch, Offset: seg.header.next[p]}
		}
	}
}

// open makes the scanner read the segment at the cursor's place.
func (c *cursor) open(seg segment) error {
	if c.scan != nil && c.scan.segment == seg.id {
		return nil
	}
	c.release()
	f, err := c.log.fs.Open(filepath.Join(c.log.dir, segmentName(seg.id)))
	if errors.Is(err, fs.ErrNotExist) {
		// Retention was faster, and the next look says Trimmed; or someone else removed it, and what is left goes on.
		if !c.log.lists(seg.id) {
			return nil
		}
		c.log.damaged(Damage{Segment: seg.id, To: seg.end, Why: "the segment is missing"})
		f, err = emptyFile{}, nil
	}
	if err != nil {
		return penstock.Wrap(penstock.Unavailable, "open segment", err)
	}
	c.file, c.scan = f, &scanner{file: f, segment: seg.id, at: c.next.at}
	return nil
}

// skipDamage reports what cannot be read at the scanner's place and goes on after it.
func (c *cursor) skipDamage(seg segment) error {
	from := c.scan.at
	if err := c.scan.skip(); err != nil {
		return err
	}
	c.log.damaged(Damage{Segment: seg.id, From: from, To: c.scan.at, Why: "acknowledged bytes are damaged"})
	return nil
}

func (c *cursor) release() {
	if c.file != nil {
		_ = c.file.Close()
	}
	c.file, c.scan = nil, nil
}

// Close ends a Next that waits and frees the segment's file.
func (c *cursor) Close() error {
	c.closed.Store(true)
	c.log.mu.Lock()
	delete(c.log.cursors, c)
	c.log.announce()
	c.log.mu.Unlock()
	c.busy.Lock()
	defer c.busy.Unlock()
	c.release()
	return nil
}

// lists reports whether the log still has a segment.
func (l *Log) lists(id SegmentID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.segments, func(s *segment) bool { return s.id == id })
}
