package penstock

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
)

// Receipt says where the events of a request lie: a query that waits for it contains them. Clients see an opaque
// token; docs/format/receipt.md has its bytes.
type Receipt struct {
	Cluster    string // the id of the cluster
	Durability Durability
	Positions  Positions // the positions that follow the events
}

const receiptVersion = 1

var receiptDurability = [...]Durability{1: DurabilityDisk, 2: DurabilityMemory}

var receiptCRC = crc32.MakeTable(crc32.Castagnoli)

// ReceiptOf returns the receipt of blocks that were appended.
func ReceiptOf(cluster string, d Durability, blocks ...*Block) Receipt {
	ps := Positions{}
	for _, b := range blocks {
		for _, g := range b.Groups {
			if end := (Position{b.Epoch, g.End()}); ps[g.Partition].Less(end) {
				ps[g.Partition] = end
			}
		}
	}
	return Receipt{Cluster: cluster, Durability: d, Positions: ps}
}

// String returns the token.
func (r Receipt) String() string {
	var room [128]byte
	raw := append(room[:0], receiptVersion, 0, 0) // version, required features, durability
	for i, d := range receiptDurability {
		if d == r.Durability {
			raw[2] = byte(i)
		}
	}
	raw, _ = hex.AppendDecode(raw, []byte(r.Cluster))
	raw = binary.AppendUvarint(raw, uint64(len(r.Positions)))
	if len(r.Positions) == 1 { // of a single event: nothing to sort
		for p, at := range r.Positions {
			raw = appendPlace(raw, p, at)
		}
	} else {
		for _, p := range r.Positions.Partitions() {
			raw = appendPlace(raw, p, r.Positions[p])
		}
	}
	raw = binary.LittleEndian.AppendUint32(raw, crc32.Checksum(raw, receiptCRC))
	return base64.RawURLEncoding.EncodeToString(raw)
}

func appendPlace(b []byte, p Partition, at Position) []byte {
	b = binary.AppendUvarint(b, uint64(p))
	b = binary.AppendUvarint(b, uint64(at.Epoch))
	return binary.AppendUvarint(b, uint64(at.Offset))
}

// ParseReceipt reads a token. It fails with Invalid, reason bad_receipt, when it is not whole, or of another cluster.
func ParseReceipt(token, cluster string) (Receipt, error) {
	bad := func(why string) (Receipt, error) {
		return Receipt{}, Refusef("bad_receipt", "parse receipt", "%s", why)
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < 3+16+1+4 {
		return bad("not a receipt")
	}
	body, sum := raw[:len(raw)-4], binary.LittleEndian.Uint32(raw[len(raw)-4:])
	if crc32.Checksum(body, receiptCRC) != sum {
		return bad("the checksum differs: it was cut or changed")
	}
	if body[0] != receiptVersion || body[1] != 0 || int(body[2]) >= len(receiptDurability) {
		return bad("made by another version")
	}
	r := Receipt{Cluster: hex.EncodeToString(body[3:19]), Durability: receiptDurability[body[2]]}
	if r.Cluster != cluster {
		return bad("made by another cluster")
	}
	if r.Positions = parsePositions(body[19:]); r.Positions == nil {
		return bad("the positions are cut")
	}
	return r, nil
}

func parsePositions(b []byte) Positions {
	bad := false
	number := func(limit uint64) uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > limit {
			bad = true
			return 0
		}
		b = b[n:]
		return v
	}
	ps := Positions{}
	for n := number(MaxPartitions); n > 0 && !bad; n-- {
		p := Partition(number(MaxPartitions - 1))
		e := Epoch(number(1<<32 - 1))
		ps[p] = Position{e, Offset(number(1<<63 - 1))}
	}
	if bad || len(b) != 0 {
		return nil
	}
	return ps
}
