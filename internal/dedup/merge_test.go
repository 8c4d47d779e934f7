package dedup

import (
	"slices"
	"testing"
	"time"

	"penstock"
	"penstock/internal/vfs"
)

// quiet returns an index without a merger: tests merge themselves.
func quiet(t *testing.T, o Options) *Index {
	t.Helper()
	o.FS, o.Dir, o.Partitions = vfs.NewMemory(0), testDir, 1
	x := mustOpen(t, o, nil)
	x.quieten()
	return x
}

func (x *Index) quieten() {
	x.pause()
	x.stop = make(chan struct{})
}

// TestMergeLeavesOut checks exactly what a merge leaves out: what cannot count at any later record, and nothing else.
func TestMergeLeavesOut(t *testing.T) {
	for _, c := range []struct {
		name    string
		dedup   penstock.Dedup
		records [][2]int // second, identity
		left    []int    // identities that remain
	}{
		{"everything counts", penstock.Dedup{Window: time.Hour, MaxIDs: 9}, [][2]int{{1, 1}, {1, 2}, {1, 3}}, []int{1, 2, 3}},
		{"by time, to the second", penstock.Dedup{Window: 10 * time.Second, MaxIDs: 9}, [][2]int{{1, 1}, {2, 2}, {12, 3}}, []int{2, 3}},
		{"by the share, to the ordinal", penstock.Dedup{Window: time.Hour, MaxIDs: 2}, [][2]int{{1, 1}, {1, 2}, {1, 3}}, []int{2, 3}},
		{"an older occurrence", penstock.Dedup{Window: 10 * time.Second, MaxIDs: 9}, [][2]int{{1, 1}, {12, 1}, {12, 2}}, []int{1, 2}},
		{"a repeat moves the time", penstock.Dedup{Window: 10 * time.Second, MaxIDs: 9}, [][2]int{{1, 1}, {5, 2}, {12, 2}}, []int{2}},
		{"the stream remembers nothing any more", penstock.Dedup{}, [][2]int{{1, 1}, {1, 2}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := quiet(t, Options{})
			first := c.dedup
			if !first.On() {
				first = penstock.Dedup{Window: time.Hour, MaxIDs: 100}
			}
			mustWindow(t, x, "clicks", first)
			x.quieten()
			for i := range c.records {
				decide(t, x, testLane(0), c.records[i:i+1])
				x.freezeAll(t)
			}
			if !c.dedup.On() {
				mustWindow(t, x, "clicks", c.dedup)
				x.quieten()
			}
			if len(x.runs) > 1 { // without a window the index may have merged them by itself, before it was quiet
				x.mergeAll(t)
			}
			var left []int
			for _, id := range []int{1, 2, 3} {
				var room page
				identity := testIdentity(uint64(id))
				_, found, err := x.lookUp(keyOf(&identity, 0), &room)
				if err != nil {
					t.Fatal(err)
				}
				if found {
					left = append(left, id)
				}
			}
			if !slices.Equal(left, c.left) || x.runs[0].ids != int64(len(left)) {
				t.Errorf("%v remain of %d, want %v", left, x.runs[0].ids, c.left)
			}
		})
	}
}

// mergeAll merges all runs into one.
func (x *Index) mergeAll(t *testing.T) {
	t.Helper()
	if len(x.runs) < 2 {
		t.Fatalf("%d runs cannot be merged", len(x.runs))
	}
	if err := x.merge(slices.Clone(x.runs)); err != nil {
		t.Fatal(err)
	}
}

// TestWiden checks that a wider window is answered from the index only if it has all that counts, also after another merge and another start.
func TestWiden(t *testing.T) {
	x := quiet(t, Options{})
	lane := testLane(0)
	narrow := penstock.Dedup{Window: 10 * time.Second, MaxIDs: 100}
	mustWindow(t, x, "clicks", narrow)
	x.quieten()
	for i := range 4 {
		decide(t, x, lane, [][2]int{{20 * i, i}})
		x.freezeAll(t)
		if i > 0 {
			x.mergeAll(t) // leaves out what came 20 s before, and only that is new to it
		}
	}
	decide(t, x, lane, [][2]int{{60, 4}})
	x.freezeAll(t)
	x.mergeAll(t) // leaves out nothing
	o, next := x.o, map[penstock.Lane]int64{lane: 5}
	o.Trace.Discarded = func(err error) { t.Log(err) }
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	y, err := Open(o, next)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		window   time.Duration
		complete bool
		covered  int64
	}{{10, true, 5}, {5, true, 5}, {19, true, 5}, {20, false, 0}, {100, true, 0}} {
		complete, err := y.SetWindow(penstock.DefaultTenant, "clicks", penstock.Dedup{Window: c.window * time.Second, MaxIDs: 100})
		if err != nil || complete != c.complete || y.Covered(lane) != c.covered {
			t.Errorf("window of %d s: complete is %v, %v; covered up to %d", c.window, complete, err, y.Covered(lane))
		}
	}
	if err := y.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestShelfOrder checks that a section lies between what is newer and what is older.
func TestShelfOrder(t *testing.T) {
	of := func(first, last uint64) *section { return &section{run: &run{first: first, last: last}} }
	one, two, three, four, five := of(1, 1), of(2, 2), of(3, 3), of(4, 4), of(5, 5)
	middle := of(2, 3)
	x := &Index{}
	x.shelves[0] = []*section{five, four, three, two, one}
	x.replace(0, middle.run, middle, two.run, three.run)
	if !slices.Equal(x.shelves[0], []*section{five, four, middle, one}) {
		t.Error("a merge did not take the place of its inputs")
	}
	x.replace(0, middle.run, nil, middle.run)
	x.replace(0, two.run, two)
	x.replace(0, three.run, three)
	if !slices.Equal(x.shelves[0], []*section{five, four, three, two, one}) {
		t.Error("the inputs did not come back")
	}
	all := of(1, 5)
	x.replace(0, all.run, all, one.run, two.run, three.run, four.run, five.run)
	if !slices.Equal(x.shelves[0], []*section{all}) {
		t.Error("all did not become one")
	}
}

// TestAbortGivesBack checks that an occurrence which a batch replaced counts again after the batch was aborted.
func TestAbortGivesBack(t *testing.T) {
	x := quiet(t, Options{})
	mustWindow(t, x, "clicks", penstock.Dedup{Window: time.Hour, MaxIDs: 2})
	decide(t, x, testLane(0), [][2]int{{0, 1}})
	b := x.Begin()
	for i, id := range []uint64{2, 3, 1} {
		if seen, err := b.Seen(testLane(0), testIdentity(id), 0); seen || err != nil {
			t.Fatalf("%d: %v, %v", i, seen, err)
		}
	}
	b.Abort()
	if seen := decide(t, x, testLane(0), [][2]int{{0, 1}}); !seen[0] {
		t.Error("the first occurrence is gone")
	}
}
