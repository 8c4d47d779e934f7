package dedup

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"penstock"
	"penstock/internal/vfs"
)

func testLane(p penstock.Partition) penstock.Lane {
	return penstock.Lane{Tenant: penstock.DefaultTenant, Stream: "clicks", Partition: p}
}

func mustOpen(t testing.TB, o Options, next map[penstock.Lane]int64) *Index {
	t.Helper()
	x, err := Open(o, next)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

func mustWindow(t testing.TB, x *Index, stream string, d penstock.Dedup) {
	t.Helper()
	if complete, err := x.SetWindow(penstock.DefaultTenant, stream, d); err != nil || !complete {
		t.Fatalf("SetWindow: %v, %v", complete, err)
	}
}

// decide runs a batch of one lane and commits it: second and identity of each record.
func decide(t testing.TB, x *Index, lane penstock.Lane, records [][2]int) (seen []bool) {
	t.Helper()
	b := x.Begin()
	for _, r := range records {
		yes, err := b.Seen(lane, testIdentity(uint64(r[1])), penstock.Micros(r[0])*1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, yes)
	}
	b.Commit()
	return seen
}

// TestRules has a case for each sentence of the rule; every history is decided in one batch, in batches of one, and with runs of a few identities.
func TestRules(t *testing.T) {
	const yes, no = true, false
	cases := []struct {
		name    string
		dedup   penstock.Dedup
		records [][2]int // second, identity
		want    []bool
	}{
		{"nothing is remembered", penstock.Dedup{}, [][2]int{{1, 1}, {1, 1}}, []bool{no, no}},
		{"only a time is no window", penstock.Dedup{Window: time.Hour}, [][2]int{{1, 1}, {1, 1}}, []bool{no, no}},
		{"the last second of the window", penstock.Dedup{Window: 10 * time.Second, MaxIDs: 100}, [][2]int{{1, 1}, {11, 1}}, []bool{no, yes}},
		{"a second later", penstock.Dedup{Window: 10 * time.Second, MaxIDs: 100}, [][2]int{{1, 1}, {12, 1}}, []bool{no, no}},
		{"a repeat does not refresh", penstock.Dedup{Window: 10 * time.Second, MaxIDs: 100}, [][2]int{{1, 1}, {8, 1}, {12, 1}}, []bool{no, yes, no}},
		{"what came anew counts from then on", penstock.Dedup{Window: 10 * time.Second, MaxIDs: 100},
			[][2]int{{1, 1}, {12, 1}, {22, 1}, {23, 1}, {33, 1}}, []bool{no, no, yes, no, yes}},
		{"the share", penstock.Dedup{Window: time.Hour, MaxIDs: 8}, // of four partitions: two
			[][2]int{{1, 1}, {1, 2}, {1, 1}, {1, 2}, {1, 3}, {1, 1}, {1, 3}}, []bool{no, no, yes, yes, no, no, yes}},
		{"repeats do not push out", penstock.Dedup{Window: time.Hour, MaxIDs: 8},
			[][2]int{{1, 1}, {1, 2}, {1, 2}, {1, 2}, {1, 1}}, []bool{no, no, yes, yes, yes}},
		{"a share is rounded up", penstock.Dedup{Window: time.Hour, MaxIDs: 1}, [][2]int{{1, 1}, {1, 1}, {1, 2}, {1, 1}}, []bool{no, yes, no, no}},
		{"before 1970", penstock.Dedup{Window: time.Second, MaxIDs: 100}, [][2]int{{-9, 1}, {1, 1}, {2, 1}}, []bool{no, yes, no}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{len(c.records), 1} {
				for _, table := range []int{1, 2, 1000} {
					x := mustOpen(t, Options{FS: vfs.NewMemory(0), Dir: testDir, Partitions: 4, TableIDs: table}, nil)
					mustWindow(t, x, "clicks", c.dedup)
					var got []bool
					for i := 0; i < len(c.records); i += size {
						got = append(got, decide(t, x, testLane(1), c.records[i:i+size])...)
					}
					for i, want := range c.want {
						if got[i] != want {
							t.Errorf("batches of %d, tables of %d: record %d is %v, want %v", size, table, i, got[i], want)
						}
					}
				}
			}
		})
	}
}

