package penstock

import (
	"encoding/binary"
	"time"
)

// Identity is what makes two events the same one: a hash of tenant, stream, key and id, or without a key of tenant, stream and
// id, keyed by the cluster. At 16 bytes it is taken for the names themselves.
type Identity [16]byte

// IdentityOf returns the identity of an event. An event with a key is never the same as one without.
func (p Partitioner) IdentityOf(tenant, stream string, key, id []byte) Identity {
	var scratch [768]byte
	b := append(scratch[:0], tenant...)
	b = append(b, 0)
	b = append(b, stream...)
	b = append(b, 0)
	if len(key) > 0 {
		b = append(append(b, 'k'), key...) // a key has no NUL
	}
	b = append(append(b, 0), id...)
	lo, hi := sipHash128(p.k1, p.k0, b)
	var i Identity
	binary.LittleEndian.PutUint64(i[:], lo)
	binary.LittleEndian.PutUint64(i[8:], hi)
	return i
}

// Dedup is the window in which an identity has one effect: an id counts as seen for Window after its first occurrence, by log
// time, and while fewer than its partition's share of MaxIDs first occurrences in that partition came since. Both follow from
// the log alone. The zero Dedup recognises no repeats.
type Dedup struct {
	Window time.Duration `json:"window"`  // whole seconds
	MaxIDs int64         `json:"max_ids"` // of the stream; a partition's share is MaxIDs / partitions, rounded up
}

// On reports whether repeats are recognised.
func (d Dedup) On() bool { return d.Window > 0 && d.MaxIDs > 0 }

// Share returns how many identities of the stream each partition remembers.
func (d Dedup) Share(partitions int) int64 {
	return (d.MaxIDs + int64(partitions) - 1) / int64(partitions)
}
