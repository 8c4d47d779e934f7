package disk

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"penstock"
	"penstock/internal/checksum"
	"penstock/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testDir = "log"

func testOptions() Options {
	return Options{Cluster: penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Key: penstock.PartitionKey{1}, Partitions: 4}}
}

// tinyOptions makes segments of a few blocks, and readers read them.
func tinyOptions() Options {
	o := testOptions()
	o.SegmentSize, o.TailMemory, o.Reserve = 1024, 1, -1
	return o
}

// testBlock makes a block of n records whose ids begin with name, with their checksums.
func testBlock(name string, n int) *penstock.Block {
	bb := penstock.NewBlockBuilder(penstock.NewPartitioner(testOptions().Cluster))
	bb.Reset(penstock.DefaultTenant, "clicks", 1, 0)
	sums := checksum.NewHasher(testOptions().Cluster).Stream(penstock.DefaultTenant, "clicks")
	body := []byte(`{"n":1}`)
	for i := range n {
		id := fmt.Appendf(nil, "%s-%d", name, i)
		bb.Add(penstock.Event{ID: id, Key: id, Body: body, Sum: sums.Sum(id, id, body)})
	}
	return bb.Take()
}

func mustOpen(t *testing.T, fs vfs.FS, o Options) *Log {
	t.Helper()
	l, err := Open(fs, testDir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func mustAppend(t *testing.T, l *Log, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := l.Append(t.Context(), testBlock(name, 3)); err != nil {
			t.Fatal(err)
		}
	}
}

func mustClose(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func from0(l *Log) penstock.Positions {
	from := penstock.Positions{}
	for _, p := range penstock.All(l.o.Cluster.Partitions) {
		from[p] = penstock.Position{}
	}
	return from
}

// found is a record that was read.
type found struct {
	id        string
	partition penstock.Partition
	position  penstock.Position
}

// readAll returns every record of the log, in order.
func readAll(t *testing.T, l *Log) []found {
	t.Helper()
	_, end, err := l.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Open(t.Context(), from0(l))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// The last record is a marker, since a partition's end says nothing of what damage took.
	marker := testBlock("marker", 1)
	if err := l.Append(context.Background(), marker); err != nil {
		t.Fatalf("Append to a log that was opened: %v", err)
	}
	var all []found
	for {
		b, err := c.Next(t.Context(), 1000)
		if err != nil {
			t.Fatalf("Next after %d records, the log ends at %v: %v", len(all), end, err)
		}
		for r := range b.Records() {
			if r.Position == (penstock.Position{Epoch: marker.Epoch, Offset: marker.Groups[0].First}) && r.Partition == marker.Groups[0].Partition {
				return all
			}
			all = append(all, found{string(r.ID), r.Partition, r.Position})
		}
	}
}

// names returns the blocks of the records, in order, and fails unless each has size records; -1: some may be removed.
func names(t *testing.T, records []found, size int) []string {
	t.Helper()
	count := map[string]int{}
	var order []string
	last := map[penstock.Partition]penstock.Position{}
	for _, r := range records {
		name := r.id[:len(r.id)-2]
		if name == "marker" {
			continue
		}
		if count[name]++; count[name] == 1 {
			order = append(order, name)
		}
		if before, ok := last[r.partition]; ok && !before.Less(r.position) {
			t.Fatalf("%s at %v follows %v", r.id, r.position, before)
		}
		last[r.partition] = r.position
	}
	for name, n := range count {
		if size >= 0 && n != size {
			t.Fatalf("%d of %d records of %s", n, size, name)
		}
	}
	return order
}

func wantNames(t *testing.T, l *Log, want ...string) {
	t.Helper()
	if got := names(t, readAll(t, l), 3); !slices.Equal(got, want) {
		t.Fatalf("the log holds %v, want %v", got, want)
	}
}

func segmentFile(id SegmentID) string { return filepath.Join(testDir, segmentName(id)) }

func TestSecondOpenerIsRefused(t *testing.T) {
	for name, fs := range map[string]vfs.FS{"memory": vfs.NewMemory(0), "real": vfs.OS()} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first, err := Open(fs, dir, testOptions())
			if err != nil {
				t.Fatal(err)
			}
			_, err = Open(fs, dir, testOptions())
			var e *penstock.Error
			if !penstock.Is(err, penstock.Conflict) || !asError(err, &e) || e.Reason != "in_use" {
				t.Fatalf("a second opener: %v", err)
			}
			mustClose(t, first)
			second, err := Open(fs, dir, testOptions())
			if err != nil {
				t.Fatal(err)
			}
			mustClose(t, second)
		})
	}
}

