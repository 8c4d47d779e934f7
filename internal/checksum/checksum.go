// Package checksum takes the checksum that accompanies an event from the door to its row: what the audit adds up.
package checksum

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"

	"penstock"
)

// Hasher takes checksums of events. It may be used concurrently.
type Hasher struct{ seed uint64 }

// NewHasher returns the hasher of a cluster. Checksums of two clusters have nothing in common, so that neither log nor store
// of another one passes for this one's.
func NewHasher(c penstock.Cluster) Hasher {
	return Hasher{xxh3.HashStringSeed("penstock audit "+c.ID, binary.LittleEndian.Uint64(c.Key[:8])^binary.LittleEndian.Uint64(c.Key[8:]))}
}

// Stream begins the checksums of a stream's events: the part that they share.
func (h Hasher) Stream(tenant, stream string) Stream {
	return Stream{xxh3.HashStringSeed(stream, xxh3.HashStringSeed(tenant, h.seed))}
}

// Stream takes checksums of one stream's events.
type Stream struct{ seed uint64 }

// Sum returns the checksum of an event: XXH3 of key, id and body, each seeded by what was hashed before it
// (https://github.com/Cyan4973/xxHash). It finds what broke by accident; who knows the key could forge one.
func (s Stream) Sum(key, id, body []byte) penstock.Checksum {
	return penstock.Checksum(xxh3.HashSeed(body, xxh3.HashSeed(id, xxh3.HashSeed(key, s.seed))))
}
