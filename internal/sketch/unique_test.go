package sketch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The same values lead to the same bytes, in whatever order and through whatever merges they come.
func TestUniqueOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SampledFrom([]int{0, 1, 7, 200, 2500, 3071, 3072, 3073, 4000, 9000}).Draw(t, "values")
		parts := rapid.IntRange(1, 12).Draw(t, "parts")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		whole, split := &Unique{}, make([]Unique, parts)
		for i := range values + values/2 { // half of them twice
			v := fmt.Appendf(nil, "%d", i%max(values, 1))
			whole.Add(v)
			split[r.IntN(parts)/(1+r.IntN(3))].Add(v)
		}
		states := make([][]byte, parts)
		for i := range split {
			states[i] = state(&split[i])
		}
		if !bytes.Equal(mergeAll(t, states, r), state(whole)) {
			t.Fatal("the merged state is not that of all values")
		}
		n, err := UniqueCount(state(whole))
		if err != nil || n != whole.Count() {
			t.Fatalf("the state has %d, %v, want %d", n, err, whole.Count())
		}
		if off := math.Abs(float64(n) - float64(values)); values <= maxFew && off > 1 || off > 0.04*float64(values) {
			t.Fatalf("%d values count as %d", values, n)
		}
	})
}

// Registers are those of HyperLogLog, whether a value came to them by a fingerprint or not.
func TestRegister(t *testing.T) {
	for _, hash := range []uint64{0, 1, 1 << 37, 1 << 38, 1 << 49, 1<<50 - 1, math.MaxUint64, 0x123456789abcdef0, 5<<50 | 3} {
		at, value := register(fingerprint(hash))
		rest, want := hash<<precision, uint8(1)
		for ; want < maxRegister && rest>>63 == 0; want++ {
			rest <<= 1
		}
		if at != uint32(hash>>(64-precision)) || value != want {
			t.Errorf("%#x asks register %d for %d, want %d for %d", hash, at, value, hash>>(64-precision), want)
		}
	}
}

// However the lists overlap, merging them is a union.
func TestUniqueUnion(t *testing.T) {
	list := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) uint32 {
		return rapid.Uint32Range(0, 40).Draw(t, "prefix")<<6 | rapid.Uint32Range(1, 2).Draw(t, "rho")
	}), 0, 60, rapid.ID[uint32])
	rapid.Check(t, func(t *rapid.T) {
		a, b := &Unique{few: list.Draw(t, "a")}, &Unique{few: list.Draw(t, "b")}
		slices.Sort(a.few)
		slices.Sort(b.few)
		want := slices.Concat(a.few, b.few)
		slices.Sort(want)
		if err := a.Merge(state(b)); err != nil || !slices.Equal(a.few, slices.Compact(want)) {
			t.Fatalf("%v, %v, want %v", a.few, err, slices.Compact(want))
		}
	})
}

// uniqueError returns the root of the mean square of the relative errors of rounds counts of n values, and the largest.
func uniqueError(n, rounds int) (root, largest float64) {
	for round := range rounds {
		u := &Unique{}
		var v [16]byte
		binary.LittleEndian.PutUint64(v[8:], uint64(round))
		for i := range n {
			binary.LittleEndian.PutUint64(v[:], uint64(i))
			u.Add(v[:])
		}
		off := math.Abs(float64(u.Count())/float64(n) - 1)
		root += off * off / float64(rounds)
		largest = max(largest, off)
	}
	return math.Sqrt(root), largest
}

// Few values are counted exactly or off by one, many within the stated error. The seam between is in it.
func TestUniqueError(t *testing.T) {
	for _, n := range []int{10, 1000, maxFew, maxFew + 1, 5000, 40_000} {
		root, largest := uniqueError(n, 20)
		if n <= maxFew && largest*float64(n) > 1.5 || root > 1.4*0.0081 { // 1.4: of 20 rounds, 99.9 % lie below
			t.Errorf("%d values: standard error %.4f, largest %.4f", n, root, largest)
		}
	}
}

func BenchmarkUniqueError(b *testing.B) {
	for n := 10; n <= 10_000_000; n *= 10 {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				root, largest := uniqueError(n, 400)
				b.ReportMetric(100*root, "%standard")
				b.ReportMetric(100*largest, "%largest")
			}
		})
	}
}

func BenchmarkUniqueAdd(b *testing.B) {
	for _, n := range []int{3, 1000, 3000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			values := make([][]byte, n)
			for i := range values {
				values[i] = fmt.Appendf(nil, "visitor-%08d", i)
			}
			for b.Loop() {
				u := &Unique{}
				for _, v := range values {
					u.Add(v)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/value")
		})
	}
}

func BenchmarkUniqueMerge(b *testing.B) {
	for _, n := range []int{3, 300, 2000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			states := make([][]byte, 100)
			for i := range states {
				u := &Unique{}
				for j := range n {
					u.Add(fmt.Appendf(nil, "%d", (i*n/50+j)%(2*n)))
				}
				states[i] = state(u)
			}
			for b.Loop() {
				if _, err := Merge(slices.Values(states)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(states)), "ns/state")
		})
	}
}