func TestLanesAreApart(t *testing.T) {
	x := mustOpen(t, Options{FS: vfs.NewMemory(0), Dir: testDir, Partitions: 4, TableIDs: 2}, nil)
	mustWindow(t, x, "clicks", penstock.Dedup{Window: time.Hour, MaxIDs: 4000})
	for p := range penstock.Partition(4) {
		if seen := decide(t, x, testLane(p), [][2]int{{1, 7}, {1, 7}, {1, 8}, {1, 9}}); seen[0] || !seen[1] {
			t.Errorf("partition %d: %v", p, seen)
		}
	}
	if _, err := x.Begin().Seen(testLane(4), testIdentity(1), 0); !penstock.Is(err, penstock.Invalid) {
		t.Errorf("a partition that is not there: %v", err)
	}
}

func TestSecondsAreCut(t *testing.T) {
	x := mustOpen(t, Options{FS: vfs.NewMemory(0), Dir: testDir, Partitions: 1}, nil)
	mustWindow(t, x, "clicks", penstock.Dedup{Window: time.Second, MaxIDs: 10})
	b := x.Begin()
	for i, c := range []struct {
		at   penstock.Micros
		want bool
	}{{1_000_000, false}, {2_999_999, true}, {3_000_000, false}, {4_999_999, true}} {
		if got, err := b.Seen(testLane(0), testIdentity(1), c.at); got != c.want || err != nil {
			t.Errorf("%d: %v, %v", i, got, err)
		}
	}
}

