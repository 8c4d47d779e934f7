package penstock

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
)

// A Block is a batch of records of one tenant and stream: what the door makes of one request, what the log stores,
// and what the consumer hands to the store. Its records stay encoded in one buffer from the socket to the store: at
// 500,000 events a second a struct per event costs more than everything else that Penstock does with it.
// docs/format/block.md has the bytes. A Block that was appended or read never changes and may be shared.
type Block struct {
	Tenant, Stream string
	ReceivedAt     Micros
	Producer       Producer
	Groups         []Group // a partition may have several, in the order of their offsets

	Epoch   Epoch  // set by the log, with LogTime and the First of each group
	LogTime Micros // the log's own time: never goes back

	records []byte
	count   int
	item    int // of the first record within the request
}

// Group is the run of a block's records that share a partition: offsets First to First+Count-1.
type Group struct {
	Partition Partition
	Count     uint32
	First     Offset
}

// End returns the offset that follows the group.
func (g Group) End() Offset { return g.First + Offset(g.Count) }

// The sizes of the format.
const (
	blockVersion           = 1
	blockHeaderSize        = 48
	groupSize              = 16
	recordHeaderSize       = 28
	replayOfSize           = 12
	hasProducer            = 1 << 0 // a flag of the block
	MaxIDLen         Bytes = 128    // longest id of an event
	MaxKeyLen        Bytes = 256    // longest key of an event
)

// Len returns the number of records.
func (b *Block) Len() int { return b.count }

// Size returns how many bytes AppendTo adds.
func (b *Block) Size() Bytes {
	return b.HeadSize() + Bytes(len(b.records))
}

// HeadSize returns how many of them lie before the records. What a log fills in is among these.
func (b *Block) HeadSize() Bytes {
	n := blockHeaderSize + len(b.Tenant) + len(b.Stream) + len(b.Groups)*groupSize
	if b.Producer.Name != "" {
		n += 1 + len(b.Producer.Name) + 8
	}
	return Bytes(n)
}

// Ends returns the positions that follow the block's records. The block was appended.
func (b *Block) Ends() Positions {
	ps := make(Positions, len(b.Groups))
	for _, g := range b.Groups {
		if end := (Position{b.Epoch, g.End()}); ps[g.Partition].Less(end) {
			ps[g.Partition] = end
		}
	}
	return ps
}

// AppendTo appends the encoded block to dst and returns the longer slice.
func (b *Block) AppendTo(dst []byte) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint16(dst, blockVersion)
	dst = le.AppendUint16(dst, 0) // required features
	flags := uint32(0)
	if b.Producer.Name != "" {
		flags = hasProducer
	}
	dst = le.AppendUint32(dst, flags)
	dst = le.AppendUint32(dst, 0) // key_id
	dst = le.AppendUint32(dst, uint32(b.Epoch))
	dst = le.AppendUint64(dst, uint64(b.ReceivedAt))
	dst = le.AppendUint64(dst, uint64(b.LogTime))
	dst = le.AppendUint32(dst, uint32(b.count))
	dst = le.AppendUint32(dst, uint32(len(b.records)))
	dst = le.AppendUint16(dst, uint16(len(b.Groups)))
	dst = append(dst, byte(len(b.Tenant)), byte(len(b.Stream)), 0, 0, 0, 0)
	dst = append(append(dst, b.Tenant...), b.Stream...)
	if b.Producer.Name != "" {
		dst = append(append(dst, byte(len(b.Producer.Name))), b.Producer.Name...)
		dst = le.AppendUint64(dst, b.Producer.Seq)
	}
	for _, g := range b.Groups {
		dst = le.AppendUint16(dst, uint16(g.Partition))
		dst = le.AppendUint16(dst, 0)
		dst = le.AppendUint32(dst, g.Count)
		dst = le.AppendUint64(dst, uint64(g.First))
	}
	return append(dst, b.records...)
}

