package sketch

import (
	"encoding/binary"
	"math"
	"slices"
)

// MaxBins is how many bins a Quantile has for either sign.
const MaxBins = 2048

// bins are counts of magnitudes by the index of their bin, ascending.
type bins []bin

type bin struct {
	index int32
	count uint64
}

// add counts n in a bin. If there are too many bins then, the one nearest to zero goes up into the next: what is left is always the
// MaxBins highest of all that ever were, with everything below them in the lowest, whatever the order.
func (bs *bins) add(index int32, n uint64) {
	at, found := slices.BinarySearchFunc(*bs, index, func(b bin, index int32) int { return int(b.index) - int(index) })
	switch {
	case found:
		(*bs)[at].count = plus((*bs)[at].count, n)
	case len(*bs) < MaxBins:
		*bs = slices.Insert(*bs, at, bin{index, n})
	case at == 0:
		(*bs)[0].count = plus((*bs)[0].count, n)
	default:
		below := (*bs)[0].count
		copy(*bs, (*bs)[1:at])
		(*bs)[at-1] = bin{index, n}
		(*bs)[0].count = plus((*bs)[0].count, below)
	}
}

// appendTo appends the bins in the order of the values that they stand for: of negative ones the highest index comes first.
func (bs bins) appendTo(dst []byte, sign int32) []byte {
	last := int32(0)
	for i := range bs {
		b := bs[i]
		if sign < 0 {
			b = bs[len(bs)-1-i]
		}
		if i == 0 {
			dst = binary.AppendVarint(dst, int64(b.index))
		} else {
			dst = binary.AppendUvarint(dst, uint64((b.index-last)*sign-1))
		}
		dst = binary.AppendUvarint(dst, b.count-1)
		last = b.index
	}
	return dst
}

// A place is a bin with the sign of its values; of zeros there is no bin, only how many they are. Without a count there is none.
type place struct {
	sign int32
	bin
}

// A walk goes through the places of a state in the order of their values.
type walk struct {
	r            reader
	below, above uint64 // bins that are to come
	zeros        uint64
	last         place
}

// openQuantile returns a walk through a state that is whole, and how many values it has.
func openQuantile(state []byte) (w walk, n uint64, err error) {
	body, err := open(state, KindQuantile)
	if err != nil {
		return w, 0, err
	}
	w.r.b = body
	w.below, w.zeros, w.above = w.r.number(MaxBins), w.r.number(math.MaxUint64), w.r.number(MaxBins)
	whole := w
	for p := w.next(); p.count != 0; p = w.next() {
		n = plus(n, p.count)
	}
	if w.r.bad || len(w.r.b) != 0 {
		return w, 0, corrupt("the bins of a quantile are not whole")
	}
	return whole, n, nil
}

func (w *walk) next() place {
	switch {
	case w.r.bad:
	case w.below > 0:
		w.below--
		return w.read(-1)
	case w.zeros > 0:
		zeros := w.zeros
		w.zeros = 0
		return place{0, bin{count: zeros}}
	case w.above > 0:
		w.above--
		return w.read(1)
	}
	return place{}
}

// read reads a bin. The first of a sign has its index, those that follow have how many indexes lie between.
func (w *walk) read(sign int32) place {
	const far = 1 << 18 // more than there are indexes
	step := w.r.number(far)
	if w.last.sign == sign {
		w.last.index += sign * int32(step+1)
	} else {
		w.last.index = int32(step>>1) ^ -int32(step&1)
	}
	w.last.sign, w.last.count = sign, w.r.number(math.MaxUint64-1)+1
	if w.last.index < lowestIndex || w.last.index > highestIndex {
		w.r.bad = true
	}
	if w.r.bad {
		return place{}
	}
	return w.last
}
