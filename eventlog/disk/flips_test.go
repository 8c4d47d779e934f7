package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"penstock/internal/vfs"
)

// image is a log directory that was left behind, with what every byte of its segments is.
type image struct {
	name     string
	mem      *vfs.Memory
	o        Options
	led      *ledger
	segments []imageSegment
}

type imageSegment struct {
	id     SegmentID
	data   []byte
	header int64 // size
	begun  int64 // what lies below was flushed, as the header says
	end    int64 // not of the last: where it ends
	last   bool
	frames []imageFrame
}

type imageFrame struct {
	frame
	whole int64    // what follows, up to end, is padding
	names []string // of its block; of a commit frame none
}

// takeImage reads a directory that is whole.
func takeImage(name string, g *rig) (image, error) {
	im := image{name: name, mem: g.mem.CrashClone(1), o: g.o, led: g.led.asOf(g.trace.Len(), nil)}
	im.o.Now = nil
	m, err := readManifest(im.mem, testDir)
	if err != nil {
		return im, err
	}
	ids, err := listSegments(im.mem, testDir)
	if err != nil {
		return im, err
	}
	all, err := loadSegments(im.mem, testDir, m, ids)
	if err != nil || len(all.damages) > 0 {
		return im, errors.Join(err, fmt.Errorf("damages %v", all.damages))
	}
	for i, seg := range all.segments {
		s := imageSegment{id: seg.id, header: seg.start, begun: seg.begun, end: seg.end, last: i == len(all.segments)-1}
		if s.data, err = vfs.ReadFile(im.mem, segmentFile(seg.id)); err != nil {
			return im, err
		}
		if s.frames, err = imageFrames(s.data, seg); err != nil {
			return im, err
		}
		im.segments = append(im.segments, s)
	}
	return im, nil
}

func imageFrames(data []byte, seg *segment) ([]imageFrame, error) {
	var all []imageFrame
	sc := &scanner{file: bytes.NewReader(data), segment: seg.id, at: seg.start, limit: seg.end}
	for {
		f, b, err := sc.nextBlock()
		if errors.Is(err, errBad) || errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		one := imageFrame{frame: f, whole: f.at + frameHeaderSize + int64(len(f.payload))}
		if b != nil {
			for r := range b.Records() {
				name, _, _ := bytes.Cut(r.ID, []byte("-"))
				one.names = append(one.names[:0], string(name))
			}
		}
		all = append(all, one)
	}
}

// spoilt is what was done to a segment: the bytes of a range are others.
type spoilt struct {
	segment  *imageSegment
	from, to int64
	data     []byte // the whole file, as it is now; what it lacks at the end reads as changed
}

// hits reports whether any byte of a range is another one now.
func (s spoilt) hits(from, to int64) bool {
	from, to = max(from, s.from), min(to, s.to)
	if size := int64(len(s.data)); from < to && to > size {
		return true
	}
	return from < to && !bytes.Equal(s.data[from:to], s.segment.data[from:to])
}

// outcome is what has to become of it: the ranges that are reported, what is lost with them, and what may be lost or not.
type outcome struct {
	ranges []Damage
	gone   []string
	open   []string
}

// witnessed returns the place below which everything was acknowledged, as what is whole says.
func (s spoilt) witnessed() int64 {
	if !s.segment.last {
		return s.segment.end
	}
	end := s.segment.begun
	if s.hits(0, s.segment.header-4) {
		end = 0
	}
	for _, f := range s.segment.frames {
		if !s.hits(f.at, f.whole) {
			end = max(end, f.synced)
		}
	}
	return end
}

// expect says what has to become of a spoilt segment. A frame that a witness covers is damage, and nothing else is. The first frame beyond
// every witness that is bad ends the log: it reads as a torn write, and so does what follows.
func (s spoilt) expect() outcome {
	var out outcome
	torn := false
	if s.hits(0, s.segment.header-4) {
		out.ranges = append(out.ranges, Damage{Segment: s.segment.id, To: s.segment.header})
	}
	for _, f := range s.segment.frames {
		hit := s.hits(f.at, f.whole)
		switch {
		case f.at >= s.witnessed():
			if torn = torn || hit; torn {
				out.open = append(out.open, f.names...)
			}
		case hit:
			out.ranges = append(out.ranges, Damage{Segment: s.segment.id, From: f.at, To: f.end})
			out.gone = append(out.gone, f.names...)
		}
	}
	return out
}

// lookAtSpoilt opens an image with one segment spoilt and compares what is found with what has to be.
func (im *image) lookAtSpoilt(s spoilt) []finding {
	mem := im.mem.CrashClone(1)
	if err := overwrite(mem, segmentFile(s.segment.id), s.data); err != nil {
		return []finding{problemf("%v", err)}
	}
	want := s.expect()
	led := im.led.asOf(0, nil)
	for _, name := range append(want.gone, want.open...) {
		led.entries[name].acked = never
	}
	o, damages := watchDamage(im.o)
	got := openAndLook(mem, o, led, "z00001")
	if got.lanes == nil {
		return got.found
	}
	found := append(got.found, led.judgeRecords(got, 0)...)
	for _, name := range want.gone {
		if len(got.places[name]) > 0 {
			found = append(found, problemf("%s is there, its frame is damaged", name))
		}
	}
	if gotRanges, wantRanges := covered(*damages), covered(want.ranges); !slices.Equal(gotRanges, wantRanges) {
		found = append(found, problemf("damages %v, want %v", gotRanges, wantRanges))
	}
	return append(found, im.compareTotals(s, got)...)
}

