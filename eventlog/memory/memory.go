// Package memory is a log in memory: for tests, and for `dev --memory`. It survives nothing and says so. Its offsets
// have gaps on purpose, as those of other logs may have.
package memory

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"penstock"
	"penstock/internal/checksum"
	"penstock/internal/logclock"
)

// Options says how a log is kept. Zero means the default.
type Options struct {
	Partitions int              // default 64
	Cluster    penstock.Cluster // by whose key checksums are taken again; without an id they are not
	Max        penstock.Bytes   // size at which Append fails with Full; default 256 MiB
	Keep       time.Duration    // records younger than this by log time stay unless Max is near; default 72 h
	Now        func() time.Time // the wall clock; default time.Now
}

// Log is a log in memory. It implements penstock.Appender, Reader, Retainer and Accountant, and may be used concurrently.
type Log struct {
	o     Options
	sum   func(*penstock.Block) ([]penstock.Total, error) // by group
	began time.Time

	mu      sync.Mutex
	clock   *logclock.Clock
	blocks  []*penstock.Block // in log order
	removed int               // how many were before blocks[0]
	size    penstock.Bytes
	first   []penstock.Offset // by partition: of the oldest record kept, or what follows the newest
	next    []penstock.Offset
	totals  map[penstock.Lane]penstock.Total
	changed chan struct{} // closed when there is more to read, or nothing ever again; nil: nobody waits
	closed  bool
}

const epoch = 1

// New returns an empty log.
func New(o Options) *Log {
	if o.Partitions == 0 {
		o.Partitions = 64
	}
	if o.Max == 0 {
		o.Max = 256 << 20
	}
	if o.Keep == 0 {
		o.Keep = 72 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Log{o: o, began: o.Now(), first: make([]penstock.Offset, o.Partitions), next: make([]penstock.Offset, o.Partitions)}
	l.sum, l.totals = checksum.Totals, map[penstock.Lane]penstock.Total{}
	if o.Cluster.ID != "" {
		l.sum = checksum.NewHasher(o.Cluster).Totals
	}
	l.clock = logclock.Start(l.reading(), 0, true)
	return l
}

func (l *Log) reading() logclock.Reading {
	return logclock.Reading{Wall: penstock.MicrosOf(l.o.Now()), Mono: time.Since(l.began)}
}

// Durability is memory: what Append returned nil for is lost with the process.
func (l *Log) Durability() penstock.Durability { return penstock.DurabilityMemory }

// Append adds the blocks, as penstock.Appender says. It does not wait. If the checksum of a record is not that of its event, it fails
// with Internal and adds nothing. A record without a checksum passes.
func (l *Log) Append(ctx context.Context, blocks ...*penstock.Block) error {
	const op = "append"
	if err := ctx.Err(); err != nil {
		return penstock.Wrap(penstock.Unavailable, op, err)
	}
	var size penstock.Bytes
	sums := make([][]penstock.Total, len(blocks))
	for i, b := range blocks {
		if err := l.check(b); err != nil {
			return err
		}
		var err error
		if sums[i], err = l.sum(b); err != nil {
			return penstock.Wrap(penstock.CodeOf(err), op, err)
		}
		size += b.Size()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refusal(op, size); err != nil {
		return err
	}
	now := l.clock.Advance(l.reading())
	for i, b := range blocks {
		b.Epoch, b.LogTime = epoch, now
		for j := range b.Groups {
			l.place(&b.Groups[j])
			l.count(b, b.Groups[j].Partition, sums[i][j])
		}
	}
	l.blocks = append(l.blocks, blocks...)
	l.size += size
	l.announce()
	return nil
}

// Ready returns why an Append of size bytes would add nothing now, or nil: Unavailable after Close, Full when there is no room.
func (l *Log) Ready(size penstock.Bytes) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusal("check log", size)
}

// refusal returns why no more blocks are taken, or nil. The mutex is held.
func (l *Log) refusal(op string, size penstock.Bytes) error {
	if l.closed {
		return penstock.Errorf(penstock.Unavailable, op, "the log is closed")
	}
	if l.size+size > l.o.Max {
		return &penstock.Error{Code: penstock.Full, Op: op, Reason: "log_full",
			Err: penstock.Errorf(penstock.Full, "check size", "the log holds %d of %d bytes", l.size, l.o.Max)}
	}
	return nil
}

func (l *Log) check(b *penstock.Block) error {
	if b.Len() == 0 {
		return penstock.Errorf(penstock.Invalid, "append", "a block without records")
	}
	for _, g := range b.Groups {
		if int(g.Partition) >= l.o.Partitions {
			return penstock.Errorf(penstock.Invalid, "append", "partition %d of %d", g.Partition, l.o.Partitions)
		}
	}
	return nil
}

// place gives a group its offsets, with a gap of 0 to 2 before it. The mutex is held.
func (l *Log) place(g *penstock.Group) {
	at := l.next[g.Partition]
	g.First = at + at%3
	l.next[g.Partition] = g.End()
}

// count adds the total of a group. The mutex is held.
func (l *Log) count(b *penstock.Block, p penstock.Partition, sum penstock.Total) {
	if sum.Events > 0 {
		lane := penstock.Lane{Tenant: b.Tenant, Stream: b.Stream, Partition: p}
		l.totals[lane] = l.totals[lane].Plus(sum)
	}
}

// Accepted returns the total of every lane, as penstock.Accountant says.
func (l *Log) Accepted(ctx context.Context) (map[penstock.Lane]penstock.Total, penstock.Positions, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.totals), positions(l.next), nil
}

