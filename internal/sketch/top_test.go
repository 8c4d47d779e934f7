package sketch

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// Whatever was dropped and merged, the truth lies between the bounds, of the kept and of the missing, and the floor is no more than
// the weight of all divided by capacity + 1. While nothing had to be dropped all is exact, and the same bytes.
func TestTopBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.SampledFrom([]int{1, 2, 5, 20, 100}).Draw(t, "capacity")
		keys := rapid.IntRange(1, 200).Draw(t, "keys")
		events := rapid.IntRange(0, 2000).Draw(t, "events")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		split := make([]Top, rapid.IntRange(1, 12).Draw(t, "parts"))
		for i := range split {
			split[i].capacity = capacity
		}
		truth, all := map[string]uint64{}, uint64(0)
		for range events {
			key, weight := fmt.Sprint("k", min(r.IntN(keys), r.IntN(keys))), 1+r.Uint64N(3)
			truth[key] += weight
			all += weight
			split[r.IntN(len(split))].Add([]byte(key), weight)
		}
		states := make([][]byte, len(split))
		for i := range split {
			states[i] = state(&split[i])
		}
		top := &Top{}
		if err := top.Merge(mergeAll(t, states, r)); err != nil {
			t.Fatal(err)
		}
		checkBounds(t, top, truth)
		if len(top.counters) > capacity || top.floor > all/uint64(capacity+1) {
			t.Fatalf("%d of %d counters, floor %d of %d", len(top.counters), capacity, top.floor, all)
		}
		if len(truth) > capacity {
			return
		}
		whole := &Top{capacity: capacity}
		for key, weight := range truth {
			whole.Add([]byte(key), weight)
		}
		if !bytes.Equal(state(top), state(whole)) || top.Missing() != 0 {
			t.Fatal("nothing had to be dropped, and the state is not that of all")
		}
	})
}

func checkBounds(t *rapid.T, top *Top, truth map[string]uint64) {
	missing := maps.Clone(truth)
	last := ^uint64(0)
	for _, item := range top.Items(len(truth) + 1) {
		if weight := truth[item.Key]; weight < item.Count || weight > item.Count+item.Error || item.Error > top.Missing() || item.Count > last {
			t.Fatalf("%+v after %d, floor %d: %d in truth", item, last, top.Missing(), weight)
		}
		last = item.Count
		delete(missing, item.Key)
	}
	for key, weight := range missing {
		if weight > top.Missing() {
			t.Fatalf("%q is missing with %d, floor %d", key, weight, top.Missing())
		}
	}
}

// Two states that are merged in either order lead to the same bytes, also when counters are dropped.
func TestTopCommutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		a, b := &Top{capacity: 20}, &Top{capacity: 20}
		for range rapid.IntRange(0, 500).Draw(t, "events") {
			a.Add([]byte{byte(r.IntN(60))}, 1+r.Uint64N(9))
			b.Add([]byte{byte(30 + r.IntN(60))}, 1+r.Uint64N(9))
		}
		ab, err := Merge(slices.Values([][]byte{state(a), state(b)}))
		if err != nil {
			t.Fatal(err)
		}
		if ba, err := Merge(slices.Values([][]byte{state(b), state(a)})); err != nil || !bytes.Equal(ab, ba) {
			t.Fatalf("%x and %x, %v", ab, ba, err)
		}
	})
}

// A key with more than its share of all is never dropped: the guarantee that the paper proves.
func TestTopHeavy(t *testing.T) {
	top, all := &Top{capacity: 10}, 0
	for i := range 5000 {
		top.Add(fmt.Append(nil, i), 1)
		if all++; i%9 == 0 {
			top.Add([]byte("heavy"), 1)
			all++
		}
	}
	items, err := TopItems(state(top), 1)
	if err != nil || len(items) != 1 || items[0].Key != "heavy" || items[0].Count+items[0].Error < 556 {
		t.Errorf("%+v of %d, %v", items, all, err)
	}
}

func TestTopKeys(t *testing.T) {
	top := NewTop(1)
	long := strings.Repeat("ü", MaxTopKey)
	for _, key := range []string{long, long + "x", "x" + long, strings.Repeat("\x80", 300), "zero"} {
		top.Add([]byte(key), uint64(min(1, len(key)-4)))
	}
	for _, item := range top.Items(9) {
		cut := item.Key[:1] == "\x80"
		if len(item.Key) > MaxTopKey || utf8.ValidString(item.Key) == cut || item.Key == "zero" {
			t.Errorf("%d bytes: %+v", len(item.Key), item)
		}
	}
	if n := len(top.counters); n != 3 {
		t.Errorf("%d keys", n)
	}
	if items := top.Items(-1); len(items) != 0 {
		t.Errorf("the first -1: %v", items)
	}
}

// The first 100 of 100,000 keys of a Zipf distribution are found through deltas, partitions and a tree of merges.
func TestTopRecall(t *testing.T) {
	for _, mixed := range []bool{false, true} {
		run := zipfRun{keys: 100_000, events: 200_000, delta: 2000, partitions: 4, k: 100, capacity: capacityFor(100), mixed: mixed}
		if recall, off, _ := run.recall(t); recall < 0.99 || off > 0.01 {
			t.Errorf("mixed %v: recall %v, counts off by %v", mixed, recall, off)
		}
	}
}

// BenchmarkTopRecall reports the worst of four streams.
func BenchmarkTopRecall(b *testing.B) {
	for _, capacity := range []int{200, 500, 1000, 2000} {
		for _, mixed := range []bool{false, true} {
			b.Run(fmt.Sprint(capacity, "/mixed=", mixed), func(b *testing.B) {
				for b.Loop() {
					share, off, size := 1.0, 0.0, 0
					for seed := range uint64(4) {
						run := zipfRun{keys: 10_000_000, events: 10_000_000, delta: 20_000, partitions: 64, k: 100, capacity: capacity, seed: seed, mixed: mixed}
						s, o, n := run.recall(b)
						share, off, size = min(share, s), max(off, o), max(size, n)
					}
					b.ReportMetric(share, "recall")
					b.ReportMetric(100*off, "%off")
					b.ReportMetric(float64(size), "B/state")
				}
			})
		}
	}
}

func BenchmarkTopAdd(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	z := newZipf(1.1, 10_000_000)
	keys := make([][]byte, 20_000)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "link-%08d", z.draw(r))
	}
	for b.Loop() {
		t := NewTop(100)
		for _, key := range keys {
			t.Add(key, 1)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(keys)), "ns/event")
}

func BenchmarkTopMerge(b *testing.B) {
	for _, n := range []int{3, 300, 20_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r, z, states, size := rand.New(rand.NewPCG(1, 2)), newZipf(1.1, 10_000_000), make([][]byte, 100), 0
			for i := range states {
				t := NewTop(100)
				for range n {
					t.Add(fmt.Appendf(nil, "link-%08d", z.draw(r)), 1)
				}
				states[i] = state(t)
				size += len(states[i])
			}
			for b.Loop() {
				if _, err := Merge(slices.Values(states)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(states)), "ns/state")
			b.ReportMetric(float64(size)/float64(len(states)), "B/state")
		})
	}
}
