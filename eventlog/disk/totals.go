package disk

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"penstock"
	"penstock/internal/checksum"
)

// totals is what was appended, by lane, since the log began. Lanes exist from their first event on.
//
// Segments go, and what is kept must not be read again to know what was. So each segment begins with a commit frame that has the
// totals of all lanes, of everything before the segment; a clean end has it too. The commit frames between have those of the lanes
// that changed since the one before: what lies before a frame may be damaged, and was acknowledged nevertheless.
type totals struct {
	partitions int
	streams    map[streamName]*streamTotals
	order      []*streamTotals // in which they appeared
	lanes      int
	most       int64 // bytes that they take in a commit frame
}

type streamName struct{ tenant, stream string }

type streamTotals struct {
	streamName
	of      []penstock.Total // by partition
	lanes   int              // how many of these have events
	changed []penstock.Partition
	marked  []bool // by partition: it is among changed
}

// The sizes of what a commit frame says of lanes.
const (
	streamEntry = 4  // and the names
	laneEntry   = 26 // partition, events and sum
)

func newTotals(partitions int) *totals {
	return &totals{partitions: partitions, streams: map[streamName]*streamTotals{}}
}

func (t *totals) stream(name streamName) *streamTotals {
	s := t.streams[name]
	if s == nil {
		s = &streamTotals{streamName: name, of: make([]penstock.Total, t.partitions), marked: make([]bool, t.partitions)}
		t.streams[name] = s
		t.order = append(t.order, s)
		t.most += int64(streamEntry + len(name.tenant) + len(name.stream))
	}
	return s
}

// add counts the records of a block; sums are those of its groups.
func (t *totals) add(b *penstock.Block, sums []penstock.Total) {
	var s *streamTotals
	for i, sum := range sums {
		if sum.Events == 0 {
			continue
		}
		if s == nil {
			s = t.stream(streamName{b.Tenant, b.Stream})
		}
		p := b.Groups[i].Partition
		t.put(s, p, s.of[p].Plus(sum))
		if !s.marked[p] {
			s.marked[p] = true
			s.changed = append(s.changed, p)
		}
	}
}

// count adds blocks that were read.
func (t *totals) count(blocks ...*penstock.Block) error {
	for _, b := range blocks {
		sums, err := checksum.Totals(b)
		if err != nil {
			return err
		}
		t.add(b, sums)
	}
	return nil
}

func (t *totals) put(s *streamTotals, p penstock.Partition, to penstock.Total) {
	if s.of[p].Events == 0 {
		s.lanes++
		t.lanes++
		t.most += laneEntry
	}
	s.of[p] = to
}

// set takes over what a commit frame says.
func (t *totals) set(lanes laneList) {
	for name, entries := range lanes.streams() {
		s := t.stream(name)
		for p, total := range entries {
			t.put(s, p, total)
		}
	}
}

// forget makes no lane one that has changed.
func (t *totals) forget() {
	for _, s := range t.order {
		for _, p := range s.changed {
			s.marked[p] = false
		}
		s.changed = s.changed[:0]
	}
}

func (t *totals) clone() *totals {
	c := newTotals(t.partitions)
	c.lanes, c.most = t.lanes, t.most
	for _, s := range t.order {
		cs := &streamTotals{s.streamName, slices.Clone(s.of), s.lanes, slices.Clone(s.changed), slices.Clone(s.marked)}
		c.streams[s.streamName] = cs
		c.order = append(c.order, cs)
	}
	return c
}

// appendTo encodes all lanes, or those that have changed.
func (t *totals) appendTo(dst []byte, all bool) []byte {
	for _, s := range t.order {
		n := len(s.changed)
		if all {
			n = s.lanes
		}
		if n == 0 {
			continue
		}
		dst = append(dst, byte(len(s.tenant)), byte(len(s.stream)))
		dst = le.AppendUint16(dst, uint16(n))
		dst = append(append(dst, s.tenant...), s.stream...)
		if !all {
			for _, p := range s.changed {
				dst = appendLane(dst, p, s.of[p])
			}
			continue
		}
		for p, total := range s.of {
			if total.Events > 0 {
				dst = appendLane(dst, penstock.Partition(p), total)
			}
		}
	}
	return dst
}

func appendLane(dst []byte, p penstock.Partition, t penstock.Total) []byte {
	dst = le.AppendUint16(dst, uint16(p))
	dst = le.AppendUint64(dst, uint64(t.Events))
	dst = le.AppendUint64(dst, t.Hi)
	return le.AppendUint64(dst, t.Lo)
}

// laneList is what a commit frame says of lanes.
type laneList []byte

// check fails unless the bytes are whole entries of a log of so many partitions.
func (l laneList) check(partitions int) error {
	for len(l) > 0 {
		if len(l) < streamEntry || len(l) < l.size() {
			return fmt.Errorf("totals of %d bytes are cut", len(l))
		}
		for p, total := range l.entries() {
			if int(p) >= partitions || total.Events < 1 {
				return fmt.Errorf("a total of %d events in partition %d of %d", total.Events, p, partitions)
			}
		}
		l = l[l.size():]
	}
	return nil
}

func (l laneList) count() int { return int(le.Uint16(l[2:])) }

// size returns the length of the first stream's entry.
func (l laneList) size() int { return streamEntry + int(l[0]) + int(l[1]) + l.count()*laneEntry }

// streams yields each stream with its lanes. The bytes were checked.
func (l laneList) streams() iter.Seq2[streamName, iter.Seq2[penstock.Partition, penstock.Total]] {
	return func(yield func(streamName, iter.Seq2[penstock.Partition, penstock.Total]) bool) {
		for ; len(l) > 0; l = l[l.size():] {
			tenant := int(l[0])
			names := l[streamEntry : streamEntry+tenant+int(l[1])]
			if !yield(streamName{string(names[:tenant]), string(names[tenant:])}, l.entries()) {
				return
			}
		}
	}
}

// entries yields the lanes of the first stream.
func (l laneList) entries() iter.Seq2[penstock.Partition, penstock.Total] {
	return func(yield func(penstock.Partition, penstock.Total) bool) {
		for entries := l[l.size()-l.count()*laneEntry : l.size()]; len(entries) > 0; entries = entries[laneEntry:] {
			t := penstock.Total{Events: int64(le.Uint64(entries[2:])), Hi: le.Uint64(entries[10:]), Lo: le.Uint64(entries[18:])}
			if !yield(penstock.Partition(le.Uint16(entries)), t) {
				return
			}
		}
	}
}

// Accepted returns the total of every lane since the log began, damaged and removed records included, as penstock.Accountant says.
func (l *Log) Accepted(ctx context.Context) (map[penstock.Lane]penstock.Total, penstock.Positions, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	all := l.totals.clone()
	next := positions(l.active().epoch, l.next)
	l.mu.Unlock()
	return all.byLane(), next, nil
}

func (t *totals) byLane() map[penstock.Lane]penstock.Total {
	lanes := make(map[penstock.Lane]penstock.Total, t.lanes)
	for _, s := range t.order {
		for p, total := range s.of {
			if total.Events > 0 {
				lanes[penstock.Lane{Tenant: s.tenant, Stream: s.stream, Partition: penstock.Partition(p)}] = total
			}
		}
	}
	return lanes
}