// announce wakes the readers that wait. The mutex is held.
func (l *Log) announce() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// Bounds returns the oldest position kept and the next one of each partition.
func (l *Log) Bounds(ctx context.Context) (first, next penstock.Positions, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return positions(l.first), positions(l.next), nil
}

func positions(offsets []penstock.Offset) penstock.Positions {
	ps := make(penstock.Positions, len(offsets))
	for p, o := range offsets {
		ps[penstock.Partition(p)] = penstock.Position{Epoch: epoch, Offset: o}
	}
	return ps
}

// Retain removes the oldest blocks all of whose records lie below safe, if they are older than Keep or while the log is
// larger than seven eighths of Max.
func (l *Log) Retain(ctx context.Context, safe penstock.Positions) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Advance(l.reading())
	n := 0
	for ; n < len(l.blocks); n++ {
		b := l.blocks[n]
		aged := time.Duration(now-b.LogTime)*time.Microsecond > l.o.Keep
		if !isSafe(b, safe) || !aged && l.size <= l.o.Max-l.o.Max/8 {
			break
		}
		l.size -= b.Size()
		for _, g := range b.Groups {
			l.first[g.Partition] = g.End()
		}
	}
	l.blocks = slices.Clone(l.blocks[n:])
	l.removed += n
	return nil
}

func isSafe(b *penstock.Block, safe penstock.Positions) bool {
	for _, g := range b.Groups {
		if safe[g.Partition].Less(penstock.Position{Epoch: b.Epoch, Offset: g.End()}) {
			return false
		}
	}
	return true
}

// Stats describes the log at a moment.
type Stats struct {
	Bytes, Max penstock.Bytes
}

// Stats returns what it says.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Stats{Bytes: l.size, Max: l.o.Max}
}

// Close refuses what comes and ends the cursors.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.announce()
	return nil
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
	return &cursor{log: l, at: from.Clone(), seen: l.removed}, nil
}

// checkPositions fails if a position lies outside of what the log holds. The mutex is held.
func (l *Log) checkPositions(from penstock.Positions) error {
	const op = "open cursor"
	for p, at := range from {
		switch {
		case int(p) >= len(l.next):
			return penstock.Errorf(penstock.Invalid, op, "partition %d of %d", p, len(l.next))
		case at == (penstock.Position{}):
		case at.Epoch != epoch:
			return penstock.Errorf(penstock.Conflict, op, "partition %d: the log is in epoch %d, the position is %v", p, epoch, at)
		case at.Offset > l.next[p]:
			return penstock.Errorf(penstock.Conflict, op, "partition %d: the log ends at %d, the position is %v", p, l.next[p], at)
		case at.Offset < l.first[p]:
			return penstock.Errorf(penstock.Trimmed, op, "partition %d: the log begins at %d, the position is %v", p, l.first[p], at)
		}
	}
	return nil
}

// cursor walks a set of partitions.
type cursor struct {
	log *Log

	at     penstock.Positions // the rest is guarded by the log's mutex
	seen   int                // blocks looked at, of all that ever were
	closed bool
}

// Next returns what is at hand, as penstock.Cursor says.
func (c *cursor) Next(ctx context.Context, most penstock.Bytes) (penstock.Batch, error) {
	for {
		if err := ctx.Err(); err != nil {
			return penstock.Batch{}, err
		}
		b, more, err := c.gather(most)
		if err != nil || more == nil {
			return b, err
		}
		select {
		case <-more:
		case <-ctx.Done():
		}
	}
}

// gather returns what is at hand, or a channel that is closed when there is more.
func (c *cursor) gather(most penstock.Bytes) (b penstock.Batch, more <-chan struct{}, err error) {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || c.closed {
		return b, nil, penstock.Errorf(penstock.Unavailable, "read log", "the cursor is closed")
	}
	if c.seen < l.removed {
		if err := l.checkPositions(c.at); err != nil {
			return b, nil, err
		}
		c.seen = l.removed
	}
	b.From = c.at.Clone()
	var size penstock.Bytes
	for ; c.seen-l.removed < len(l.blocks) && (size < most || len(b.Blocks) == 0); c.seen++ {
		if block := l.blocks[c.seen-l.removed]; c.pass(block) {
			b.Blocks = append(b.Blocks, block)
			size += block.Size()
		}
	}
	if len(b.Blocks) > 0 {
		b.Next = c.at.Clone()
		return b, nil, nil
	}
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return b, l.changed, nil
}

// pass moves the cursor past a block and reports whether it has records that the cursor wants.
func (c *cursor) pass(b *penstock.Block) bool {
	wanted := false
	for _, g := range b.Groups {
		end := penstock.Position{Epoch: b.Epoch, Offset: g.End()}
		if at, ok := c.at[g.Partition]; ok && at.Less(end) {
			c.at[g.Partition] = end
			wanted = true
		}
	}
	return wanted
}

// Close ends a Next that waits.
func (c *cursor) Close() error {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	c.closed = true
	c.log.announce()
	return nil
}
