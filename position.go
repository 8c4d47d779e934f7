package penstock

import (
	"fmt"
	"maps"
	"slices"
)

// Bytes counts bytes. Signatures use it so that sizes and counts cannot be mixed up.
type Bytes int64

// Partition numbers a virtual bucket: the unit of order, of ownership, of parallel work and of moving between shards.
type Partition uint16

// Epoch numbers a life of a log. A new one begins whenever offsets could mean something else: another log,
// a restored log, a re-laid one. The first epoch is 1, so the zero Position means "nothing yet".
type Epoch uint32

// Offset numbers the records of a partition within an epoch. Offsets grow; gaps are legal.
type Offset uint64

// Position is a place in one partition: the offset of the next record to read.
type Position struct {
	Epoch  Epoch  `json:"epoch"`
	Offset Offset `json:"offset"`
}

// Less reports whether p lies before q. Positions of different epochs are ordered by epoch.
func (p Position) Less(q Position) bool {
	if p.Epoch != q.Epoch {
		return p.Epoch < q.Epoch
	}
	return p.Offset < q.Offset
}

// String returns "epoch:offset".
func (p Position) String() string { return fmt.Sprintf("%d:%d", p.Epoch, p.Offset) }

// Positions holds a place for each partition of a set.
type Positions map[Partition]Position

// Clone returns a copy that shares nothing with ps.
func (ps Positions) Clone() Positions { return maps.Clone(ps) }

// Partitions returns the partitions of the set in ascending order.
func (ps Positions) Partitions() []Partition { return slices.Sorted(maps.Keys(ps)) }

// Reached reports whether ps is at or past every position of want. A partition that ps lacks is not reached,
// unless want asks for nothing of it.
func (ps Positions) Reached(want Positions) bool {
	for p, w := range want {
		if ps[p].Less(w) {
			return false
		}
	}
	return true
}

// Raise moves ps forward to the positions of by where those are further.
func (ps Positions) Raise(by Positions) {
	for p, b := range by {
		if ps[p].Less(b) {
			ps[p] = b
		}
	}
}

// Min returns, for each partition that every one of sets holds, the smallest position.
func Min(sets ...Positions) Positions {
	if len(sets) == 0 {
		return Positions{}
	}
	low := sets[0].Clone()
	for _, set := range sets[1:] {
		for p, at := range low {
			other, ok := set[p]
			if !ok {
				delete(low, p)
			} else if other.Less(at) {
				low[p] = other
			}
		}
	}
	return low
}