// TestBatchesEnd checks that a batch that was dropped, aborted or has ended is not there.
func TestBatchesEnd(t *testing.T) {
	x := mustOpen(t, Options{FS: vfs.NewMemory(0), Dir: testDir, Partitions: 1}, nil)
	mustWindow(t, x, "clicks", penstock.Dedup{Window: time.Hour, MaxIDs: 10})
	b := x.Begin()
	_, _ = b.Seen(testLane(0), testIdentity(1), 0)
	b = x.Begin() // dropped
	if seen, err := b.Seen(testLane(0), testIdentity(1), 0); seen || err != nil {
		t.Errorf("after a batch that was dropped: %v, %v", seen, err)
	}
	b.Abort()
	b.Commit()
	if _, err := b.Seen(testLane(0), testIdentity(1), 0); !penstock.Is(err, penstock.Internal) {
		t.Errorf("after the end: %v", err)
	}
	if seen := decide(t, x, testLane(0), [][2]int{{0, 1}, {0, 1}}); seen[0] || !seen[1] {
		t.Errorf("after a batch that was aborted: %v", seen)
	}
	for a := range x.Begin().Added() {
		t.Errorf("an empty batch adds %v", a)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	if _, err := x.Begin().Seen(testLane(0), testIdentity(1), 0); !penstock.Is(err, penstock.Unavailable) {
		t.Errorf("after Close: %v", err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	x := mustOpen(t, Options{FS: vfs.NewMemory(0), Dir: testDir, Partitions: 1}, map[penstock.Lane]int64{testLane(0): 5})
	mustWindow(t, x, "clicks", penstock.Dedup{Window: time.Hour, MaxIDs: 10})
	five := make([]byte, 5*PackedSize)
	for i := range 5 {
		id := testIdentity(uint64(i))
		copy(five[i*PackedSize:], id[:])
	}
	for _, c := range []struct {
		first int64
		n     int
		want  penstock.Code
	}{{0, 19, penstock.Corrupt}, {1, 100, penstock.Corrupt}, {-1, 20, penstock.Corrupt}, {2, 40, ""}, {1, 20, penstock.Internal}, {4, 20, ""}, {4, 20, penstock.Internal}} {
		if err := x.Restore(testLane(0), c.first, five[:c.n]); penstock.CodeOf(err) != c.want {
			t.Errorf("%d bytes from %d on: %v", c.n, c.first, err)
		}
	}
	if got := x.Covered(testLane(0)); got != 5 {
		t.Errorf("covered up to %d", got)
	}
}

// TestWindowInForce compares with what is known exactly: the window told is not longer, and not shorter by more than a part in grain and the batch.
func TestWindowInForce(t *testing.T) {
	x := mustOpen(t, Options{FS: vfs.NewMemory(0), Dir: testDir, Partitions: 2, TableIDs: 500}, nil)
	if w, n := x.Window(penstock.DefaultTenant, "clicks"); w != 0 || n != 0 {
		t.Fatalf("a stream that is not there: %v, %d", w, n)
	}
	mustWindow(t, x, "clicks", penstock.Dedup{Window: 1000 * time.Second, MaxIDs: 2000})
	id := 0
	for second := range 3000 { // one a second for 2000 s: never pushed out. Then four: a thousand last 250 s
		var records [][2]int
		for range 1 + 3*(second/2000) {
			id++
			records = append(records, [2]int{second, id})
		}
		decide(t, x, testLane(0), records)
		w, n := x.Window(penstock.DefaultTenant, "clicks")
		exact, ids := 1000*time.Second, min(second+1, 1000)
		if second > 2250 {
			exact, ids = 250*time.Second, 1000
		}
		if second < 1999 || second > 2250 {
			if w > exact+time.Second || w < exact-exact/grain-63*time.Second {
				t.Fatalf("second %d: window %v, want %v", second, w, exact)
			}
			if n > int64(ids)+1 || n < int64(ids)-64 {
				t.Fatalf("second %d: %d identities, want %d", second, n, ids)
			}
		}
	}
	mustWindow(t, x, "clicks", penstock.Dedup{})
	if w, _ := x.Window(penstock.DefaultTenant, "clicks"); w != 0 {
		t.Errorf("a stream that remembers nothing: %v", w)
	}
}

// randomIdentity returns identities as the hash makes them.
func randomIdentity(r *rand.Rand) (id penstock.Identity) {
	for i := 0; i < 16; i += 8 {
		v := r.Uint64()
		for j := range 8 {
			id[i+j] = byte(v >> (8 * j))
		}
	}
	return id
}

// TestConcurrentLooks asks about the index while it decides, writes and merges.
func TestConcurrentLooks(t *testing.T) {
	x := mustOpen(t, Options{FS: vfs.NewMemory(0), Dir: testDir, Partitions: 4, TableIDs: 100}, nil)
	mustWindow(t, x, "clicks", penstock.Dedup{Window: time.Hour, MaxIDs: 1 << 30})
	var wait sync.WaitGroup
	done := make(chan struct{})
	wait.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			x.Window(penstock.DefaultTenant, "clicks")
			x.Covered(testLane(2))
			if s := x.Stats(); s.Runs > 0 && s.Memory == 0 {
				t.Error("runs without memory")
			}
		}
	})
	r := rand.New(rand.NewPCG(1, 1))
	for range 30 {
		b := x.Begin()
		for i := range 100 {
			if _, err := b.Seen(testLane(penstock.Partition(i%4)), randomIdentity(r), 0); err != nil {
				t.Error(err)
			}
		}
		b.Commit()
	}
	close(done)
	wait.Wait()
	if s := x.Stats(); s.IDs != 3000 {
		t.Errorf("%d identities are held", s.IDs)
	}
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		sizes []int64
		want  int // from which on
		later int // the same, if there are older ones
	}{
		{nil, 0, 0},
		{[]int64{5}, 1, 1},
		{[]int64{100, 40, 50}, 3, 3},
		{[]int64{100, 40, 60}, 0, 3},
		{[]int64{largeRun, largeRun / 10, largeRun / 10}, 3, 3},
		{[]int64{largeRun, largeRun / 10, largeRun / 6}, 0, 3},
		{[]int64{1000, 1, 1, 1}, 4, 4},
		{[]int64{1000, 1, 1, 1, 1}, 1, 1},
		{[]int64{1000, 4, 4, 1, 1, 1, 1}, 3, 3},
		{[]int64{1000, 4, 4, 4, 1, 1, 1, 1}, 1, 1},
		{[]int64{1000, 0, 1}, 1, 1},
		{[]int64{0, 1}, 0, 0},
	} {
		if got := plan(c.sizes, true); got != c.want {
			t.Errorf("%v: from %d on, want %d", c.sizes, got, c.want)
		}
		if got := plan(c.sizes, false); got != c.later {
			t.Errorf("%v, behind others: from %d on, want %d", c.sizes, got, c.later)
		}
	}
}
