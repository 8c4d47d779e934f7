package dedup

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"penstock"
	"penstock/internal/vfs"
)

// TestCrash loses power before each change of the disk, in several ways, and goes on with what is left.
func TestCrash(t *testing.T) {
	var mu sync.Mutex
	disk := vfs.NewMemory(0)
	changes := 0
	var left []*vfs.Memory
	watched := vfs.Watch(disk, func(op vfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if !op.Changes() {
			return nil
		}
		if changes++; op.Kind != vfs.OpWrite || changes%50 == 0 {
			for seed := range uint64(3) {
				left = append(left, disk.CrashClone(seed))
			}
		}
		return nil
	})
	l := newLife(t, 7)
	l.close()
	l.fs, l.o.FS = disk, watched
	l.open()
	for range 12 {
		l.batch()
	}
	l.close()
	mu.Lock()
	defer mu.Unlock()
	if len(left) < 100 {
		t.Fatalf("only %d crashes", len(left))
	}
	t.Logf("%d crashes", len(left))
	// The store is at least as far as the index. What it holds beyond that has to come from it.
	reused := 0
	for i, fs := range left {
		o := l.o
		o.FS = fs
		o.Trace.Discarded = func(err error) { t.Errorf("crash %d: the runs were discarded: %v", i, err) }
		x, err := Open(o, l.m.next())
		if err != nil {
			t.Fatalf("crash %d: %v", i, err)
		}
		for lane := range l.m.lanes {
			if x.Covered(lane) > 0 {
				reused++
				break
			}
		}
		l.m.fill(t, x)
		probe(t, x, l, fmt.Sprint("crash ", i))
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if reused == 0 {
		t.Error("no run survived any crash")
	}
}

// probe compares the verdicts on all identities, and changes nothing.
func probe(t *testing.T, x *Index, l *life, where string) {
	t.Helper()
	b, before := x.Begin(), l.m.next()
	l.m.noted = l.m.noted[:0]
	for id := range l.pool {
		for lane := range l.m.lanes {
			want := l.m.seen(lane, testIdentity(uint64(id)), l.at)
			if got, err := b.Seen(lane, testIdentity(uint64(id)), l.at); err != nil || got != want {
				t.Fatalf("%s: %v identity %d: seen is %v, want %v: %v", where, lane, id, got, want, err)
			}
		}
	}
	b.Abort()
	l.m.undo(before)
}

// TestFaults lets operations of the disk fail, once or from then on. Verdicts are right or refused; when the disk works again they are given.
func TestFaults(t *testing.T) {
	kinds := []vfs.Kind{vfs.OpCreate, vfs.OpRename, vfs.OpRemove, vfs.OpSyncDir, vfs.OpRead, vfs.OpWrite, vfs.OpSync, vfs.OpFree, vfs.OpSize}
	for _, kind := range kinds {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("%s %d", kind, seed), func(t *testing.T) { fault(t, kind, seed) })
		}
	}
}

func fault(t *testing.T, kind vfs.Kind, seed uint64) {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, 2))
	nth, ever, count, off := 1+r.IntN(40), seed%2 == 0, 0, false
	l := newLife(t, seed)
	l.close()
	disk := vfs.NewMemory(0)
	l.fs, l.o.FS = disk, vfs.Watch(disk, func(op vfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if op.Kind != kind || off {
			return nil
		}
		if count++; count == nth || ever && count > nth {
			return syscall.EIO
		}
		return nil
	})
	var err error
	if l.x, err = Open(l.o, nil); err != nil {
		off = true
		l.open()
	} else {
		l.m.fill(t, l.x)
	}
	refused := 0
	for range 40 {
		if !l.try() {
			refused++
		}
	}
	mu.Lock()
	off = true
	mu.Unlock()
	for range 10 {
		if !l.try() && !errors.Is(l.x.broken, syscall.EIO) {
			t.Error("the disk works again, and the batch was refused")
		}
	}
	_ = l.x.Close()
	l.open()
	probe(t, l.x, l, "after all")
	l.close()
	t.Logf("%d operations, %d batches refused", count, refused)
}