func TestAnotherClusterIsRefused(t *testing.T) {
	fs := vfs.NewMemory(0)
	mustClose(t, mustOpen(t, fs, tinyOptions()))
	for name, change := range map[string]func(*penstock.Cluster){
		"id":         func(c *penstock.Cluster) { c.ID = "ff0102030405060708090a0b0c0d0e0f" },
		"key":        func(c *penstock.Cluster) { c.Key[0]++ },
		"partitions": func(c *penstock.Cluster) { c.Partitions++ },
	} {
		o := tinyOptions()
		change(&o.Cluster)
		if _, err := Open(fs, testDir, o); !penstock.Is(err, penstock.Conflict) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

// A process that hung while another took over its directory, as after a lock was lost, must not write on.
func TestStaleOwnerStops(t *testing.T) {
	fs := vfs.NewMemory(0)
	l := mustOpen(t, fs, tinyOptions())
	mustAppend(t, l, "a")
	m, err := readManifest(fs, testDir)
	if err != nil {
		t.Fatal(err)
	}
	m.Owner = randomID()
	if err := writeManifest(fs, testDir, m); err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		if err := l.Append(t.Context(), testBlock("b", 3)); err != nil {
			<-l.Failed()
			return
		}
		if i == 10 {
			t.Fatal("it goes on")
		}
	}
}

func TestManifestIsRebuilt(t *testing.T) {
	for name, spoil := range map[string]func(*vfs.Memory) error{
		"damaged": func(m *vfs.Memory) error { return m.Flip(filepath.Join(testDir, manifestName), 20, 1) },
		"missing": func(m *vfs.Memory) error { return m.Remove(filepath.Join(testDir, manifestName)) },
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMemory(0)
			l := mustOpen(t, fs, tinyOptions())
			mustAppend(t, l, "a", "b", "c", "d")
			before := l.manifest
			mustClose(t, l)
			if err := spoil(fs); err != nil {
				t.Fatal(err)
			}
			l = mustOpen(t, fs, tinyOptions())
			if l.manifest.Log != before.Log || l.manifest.Epoch != before.Epoch {
				t.Fatalf("%+v, was %+v", l.manifest, before)
			}
			wantNames(t, l, "a", "b", "c", "d")
		})
	}
}

func TestMissingSegmentsAreNoticed(t *testing.T) {
	fs := vfs.NewMemory(0)
	l := mustOpen(t, fs, tinyOptions())
	mustAppend(t, l, "a", "b", "c", "d", "e", "f")
	mustClose(t, l)
	mustClose(t, mustOpen(t, fs, tinyOptions()))
	ids, err := listSegments(fs, testDir)
	if err != nil || len(ids) < 3 {
		t.Fatal(ids, err)
	}
	middle := fs.CrashClone(1)
	if err := middle.Remove(segmentFile(ids[1])); err != nil {
		t.Fatal(err)
	}
	o, damages := watchDamage(tinyOptions())
	mustClose(t, mustOpen(t, middle, o))
	if len(*damages) != 1 || (*damages)[0].Segment != ids[1] {
		t.Fatalf("damages: %v", *damages)
	}
	for _, id := range ids[len(ids)-2:] {
		if err := fs.Remove(segmentFile(id)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(fs, testDir, tinyOptions()); !penstock.Is(err, penstock.Corrupt) {
		t.Fatalf("the newest segments are missing: %v", err)
	}
}

func TestNewEpoch(t *testing.T) {
	fs := vfs.NewMemory(0)
	l := mustOpen(t, fs, tinyOptions())
	mustAppend(t, l, "a")
	old := fs.CrashClone(1)
	mustAppend(t, l, "b")
	_, ahead, err := l.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	l = mustOpen(t, old, tinyOptions())
	if _, err := l.Open(t.Context(), ahead); !penstock.Is(err, penstock.Conflict) {
		t.Fatalf("a store that is ahead of a restored log: %v", err)
	}
	mustClose(t, l)
	o := tinyOptions()
	o.NewEpoch = true
	l = mustOpen(t, old, o)
	mustAppend(t, l, "c")
	c, err := l.Open(t.Context(), ahead)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b, err := c.Next(t.Context(), 1)
	if err != nil || b.Len() != 3 {
		t.Fatalf("%d records of the new epoch, %v", b.Len(), err)
	}
	for r := range b.Records() {
		if r.Position.Epoch != 2 || string(r.ID[:1]) != "c" {
			t.Fatalf("%s at %v", r.ID, r.Position)
		}
	}
	mustClose(t, l)
	l = mustOpen(t, old, tinyOptions())
	wantNames(t, l, "a", "c")
}
