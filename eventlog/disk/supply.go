package disk

import (
	"math"
	"path/filepath"
	"slices"

	"penstock"
	"penstock/internal/vfs"
)

// supply returns what the header of a segment would have said: what its first frame repeats of it and, where that is damaged too, what
// its blocks and the segment before tell.
func (all *loaded) supply(files vfs.FS, dir string, m manifest, id SegmentID) (header, error) {
	h := header{id: id, log: m.Log, cluster: m.Cluster, key: m.Key, epoch: m.Epoch, next: make([]penstock.Offset, m.Partitions), prev: id - 1}
	o, err := readOpening(files, dir, h)
	if err != nil {
		return h, err
	}
	if n := len(all.segments); n > 0 {
		prev := all.segments[n-1]
		r, err := scanFile(files, dir, prev, nil)
		if err != nil {
			return h, err
		}
		h.prev, h.logTime, h.epoch = prev.id, r.logTime, prev.epoch
		h.prevEnd, h.next = r.endBefore(o.lowest)
	}
	if o.epoch != 0 {
		h.epoch = o.epoch
	}
	if o.next != nil {
		h.next, h.logTime = o.next, o.logTime
	}
	return h, nil
}

// endBefore returns where a segment ends, and with which offsets, if the next one holds records from these lowest offsets on. Blocks at
// the end that nothing witnessed stand again there if they may have been acknowledged and the segment was the last when a process
// started, and their offsets belong to others if they were refused.
func (r tailScan) endBefore(lowest []penstock.Offset) (end int64, next []penstock.Offset) {
	if r.start == nil {
		return r.end, r.next
	}
	end, next = r.end, slices.Clone(r.start)
	for i, b := range r.blocks {
		if slices.ContainsFunc(b.Groups, func(g penstock.Group) bool { return g.End() > lowest[g.Partition] }) {
			break
		}
		end = r.ends[i]
		for _, g := range b.Groups {
			next[g.Partition] = max(next[g.Partition], g.End())
		}
	}
	return end, next
}

// opening is what the frames of a segment say of how it began.
type opening struct {
	epoch   penstock.Epoch // 0: nothing says it
	logTime penstock.Micros
	next    []penstock.Offset // as in the header; nil: the first frame is damaged
	lowest  []penstock.Offset // by partition: no record of the segment lies below
}

func readOpening(files vfs.FS, dir string, h header) (opening, error) {
	o := opening{lowest: make([]penstock.Offset, len(h.next))}
	for p := range o.lowest {
		o.lowest[p] = math.MaxInt64
	}
	f, err := files.Open(filepath.Join(dir, segmentName(h.id)))
	if err != nil {
		return o, penstock.Wrap(penstock.Unavailable, "open segment", err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return o, penstock.Wrap(penstock.Unavailable, "open segment", err)
	}
	frames, _, err := wholeFrames(f, &segment{header: h, start: h.size()}, size)
	if err != nil {
		return o, err
	}
	for _, f := range frames {
		if err := o.take(f, h.size()); err != nil || o.next != nil {
			return o, err
		}
	}
	return o, nil
}

// take learns from a frame; start is where the first one lies.
func (o *opening) take(f frame, start int64) error {
	if f.kind == kindCommit {
		c, err := f.commit()
		if err == nil && f.at == start && len(c.next) == len(o.lowest) {
			o.epoch, o.logTime, o.next, o.lowest = c.epoch, c.logTime, c.next, c.next
		}
		return err
	}
	b, err := f.block()
	if err != nil {
		return err
	}
	o.epoch = b.Epoch
	for _, g := range b.Groups {
		if int(g.Partition) < len(o.lowest) {
			o.lowest[g.Partition] = min(o.lowest[g.Partition], g.First)
		}
	}
	return nil
}
