package load

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"

	"penstock"
)

// chooser picks the key of the next event from 64 random bits.
type chooser func(random uint64) uint32

// newChooser reads a skew: uniform (also when empty), zipf:S for key k with weight 1/(k+1)^S, hot:SHARE for key 0 with
// that share of the events and the rest uniform.
func newChooser(s Shape) (chooser, error) {
	n := uint64(s.keys())
	kind, arg, _ := strings.Cut(s.Skew, ":")
	if kind == "" || kind == "uniform" {
		return func(random uint64) uint32 { return uint32(random >> 32 * n >> 32) }, nil
	}
	v, err := strconv.ParseFloat(arg, 64)
	if err != nil || v <= 0 || math.IsInf(v, 0) {
		return nil, badSkew(s.Skew)
	}
	switch {
	case kind == "zipf":
		return zipf(int(n), v), nil
	case kind == "hot" && v <= 1 && n > 1:
		hot := uint64(v * (1 << 32))
		return func(random uint64) uint32 {
			if random&math.MaxUint32 < hot {
				return 0
			}
			return 1 + uint32(random>>32*(n-1)>>32)
		}, nil
	}
	return nil, badSkew(s.Skew)
}

func badSkew(skew string) error {
	return penstock.Wrap(penstock.Invalid, "parse skew", fmt.Errorf("%q is none of uniform, zipf:S (S above 0), hot:SHARE (up to 1)", skew))
}

// zipf inverts the cumulative distribution exactly: a guide table of 4,096 cells leaves few keys to search between.
// (math/rand's Zipf knows only S above 1.)
func zipf(n int, s float64) chooser {
	const cells = 1 << 12
	sum := make([]float64, n)
	total := 0.0
	for k := range sum {
		total += math.Pow(float64(k+1), -s)
		sum[k] = total
	}
	guide := make([]int, cells+1)
	for i := range guide {
		guide[i] = min(n-1, sort.SearchFloat64s(sum, total*float64(i)/cells))
	}
	return func(random uint64) uint32 {
		cell := random >> 52
		low, high := guide[cell], guide[cell+1]
		target := total * float64(random) / (1 << 64)
		return uint32(min(n-1, low+sort.SearchFloat64s(sum[low:high+1], target)))
	}
}

// splitmix is the generator of Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
type splitmix uint64

func (s *splitmix) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
