package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"penstock/internal/load"
)

// diskRate is what the disk did in large writes; the small ones are the report's latency.
type diskRate struct {
	SequentialBytes          int64   `json:"sequential_bytes"`
	SequentialBytesPerSecond float64 `json:"sequential_bytes_per_second"`
	SmallSyncsPerSecond      float64 `json:"syncs_per_second"`
}

const (
	smallWrite      = 4 << 10
	largeWrite      = 4 << 20
	sequentialBytes = 512 << 20
)

func fsyncFlags(c *cobra.Command, f *benchFlags) {
	serverFlags(c, f)
	c.Flags().DurationVar(&f.duration, "duration", 5*time.Second, "how long small writes are synced one after the other")
}

// runFsync measures the disk below --dir: one 4 KiB write and sync after the other, then large writes and one sync.
func runFsync(c *cobra.Command, f *benchFlags) error {
	dir, remove, err := f.workDir()
	if err != nil {
		return err
	}
	defer remove()
	r := &load.Result{Latency: load.NewLatency()}
	if err := syncSmall(c, filepath.Join(dir, "small"), f, r); err != nil {
		return fmt.Errorf("write and sync: %w", err)
	}
	f.batch, f.shape.Size = 1, smallWrite
	report := f.reportOf("fsync", r)
	report.Disk = &diskRate{SmallSyncsPerSecond: report.EventsPerSecond}
	if err := writeLarge(filepath.Join(dir, "large"), report.Disk); err != nil {
		return fmt.Errorf("write sequentially: %w", err)
	}
	return f.print(c, report)
}

// syncSmall writes and syncs into a file of its final size, as a log does that makes its segments ahead of need.
func syncSmall(c *cobra.Command, path string, f *benchFlags, r *load.Result) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	const size = 64 << 20
	block := make([]byte, smallWrite)
	for at := int64(0); at < size; at += int64(len(block)) {
		if _, err := file.WriteAt(block, at); err != nil {
			return err
		}
	}
	if err := file.Sync(); err != nil {
		return err
	}
	began := time.Now()
	for at := int64(0); time.Since(began) < f.duration && c.Context().Err() == nil; at = (at + smallWrite) % size {
		start := time.Now()
		if _, err := file.WriteAt(block, at); err != nil {
			return err
		}
		if err := syncData(file); err != nil {
			return err
		}
		time.Sleep(f.fsyncDelay)
		r.Latency.Record(time.Since(start))
		r.Events++
	}
	r.Elapsed, r.Bytes = time.Since(began), r.Events*smallWrite
	return c.Context().Err()
}

// writeLarge writes a new file and syncs it once. The bytes do not repeat: a disk that compresses shows no better.
func writeLarge(path string, d *diskRate) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	block := make([]byte, largeWrite)
	if _, err := rand.Read(block); err != nil {
		return err
	}
	began := time.Now()
	for d.SequentialBytes < sequentialBytes {
		n, err := file.Write(block)
		if err != nil {
			return err
		}
		d.SequentialBytes += int64(n)
	}
	if err := syncData(file); err != nil {
		return err
	}
	d.SequentialBytesPerSecond = float64(d.SequentialBytes) / time.Since(began).Seconds()
	return nil
}
