package dedup

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"penstock"
	"penstock/internal/vfs"
)

var rewrite = flag.Bool("rewrite", false, "write the golden file anew")

const golden = "testdata/golden-v1.ids"

// goldenRuns makes three runs of two streams and four lanes, or one of them, in which something is left out. Nothing happens in the background.
func goldenRuns(t testing.TB, merged bool) (*vfs.Memory, map[penstock.Lane]int64) {
	t.Helper()
	fs := vfs.NewMemory(0)
	x, err := Open(Options{FS: fs, Dir: testDir, Partitions: 4, TableIDs: 300, History: "golden"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	x.pause()
	x.stop = make(chan struct{})
	for _, name := range []string{"clicks", "orders"} {
		s := x.stream(streamName{penstock.DefaultTenant, name})
		s.known, s.on, s.window, s.share = true, true, 100, 500
	}
	x.streams[streamName{penstock.DefaultTenant, "orders"}].window = 50
	for i := range 10 {
		b := x.Begin()
		for j := range 60 {
			lane := testLane(penstock.Partition(j % 2))
			if j > 50 {
				lane.Stream = "orders"
			}
			if _, err := b.Seen(lane, testIdentity(uint64(i*60+j)), penstock.Micros(1_000_000*(1_800_000_000+10*i))); err != nil {
				t.Fatal(err)
			}
		}
		b.Commit()
	}
	next := map[penstock.Lane]int64{}
	for _, s := range x.byID {
		for p, l := range s.lanes {
			if l != nil {
				next[penstock.Lane{Tenant: s.tenant, Stream: s.name, Partition: penstock.Partition(p)}] = l.next
			}
		}
	}
	x.freezeAll(t)
	if merged {
		if err := x.merge(slices.Clone(x.runs)); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	return fs, next
}

// freezeAll makes runs of everything.
func (x *Index) freezeAll(t testing.TB) {
	t.Helper()
	for range 2 {
		if err := x.settleFlush(); err != nil {
			t.Fatal(err)
		}
		if x.active.n > 0 {
			x.freeze()
		}
	}
}

func mergedRun(t testing.TB, fs *vfs.Memory) (string, []byte) {
	t.Helper()
	names, err := fs.List(testDir)
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, want one run: %v", names, err)
	}
	data, err := vfs.ReadFile(fs, filepath.Join(testDir, names[0]))
	if err != nil {
		t.Fatal(err)
	}
	return names[0], data
}

// TestGolden checks that the bytes of a run are still those of version 1, and are read.
func TestGolden(t *testing.T) {
	fs, next := goldenRuns(t, true)
	name, data := mergedRun(t, fs)
	if *rewrite {
		if err := os.WriteFile(golden, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, want) {
		t.Fatalf("%d bytes, and not those of the golden file, %d", len(data), len(want))
	}
	readGolden(t, name, want, next)
}

func readGolden(t *testing.T, name string, data []byte, next map[penstock.Lane]int64) {
	t.Helper()
	fs := vfs.NewMemory(0)
	if err := vfs.WriteFile(fs, filepath.Join(testDir, name), data); err != nil {
		t.Fatal(err)
	}
	o := Options{FS: fs, Dir: testDir, Partitions: 4, History: "golden", Trace: Trace{Discarded: func(err error) { t.Error(err) }}}
	x := mustOpen(t, o, next)
	mustWindow(t, x, "clicks", penstock.Dedup{Window: 100 * time.Second, MaxIDs: 2000})
	for lane, n := range next {
		if got := x.Covered(lane); got != n {
			t.Errorf("%v: covered up to %d, want %d", lane, got, n)
		}
	}
	b := x.Begin()
	for i := range 600 {
		if i%60 > 50 {
			continue
		}
		seen, err := b.Seen(testLane(penstock.Partition(i%60%2)), testIdentity(uint64(i)), 1_000_000*1_800_000_100)
		if err != nil || !seen {
			t.Fatalf("identity %d: %v, %v", i, seen, err)
		}
	}
}

// TestDiscards checks what makes Open discard the runs.
func TestDiscards(t *testing.T) {
	o := Options{Dir: testDir, Partitions: 4, History: "golden"}
	for _, c := range []struct {
		name   string
		change func(fs *vfs.Memory, runs []string, o *Options, next map[penstock.Lane]int64)
		want   bool
	}{
		{"nothing", func(*vfs.Memory, []string, *Options, map[penstock.Lane]int64) {}, false},
		{"a lane that goes on", func(_ *vfs.Memory, _ []string, _ *Options, next map[penstock.Lane]int64) { next[testLane(0)]++ }, false},
		{"an ordinal the store does not have", func(_ *vfs.Memory, _ []string, _ *Options, next map[penstock.Lane]int64) { next[testLane(0)]-- }, true},
		{"a lane the store does not have", func(_ *vfs.Memory, _ []string, _ *Options, next map[penstock.Lane]int64) { delete(next, testLane(1)) }, true},
		{"another history", func(_ *vfs.Memory, _ []string, o *Options, _ map[penstock.Lane]int64) { o.History = "other" }, true},
		{"fewer partitions", func(_ *vfs.Memory, _ []string, o *Options, next map[penstock.Lane]int64) {
			o.Partitions = 1
			maps.DeleteFunc(next, func(l penstock.Lane, _ int64) bool { return l.Partition > 0 })
		}, true},
		{"the oldest is gone", func(fs *vfs.Memory, runs []string, _ *Options, _ map[penstock.Lane]int64) { _ = fs.Remove(runs[0]) }, true},
		{"the newest is gone", func(fs *vfs.Memory, runs []string, _ *Options, _ map[penstock.Lane]int64) {
			_ = fs.Remove(runs[len(runs)-1])
		}, false},
		{"a header", func(fs *vfs.Memory, runs []string, _ *Options, _ map[penstock.Lane]int64) { _ = fs.Flip(runs[0], 9, 1) }, true},
		{"a newer version", func(fs *vfs.Memory, runs []string, _ *Options, _ map[penstock.Lane]int64) { _ = fs.Flip(runs[0], 8, 2) }, true},
		{"half of a run", func(fs *vfs.Memory, runs []string, _ *Options, _ map[penstock.Lane]int64) {
			f, _ := fs.Edit(runs[0])
			_ = f.Truncate(4000)
		}, true},
		{"an empty run", func(fs *vfs.Memory, runs []string, _ *Options, _ map[penstock.Lane]int64) {
			f, _ := fs.Edit(runs[0])
			_ = f.Truncate(0)
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs, next := goldenRuns(t, false)
			names, _ := fs.List(testDir)
			var runs []string
			for _, n := range names {
				runs = append(runs, filepath.Join(testDir, n))
			}
			o, why := o, error(nil)
			o.FS, o.Trace.Discarded = fs, func(err error) { why = err }
			c.change(fs, runs, &o, next)
			x := mustOpen(t, o, next)
			if (why != nil) != c.want {
				t.Errorf("discarded: %v", why)
			}
			if c.want && (x.Covered(testLane(0)) != 0 || x.Stats().Runs != 0) {
				t.Error("something is left")
			}
		})
	}
}

// FuzzRun opens arbitrary bytes as a run: they are discarded, or answer.
func FuzzRun(f *testing.F) {
	data, err := os.ReadFile(golden)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:headerSize])
	f.Fuzz(func(t *testing.T, data []byte) {
		fs := vfs.NewMemory(0)
		name := filepath.Join(testDir, fileName(1, 3))
		if err := vfs.WriteFile(fs, name, data); err != nil {
			t.Fatal(err)
		}
		next := map[penstock.Lane]int64{testLane(0): 1 << 40, testLane(1): 1 << 40}
		x, err := Open(Options{FS: fs, Dir: testDir, Partitions: 4, History: "golden", TableIDs: 100}, next)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.SetWindow(penstock.DefaultTenant, "clicks", penstock.Dedup{Window: time.Hour, MaxIDs: 1000}); err != nil {
			t.Fatal(err)
		}
		b := x.Begin()
		for i := range 100 {
			_, _ = b.Seen(testLane(0), testIdentity(uint64(i)), 0)
		}
		b.Abort()
		_ = x.Close()
	})
}

// FuzzFooter decodes arbitrary bytes, past the checksum: what is accepted is encoded as the same bytes.
func FuzzFooter(f *testing.F) {
	data, err := os.ReadFile(golden)
	if err != nil {
		f.Fatal(err)
	}
	r, end := goldenFooter(f, data)
	f.Add(r, end)
	f.Add([]byte{}, int64(headerSize))
	f.Fuzz(func(t *testing.T, data []byte, end int64) {
		parts, footer, err := decodeFooter(data, end)
		if err == nil && !bytes.Equal(footer.encode(&parts), data) {
			t.Fatalf("%x was read, and becomes %x", data, footer.encode(&parts))
		}
	})
}

// goldenFooter cuts the footer out of a run.
func goldenFooter(t testing.TB, data []byte) ([]byte, int64) {
	fs := vfs.NewMemory(0)
	if err := vfs.WriteFile(fs, "run", data); err != nil {
		t.Fatal(err)
	}
	file, err := fs.Open("run")
	if err != nil {
		t.Fatal(err)
	}
	r := run{name: "run", file: file, first: 1, last: 3}
	parsed, err := r.open("golden")
	if err != nil {
		t.Fatal(err)
	}
	encoded := parsed.encode(&r.parts)
	return encoded, r.size - trailerSize - int64(len(encoded))
}
