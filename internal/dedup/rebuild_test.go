package dedup

import (
	"flag"
	"runtime"
	"testing"
	"time"

	"penstock"
	"penstock/internal/vfs"
)

var rebuilt = flag.Int64("ids", 400_000, "identities in the window of TestVerdictsAfterRebuild; 100000000 takes minutes")

// course is a history of identities without repeats, spread over lanes, that is longer than the window.
type course struct {
	ids, total int64
}

const courseLanes = 64

func (c course) identity(i int64) penstock.Identity {
	var id penstock.Identity
	for half := range 2 {
		z := (uint64(i)*2 + uint64(half) + 1) * 0x9E3779B97F4A7C15 // splitmix64
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		for b := range 8 {
			id[half*8+b] = byte((z ^ z>>31) >> (8 * b))
		}
	}
	return id
}

func (c course) lane(i int64) penstock.Lane { return testLane(penstock.Partition(i % courseLanes)) }

func (c course) logTime(i int64) penstock.Micros { return 1_800_000_000_000_000 + penstock.Micros(i)*3 }

func (c course) window() penstock.Dedup {
	return penstock.Dedup{Window: 24 * time.Hour, MaxIDs: c.ids}
}

func (c course) open(t *testing.T, next map[penstock.Lane]int64) *Index {
	x := mustOpen(t, Options{FS: vfs.OS(), Dir: t.TempDir(), Partitions: courseLanes}, next)
	mustWindow(t, x, "clicks", c.window())
	return x
}

// apply has an index decide about all of the course.
func (c course) apply(t *testing.T, x *Index) {
	const batch, group = 100_000, 64
	ahead := make([]penstock.Identity, 0, group)
	for from := int64(0); from < c.total; from += batch {
		b := x.Begin()
		for at := from; at < min(from+batch, c.total); at += group {
			ahead = ahead[:0]
			for i := at; i < min(at+group, from+batch, c.total); i++ {
				ahead = append(ahead, c.identity(i))
			}
			b.Expect(ahead)
			for j := range ahead {
				i := at + int64(j)
				if seen, err := b.Seen(c.lane(i), ahead[j], c.logTime(i)); seen || err != nil {
					t.Fatal(i, seen, err)
				}
			}
		}
		b.Commit()
	}
}

// restore makes an index from what a store has of the course.
func (c course) restore(t *testing.T) *Index {
	next := map[penstock.Lane]int64{}
	for l := range int64(courseLanes) {
		next[c.lane(l)] = (c.total - l + courseLanes - 1) / courseLanes
	}
	x := c.open(t, next)
	var packed []byte
	for l := range int64(courseLanes) {
		first := int64(0)
		for i := l; i < c.total; i += courseLanes {
			packed = AppendPacked(packed, c.identity(i), c.logTime(i))
			if len(packed) >= 1<<20 || i+courseLanes >= c.total {
				if err := x.Restore(c.lane(l), first, packed); err != nil {
					t.Fatal(err)
				}
				first += int64(len(packed) / PackedSize)
				packed = packed[:0]
			}
		}
	}
	return x
}

// verdicts asks for identities from the oldest to the newest and for some that never came, in a batch that is dropped.
func (c course) verdicts(t *testing.T, x *Index) []bool {
	const probes = 200_000
	b := x.Begin()
	defer b.Abort()
	var all []bool
	for n := range int64(probes) {
		i := n * (c.total + c.total/10) / probes
		seen, err := b.Seen(c.lane(i), c.identity(i), c.logTime(c.total))
		if err != nil {
			t.Fatal(err)
		}
		if never := i >= c.total; never && seen {
			t.Fatalf("%d counts as seen", i)
		} else if recent := i >= c.total-c.ids*8/10 && !never; recent && !seen {
			t.Fatalf("%d of %d is forgotten", i, c.total)
		}
		all = append(all, seen)
	}
	return all
}

// TestVerdictsAfterRebuild makes an index anew from what a store has, and compares its verdicts with those of the one that was lost.
func TestVerdictsAfterRebuild(t *testing.T) {
	c := course{ids: *rebuilt, total: *rebuilt + *rebuilt/4}
	first := c.open(t, nil)
	began := time.Now()
	c.apply(t, first)
	took := time.Since(began)
	want := c.verdicts(t, first)
	s := first.Stats()
	runtime.GC()
	var heap runtime.MemStats
	runtime.ReadMemStats(&heap)
	t.Logf("%d identities in the window of %d that came: %.0f a second, %d held in %d runs, %d MB of index, %d MB of heap",
		c.ids, c.total, float64(c.total)/took.Seconds(), s.IDs, s.Runs, s.Memory/1_000_000, heap.HeapAlloc/1_000_000)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	second := c.restore(t)
	t.Logf("made anew in %v", time.Since(began).Round(time.Millisecond))
	got := c.verdicts(t, second)
	seen := 0
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("probe %d: %v, before the rebuild %v", i, got[i], want[i])
		}
		if got[i] {
			seen++
		}
	}
	if forgotten := len(got) - seen; forgotten < len(got)/5 {
		t.Errorf("%d of %d are not known: the window ended nothing", forgotten, len(got))
	}
	t.Logf("%d verdicts are equal, %d of them repeats", len(got), seen)
}
