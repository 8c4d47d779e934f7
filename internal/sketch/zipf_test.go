package sketch

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// zipf draws ranks from 1 on, of which rank r has the weight r^-s: rejection-inversion of W. Hörmann and G. Derflinger (1996).
type zipf struct{ s, first, last, cut float64 }

func newZipf(s float64, keys int) zipf {
	z := zipf{s: s}
	z.first, z.last = z.area(1.5)-1, z.area(float64(keys)+0.5)
	z.cut = 2 - z.inverse(z.area(2.5)-math.Pow(2, -s))
	return z
}

func (z zipf) area(x float64) float64    { return math.Expm1((1-z.s)*math.Log(x)) / (1 - z.s) }
func (z zipf) inverse(a float64) float64 { return math.Exp(math.Log1p(a*(1-z.s)) / (1 - z.s)) }

func (z zipf) draw(r *rand.Rand) int {
	for {
		u := z.last + r.Float64()*(z.first-z.last)
		x := z.inverse(u)
		k := math.Floor(x + 0.5)
		if k-x <= z.cut || u >= z.area(k+0.5)-math.Pow(k, -z.s) {
			return int(k)
		}
	}
}

// The share of the first ranks is what the distribution says.
func TestZipf(t *testing.T) {
	const keys, draws = 1000, 200_000
	z, r, got := newZipf(1.1, keys), rand.New(rand.NewPCG(3, 4)), [keys + 1]float64{}
	for range draws {
		got[z.draw(r)]++
	}
	total := 0.0
	for k := 1.0; k <= keys; k++ {
		total += math.Pow(k, -1.1)
	}
	for k := 1; k <= 30; k++ {
		if want := draws * math.Pow(float64(k), -1.1) / total; math.Abs(got[k]-want) > 5*math.Sqrt(want) {
			t.Errorf("rank %d came %v times, want %.0f", k, got[k], want)
		}
	}
}

// A zipfRun counts a stream as views do: a delta of some events is spread over the partitions, each folds its part into a state, states of a
// partition are merged by eights when eight of a size are there, and at last those of all partitions in a tree.
type zipfRun struct {
	keys, events, delta, partitions, k, capacity int
	seed                                         uint64
	mixed                                        bool // partitions are chosen for each event, not by its key
}

// recall returns which share of the first k keys was found, how far the counts of those found are off in the mean, as a share, and the
// size of a last state.
func (z zipfRun) recall(t testing.TB) (share, off float64, size int) {
	truth := make([]uint32, z.keys+1)
	draw, r := newZipf(1.1, z.keys), rand.New(rand.NewPCG(5, z.seed))
	levels := make([][][][]byte, z.partitions) // by partition and level, states that wait to be merged
	for at := 0; at < z.events; at += z.delta {
		deltas := make([]Top, z.partitions)
		for range z.delta {
			rank := draw.draw(r)
			truth[rank]++
			p := int(uint64(rank) * 0x9e3779b97f4a7c15 >> 32 % uint64(z.partitions))
			if z.mixed {
				p = r.IntN(z.partitions)
			}
			deltas[p].capacity = z.capacity
			deltas[p].Add(linkOf(uint32(rank)), 1)
		}
		for p := range deltas {
			if deltas[p].capacity > 0 {
				levels[p] = carry(t, levels[p], state(&deltas[p]))
			}
		}
	}
	var last [][]byte
	for _, of := range levels {
		last = append(last, merged(t, slices.Concat(of...)))
	}
	size = len(last[0])
	for len(last) > 1 {
		n := min(4, len(last))
		last = append(last[n:], merged(t, last[:n]))
	}
	share, off = z.compare(t, truth, last[0])
	return share, off, size
}

// linkOf returns the key of a rank: those of near ranks have nothing in common.
func linkOf(rank uint32) []byte { return fmt.Appendf(nil, "link-%010d", rank*2654435761) }

// carry adds a state to the first level, and what is merged there to the next.
func carry(t testing.TB, levels [][][]byte, state []byte) [][][]byte {
	for i := 0; ; i++ {
		if i == len(levels) {
			levels = append(levels, nil)
		}
		levels[i] = append(levels[i], state)
		if len(levels[i]) < 8 {
			return levels
		}
		state, levels[i] = merged(t, levels[i]), nil
	}
}

func merged(t testing.TB, states [][]byte) []byte {
	state, err := Merge(slices.Values(states))
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func (z zipfRun) compare(t testing.TB, truth []uint32, state []byte) (share, off float64) {
	least, ranks := slices.Min(truth[1:4*z.k+1]), []uint32{}
	for rank, n := range truth { // so many have as much that the first are among them
		if n >= least && rank > 0 {
			ranks = append(ranks, uint32(rank))
		}
	}
	slices.SortFunc(ranks, func(a, b uint32) int { return cmp.Compare(truth[b], truth[a]) })
	want := map[string]uint32{}
	least = truth[ranks[z.k-1]]
	for _, rank := range ranks {
		if truth[rank] >= least { // of equal ones any will do
			want[string(linkOf(rank))] = truth[rank]
		}
	}
	items, err := TopItems(state, z.k)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, item := range items {
		if n := want[item.Key]; n > 0 {
			found++
			off += math.Abs(float64(item.Count)/float64(n) - 1)
			if uint64(n) < item.Count || uint64(n) > item.Count+item.Error {
				t.Errorf("%+v, in truth %d", item, n)
			}
		}
	}
	return float64(found) / float64(z.k), off / float64(max(found, 1))
}
