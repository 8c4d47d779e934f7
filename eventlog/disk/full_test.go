package disk

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"

	"penstock"
	"penstock/internal/vfs"
)

const errEIO = syscall.EIO

// fill appends until the log refuses, and returns how many blocks it took.
func fill(t *testing.T, l *Log, name string) int {
	t.Helper()
	for n := 0; ; n++ {
		err := l.Append(t.Context(), testBlock(fmt.Sprintf("%s%04d", name, n), 3))
		if err != nil {
			if !penstock.Is(err, penstock.Full) {
				t.Fatalf("after %d blocks: %v", n, err)
			}
			return n
		}
		if n > 10000 {
			t.Fatal("never full")
		}
	}
}

// TestFullDisk holds C-FULL.
func TestFullDisk(t *testing.T) {
	fs := vfs.NewMemory(100_000)
	o := tinyOptions()
	o.Keep, o.Reserve, o.HighWater = 1, 8192, 10_000
	l := mustOpen(t, fs, o)
	n := fill(t, l, "a")
	if free, _, _ := fs.Free(testDir); n < 50 || free < 8000 || free > 10_000 {
		t.Fatalf("full after %d blocks with %d bytes free", n, free)
	}
	// Someone else takes the rest; the process ends, and a new one starts on the full disk.
	free, total, _ := fs.Free(testDir)
	fs.SetSize(total - free)
	mustClose(t, l)
	l = mustOpen(t, fs, o)
	if err := l.Append(t.Context(), testBlock("x", 3)); !penstock.Is(err, penstock.Full) {
		t.Fatalf("Append on a full disk: %v", err)
	}
	_, safe, err := l.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Open(t.Context(), from0(l))
	if err != nil {
		t.Fatal(err)
	}
	for read := 0; read < 3*n; {
		b, err := c.Next(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		read += b.Len()
	}
	// Room is made: it goes on by itself, and the reserve is there again.
	if err := l.Retain(t.Context(), safe); err != nil {
		t.Fatal(err)
	}
	l.w.space.stale()
	if fill(t, l, "b") < 50 {
		t.Fatal("no room was made")
	}
	if _, err := fs.Open(filepath.Join(testDir, reserveName)); err != nil {
		t.Fatalf("the reserve: %v", err)
	}
}

// TestSmallDisk has a disk on which two segments have no room: what is set aside for the next one is no reason to refuse events. It holds C-FULL.
func TestSmallDisk(t *testing.T) {
	fs := vfs.NewMemory(147_000)
	o := tinyOptions()
	o.SegmentSize, o.Max, o.Reserve, o.HighWater = 64_000, 1<<20, 16_000, 0
	l := mustOpen(t, fs, o)
	fill(t, l, "a")
	if used := l.Stats().Bytes; used < 60_000 {
		t.Fatalf("full with %d bytes of events on a disk of 147,000", used)
	}
	if _, err := fs.Open(filepath.Join(testDir, reserveName)); err != nil {
		t.Fatalf("the reserve: %v", err)
	}
	mustClose(t, l)
}

// Without a high-water mark the file system says that it is full: nothing of the append is stored then.
func TestNoSpace(t *testing.T) {
	fs := vfs.NewMemory(30_000)
	o := tinyOptions()
	o.HighWater = -1
	l := mustOpen(t, fs, o)
	n := fill(t, l, "a")
	fs.SetSize(60_000)
	mustAppend(t, l, "b")
	if got := names(t, readAll(t, l), 3); len(got) != n+1 || got[n] != "b" {
		t.Fatalf("%d blocks were stored, the log holds %v", n+1, got)
	}
}

func TestMaxIsKept(t *testing.T) {
	fs := vfs.NewMemory(0)
	o := tinyOptions()
	o.Max = 50_000
	l := mustOpen(t, fs, o)
	fill(t, l, "a")
	if s := l.Stats(); s.Bytes > s.Max || s.Bytes < s.Max*9/10 {
		t.Fatalf("full at %d of %d bytes", s.Bytes, s.Max)
	}
	// Young records go too when they are safe and the log is large, but no more of them than need be.
	_, safe, err := l.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Retain(t.Context(), safe); err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); s.Bytes > s.Max*15/16 || s.Bytes < s.Max/2 {
		t.Fatalf("%d of %d bytes after Retain", s.Bytes, s.Max)
	}
}
