package disk

import (
	"encoding/binary"
	"hash/crc32"
	"slices"

	"github.com/klauspost/compress/s2"

	"penstock"
)

// The bytes of a frame are described in docs/format/segment.md.
const (
	frameHeaderSize = 32
	frameAlign      = 8
	frameMagic      = 'F' | 'R'<<8

	kindBlock  = 1
	kindCommit = 2

	flagS2  = 1 // of a block: compressed
	flagAll = 2 // of a commit: it has the totals of all lanes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var le = binary.LittleEndian

// place is where a frame begins.
type place struct {
	segment SegmentID
	at      int64
}

func (p place) less(q place) bool {
	return p.segment < q.segment || p.segment == q.segment && p.at < q.at
}

// frame is one frame of a segment. Its payload aliases what it was read from.
type frame struct {
	kind, flags byte
	at, end     int64 // of the frame in its file, the padding included
	synced      int64 // the file was flushed up to here when the frame was written
	prefix, raw int   // compressed: bytes that are not, and bytes of the whole payload when it is not
	payload     []byte
}

// sealFrame completes the frame of f that begins at index start of buf: room for its header, then its payload.
// It returns buf with padding. Of f it uses kind, flags, at, synced, prefix and raw.
func sealFrame(buf []byte, start int, segment SegmentID, f frame) []byte {
	payload := buf[start+frameHeaderSize:]
	h := buf[start : start+frameHeaderSize]
	le.PutUint16(h[4:], frameMagic)
	h[6], h[7] = f.kind, f.flags
	le.PutUint32(h[8:], uint32(len(payload)))
	le.PutUint32(h[12:], crc32.Checksum(payload, castagnoli))
	le.PutUint64(h[16:], uint64(f.synced))
	le.PutUint32(h[24:], uint32(f.prefix))
	le.PutUint32(h[28:], uint32(f.raw))
	le.PutUint32(h, headerSum(h, segment, f.at))
	for len(buf)%frameAlign != start%frameAlign {
		buf = append(buf, 0)
	}
	return buf
}

// headerSum covers the frame's place too, so that a frame that the disk put elsewhere is not taken for one.
func headerSum(h []byte, segment SegmentID, at int64) uint32 {
	var where [16]byte
	le.PutUint64(where[:], uint64(segment))
	le.PutUint64(where[8:], uint64(at))
	return crc32.Update(crc32.Checksum(where[:], castagnoli), castagnoli, h[4:frameHeaderSize])
}

// parseHeader reads the header of the frame at a place, and the length of its payload; false if there is none.
func parseHeader(h []byte, segment SegmentID, at int64) (f frame, length int, ok bool) {
	if le.Uint16(h[4:]) != frameMagic || le.Uint32(h) != headerSum(h, segment, at) {
		return frame{}, 0, false
	}
	length = int(le.Uint32(h[8:]))
	f = frame{
		kind: h[6], flags: h[7], at: at, synced: int64(le.Uint64(h[16:])),
		prefix: int(le.Uint32(h[24:])), raw: int(le.Uint32(h[28:])),
	}
	f.end = at + int64(frameHeaderSize+length+frameAlign-1)&^(frameAlign-1)
	return f, length, true
}

// block decodes the payload of a block frame. The block aliases it unless it was compressed.
func (f frame) block() (*penstock.Block, error) {
	const op = "decode frame"
	data := f.payload
	switch f.flags {
	case 0:
	case flagS2:
		if f.prefix > len(data) || f.prefix > f.raw || f.raw > maxBlock {
			return nil, penstock.Errorf(penstock.Corrupt, op, "prefix %d of %d bytes, %d when decoded", f.prefix, len(data), f.raw)
		}
		size, err := s2.DecodedLen(data[f.prefix:])
		if err != nil || size != f.raw-f.prefix {
			return nil, penstock.Errorf(penstock.Corrupt, op, "decodes to %d bytes, not %d", size, f.raw-f.prefix)
		}
		whole := make([]byte, f.raw)
		copy(whole, data[:f.prefix])
		if _, err := s2.Decode(whole[f.prefix:], data[f.prefix:]); err != nil {
			return nil, penstock.Wrap(penstock.Corrupt, op, err)
		}
		data = whole
	default:
		return nil, penstock.Errorf(penstock.Conflict, op, "flags %#x are not known: a newer version wrote this log", f.flags)
	}
	return penstock.DecodeBlock(data)
}

// commit is what a commit frame says of everything before it.
type commit struct {
	epoch   penstock.Epoch
	logTime penstock.Micros
	next    []penstock.Offset // by partition
	all     bool              // lanes are all there are, not only those that changed since the commit frame before
	lanes   laneList
}

const commitFixed = 16

// commit decodes the payload of a commit frame, which it aliases. It fails with Corrupt, or with Conflict if a newer version wrote it.
func (f frame) commit() (commit, error) {
	const op = "decode commit frame"
	if f.flags&^flagAll != 0 {
		return commit{}, penstock.Errorf(penstock.Conflict, op, "flags %#x are not known: a newer version wrote this log", f.flags)
	}
	b := f.payload
	if len(b) < commitFixed || len(b) < commitFixed+8*int(le.Uint32(b[8:])) {
		return commit{}, penstock.Errorf(penstock.Corrupt, op, "%d bytes are too few", len(b))
	}
	c := commit{epoch: penstock.Epoch(le.Uint32(b[12:])), logTime: penstock.Micros(le.Uint64(b)), next: make([]penstock.Offset, le.Uint32(b[8:])), all: f.flags == flagAll}
	for i := range c.next {
		c.next[i] = penstock.Offset(le.Uint64(b[commitFixed+8*i:]))
	}
	c.lanes = laneList(b[commitFixed+8*len(c.next):])
	return c, penstock.Wrap(penstock.Corrupt, op, c.lanes.check(len(c.next)))
}

// packed is a block on its way to the writer: encoded and compressed by the caller's goroutine, or neither.
type packed struct {
	block  *penstock.Block
	data   []byte // the payload, of which the log's own fields are still to be filled in; nil: not compressed
	prefix int
	sums   []penstock.Total // of its groups
	end    int64            // of its frame, once written
}

// The places of what the log fills in (docs/format/block.md).
const (
	blockEpochAt   = 12
	blockLogTimeAt = 24
	groupEntry     = 16
	groupFirstAt   = 8
)

// pack compresses the block if that saves at least an eighth. The first bytes, which name tenant, stream and
// partitions and take what the log fills in, stay as they are.
func pack(b *penstock.Block, c Compression) packed {
	size := int(b.Size())
	if c != S2 || size < 1024 {
		return packed{block: b}
	}
	prefix := int(b.HeadSize())
	raw := b.AppendTo(make([]byte, 0, size))
	data := make([]byte, prefix+s2.MaxEncodedLen(size-prefix))
	copy(data, raw[:prefix])
	n := len(s2.Encode(data[prefix:], raw[prefix:]))
	if prefix+n > size-size/8 {
		return packed{block: b}
	}
	return packed{block: b, data: slices.Clip(data[:prefix+n]), prefix: prefix}
}

// appendFrame encodes the block, which has its place in the log by now, as a frame.
func (p packed) appendFrame(buf []byte, segment SegmentID, at, synced int64) []byte {
	start := len(buf)
	var room [frameHeaderSize]byte
	buf = append(buf, room[:]...)
	f := frame{kind: kindBlock, at: at, synced: synced}
	if p.data == nil {
		return sealFrame(p.block.AppendTo(buf), start, segment, f)
	}
	f.flags, f.prefix, f.raw = flagS2, p.prefix, int(p.block.Size())
	buf = append(buf, p.data...)
	head := buf[start+frameHeaderSize:]
	le.PutUint32(head[blockEpochAt:], uint32(p.block.Epoch))
	le.PutUint64(head[blockLogTimeAt:], uint64(p.block.LogTime))
	entries := head[p.prefix-groupEntry*len(p.block.Groups):]
	for i, g := range p.block.Groups {
		le.PutUint64(entries[i*groupEntry+groupFirstAt:], uint64(g.First))
	}
	return sealFrame(buf, start, segment, f)
}

// appendCommit encodes a commit frame: what the totals say of all lanes, or of those that have changed.
func appendCommit(buf []byte, at place, c commit, t *totals) []byte {
	start := len(buf)
	var room [frameHeaderSize]byte
	buf = append(buf, room[:]...)
	buf = le.AppendUint64(buf, uint64(c.logTime))
	buf = le.AppendUint32(buf, uint32(len(c.next)))
	buf = le.AppendUint32(buf, uint32(c.epoch))
	for _, o := range c.next {
		buf = le.AppendUint64(buf, uint64(o))
	}
	f := frame{kind: kindCommit, at: at.at, synced: at.at}
	if c.all {
		f.flags = flagAll
	}
	return sealFrame(t.appendTo(buf, c.all), start, at.segment, f)
}

// commitSize returns how long a commit frame for so many partitions is, at most.
func commitSize(partitions int, t *totals) int64 {
	return frameHeaderSize + commitFixed + int64(8*partitions) + t.most + frameAlign
}
