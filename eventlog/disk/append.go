package disk

import (
	"context"
	"fmt"
	"time"

	"penstock"
)

// group is what one flush covers. All who wait for it are woken at once.
type group struct {
	blocks []packed
	bytes  penstock.Bytes
	since  time.Time
	done   chan struct{} // closed when the outcome stands
	late   chan struct{} // closed if it does not for stallAfter
	timer  *time.Timer   // closes late
	err    error
}

func newGroup() *group {
	g := &group{since: time.Now(), done: make(chan struct{}), late: make(chan struct{})}
	g.timer = time.AfterFunc(stallAfter, func() { close(g.late) })
	return g
}

// end lets those who wait go on with the outcome.
func (g *group) end(err error) {
	g.timer.Stop()
	g.err = err
	close(g.done)
}

// wait returns the outcome once it stands, or Unknown when the disk does not answer.
func (g *group) wait() error {
	select {
	case <-g.done:
		return g.err
	case <-g.late:
	}
	select {
	case <-g.done:
		return g.err
	default:
		return &penstock.Error{Code: penstock.Unknown, Op: "append", Reason: "stalled", Err: errNoAnswer}
	}
}

var errNoAnswer = fmt.Errorf("the disk has not answered for %v", stallAfter)

// Append adds the blocks, as penstock.Appender says. Blocks of one call stay together and in order. If the checksum of a record is not
// that of its event, it fails with Internal and adds nothing: the event was changed on its way from the door. A record without a
// checksum passes. While the disk does not answer, a call whose context cannot end is not kept waiting: it fails with Unknown.
func (l *Log) Append(ctx context.Context, blocks ...*penstock.Block) error {
	const op = "append"
	if err := ctx.Err(); err != nil {
		return penstock.Wrap(penstock.Unavailable, op, err)
	}
	var scratch [4]packed
	all := scratch[:0]
	var bytes penstock.Bytes
	for _, b := range blocks {
		if err := l.check(b); err != nil {
			return err
		}
		// Before the group: the writer has no time for it.
		sums, err := l.sums.Totals(b)
		if err != nil {
			return penstock.Wrap(penstock.CodeOf(err), op, err)
		}
		p := pack(b, l.o.Compression)
		p.sums = sums
		bytes += b.Size()
		all = append(all, p)
	}
	if len(all) == 0 {
		return nil
	}
	g, err := l.enqueue(all, bytes)
	if err != nil {
		return err
	}
	if ctx.Done() == nil {
		return g.wait()
	}
	select {
	case <-g.done:
		return g.err
	case <-ctx.Done():
	}
	select {
	case <-g.done:
		return g.err
	default:
		return penstock.Wrap(penstock.Unknown, op, ctx.Err())
	}
}

// check refuses what the format cannot hold.
func (l *Log) check(b *penstock.Block) error {
	const op = "append"
	switch {
	case b.Len() == 0:
		return penstock.Errorf(penstock.Invalid, op, "a block without records")
	case b.Size() > maxBlock:
		return penstock.Refusef("too_large", op, "a block of %d bytes exceeds %d", b.Size(), penstock.Bytes(maxBlock))
	case len(b.Tenant) > 255 || len(b.Stream) > 255:
		return penstock.Errorf(penstock.Invalid, op, "the name of a tenant or stream exceeds 255 bytes")
	}
	for _, g := range b.Groups {
		if int(g.Partition) >= l.o.Cluster.Partitions {
			return penstock.Errorf(penstock.Invalid, op, "partition %d of %d", g.Partition, l.o.Cluster.Partitions)
		}
	}
	return nil
}

// enqueue adds blocks to the youngest group, or begins one, and wakes the writer.
func (l *Log) enqueue(blocks []packed, bytes penstock.Bytes) (*group, error) {
	const op = "append"
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refusal(op, bytes); err != nil {
		return nil, err
	}
	n := len(l.queue)
	if n == 0 || l.queue[n-1].bytes >= groupBytes {
		if err := l.stalled(op); err != nil {
			return nil, err
		}
		l.queue = append(l.queue, newGroup())
		n++
	}
	g := l.queue[n-1]
	g.blocks = append(g.blocks, blocks...)
	g.bytes += bytes
	l.waiting += bytes
	if n == 1 && len(g.blocks) == len(blocks) {
		l.poke()
	}
	return g, nil
}

// refusal returns why no more blocks may wait for a flush, or nil. The mutex is held.
func (l *Log) refusal(op string, bytes penstock.Bytes) error {
	switch {
	case l.failure != nil:
		return &penstock.Error{Code: penstock.Unavailable, Op: op, Err: l.failure, Reason: "storage_failed"}
	case l.closed:
		return penstock.Errorf(penstock.Unavailable, op, "the log is closed")
	case l.waiting > 0 && l.waiting+bytes > l.o.MaxWaiting:
		return penstock.Errorf(penstock.Overloaded, op, "%d bytes wait already", l.waiting)
	}
	return nil
}

// stalled fails with Overloaded if the oldest block waits for too long. The mutex is held.
func (l *Log) stalled(op string) error {
	if oldest := l.oldestWait(); !oldest.IsZero() && time.Since(oldest) > stallAfter {
		return penstock.Errorf(penstock.Overloaded, op, "the disk has not answered for %v", time.Since(oldest))
	}
	return nil
}

// oldestWait returns since when the oldest block waits, zero if none does. The mutex is held.
func (l *Log) oldestWait() time.Time {
	if !l.writing.IsZero() {
		return l.writing
	}
	if len(l.queue) > 0 {
		return l.queue[0].since
	}
	return time.Time{}
}

// poke wakes the writer, which looks at everything when it wakes: one token is enough.
func (l *Log) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}