// DecodeBlock reads a block that fills data exactly, and checks its structure. The block aliases data. It fails with
// Corrupt, or with Conflict if the block was written by a newer version.
func DecodeBlock(data []byte) (*Block, error) {
	const op = "decode block"
	if len(data) < blockHeaderSize {
		return nil, Errorf(Corrupt, op, "%d bytes are too few", len(data))
	}
	le := binary.LittleEndian
	if v, features := le.Uint16(data), le.Uint16(data[2:]); v != blockVersion || features != 0 {
		return nil, Errorf(Conflict, op, "version %d with features %#x is not known", v, features)
	}
	flags, key := le.Uint32(data[4:]), le.Uint32(data[8:])
	if flags&^hasProducer != 0 || key != 0 {
		return nil, Errorf(Conflict, op, "flags %#x with key %d are not known", flags, key)
	}
	b := &Block{
		Epoch:      Epoch(le.Uint32(data[12:])),
		ReceivedAt: Micros(le.Uint64(data[16:])),
		LogTime:    Micros(le.Uint64(data[24:])),
		count:      int(le.Uint32(data[32:])),
	}
	size, groups := int(le.Uint32(data[36:])), int(le.Uint16(data[40:]))
	tenant, stream := int(data[42]), int(data[43])
	rest := data[blockHeaderSize:]
	if len(rest) < tenant+stream {
		return nil, Errorf(Corrupt, op, "the names are cut")
	}
	b.Tenant, b.Stream, rest = string(rest[:tenant]), string(rest[tenant:tenant+stream]), rest[tenant+stream:]
	if flags&hasProducer != 0 {
		var ok bool
		if b.Producer, rest, ok = decodeProducer(rest); !ok {
			return nil, Errorf(Corrupt, op, "the producer is cut")
		}
	}
	if len(rest) != groups*groupSize+size {
		return nil, Errorf(Corrupt, op, "%d bytes do not match the header", len(data))
	}
	b.Groups = make([]Group, groups)
	for i := range b.Groups {
		g := rest[i*groupSize:]
		b.Groups[i] = Group{Partition(le.Uint16(g)), le.Uint32(g[4:]), Offset(le.Uint64(g[8:]))}
	}
	b.records = rest[groups*groupSize:]
	return b, Wrap(Corrupt, op, b.check())
}

// decodeProducer reads a producer from the front of data and returns what follows it.
func decodeProducer(data []byte) (p Producer, rest []byte, ok bool) {
	if len(data) == 0 || data[0] == 0 || len(data) < 1+int(data[0])+8 {
		return p, nil, false
	}
	end := 1 + int(data[0])
	return Producer{string(data[1:end]), binary.LittleEndian.Uint64(data[end:])}, data[end+8:], true
}

// check walks the records once, so that Records needs no error: every length fits and every group has its count.
func (b *Block) check() error {
	seen := make([]uint32, len(b.Groups))
	count := 0
	for at := 0; at < len(b.records); count++ {
		if len(b.records)-at < recordHeaderSize {
			return fmt.Errorf("record %d: header is cut", count)
		}
		h := recordHeader(b.records[at:])
		if h.group >= len(seen) {
			return fmt.Errorf("record %d: group %d of %d", count, h.group, len(seen))
		}
		seen[h.group]++
		at += h.size()
		if at > len(b.records) {
			return fmt.Errorf("record %d: body is cut", count)
		}
	}
	if count != b.count {
		return fmt.Errorf("%d records, header says %d", count, b.count)
	}
	for i, g := range b.Groups {
		if g.Count != seen[i] {
			return fmt.Errorf("group %d has %d records, its entry says %d", i, seen[i], g.Count)
		}
	}
	return nil
}

type header struct {
	group, id, key, body int
	replay               int // bytes of the position of the letter
	flags                RecordFlags
	time                 Micros
	sum                  Checksum
}

func recordHeader(b []byte) header {
	le := binary.LittleEndian
	_ = b[recordHeaderSize-1]
	h := header{
		group: int(le.Uint16(b)), flags: RecordFlags(b[2]), id: int(b[3]), key: int(le.Uint16(b[4:])),
		body: int(le.Uint32(b[8:])), time: Micros(le.Uint64(b[12:])), sum: Checksum(le.Uint64(b[20:])),
	}
	if h.flags&replayed != 0 {
		h.replay = replayOfSize
	}
	return h
}

func (h header) size() int { return recordHeaderSize + h.replay + h.id + h.key + h.body }

// CloneHeader returns a block that shares b's records, but nothing that a log fills in.
func (b *Block) CloneHeader() *Block {
	c := *b
	c.Groups = slices.Clone(b.Groups)
	return &c
}

// Records yields the block's records in order. The record, and the bytes it refers to, are valid only until the next
// one is asked for; the bytes themselves live as long as the block.
func (b *Block) Records() iter.Seq[*Record] {
	return func(yield func(*Record) bool) { b.each(nil, yield) }
}