// compareTotals: what was acknowledged stays counted. Only what nothing but its own frame in the last segment told of may be missing.
func (im *image) compareTotals(s spoilt, got survey) []finding {
	all, sure := lanes{}, lanes{}
	add := func(to, from lanes) {
		for lane, total := range from {
			to[lane] = to[lane].Plus(total)
		}
	}
	for name, e := range im.led.entries {
		if e.acked != never {
			add(all, e.lanes)
		}
		if e.acked != never && (len(got.places[name]) > 0 || below(e.places, im.led.safeAt(0))) {
			add(sure, e.lanes)
		}
	}
	marker := lanes{}
	for r := range testBlock("z00001", 1).Records() {
		countIn(marker, r)
	}
	add(all, marker)
	add(sure, marker)
	last := s.segment.frames[len(s.segment.frames)-1]
	if !s.segment.last || last.kind == kindCommit && !s.hits(last.at, last.whole) {
		sure = all
	}
	for lane, total := range all {
		if n := got.lanes[lane].Events; n > total.Events || n < sure[lane].Events || n == total.Events && got.lanes[lane] != total {
			return []finding{problemf("accepted %v of %v, want %v to %v", got.lanes[lane], lane, sure[lane], total)}
		}
	}
	return nil
}

func overwrite(mem *vfs.Memory, name string, data []byte) error {
	f, err := mem.Edit(name)
	if err != nil {
		return err
	}
	if err := f.Truncate(int64(len(data))); err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	return errors.Join(err, f.Sync())
}

// covered joins ranges that touch.
func covered(damages []Damage) []string {
	damages = slices.Clone(damages)
	slices.SortFunc(damages, func(a, b Damage) int {
		if a.Segment != b.Segment {
			return int(a.Segment) - int(b.Segment)
		}
		return int(a.From - b.From)
	})
	var all []Damage
	for _, d := range damages {
		if n := len(all); n > 0 && all[n-1].Segment == d.Segment && all[n-1].To >= d.From {
			all[n-1].To = max(all[n-1].To, d.To)
			continue
		}
		all = append(all, d)
	}
	var texts []string
	for _, d := range all {
		texts = append(texts, fmt.Sprintf("%d: %d to %d", d.Segment, d.From, d.To))
	}
	return texts
}

// images are logs of several processes, the last of which was closed, or killed after blocks that nothing witnesses.
func images(seed uint64) ([]image, error) {
	var all []image
	for _, c := range []struct {
		name        string
		compression Compression
		closed      bool
	}{{"killed", Plain, false}, {"closed", Plain, true}, {"killed, compressed", S2, false}, {"closed, compressed", S2, true}} {
		g := newRig(seed, 0, nil)
		g.o.Compression = c.compression
		for life := range 3 {
			p := g.start()
			p.append('a', 3+g.r.IntN(3))
			if life == 1 {
				p.retain(0.3)
			}
			if life < 2 || c.closed {
				p.close()
			} else {
				p.kill()
			}
		}
		im, err := takeImage(c.name, g)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		all = append(all, im)
	}
	return all, nil
}

// TestBitFlips flips bits of every byte of every segment: of all fields of the format, that is. In an ordinary run
// these are some of them.
func TestBitFlips(t *testing.T) {
	tortured(t, "bit_flips", 150, func(k *torture) {
		all, err := images(k.seed)
		if err != nil {
			t.Fatal(err)
		}
		for i := range all {
			for _, seg := range all[i].segments {
				if !k.flips(&all[i], seg) {
					return
				}
			}
		}
	})
}

func (k *torture) flips(im *image, seg imageSegment) bool {
	for at := range seg.data {
		for bit := byte(1); bit != 0; bit <<= 1 {
			if !k.some(64) {
				continue
			}
			s := spoilt{segment: &seg, from: int64(at), to: int64(at) + 1, data: slices.Clone(seg.data)}
			s.data[at] ^= bit
			if !k.round(im.lookAtSpoilt(s), "%s, segment %d, byte %d, bit %02x", im.name, seg.id, at, bit) {
				return false
			}
		}
	}
	return true
}

// TestSectors zeroes sectors, and puts others in their place: of the same segment, as a disk does that writes to the wrong place, and of
// an older one, as a disk does that lost a write.
func TestSectors(t *testing.T) {
	tortured(t, "sectors", 50, func(k *torture) {
		all, err := images(k.seed)
		if err != nil {
			t.Fatal(err)
		}
		for i := range all {
			if !k.sectors(&all[i]) {
				return
			}
		}
	})
}

func (k *torture) sectors(im *image) bool {
	const sector = 512
	for n, seg := range im.segments {
		for at := int64(0); at < int64(len(seg.data)); at += sector {
			to := min(at+sector, int64(len(seg.data)))
			others := map[string][]byte{"zeros": make([]byte, sector)}
			other := k.r.Int64N(int64(len(seg.data))/sector+1) * sector
			others["another of the segment"] = seg.data[min(other, to):]
			if n > 0 {
				old := im.segments[k.r.IntN(n)].data
				others["an older segment's"] = old[min(at, int64(len(old))):]
			}
			for how, with := range others {
				s := spoilt{segment: &seg, from: at, to: to, data: slices.Clone(seg.data)}
				copy(s.data[at:to], with)
				if !k.round(im.lookAtSpoilt(s), "%s, segment %d, sector at %d: %s", im.name, seg.id, at, how) {
					return false
				}
			}
		}
	}
	return true
}
