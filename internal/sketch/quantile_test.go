package sketch

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/DataDog/sketches-go/ddsketch"
	"pgregory.net/rapid"
)

// The same numbers lead to the same bytes, in whatever order and through whatever merges they come, also when bins are too many.
func TestQuantileOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SampledFrom([]int{0, 1, 10, 500, 6000}).Draw(t, "numbers")
		decades := rapid.SampledFrom([]float64{0.5, 5, 200}).Draw(t, "decades")
		parts := rapid.IntRange(1, 12).Draw(t, "parts")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		whole, split := &Quantile{}, make([]Quantile, parts)
		for range numbers {
			v := float64(r.IntN(4)-1) * math.Pow(10, decades*(r.Float64()-0.5))
			whole.Add(v)
			split[r.IntN(parts)/(1+r.IntN(3))].Add(v)
		}
		states := make([][]byte, parts)
		for i := range split {
			states[i] = state(&split[i])
		}
		if !bytes.Equal(mergeAll(t, states, r), state(whole)) {
			t.Fatal("the merged state is not that of all numbers")
		}
		if whole.Count() != uint64(numbers) {
			t.Fatalf("%d numbers count as %d", numbers, whole.Count())
		}
		for _, q := range []float64{-1, 0, 0.001, 0.25, 0.5, 0.99, 1, 2, math.NaN()} {
			if got, err := QuantileAt(state(whole), q); err != nil || !same(got, whole.At(q)) {
				t.Fatalf("the state has %v at %v, %v, want %v", got, q, err, whole.At(q))
			}
		}
	})
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// exact returns the least number that has the share q at or below it: percentile_disc, by its definition.
func exact(sorted []float64, q float64) float64 {
	for i, v := range sorted {
		if float64(i+1)/float64(len(sorted)) >= q-1e-12 {
			return v
		}
	}
	return math.NaN()
}

// Every quantile is within 1 % of the number that it stands for.
func TestQuantileAccuracy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(
			rapid.Float64Range(-100, 1000), rapid.Map(rapid.IntRange(-3, 40), func(i int) float64 { return float64(i) }),
			rapid.Map(rapid.Float64Range(-3, 5), func(e float64) float64 { return math.Pow(10, e) }))
		numbers := rapid.SliceOfN(number, 1, 300).Draw(t, "numbers")
		s := &Quantile{}
		for _, v := range numbers {
			s.Add(v)
		}
		slices.Sort(numbers)
		for _, q := range []float64{0, 0.01, 0.07, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1} {
			want, got := exact(numbers, q), s.At(q)
			if math.Abs(got-want) > Accuracy*math.Abs(want)*(1+1e-9) && math.Abs(want) > 1e-300 {
				t.Fatalf("%v of %d numbers is %v, want %v", q, len(numbers), got, want)
			}
		}
	})
}

// The bins are those of the library's sketch while neither of the two collapses.
func TestQuantileLibrary(t *testing.T) {
	theirs, err := ddsketch.LogUnboundedDenseDDSketch(Accuracy)
	if err != nil {
		t.Fatal(err)
	}
	ours, r := &Quantile{}, rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		v := math.Exp(3*r.NormFloat64()) * float64(r.IntN(4)-1)
		ours.Add(v)
		if err := theirs.Add(v); err != nil {
			t.Fatal(err)
		}
	}
	for _, of := range []struct {
		bins  bins
		store interface {
			ForEach(func(index int, count float64) (stop bool))
		}
	}{{ours.negative, theirs.GetNegativeValueStore()}, {ours.positive, theirs.GetPositiveValueStore()}} {
		var want bins
		of.store.ForEach(func(index int, count float64) bool {
			want = append(want, bin{int32(index), uint64(count)})
			return false
		})
		if len(want) < 500 || !slices.Equal(of.bins, want) {
			t.Errorf("%d bins are not the library's %d", len(of.bins), len(want))
		}
	}
	if float64(ours.zeros) != theirs.GetZeroCount() {
		t.Errorf("%d zeros, want %v", ours.zeros, theirs.GetZeroCount())
	}
}

