package dedup

import "math/bits"

// filter is a blocked Bloom filter: all bits of an identity lie in one block of 64 bytes, so that asking costs one cache line
// (Putze, Sanders, Singler: Cache-, Hash- and Space-Efficient Bloom Filters, 2007).
type filter []block

type block [8]uint64

const (
	blockSize  = 64
	filterBits = 10      // an identity; one in a hundred that is not there passes
	smallBits  = 16      // in small runs, of which there are more: one in a thousand
	smallRun   = 1 << 21 // identities
)

// blocksFor returns how many blocks the filter of a section gets.
func blocksFor(section, run int) int {
	per := filterBits
	if run <= smallRun {
		per = smallBits
	}
	return (section*per + blockSize*8 - 1) / (blockSize * 8)
}

func (f filter) block(b uint64) *block {
	i, _ := bits.Mul64(b, uint64(len(f)))
	return &f[i]
}

// spread makes the places of the bits within a block from the half of the identity that did not choose the block.
func spread(a uint64) uint64 { return a * 0x9E3779B97F4A7C15 }

func (f filter) add(a, b uint64) {
	w, h := f.block(b), spread(a)
	for s := 1; s <= 55; s += 9 {
		w[h>>(s+6)&7] |= 1 << (h >> s & 63)
	}
}

// has reports whether the identity may be there. It has no branches, since each bit would be guessed wrongly half of the time.
func (f filter) has(a, b uint64) bool {
	if len(f) == 0 {
		return false
	}
	w, h := f.block(b), spread(a)
	hit := w[h>>7&7] >> (h >> 1 & 63)
	hit &= w[h>>16&7] >> (h >> 10 & 63)
	hit &= w[h>>25&7] >> (h >> 19 & 63)
	hit &= w[h>>34&7] >> (h >> 28 & 63)
	hit &= w[h>>43&7] >> (h >> 37 & 63)
	hit &= w[h>>52&7] >> (h >> 46 & 63)
	hit &= w[h>>61&7] >> (h >> 55 & 63)
	return hit&1 != 0
}
