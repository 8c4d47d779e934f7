// Package sketch has summaries whose size does not grow with what they summarize: how many different values there were (Unique), where
// the quantiles of numbers lie (Quantile), which keys are the most frequent (Top).
//
// All three have one shape. The zero value is empty. Add takes a value in, Merge the encoded state of another summary of its kind, AppendTo
// writes the state. What was added and merged in which order makes no difference to Unique and Quantile: the same values lead to the same
// bytes. Top's results agree within the errors that it states, and do not differ at all while nothing was dropped.
//
// A state carries its kind, its version and a checksum (docs/format/sketch.md). Every function that reads one fails with Corrupt if
// it is damaged, cut, of another kind or of a version that is not known, and Merge then changes nothing. States are only read, and nothing
// keeps them. No value of this package may be used concurrently.
package sketch

import (
	"encoding/binary"
	"hash/crc32"
	"iter"
	"math"
	"math/bits"

	"penstock"
)

// Kind is the first byte of a state: what it is a state of in the upper four bits, the version of its bytes in the lower.
type Kind byte

// The kinds, all of version 1.
const (
	KindUnique   Kind = 0x11
	KindQuantile Kind = 0x21
	KindTop      Kind = 0x31
)

const sumSize = 4 // of the checksum that ends a state

// KindOf returns the kind of a state, of which it looks at no more than the first byte. It fails with Corrupt if that is of no kind.
func KindOf(state []byte) (Kind, error) {
	if len(state) > 0 {
		switch k := Kind(state[0]); k {
		case KindUnique, KindQuantile, KindTop:
			return k, nil
		}
	}
	return 0, corrupt("it is of no kind that is known")
}

// Merge returns the state of all that went into the given states, which are of one kind. Of none it returns nil.
func Merge(states iter.Seq[[]byte]) ([]byte, error) {
	var all interface {
		Merge(state []byte) error
		AppendTo(dst []byte) []byte
	}
	for state := range states {
		if all == nil {
			switch kind, err := KindOf(state); {
			case err != nil:
				return nil, err
			case kind == KindUnique:
				all = &Unique{}
			case kind == KindQuantile:
				all = &Quantile{}
			default:
				all = &Top{}
			}
		}
		if err := all.Merge(state); err != nil {
			return nil, err
		}
	}
	if all == nil {
		return nil, nil
	}
	return all.AppendTo(nil), nil
}

func corrupt(format string, args ...any) error {
	return penstock.Errorf(penstock.Corrupt, "read sketch", format, args...)
}

// seal appends the checksum of the state that begins at dst[start].
func seal(dst []byte, start int) []byte {
	return binary.LittleEndian.AppendUint32(dst, sum(dst[start:]))
}

func sum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// open returns what stands between the kind and the checksum of a state.
func open(state []byte, want Kind) ([]byte, error) {
	end := len(state) - sumSize
	switch {
	case end < 1:
		return nil, corrupt("%d bytes are too few", len(state))
	case state[0]&0xf0 != byte(want)&0xf0:
		return nil, corrupt("it is of kind %#x, not %#x", state[0], byte(want))
	case state[0] != byte(want):
		return nil, corrupt("version %d of its kind is not known", state[0]&0x0f)
	case binary.LittleEndian.Uint32(state[end:]) != sum(state[:end]):
		return nil, corrupt("its checksum differs")
	}
	return state[1:end], nil
}

// A reader takes numbers and bytes from the front of a state. After the first that is not there, too large, or written in more bytes
// than it needs, it is bad and yields zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) number(limit uint64) uint64 {
	v, n := uint64(0), 1
	if len(r.b) > 0 && r.b[0] < 0x80 {
		v = uint64(r.b[0]) // most are
	} else {
		v, n = binary.Uvarint(r.b)
	}
	if n <= 0 || n > len(r.b) || v > limit || n > 1 && r.b[n-1] == 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// plus adds counts. What does not fit stays the largest that does, in every order of additions.
func plus(a, b uint64) uint64 {
	total, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return math.MaxUint64
	}
	return total
}
