package dedup

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"penstock"
)

const (
	headerMagic  = "PENIDRN\n"
	trailerMagic = "PENIDND\n"
	version      = 1
	headerSize   = 52
	trailerSize  = 24
)

// header returns the first bytes of a run.
func header(history string, first, last uint64) []byte {
	b := append(make([]byte, 0, headerSize), headerMagic...)
	b = binary.LittleEndian.AppendUint16(b, version)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint64(b, first)
	b = binary.LittleEndian.AppendUint64(b, last)
	of := sha256.Sum256([]byte(history))
	b = append(b, of[:16]...)
	return binary.LittleEndian.AppendUint32(b, checksum(0, b))
}

// footer is what a run says about the streams and lanes in it.
type footer struct {
	streams map[uint32]streamName
	lanes   map[uint32]laneState
}

type streamName struct{ tenant, name string }

// laneState is a lane as of the newest table of a run.
type laneState struct {
	next   int64
	second uint32 // newest of the partition
	left   mark
	marks  []mark
}

// merge takes over what a newer footer says.
func (f *footer) merge(newer footer) {
	maps.Copy(f.streams, newer.streams)
	for number, l := range newer.lanes {
		if old, ok := f.lanes[number]; ok {
			l.next, l.second = max(l.next, old.next), max(l.second, old.second)
			if old.left.ordinal > l.left.ordinal {
				l.left = old.left
			}
		}
		f.lanes[number] = l
	}
}

func newFooter() footer {
	return footer{streams: map[uint32]streamName{}, lanes: map[uint32]laneState{}}
}

// encode returns the bytes of the footer.
func (f footer) encode(parts *[sections]part) []byte {
	var b []byte
	u32 := func(v uint32) { b = binary.LittleEndian.AppendUint32(b, v) }
	put := func(m mark) { b = binary.LittleEndian.AppendUint64(b, uint64(m.ordinal)); u32(m.second) }
	for _, p := range parts {
		u32(uint32(p.entries))
		u32(uint32(p.blocks))
	}
	u32(uint32(len(f.streams)))
	for _, number := range slices.Sorted(maps.Keys(f.streams)) {
		s := f.streams[number]
		u32(number)
		b = append(append(b, byte(len(s.tenant))), s.tenant...)
		b = append(append(b, byte(len(s.name))), s.name...)
	}
	u32(uint32(len(f.lanes)))
	for _, number := range slices.Sorted(maps.Keys(f.lanes)) {
		l := f.lanes[number]
		u32(number)
		put(mark{l.next, l.second})
		put(l.left)
		b = append(b, byte(len(l.marks)))
		for _, m := range l.marks {
			put(m)
		}
	}
	return b
}

var errFooter = errors.New("the footer contradicts itself")

// cursor reads bytes; after the end it reads zeros and says so.
type cursor struct {
	rest []byte
	bad  bool
}

func (c *cursor) take(n int) []byte {
	if c.bad || n > len(c.rest) {
		c.bad = true
		return make([]byte, n)
	}
	data := c.rest[:n]
	c.rest = c.rest[n:]
	return data
}

func (c *cursor) u32() uint32  { return binary.LittleEndian.Uint32(c.take(4)) }
func (c *cursor) i64() int64   { return int64(binary.LittleEndian.Uint64(c.take(8))) }
func (c *cursor) byte() int    { return int(c.take(1)[0]) }
func (c *cursor) text() string { return string(c.take(c.byte())) }

// ordered reports that the numbers that were read ascend.
func (c *cursor) ordered(before int64, number uint32) int64 {
	if int64(number) <= before {
		c.bad = true
	}
	return int64(number)
}

// decodeFooter reads a footer. The parts follow one another from the header to end.
func decodeFooter(data []byte, end int64) (parts [sections]part, f footer, err error) {
	c := &cursor{rest: data}
	at := int64(headerSize)
	for i := range parts {
		p := part{at: at, entries: int(c.u32()), blocks: int(c.u32())}
		if p.entries == 0 && p.blocks == 0 {
			continue
		}
		if p.entries == 0 || p.blocks == 0 {
			return parts, f, errFooter
		}
		parts[i], at = p, p.end()
	}
	f = newFooter()
	before := int64(-1)
	for n := c.u32(); n > 0 && !c.bad; n-- {
		number := c.u32()
		before = c.ordered(before, number)
		f.streams[number] = streamName{c.text(), c.text()}
	}
	before = -1
	for n := c.u32(); n > 0 && !c.bad; n-- {
		number := c.u32()
		before = c.ordered(before, number)
		if _, ok := f.streams[number>>laneBits]; !ok {
			c.bad = true
		}
		f.lanes[number] = c.lane()
	}
	if c.bad || len(c.rest) > 0 || at != end {
		return parts, f, errFooter
	}
	return parts, f, nil
}

func (c *cursor) lane() laneState {
	l := laneState{next: c.i64(), second: c.u32(), left: c.mark()}
	for n := c.byte(); n > 0 && !c.bad; n-- {
		l.marks = append(l.marks, c.mark())
	}
	ordered := slices.IsSortedFunc(l.marks, func(a, b mark) int { return cmp.Compare(a.ordinal, b.ordinal) })
	if l.next < 0 || l.left.ordinal < 0 || l.left.ordinal > l.next || !ordered {
		c.bad = true
	}
	for _, m := range l.marks {
		if m.ordinal < 0 || m.ordinal >= l.next {
			c.bad = true
		}
	}
	return l
}

func (c *cursor) mark() mark { return mark{c.i64(), c.u32()} }

// open reads a run's header, trailer and footer.
func (r *run) open(history string) (footer, error) {
	size, err := r.file.Size()
	if err != nil {
		return footer{}, penstock.Wrap(penstock.Unavailable, "read identities", err)
	}
	r.size = size
	if size < headerSize+trailerSize {
		return footer{}, r.damaged("the end", size)
	}
	var head [headerSize]byte
	var trailer [trailerSize]byte
	if err := errors.Join(r.read(head[:], 0), r.read(trailer[:], size-trailerSize)); err != nil {
		return footer{}, err
	}
	if string(head[:]) != string(header(history, r.first, r.last)) {
		return footer{}, penstock.Errorf(penstock.Corrupt, "read identities", "%s: the header is damaged, of another version, or of another history", r.name)
	}
	at, n := int64(binary.LittleEndian.Uint64(trailer[:])), int64(binary.LittleEndian.Uint32(trailer[8:]))
	if string(trailer[16:]) != trailerMagic || at < headerSize || at != size-trailerSize-n {
		return footer{}, r.damaged("the trailer", size-trailerSize)
	}
	data := make([]byte, n)
	if err := r.read(data, at); err != nil {
		return footer{}, err
	}
	if checksum(at, data) != binary.LittleEndian.Uint32(trailer[12:]) {
		return footer{}, r.damaged("the footer", at)
	}
	parts, f, err := decodeFooter(data, at)
	if err != nil {
		return footer{}, penstock.Wrap(penstock.Corrupt, "read identities", err)
	}
	r.parts = parts
	for _, p := range parts {
		r.ids += int64(p.entries)
	}
	return f, nil
}

// reread reads the footer once more, for a merge.
func (r *run) reread(history string) (footer, error) {
	again := run{name: r.name, file: r.file, first: r.first, last: r.last}
	return again.open(history)
}
