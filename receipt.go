package penstock

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strings"
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

// ReceiptOf returns the token of the receipt of a block that was appended.
func ReceiptOf(cluster string, d Durability, b *Block) string {
	if len(b.Groups) != 1 {
		return Receipt{Cluster: cluster, Durability: d, Positions: b.Ends()}.String()
	}
	var room [64]byte // a single event needs no map, and there may be very many of them
	raw := binary.AppendUvarint(appendReceipt(room[:0], cluster, d), 1)
	return sealReceipt(appendPlace(raw, b.Groups[0].Partition, Position{b.Epoch, b.Groups[0].End()}))
}

// String returns the token.
func (r Receipt) String() string {
	raw := appendReceipt(nil, r.Cluster, r.Durability)
	raw = binary.AppendUvarint(raw, uint64(len(r.Positions)))
	for _, p := range r.Positions.Partitions() {
		raw = appendPlace(raw, p, r.Positions[p])
	}
	return sealReceipt(raw)
}

// appendReceipt appends what stands before the positions.
func appendReceipt(b []byte, cluster string, d Durability) []byte {
	b = append(b, receiptVersion, 0, 0) // version, required features, durability
	for i, known := range receiptDurability {
		if known == d {
			b[2] = byte(i)
		}
	}
	b, _ = hex.AppendDecode(b, []byte(cluster))
	return b
}

func sealReceipt(raw []byte) string {
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
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < 3+16+1+4 || strings.ContainsAny(token, "\r\n") { // which base64 skips
		return bad("this is not a receipt")
	}
	body, sum := raw[:len(raw)-4], binary.LittleEndian.Uint32(raw[len(raw)-4:])
	if crc32.Checksum(body, receiptCRC) != sum {
		return bad("the receipt was cut or changed: its checksum differs")
	}
	if body[0] != receiptVersion || body[1] != 0 || int(body[2]) >= len(receiptDurability) {
		return bad("the receipt was made by another version")
	}
	r := Receipt{Cluster: hex.EncodeToString(body[3:19]), Durability: receiptDurability[body[2]]}
	if r.Cluster != cluster {
		return bad("the receipt was made by another cluster")
	}
	if r.Positions = parsePositions(body[19:]); r.Positions == nil {
		return bad("the positions of the receipt are cut")
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