// span is the part of a group that a batch asks for.
type span struct{ from, to Offset }

// each yields the records that lie within the spans, one per group; nil means all.
func (b *Block) each(spans []span, yield func(*Record) bool) bool {
	next := make([]Offset, len(b.Groups))
	for i, g := range b.Groups {
		next[i] = g.First
	}
	r := &Record{Tenant: b.Tenant, Stream: b.Stream, ReceivedAt: b.ReceivedAt, LogTime: b.LogTime, Producer: b.Producer, Item: b.item - 1}
	for at := 0; at < len(b.records); {
		h := recordHeader(b.records[at:])
		offset := next[h.group]
		next[h.group]++
		r.Item++
		extra := at + recordHeaderSize
		id := extra + h.replay
		key := id + h.id
		body := key + h.key
		at = body + h.body
		if spans != nil && (offset < spans[h.group].from || offset >= spans[h.group].to) {
			continue
		}
		r.ID, r.Key, r.Body = b.records[id:key:key], b.records[key:body:body], b.records[body:at:at]
		r.Time, r.Flags, r.Sum, r.ReplayOf = h.time, h.flags&^replayed, h.sum, Position{}
		if h.replay > 0 {
			r.ReplayOf = Position{Epoch(binary.LittleEndian.Uint32(b.records[extra:])), Offset(binary.LittleEndian.Uint64(b.records[extra+4:]))}
		}
		r.Partition, r.Position = b.Groups[h.group].Partition, Position{b.Epoch, offset}
		if !yield(r) {
			return false
		}
	}
	return true
}

// BlockBuilder makes blocks. It is reused from block to block, by one goroutine at a time.
type BlockBuilder struct {
	partitioner Partitioner
	block       *Block
	groupOf     [MaxPartitions]uint16 // 1 + index into block.Groups
}

// NewBlockBuilder returns a builder for the events of a cluster.
func NewBlockBuilder(p Partitioner) *BlockBuilder { return &BlockBuilder{partitioner: p} }

// Produced says which producer's request the block is.
func (bb *BlockBuilder) Produced(p Producer) { bb.block.Producer = p }

// Reset begins a block with room for about size bytes of events; a block that was begun and not taken is dropped.
func (bb *BlockBuilder) Reset(tenant, stream string, receivedAt Micros, size Bytes) {
	bb.forget()
	bb.block = &Block{Tenant: tenant, Stream: stream, ReceivedAt: receivedAt, records: make([]byte, 0, size)}
}

// Add copies an event, whose id, key and body respect the limits of the format, to the end of the block.
func (bb *BlockBuilder) Add(e Event) {
	b := bb.block
	p := bb.partitioner.Of(b.Tenant, b.Stream, e.Key, e.ID)
	g := int(bb.groupOf[p]) - 1
	if g < 0 {
		g = len(b.Groups)
		b.Groups = append(b.Groups, Group{Partition: p})
		bb.groupOf[p] = uint16(g + 1)
	}
	b.Groups[g].Count++
	b.count++
	var h [recordHeaderSize]byte
	le := binary.LittleEndian
	le.PutUint16(h[:], uint16(g))
	h[2], h[3] = byte(e.Flags&^replayed), byte(len(e.ID))
	le.PutUint16(h[4:], uint16(len(e.Key)))
	le.PutUint32(h[8:], uint32(len(e.Body)))
	le.PutUint64(h[12:], uint64(e.Time))
	le.PutUint64(h[20:], uint64(e.Sum))
	if e.ReplayOf == (Position{}) {
		b.records = append(b.records, h[:]...)
	} else {
		h[2] |= byte(replayed)
		b.records = le.AppendUint32(append(b.records, h[:]...), uint32(e.ReplayOf.Epoch))
		b.records = le.AppendUint64(b.records, uint64(e.ReplayOf.Offset))
	}
	b.records = append(b.records, e.ID...)
	b.records = append(b.records, e.Key...)
	b.records = append(b.records, e.Body...)
}

// Len returns the number of events added since Reset.
func (bb *BlockBuilder) Len() int { return bb.block.count }

// Take returns the block; the builder keeps nothing of it.
func (bb *BlockBuilder) Take() *Block {
	b := bb.block
	bb.forget()
	return b
}

func (bb *BlockBuilder) forget() {
	if bb.block == nil {
		return
	}
	for _, g := range bb.block.Groups {
		bb.groupOf[g.Partition] = 0
	}
	bb.block = nil
}
