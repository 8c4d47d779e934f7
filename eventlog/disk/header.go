package disk

import (
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"penstock"
)

// The bytes of a segment's header are described in docs/format/segment.md.
const (
	segmentMagic   = "PENSEGM\n"
	segmentVersion = 1
	segmentFixed   = 104
)

// header is the first thing in a segment.
type header struct {
	id      SegmentID
	log     string // identity of the log, 32 hexadecimal digits
	cluster string
	key     string // fingerprint of the partition key
	epoch   penstock.Epoch
	logTime penstock.Micros

	prev    SegmentID // the segment before, 0: none
	prevEnd int64     // where that ends, whatever follows there
	begun   int64     // what lies below was flushed before the segment had its name

	next []penstock.Offset // by partition: of the first record that may lie in this segment
}

func (h header) size() int64 { return headerSize(len(h.next)) }

func headerSize(partitions int) int64 { return int64(segmentFixed + 8*partitions + 8) }

// encode returns the header's bytes.
func (h header) encode() []byte {
	b := make([]byte, 0, h.size())
	b = append(b, segmentMagic...)
	b = le.AppendUint16(b, segmentVersion)
	b = le.AppendUint16(b, 0) // required features
	b = le.AppendUint32(b, uint32(h.size()))
	b = le.AppendUint64(b, uint64(h.id))
	for _, s := range []string{h.log, h.cluster, h.key} {
		raw, _ := hex.DecodeString(s)
		b = append(b, raw...)
	}
	b = le.AppendUint32(b, uint32(h.epoch))
	b = le.AppendUint32(b, uint32(len(h.next)))
	b = le.AppendUint64(b, uint64(h.logTime))
	b = le.AppendUint64(b, uint64(h.prev))
	b = le.AppendUint64(b, uint64(h.prevEnd))
	b = le.AppendUint64(b, uint64(h.begun))
	for _, o := range h.next {
		b = le.AppendUint64(b, uint64(o))
	}
	b = le.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return append(b, 0, 0, 0, 0)
}

// parseSegmentHeader reads a header from the beginning of a segment. It fails with Corrupt, or with Conflict if a newer version
// wrote it.
func parseSegmentHeader(b []byte) (header, error) {
	const op = "read segment header"
	if len(b) < segmentFixed || string(b[:8]) != segmentMagic {
		return header{}, penstock.Errorf(penstock.Corrupt, op, "this is no segment")
	}
	size, n := int64(le.Uint32(b[12:])), int64(le.Uint32(b[68:]))
	if size != headerSize(int(n)) || n > penstock.MaxPartitions || size > int64(len(b)) {
		return header{}, penstock.Errorf(penstock.Corrupt, op, "%d bytes for %d partitions", size, n)
	}
	b = b[:size]
	if crc32.Checksum(b[:size-8], castagnoli) != le.Uint32(b[size-8:]) {
		return header{}, penstock.Errorf(penstock.Corrupt, op, "the checksum differs")
	}
	if v, features := le.Uint16(b[8:]), le.Uint16(b[10:]); v != segmentVersion || features != 0 {
		return header{}, penstock.Errorf(penstock.Conflict, op, "version %d with features %#x is not known", v, features)
	}
	h := header{
		id:  SegmentID(le.Uint64(b[16:])),
		log: hex.EncodeToString(b[24:40]), cluster: hex.EncodeToString(b[40:56]), key: hex.EncodeToString(b[56:64]),
		epoch: penstock.Epoch(le.Uint32(b[64:])), logTime: penstock.Micros(le.Uint64(b[72:])),
		prev: SegmentID(le.Uint64(b[80:])), prevEnd: int64(le.Uint64(b[88:])), begun: int64(le.Uint64(b[96:])),
		next: make([]penstock.Offset, n),
	}
	for i := range h.next {
		h.next[i] = penstock.Offset(le.Uint64(b[segmentFixed+8*i:]))
	}
	return h, nil
}

const segmentSuffix = ".log"

func segmentName(id SegmentID) string { return fmt.Sprintf("%016d%s", id, segmentSuffix) }

func parseSegmentName(name string) (SegmentID, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != 16 {
		return 0, false
	}
	id, err := strconv.ParseUint(digits, 10, 64)
	return SegmentID(id), err == nil && id > 0
}

// segment is a segment as the log knows it.
type segment struct {
	header
	start int64 // of the first frame
	end   int64 // of the last; of the newest segment: of the last that is durable
	size  int64 // of the file, or of what is written of the newest
}
