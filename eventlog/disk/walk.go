package disk

import (
	"errors"
	"io"
	"path/filepath"
	"slices"

	"penstock"
	"penstock/internal/vfs"
)

// walker goes through the frames of one segment and accounts for every offset, so that it can tell which ones damage
// took.
type walker struct {
	seg     *segment
	visit   func(frame, *penstock.Block) error // of each whole frame; the block is nil for a commit frame
	next    []penstock.Offset                  // by partition: expected next
	seen    []int                              // by partition: how many damages there were when it was last heard of
	damages []Damage
}

// walkSegment calls visit for each whole frame of a segment and returns what is damaged. following are the offsets at
// which the next segment begins, nil if they are not known.
func walkSegment(files vfs.FS, dir string, seg *segment, following []penstock.Offset, visit func(frame, *penstock.Block) error) ([]Damage, error) {
	f, err := files.Open(filepath.Join(dir, segmentName(seg.id)))
	if err != nil {
		return nil, penstock.Wrap(penstock.Unavailable, "open segment", err)
	}
	defer f.Close()
	w := &walker{seg: seg, visit: visit, next: slices.Clone(seg.next), seen: make([]int, len(seg.next))}
	if err := w.walk(&scanner{file: f, segment: seg.id, at: seg.start, limit: seg.end}); err != nil {
		return nil, err
	}
	w.reach(following)
	return w.damages, nil
}

func (w *walker) walk(s *scanner) error {
	for {
		from := s.at
		f, b, err := s.nextBlock()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errBad):
			if err := s.skip(); err != nil {
				return err
			}
			w.damages = append(w.damages, Damage{Segment: w.seg.id, From: from, To: s.at, Why: "acknowledged bytes are damaged"})
			continue
		case err != nil:
			return err
		}
		if b != nil {
			for _, g := range b.Groups {
				w.hear(g.Partition, g.First, g.End())
			}
		} else {
			c, err := f.commit()
			if err != nil {
				return err
			}
			w.reach(c.next)
		}
		if err := w.visit(f, b); err != nil {
			return err
		}
	}
}

// reach says that no record below these offsets follows.
func (w *walker) reach(next []penstock.Offset) {
	for p, o := range next {
		w.hear(penstock.Partition(p), o, o)
	}
}

// hear accounts for the offsets from first to end of a partition: what lies between them and those before is lost.
func (w *walker) hear(p penstock.Partition, first, end penstock.Offset) {
	if int(p) >= len(w.next) {
		return
	}
	if before := w.next[p]; first > before {
		lost := LostRange{p, penstock.Position{Epoch: w.seg.epoch, Offset: before}, penstock.Position{Epoch: w.seg.epoch, Offset: first}}
		for i := w.seen[p]; i < len(w.damages); i++ {
			w.damages[i].Lost = append(w.damages[i].Lost, lost)
		}
	}
	w.next[p] = max(w.next[p], end)
	w.seen[p] = len(w.damages)
}
