package sketch

import (
	"encoding/binary"
	"math"

	"github.com/DataDog/sketches-go/ddsketch/mapping"
)

// Accuracy is the relative error of a Quantile's answers.
const Accuracy = 0.01

// Quantile says which number stands at a share of all, within 1 % of it: a DDSketch (Masson, Rim, Lee 2019), which counts numbers in bins that
// grow by the factor 101/99. It has MaxBins for either sign. More are needed only if the numbers' magnitudes fill more than 17 decades; then those
// nearest to zero count in the lowest bin that is kept, and quantiles that fall there are too far from zero. A state has 2 to 5 bytes
// a bin, less than 30,000 in all.
type Quantile struct {
	negative, positive bins
	zeros              uint64
}

// The bins' bounds are those of the library; its sketch keeps a range of bins, of which one outlier takes all, and its decoder takes what
// was cut for whole. lowestIndex and highestIndex are the indexes of the least and the greatest number that it tells apart.
var scale, _ = mapping.NewLogarithmicMapping(Accuracy)

const lowestIndex, highestIndex = -35418, 35470

// Add counts a number. The caller refuses what is none (NaN, infinite): it would not be counted. Magnitudes below 2.3e-308 count as
// zero, those above 1.2e308 as that.
func (s *Quantile) Add(v float64) {
	magnitude := math.Abs(v)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
	case magnitude < scale.MinIndexableValue():
		s.zeros = plus(s.zeros, 1)
	case v < 0:
		s.negative.add(indexOf(magnitude), 1)
	default:
		s.positive.add(indexOf(magnitude), 1)
	}
}

func indexOf(magnitude float64) int32 {
	return int32(scale.Index(min(magnitude, scale.MaxIndexableValue())))
}

// Merge counts the numbers of another Quantile's state.
func (s *Quantile) Merge(state []byte) error {
	w, _, err := openQuantile(state)
	if err != nil {
		return err
	}
	for p := w.next(); p.count != 0; p = w.next() {
		switch p.sign {
		case -1:
			s.negative.add(p.index, p.count)
		case 0:
			s.zeros = plus(s.zeros, p.count)
		default:
			s.positive.add(p.index, p.count)
		}
	}
	return nil
}

// AppendTo appends the state to dst and returns the longer slice.
func (s *Quantile) AppendTo(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, byte(KindQuantile))
	dst = binary.AppendUvarint(dst, uint64(len(s.negative)))
	dst = binary.AppendUvarint(dst, s.zeros)
	dst = binary.AppendUvarint(dst, uint64(len(s.positive)))
	return seal(s.positive.appendTo(s.negative.appendTo(dst, -1), 1), start)
}

// Count returns how many numbers there were.
func (s *Quantile) Count() uint64 {
	n := s.zeros
	for _, of := range []bins{s.negative, s.positive} {
		for _, b := range of {
			n = plus(n, b.count)
		}
	}
	return n
}

// At returns about the least number that has the share q of all numbers at or below it, as percentile_disc of SQL does. It is NaN
// if there are no numbers, or q is not between 0 and 1.
func (s *Quantile) At(q float64) float64 {
	r := rankOf(q, s.Count())
	for i := range s.negative {
		if b := s.negative[len(s.negative)-1-i]; r.reached(b.count) {
			return valueOf(-1, b.index)
		}
	}
	if r.reached(s.zeros) {
		return 0
	}
	for _, b := range s.positive {
		if r.reached(b.count) {
			return valueOf(1, b.index)
		}
	}
	return math.NaN()
}

// QuantileAt returns what At of a Quantile of that state would, and allocates nothing.
func QuantileAt(state []byte, q float64) (float64, error) {
	w, n, err := openQuantile(state)
	r := rankOf(q, n)
	for p := w.next(); err == nil && p.count != 0; p = w.next() {
		if r.reached(p.count) {
			return valueOf(p.sign, p.index), nil
		}
	}
	return math.NaN(), err
}

func valueOf(sign, index int32) float64 {
	if sign == 0 {
		return 0
	}
	return float64(sign) * scale.Value(int(index))
}

// A rank is how many numbers are to be passed, and how many were.
type rank struct {
	wanted float64
	passed uint64
}

// rankOf returns the rank of the share q of n. It is never reached if there is no such number.
func rankOf(q float64, n uint64) rank {
	if math.IsNaN(q) || q < 0 || q > 1 || n == 0 {
		return rank{wanted: math.Inf(1)}
	}
	const rounding = 1e-15 // 0.55·100 is a little more than 55, and is meant to be 55
	return rank{wanted: max(1, math.Ceil(q*float64(n)*(1-rounding)))}
}

// reached passes count more numbers and reports whether the wanted one is among these.
func (r *rank) reached(count uint64) bool {
	r.passed = plus(r.passed, count)
	return count > 0 && float64(r.passed) >= r.wanted
}
