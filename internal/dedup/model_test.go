package dedup

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"penstock"
	"penstock/internal/vfs"
)

const testDir = "ids"

// model is what the rules say, in maps, with what a store would hold.
type model struct {
	partitions int
	windows    map[streamName]penstock.Dedup
	lanes      map[penstock.Lane]*modelLane
	noted      []noted // in this batch
}

// noted is what undo needs.
type noted struct {
	lane *modelLane
	id   penstock.Identity
	old  mark // ordinal -1: none
}

type modelLane struct {
	packed []byte // of all ordinals
	newest map[penstock.Identity]mark
}

func newModel(partitions int) *model {
	return &model{partitions: partitions, windows: map[streamName]penstock.Dedup{}, lanes: map[penstock.Lane]*modelLane{}}
}

func (m *model) lane(l penstock.Lane) *modelLane {
	if m.lanes[l] == nil {
		m.lanes[l] = &modelLane{newest: map[penstock.Identity]mark{}}
	}
	return m.lanes[l]
}

func (l *modelLane) next() int64 { return int64(len(l.packed) / PackedSize) }

// seen decides, and notes what is new.
func (m *model) seen(name penstock.Lane, id penstock.Identity, at penstock.Micros) bool {
	d := m.windows[streamName{name.Tenant, name.Stream}]
	if !d.On() {
		return false
	}
	l, second := m.lane(name), int64(at)/1_000_000
	old, ok := l.newest[id]
	if ok && second-int64(old.second) <= int64(d.Window/time.Second) && l.next()-old.ordinal <= d.Share(m.partitions) {
		return true
	}
	if !ok {
		old.ordinal = -1
	}
	m.noted = append(m.noted, noted{l, id, old})
	l.newest[id] = mark{l.next(), uint32(second)}
	l.packed = append(l.packed, id[:]...)
	l.packed = binary.LittleEndian.AppendUint32(l.packed, uint32(second))
	return false
}

func (m *model) next() map[penstock.Lane]int64 {
	next := map[penstock.Lane]int64{}
	for name, l := range m.lanes {
		next[name] = l.next()
	}
	return next
}

// undo takes back what was noted since the lanes were as long as before, newest first.
func (m *model) undo(before map[penstock.Lane]int64) {
	for i := len(m.noted) - 1; i >= 0; i-- {
		n := m.noted[i]
		if n.old.ordinal < 0 {
			delete(n.lane.newest, n.id)
		} else {
			n.lane.newest[n.id] = n.old
		}
	}
	for name, l := range m.lanes {
		l.packed = l.packed[:before[name]*PackedSize]
	}
}

// fill restores an index from what the store holds.
func (m *model) fill(t *testing.T, x *Index) {
	t.Helper()
	complete := false
	for !complete {
		complete = true
		for n, d := range m.windows {
			ok, err := x.SetWindow(n.tenant, n.name, d)
			if err != nil {
				t.Fatal(err)
			}
			complete = complete && ok
		}
	}
	for name, l := range m.lanes {
		first := x.Covered(name)
		for first < l.next() {
			n := min(l.next()-first, 70)
			if err := x.Restore(name, first, l.packed[first*PackedSize:(first+n)*PackedSize]); err != nil {
				t.Fatal(err)
			}
			first += n
		}
	}
}

// life runs random batches against an index and the model.
type life struct {
	t         *testing.T
	r         *rand.Rand
	fs        *vfs.Memory
	m         *model
	x         *Index
	o         Options
	at        penstock.Micros
	discarded int
	corrupt   int
	repeats   int
	pool      int // how many identities there are
}

func newLife(t *testing.T, seed uint64) *life {
	l := &life{t: t, r: rand.New(rand.NewPCG(seed, 1)), fs: vfs.NewMemory(0), m: newModel(3), pool: 400, at: 1_000_000_000_000}
	l.o = Options{FS: l.fs, Dir: testDir, Partitions: 3, TableIDs: 60, Trace: Trace{
		Discarded: func(error) { l.discarded++ },
		Failed:    func(err error) { l.t.Logf("failed: %v", err) },
	}}
	l.m.windows[streamName{"default", "time"}] = penstock.Dedup{Window: 40 * time.Second, MaxIDs: 1 << 40}
	l.m.windows[streamName{"default", "few"}] = penstock.Dedup{Window: 1 << 40, MaxIDs: 20}
	l.m.windows[streamName{"default", "both"}] = penstock.Dedup{Window: 60 * time.Second, MaxIDs: 400}
	l.m.windows[streamName{"default", "off"}] = penstock.Dedup{}
	l.m.windows[streamName{"default", "all"}] = penstock.Dedup{Window: 1 << 40, MaxIDs: 1 << 40}
	l.open()
	return l
}

func (l *life) open() {
	l.t.Helper()
	x, err := Open(l.o, l.m.next())
	if err != nil {
		l.t.Fatal(err)
	}
	l.x = x
	l.m.fill(l.t, x)
}