// When bins are too many those nearest to zero give way, and an outlier takes no more than its own.
func TestQuantileCollapse(t *testing.T) {
	s := &Quantile{}
	for i := range int32(3 * MaxBins) {
		s.Add(valueOf(1, i))
		s.Add(valueOf(-1, i))
	}
	s.Add(1e300)
	if len(s.positive) != MaxBins || len(s.negative) != MaxBins || s.Count() != 6*MaxBins+1 {
		t.Fatalf("%d and %d bins of %d numbers", len(s.positive), len(s.negative), s.Count())
	}
	if low := s.positive[0]; low.index != 2*MaxBins+1 || low.count != 2*MaxBins+2 {
		t.Errorf("the lowest bin is %+v", low)
	}
	if got, want := s.At(0.95), valueOf(1, 5530); got != want { // of 12,289 numbers the 11,675th
		t.Errorf("0.95 is %v, want %v", got, want)
	}
}

// The ends of what can be told apart.
func TestQuantileEnds(t *testing.T) {
	if got := indexOf(scale.MinIndexableValue()); got != lowestIndex {
		t.Errorf("the lowest index is %d", got)
	}
	if got := indexOf(math.MaxFloat64); got != highestIndex {
		t.Errorf("the highest index is %d", got)
	}
	s := &Quantile{}
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		s.Add(v)
	}
	if s.Count() != 0 || !math.IsNaN(s.At(0.5)) {
		t.Errorf("what is no number counts: %d", s.Count())
	}
	s.Add(math.MaxFloat64)
	s.Add(-math.MaxFloat64)
	s.Add(math.Copysign(0, -1))
	s.Add(1e-320)
	if low, high := s.At(0), s.At(1); low > -1.2e308 || high < 1.2e308 || math.IsInf(low, 0) || math.IsInf(high, 0) || s.zeros != 2 {
		t.Errorf("from %v to %v with %d zeros", low, high, s.zeros)
	}
}

// BenchmarkQuantileError reports the largest error of 999 quantiles of log-normal numbers, which go through 64 states.
func BenchmarkQuantileError(b *testing.B) {
	for n := 10; n <= 10_000_000; n *= 10 {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				r, parts, numbers, worst := rand.New(rand.NewPCG(1, 2)), make([]Quantile, 64), make([]float64, n), 0.0
				for i := range numbers {
					numbers[i] = 20 * math.Exp(r.NormFloat64())
					parts[i%len(parts)].Add(numbers[i])
				}
				states := make([][]byte, len(parts))
				for i := range parts {
					states[i] = state(&parts[i])
				}
				all := mergeAll(b, states, r)
				slices.Sort(numbers)
				for p := 1; p < 1000; p++ {
					got, err := QuantileAt(all, float64(p)/1000)
					if err != nil {
						b.Fatal(err)
					}
					worst = max(worst, math.Abs(got/numbers[(p*n+999)/1000-1]-1))
				}
				b.ReportMetric(100*worst, "%largest")
				b.ReportMetric(float64(len(all)), "B/state")
			}
		})
	}
}

func BenchmarkQuantileAdd(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	numbers := make([]float64, 20_000)
	for i := range numbers {
		numbers[i] = 20 * math.Exp(r.NormFloat64())
	}
	for b.Loop() {
		s := &Quantile{}
		for _, v := range numbers {
			s.Add(v)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(numbers)), "ns/number")
}

func BenchmarkQuantileMerge(b *testing.B) {
	for _, n := range []int{3, 300, 20_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r, states, bytes := rand.New(rand.NewPCG(1, 2)), make([][]byte, 100), 0
			for i := range states {
				s := &Quantile{}
				for range n {
					s.Add(20 * math.Exp(r.NormFloat64()))
				}
				states[i] = state(s)
				bytes += len(states[i])
			}
			for b.Loop() {
				if _, err := Merge(slices.Values(states)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(states)), "ns/state")
			b.ReportMetric(float64(bytes)/float64(len(states)), "B/state")
		})
	}
}
