package disk

import (
	"errors"
	"io"
	"slices"
	"syscall"

	"penstock"
)

// tailScan is what the last segment holds.
type tailScan struct {
	id      SegmentID
	end     int64 // what lies below was flushed: witnessed by a later frame
	last    int64 // of the bytes that are not zero
	damages []Damage
	blocks  []*penstock.Block // of whole frames from end on, which may have been acknowledged
	ends    []int64           // of these frames
	dropped int64             // bytes beyond those
	clean   bool              // nothing follows the last witness but the commit frame that is one

	start   []penstock.Offset // that follow what lies below end; nil: as next
	next    []penstock.Offset // that follow everything
	totals  *totals           // of what lies below end
	based   bool              // on a commit frame of all lanes
	logTime penstock.Micros
}

// offsetJump is added to every partition's next offset when damage may hide how many records the segment held.
// No frame holds that many.
const offsetJump = 1 << 32

// scanTail tells apart what was acknowledged, what may have been, and what was not. base are the totals of what lies before the segment;
// nil: its first commit frame will say it.
//
// A bad frame that a later frame's "synced up to" covers is damage. The first bad frame beyond the last witness ends
// the log: the flush that covered it never returned, so nobody was told of it or of what follows.
func scanTail(file io.ReaderAt, seg *segment, base *totals) (tailScan, error) {
	limit := seg.size
	r := tailScan{id: seg.id, end: max(seg.start, min(seg.begun, limit)), next: slices.Clone(seg.next), logTime: seg.logTime, totals: base}
	if base == nil {
		r.totals, r.based = newTotals(len(seg.next)), seg.prev == 0
	}
	frames, last, err := wholeFrames(file, seg, limit)
	if err != nil {
		return r, err
	}
	r.last = last
	for _, f := range frames {
		r.end = max(r.end, min(f.synced, limit))
	}
	hidden := false // damage after the last commit frame
	unwitnessed, blocks := 0, 0
	at := seg.start
	for _, f := range frames {
		if f.at > at && at < r.end {
			r.damages = append(r.damages, Damage{Segment: seg.id, From: at, To: min(f.at, r.end), Why: "acknowledged bytes are damaged"})
			hidden = true
		}
		if f.at >= r.end && f.at != max(at, r.end) {
			break // torn: a gap beyond every witness
		}
		if f.kind == kindCommit {
			hidden = false
		} else {
			blocks++
		}
		if f.at >= r.end {
			unwitnessed++
		}
		if err := r.take(f); err != nil {
			return r, err
		}
		at = f.end
	}
	if at < r.end {
		r.damages = append(r.damages, Damage{Segment: seg.id, From: at, To: r.end, Why: "acknowledged bytes are damaged"})
		hidden, at = true, r.end
	}
	if seg.begun > limit {
		r.damages = append(r.damages, Damage{Segment: seg.id, From: limit, To: seg.begun, Why: "the file was cut off"})
		hidden = true
	}
	if hidden {
		for p := range r.next {
			r.next[p] += offsetJump
		}
	}
	r.dropped = max(0, last-at)
	r.clean = len(r.damages) == 0 && r.dropped == 0 && (blocks == 0 || unwitnessed == 1 && len(r.blocks) == 0)
	return r, nil
}

// take accounts for a whole frame; a block that nothing witnesses is kept.
func (r *tailScan) take(f frame) error {
	switch f.kind {
	case kindCommit:
		c, err := f.commit()
		if err != nil {
			return err
		}
		if len(c.next) != len(r.next) {
			return penstock.Errorf(penstock.Corrupt, "recover log", "a commit frame for %d partitions, not %d", len(c.next), len(r.next))
		}
		if c.all {
			r.totals, r.based = newTotals(len(r.next)), true
		}
		r.totals.set(c.lanes)
		r.logTime = max(r.logTime, c.logTime)
		for p, o := range c.next {
			r.next[p] = max(r.next[p], o)
		}
	case kindBlock:
		b, err := f.block()
		if err != nil {
			return err
		}
		for _, g := range b.Groups {
			if int(g.Partition) >= len(r.next) {
				return penstock.Errorf(penstock.Corrupt, "recover log", "a record of partition %d of %d", g.Partition, len(r.next))
			}
		}
		if f.at >= r.end {
			if r.start == nil {
				r.start = slices.Clone(r.next)
			}
			r.blocks, r.ends = append(r.blocks, b), append(r.ends, f.end)
		} else if err := r.totals.count(b); err != nil {
			return err
		}
		r.logTime = max(r.logTime, b.LogTime)
		for _, g := range b.Groups {
			r.next[g.Partition] = max(r.next[g.Partition], g.End())
		}
	default:
		return penstock.Errorf(penstock.Conflict, "recover log", "frames of kind %d are not known: a newer version wrote this log", f.kind)
	}
	return nil
}

// wholeFrames returns all whole frames of a segment and where the last byte lies that is not zero.
func wholeFrames(file io.ReaderAt, seg *segment, limit int64) (frames []frame, last int64, err error) {
	s := &scanner{file: file, segment: seg.id, at: seg.start, limit: limit}
	for {
		f, err := s.next()
		switch {
		case errors.Is(err, io.EOF):
			return frames, max(last, seg.start), nil
		case errors.Is(err, errBad):
			from := s.at
			if err := s.skip(); err != nil {
				return nil, 0, err
			}
			// Bad sectors with whole frames behind them are damage like any other. With none behind them nobody can say
			// whether they hold what was acknowledged: that is for an operator, not for a log that begins anew there.
			n, err := lastNonZero(file, from, s.at, s.at < limit)
			if err != nil {
				return nil, 0, err
			}
			last = max(last, n)
		case err != nil:
			return nil, 0, err
		default:
			frames = append(frames, f)
			last = f.end
		}
	}
}

// lastNonZero returns the place after the last byte of a range that is not zero, 0 if all are. Bad sectors count as zeros
// if they are excused, and otherwise fail it.
func lastNonZero(file io.ReaderAt, from, to int64, excused bool) (int64, error) {
	buf := make([]byte, min(readChunk, to-from))
	for to > from {
		begin := max(from, to-readChunk)
		piece := buf[:to-begin]
		n, err := file.ReadAt(piece, begin)
		if excused && errors.Is(err, syscall.EIO) {
			n, err = salvage(file, piece, begin)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, penstock.Wrap(penstock.Unavailable, "read segment", err)
		}
		for i := n - 1; i >= 0; i-- {
			if piece[i] != 0 {
				return begin + int64(i) + 1, nil
			}
		}
		to = begin
	}
	return 0, nil
}