func (l *life) close() {
	if err := l.x.Close(); err != nil && !penstock.Is(err, penstock.Corrupt) {
		l.t.Fatal(err)
	}
}

// batch decides a batch on both sides and compares. It returns false if a run is damaged.
func (l *life) batch() bool {
	l.t.Helper()
	b := l.x.Begin()
	before := l.m.next()
	l.m.noted = l.m.noted[:0]
	names := []string{"time", "few", "both", "off", "all"}
	for range l.r.IntN(150) {
		if l.r.IntN(3) == 0 {
			l.at += penstock.Micros(l.r.IntN(1_500_000))
		}
		lane := penstock.Lane{Tenant: "default", Stream: names[l.r.IntN(len(names))], Partition: penstock.Partition(l.r.IntN(3))}
		id := testIdentity(uint64(l.r.IntN([]int{12, l.pool}[l.r.IntN(2)])))
		want := l.m.seen(lane, id, l.at)
		got, err := b.Seen(lane, id, l.at)
		if penstock.Is(err, penstock.Corrupt) {
			b.Abort()
			l.m.undo(before)
			return false
		}
		if err != nil {
			l.t.Fatal(err)
		}
		if got != want {
			l.t.Fatalf("%v at %d: seen is %v, want %v", lane, l.at, got, want)
		}
		if got {
			l.repeats++
		}
	}
	l.compareAdded(b, before)
	if l.r.IntN(5) == 0 {
		b.Abort()
		l.m.undo(before)
	} else {
		b.Commit()
	}
	return true
}

func (l *life) compareAdded(b *Batch, before map[penstock.Lane]int64) {
	l.t.Helper()
	total := 0
	for a := range b.Added() {
		if next := l.m.lane(a.Lane).next(); a.First != before[a.Lane] || a.Next != next {
			l.t.Fatalf("%v: added from %d to %d, want %d to %d", a.Lane, a.First, a.Next, before[a.Lane], next)
		}
		total += int(a.Next - a.First)
	}
	if total != len(l.m.noted) {
		l.t.Fatalf("%d identities were added, want %d", total, len(l.m.noted))
	}
}

func (l *life) runs() []string {
	names, err := l.fs.List(testDir)
	if err != nil {
		l.t.Fatal(err)
	}
	var runs []string
	for _, n := range names {
		if strings.HasSuffix(n, suffix) {
			runs = append(runs, filepath.Join(testDir, n))
		}
	}
	return runs
}

// testIdentity returns an identity for a number: even ones begin alike, so that pages and slots collide.
func testIdentity(n uint64) (id penstock.Identity) {
	h := (n + 1) * 0x9E3779B97F4A7C15
	binary.LittleEndian.PutUint64(id[8:], h)
	if n%2 == 1 {
		binary.LittleEndian.PutUint64(id[:8], h*h)
	}
	return id
}

// TestModel lives random lives: batches that are kept or aborted, with the index closed, killed, deprived of runs or damaged in between.
func TestModel(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			l := newLife(t, seed)
			for range 60 {
				if !l.batch() {
					l.corrupt++
					l.close()
					l.open()
				}
				if l.r.IntN(8) == 0 {
					l.disturb()
				}
			}
			l.close()
			if l.repeats == 0 {
				t.Error("nothing was ever seen twice")
			}
		})
	}
}

func (l *life) disturb() {
	l.t.Helper()
	what := l.r.IntN(7)
	if what == 0 {
		l.widen()
		return
	}
	if what != 1 {
		l.close()
	}
	runs := l.runs()
	switch {
	case what == 1: // killed, power lost
		l.fs = l.fs.CrashClone(l.r.Uint64N(5))
		l.close() // of what lives on without its disk
		l.o.FS = l.fs
	case what == 2 && len(runs) > 0:
		if err := l.fs.Remove(runs[l.r.IntN(len(runs))]); err != nil {
			l.t.Fatal(err)
		}
	case what == 3 && len(runs) > 0:
		l.flip(runs[l.r.IntN(len(runs))])
	case what == 4:
		for _, name := range runs {
			if err := l.fs.Remove(name); err != nil {
				l.t.Fatal(err)
			}
		}
	}
	l.open()
}

func (l *life) flip(name string) {
	f, err := l.fs.Open(name)
	if err != nil {
		l.t.Fatal(err)
	}
	size, _ := f.Size()
	if err := l.fs.Flip(name, l.r.Int64N(size), 1<<l.r.IntN(8)); err != nil {
		l.t.Fatal(err)
	}
}

// widen changes a window while the index is open, and restores if that is asked for.
func (l *life) widen() {
	n := streamName{"default", []string{"time", "few", "both", "off"}[l.r.IntN(4)]}
	d := l.m.windows[n]
	d.Window = max(time.Second, d.Window+time.Duration(l.r.IntN(100)-50)*time.Second)
	d.MaxIDs = max(1, d.MaxIDs+int64(l.r.IntN(400))-200)
	l.m.windows[n] = d
	l.m.fill(l.t, l.x)
}
