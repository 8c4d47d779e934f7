package dedup

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"penstock"
	"penstock/internal/vfs"
)

// TestMemoryOf100Million adds up what so many identities take, by the rules for filters and tables: at most 200 MB, with what waits to be left out too.
func TestMemoryOf100Million(t *testing.T) {
	table := newTable(defaultTableIDs)
	full := table.memory() + defaultTableIDs*entrySize
	for _, ids := range []int{100_000_000, 125_000_000} {
		p := part{entries: ids / sections}
		p.blocks = blocksFor(p.entries, ids)
		size := int64(sections)*int64(p.summarySize()) + 2*full
		t.Logf("%d identities: %d MB, %.2f bytes each", ids, size/1_000_000, float64(size)/float64(ids))
		if size > 200_000_000 {
			t.Errorf("%d identities take %d bytes", ids, size)
		}
	}
}

// TestMemory fills an index and asks what it takes, how often a new identity costs a read, and a repeat.
func TestMemory(t *testing.T) {
	const ids, tableIDs = 1_000_000, 1 << 16
	var reads atomic.Int64
	fs := vfs.Watch(vfs.NewMemory(0), func(op vfs.Op) error {
		if op.Kind == vfs.OpRead && op.Len <= pageSize {
			reads.Add(1)
		}
		return nil
	})
	x := mustOpen(t, Options{FS: fs, Dir: testDir, Partitions: 64, TableIDs: tableIDs}, nil)
	mustWindow(t, x, "clicks", penstock.Dedup{Window: time.Hour, MaxIDs: 1 << 30})
	known := seenRandom(t, x, rand.New(rand.NewPCG(1, 1)), ids)
	s := x.Stats()
	if s.IDs != ids || known != 0 {
		t.Fatalf("%d identities are held, %d were known", s.IDs, known)
	}
	tables := 2 * (newTable(tableIDs).memory() + (tableIDs+batchSize)*entrySize)
	if each := float64(s.Memory-tables) / ids; each > float64(smallBits)/8+0.1 {
		t.Errorf("%.2f bytes an identity beside the tables; %d runs", each, s.Runs)
	}
	x.pause() // reads from here on are those of lookups
	defer x.resume()
	reads.Store(0)
	if known := seenRandom(t, x, rand.New(rand.NewPCG(2, 1)), tableIDs/2); known != 0 {
		t.Errorf("%d new identities were known", known)
	}
	if n := reads.Swap(0); n > tableIDs/2/50 {
		t.Errorf("%d new identities cost %d reads", tableIDs/2, n)
	}
	if known := seenRandom(t, x, rand.New(rand.NewPCG(1, 1)), 10_000); known != 10_000 {
		t.Errorf("of 10000 repeats %d were known", known)
	}
	if n := reads.Load(); n < 9_000 || n > 10_300 {
		t.Errorf("10000 repeats cost %d reads", n)
	}
}

const batchSize = 10_000

// seenRandom asks about so many identities and commits them; it returns how many were known.
func seenRandom(t testing.TB, x *Index, r *rand.Rand, n int) (known int) {
	t.Helper()
	var ahead [64]penstock.Identity
	for n > 0 {
		b := x.Begin()
		for i := range min(n, batchSize) {
			if i%len(ahead) == 0 {
				for j := range ahead {
					ahead[j] = randomIdentity(r)
				}
				b.Expect(ahead[:])
			}
			seen, err := b.Seen(testLane(penstock.Partition(i%64)), ahead[i%len(ahead)], 1_800_000_000_000_000)
			if err != nil {
				t.Fatal(err)
			}
			if seen {
				known++
			}
		}
		b.Commit()
		n -= batchSize
	}
	return known
}

// TestManyLanes checks that a lane with few identities takes little memory.
func TestManyLanes(t *testing.T) {
	x := mustOpen(t, Options{FS: vfs.NewMemory(0), Dir: testDir, Partitions: 64, TableIDs: 1000}, nil)
	const streams = 200
	names := make([]string, streams)
	for i := range streams {
		names[i] = fmt.Sprint("s", i)
		mustWindow(t, x, names[i], penstock.Dedup{Window: time.Hour, MaxIDs: 1 << 20})
	}
	r := rand.New(rand.NewPCG(1, 1))
	for round := range 3 {
		b := x.Begin()
		for i := range streams * 64 {
			lane := penstock.Lane{Tenant: penstock.DefaultTenant, Stream: names[i%streams], Partition: penstock.Partition(i / streams)}
			if seen, err := b.Seen(lane, randomIdentity(r), penstock.Micros(round)*600_000_000); err != nil || seen {
				t.Fatal(seen, err)
			}
		}
		b.Commit()
	}
	x.pause()
	defer x.resume()
	if err := x.settleFlush(); err != nil {
		t.Fatal(err)
	}
	tables := x.active.memory()
	if each := (x.Stats().Memory - tables) / (streams * 64); each > 300 {
		t.Errorf("a lane takes %d bytes", each)
	}
}

func benchIndex(b *testing.B, ids int) *Index {
	x := mustOpen(b, Options{FS: vfs.OS(), Dir: b.TempDir(), Partitions: 64}, nil)
	mustWindow(b, x, "clicks", penstock.Dedup{Window: 24 * time.Hour, MaxIDs: 100_000_000})
	seenRandom(b, x, rand.New(rand.NewPCG(1, 1)), ids)
	return x
}

func report(b *testing.B, x *Index) {
	s := x.Stats()
	b.ReportMetric(float64(s.Memory)/float64(s.IDs), "bytes/id")
	b.ReportMetric(float64(s.Runs), "runs")
}

// BenchmarkSeenNew decides about identities that were not seen, behind four million that were; writing and merging runs is part of it.
func BenchmarkSeenNew(b *testing.B) {
	x := benchIndex(b, 4_000_000)
	r := rand.New(rand.NewPCG(2, 1))
	b.ResetTimer()
	seenRandom(b, x, r, b.N)
	b.StopTimer()
	report(b, x)
}

// BenchmarkSeenRepeat decides about identities that were seen, nearly all of them in runs.
func BenchmarkSeenRepeat(b *testing.B) {
	const ids = 4_000_000
	x := benchIndex(b, ids)
	b.ResetTimer()
	for n := 0; n < b.N; n += ids {
		seenRandom(b, x, rand.New(rand.NewPCG(1, 1)), min(ids, b.N-n))
	}
	b.StopTimer()
	report(b, x)
}
