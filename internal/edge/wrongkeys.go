package edge

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// wrongKeys counts the wrong tokens that came from an address: a bucket that holds limit of them and loses one a second. Its
// memory is fixed. Addresses may share a bucket, which costs a sender of wrong tokens a 429 for its 401 and nobody else
// anything, since right tokens are never counted.
type wrongKeys struct {
	limit int
	seed  maphash.Seed

	mu      sync.Mutex
	buckets [1024]struct {
		level float64
		at    time.Time
	}
}

func newWrongKeys(limit int) *wrongKeys { return &wrongKeys{limit: limit, seed: maphash.MakeSeed()} }

// take counts one more wrong token; false means that there were too many.
func (k *wrongKeys) take(addr netip.Addr, now time.Time) bool {
	bytes := addr.As16()
	i := maphash.Bytes(k.seed, bytes[:]) % uint64(len(k.buckets))
	k.mu.Lock()
	defer k.mu.Unlock()
	b := &k.buckets[i]
	b.level = max(0, b.level-max(0, now.Sub(b.at).Seconds()))
	b.at = now
	if b.level+1 > float64(k.limit) {
		return false
	}
	b.level++
	return true
}
