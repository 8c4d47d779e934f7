package exampletest

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Day is when the examples' events begin: a day that is long past, since late events are of before.
func Day() time.Time { return time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) }

// NewRand returns the random numbers of an example: the same ones for the same seed.
func NewRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// Zipf returns a function that chooses one of n, the first ones most often: the weight of the k-th is about k to the power of -s, s above 1.
func Zipf(r *rand.Rand, s float64, n int) func() int {
	z := rand.NewZipf(r, s, 1, uint64(n-1))
	return func() int { return int(z.Uint64()) }
}

// Moments returns n moments of a span, in order, no two the same: three of ten lie in ten bursts that last 1/500 of the span each.
func Moments(r *rand.Rand, n int, start time.Time, span time.Duration) []time.Time {
	bursts := make([]int64, 10)
	length := span.Microseconds() / 500
	for i := range bursts {
		bursts[i] = r.Int64N(span.Microseconds() - length)
	}
	at := make([]int64, n)
	for i := range at {
		if r.IntN(10) < 3 {
			at[i] = bursts[r.IntN(len(bursts))] + r.Int64N(length)
		} else {
			at[i] = r.Int64N(span.Microseconds())
		}
	}
	slices.Sort(at)
	moments := make([]time.Time, n)
	for i, us := range at {
		moments[i] = start.Add(time.Duration(us) * time.Microsecond)
		if i > 0 && !moments[i].After(moments[i-1]) {
			moments[i] = moments[i-1].Add(time.Microsecond)
		}
	}
	return moments
}

// Arrivals returns events in the order in which they come to a server: most of them within two seconds after they happened, one in twenty up to an
// hour late, and one in fifty a second time, within ten minutes after the first.
func Arrivals[E any](r *rand.Rand, events []E, happened func(E) time.Time) []E {
	type arrival struct {
		at time.Time
		of E
	}
	all := make([]arrival, 0, len(events)+len(events)/40)
	for _, e := range events {
		late := 2 * time.Second
		if r.IntN(20) == 0 {
			late = time.Hour
		}
		at := happened(e).Add(time.Duration(r.Int64N(int64(late))))
		all = append(all, arrival{at, e})
		if r.IntN(50) == 0 {
			all = append(all, arrival{at.Add(time.Duration(r.Int64N(int64(10 * time.Minute)))), e})
		}
	}
	slices.SortStableFunc(all, func(a, b arrival) int { return a.at.Compare(b.at) })
	arrived := make([]E, len(all))
	for i, a := range all {
		arrived[i] = a.of
	}
	return arrived
}

// Once returns events without those whose id was there before.
func Once[E any](events []E, id func(E) string) []E {
	seen := map[string]struct{}{}
	var once []E
	for _, e := range events {
		if _, again := seen[id(e)]; !again {
			seen[id(e)] = struct{}{}
			once = append(once, e)
		}
	}
	return once
}
