package disk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"penstock"
	"penstock/internal/checksum"
	"penstock/internal/vfs"
)

// benchBlock makes a block of n events of 250 bytes that are about as compressible as web analytics.
func benchBlock(n int) *penstock.Block {
	bb := penstock.NewBlockBuilder(penstock.NewPartitioner(benchOptions().Cluster))
	bb.Reset(penstock.DefaultTenant, "clicks", 1, 0)
	sums := checksum.NewHasher(benchOptions().Cluster).Stream(penstock.DefaultTenant, "clicks")
	r := rand.New(rand.NewPCG(1, 2))
	for range n {
		id := fmt.Appendf(nil, "%016x%016x", r.Uint64(), r.Uint64())
		key := fmt.Appendf(nil, "user-%06d", r.IntN(100000))
		body := fmt.Appendf(nil, `{"id":"%s","user":"%s","time":"2026-01-02T03:04:05.%06dZ","url":"https://example.com/shop/item/%d","referrer":"https://search.example/?q=%x","agent":"Mozilla/5.0 (X11; Linux x86_64)","ms":%d}`,
			id, key, r.IntN(1e6), r.IntN(10000), r.Uint32(), r.IntN(5000))
		bb.Add(penstock.Event{ID: id, Key: key, Time: 1, Body: body, Sum: sums.Sum(key, id, body)})
	}
	return bb.Take()
}

func benchOptions() Options {
	o := testOptions()
	o.Cluster.Partitions = 64
	o.Max = 1 << 40
	return o
}

func BenchmarkAppend(b *testing.B) {
	for _, delay := range []time.Duration{0, 2600 * time.Microsecond} {
		for _, c := range []Compression{Plain, S2} {
			for _, shape := range []struct{ callers, events int }{{64, 1000}, {256, 1}} {
				name := fmt.Sprintf("delay=%v/plain=%d/callers=%d/events=%d", delay, c, shape.callers, shape.events)
				b.Run(name, func(b *testing.B) {
					o := benchOptions()
					o.Compression = c
					benchAppend(b, vfs.Delayed(vfs.OS(), delay), o, shape.callers, shape.events)
				})
			}
		}
	}
}

func benchAppend(b *testing.B, fs vfs.FS, o Options, callers, events int) {
	var syncs, bytes int
	o.Trace.Synced = func(s Sync) { syncs++; bytes += int(s.Bytes) }
	l, err := Open(fs, b.TempDir(), o)
	if err != nil {
		b.Fatal(err)
	}
	block := benchBlock(events)
	before := cpuTime(b)
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range callers {
		share := b.N / callers
		if i < b.N%callers {
			share++
		}
		wg.Go(func() {
			for range share {
				if err := l.Append(context.Background(), block.CloneHeader()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	seconds := b.Elapsed().Seconds()
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N*events), "cpu-ns/event")
	b.ReportMetric(float64(b.N*events)/seconds, "events/s")
	b.ReportMetric(float64(syncs)/seconds, "syncs/s")
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(bytes)/seconds/1e6, "MB/s")
	b.ReportMetric(0, "ns/op")
}

// cpuTime is what the process has used, the kernel's part included.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkCatchUp(b *testing.B) {
	for _, c := range []Compression{Plain, S2} {
		b.Run(fmt.Sprint("plain=", c), func(b *testing.B) {
			o := benchOptions()
			o.Compression, o.TailMemory = c, 1
			l, err := Open(vfs.OS(), b.TempDir(), o)
			if err != nil {
				b.Fatal(err)
			}
			block := benchBlock(1000)
			b.SetBytes(int64(block.Size()))
			for range b.N {
				if err := l.Append(context.Background(), block.CloneHeader()); err != nil {
					b.Fatal(err)
				}
			}
			from := penstock.Positions{}
			for _, p := range penstock.All(64) {
				from[p] = penstock.Position{}
			}
			cursor, err := l.Open(context.Background(), from)
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			for n := 0; n < b.N; {
				batch, err := cursor.Next(context.Background(), 16<<20)
				if err != nil {
					b.Fatal(err)
				}
				n += len(batch.Blocks)
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N*1000)/b.Elapsed().Seconds(), "events/s")
			if err := cursor.Close(); err != nil {
				b.Fatal(err)
			}
			if err := l.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkRecover(b *testing.B) {
	dir := b.TempDir()
	l, err := Open(vfs.OS(), dir, benchOptions())
	if err != nil {
		b.Fatal(err)
	}
	block := benchBlock(1000)
	var size penstock.Bytes
	o := benchOptions()
	o.Trace.Recovered = func(r Recovery) { size = max(size, r.Scanned) }
	for l.Stats().Bytes < 60<<20 {
		if err := l.Append(context.Background(), block.CloneHeader()); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	names, err := vfs.OS().List(dir)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		to := b.TempDir()
		for _, name := range names {
			data, err := vfs.ReadFile(vfs.OS(), filepath.Join(dir, name))
			if err != nil || name == reserveName || name == spareName {
				continue
			}
			if err := os.WriteFile(filepath.Join(to, name), data, 0o600); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		l, err := Open(vfs.OS(), to, o)
		b.StopTimer()
		if err != nil {
			b.Fatal(err)
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(size)/1e6, "MB-scanned")
}