// try decides a batch of new identities; false if it was refused.
func (l *life) try() bool {
	l.t.Helper()
	b, before := l.x.Begin(), l.m.next()
	l.m.noted = l.m.noted[:0]
	for range 50 {
		lane := penstock.Lane{Tenant: "default", Stream: "all", Partition: penstock.Partition(l.r.IntN(3))}
		id := testIdentity(uint64(l.r.IntN(5000)))
		want := l.m.seen(lane, id, l.at)
		got, err := b.Seen(lane, id, l.at)
		if err != nil {
			if !penstock.Is(err, penstock.Unavailable) {
				l.t.Fatal(err)
			}
			b.Abort()
			l.m.undo(before)
			return false
		}
		if got != want {
			l.t.Fatalf("%v: seen is %v, want %v", lane, got, want)
		}
	}
	b.Commit()
	return true
}

// TestFullDisk checks that a table that cannot be written refuses batches after the next one is full too, and holds no more than that.
func TestFullDisk(t *testing.T) {
	disk := vfs.NewMemory(1)
	x := mustOpen(t, Options{FS: disk, Dir: testDir, Partitions: 1, TableIDs: 100}, nil)
	mustWindow(t, x, "clicks", penstock.Dedup{Window: time.Hour, MaxIDs: 1 << 30})
	refused := 0
	next := 0
	for range 20 {
		b := x.Begin()
		var err error
		for i := 0; i < 30 && err == nil; i++ {
			_, err = b.Seen(testLane(0), testIdentity(uint64(next+i)), 0)
		}
		if err != nil {
			if !errors.Is(err, syscall.ENOSPC) || !penstock.Is(err, penstock.Unavailable) {
				t.Fatal(err)
			}
			b.Abort()
			refused++
			continue
		}
		b.Commit()
		next += 30
	}
	if ids := x.Stats().IDs; refused == 0 || ids > 260 {
		t.Errorf("%d batches were refused, %d identities are in memory", refused, ids)
	}
	disk.SetSize(0)
	for i := range next {
		if seen := decide(t, x, testLane(0), [][2]int{{0, i}}); !seen[0] {
			t.Fatalf("identity %d was forgotten", i)
		}
	}
}

// TestCrowded checks that batches are refused when merging has failed for so long that there are too many runs, and taken again when it works.
func TestCrowded(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	fs := vfs.Watch(vfs.NewMemory(0), func(op vfs.Op) error {
		if op.Kind == vfs.OpFree && broken.Load() {
			return syscall.EIO
		}
		return nil
	})
	x := mustOpen(t, Options{FS: fs, Dir: testDir, Partitions: 1, TableIDs: 2}, nil)
	mustWindow(t, x, "clicks", penstock.Dedup{Window: time.Hour, MaxIDs: 1 << 30})
	taken := 0
	take := func() error {
		b := x.Begin()
		defer b.Commit()
		_, err := b.Seen(testLane(0), testIdentity(uint64(taken)), 0)
		if err == nil {
			taken++
		}
		return err
	}
	var err error
	for err == nil && taken < 1000 {
		err = take()
	}
	if !penstock.Is(err, penstock.Unavailable) || x.Stats().Runs > maxRuns+1 { // one was being written
		t.Fatalf("after %d identities in %d runs: %v", taken, x.Stats().Runs, err)
	}
	broken.Store(false)
	for range 2 * maxRuns {
		if err := take(); err != nil {
			t.Fatalf("the disk works again: %v", err)
		}
	}
	for i := range taken {
		if seen := decide(t, x, testLane(0), [][2]int{{0, i}}); !seen[0] {
			t.Errorf("identity %d was forgotten", i)
		}
	}
}
