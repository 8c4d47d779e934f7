package disk

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"penstock"
	"penstock/internal/vfs"
)

// lastFrame returns where the frames of a segment begin and end, as whoever reads it finds them.
func framesOf(t *testing.T, fs vfs.FS, id SegmentID) []frame {
	t.Helper()
	h, size, err := readHeader(fs, testDir, id)
	if err != nil {
		t.Fatal(err)
	}
	f, err := fs.Open(segmentFile(id))
	if err != nil {
		t.Fatal(err)
	}
	frames, _, err := wholeFrames(f, &segment{header: h, start: h.size(), end: size, size: size}, size)
	if err != nil {
		t.Fatal(err)
	}
	return frames
}

// cut returns fs with a file that holds zeros from a place on, or ends there.
func cut(t *testing.T, fs *vfs.Memory, name string, at int64, zeros bool) *vfs.Memory {
	t.Helper()
	c := fs.CrashClone(1)
	f, err := c.Edit(name)
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.Size()
	if err == nil {
		err = f.Truncate(at)
	}
	if err == nil && zeros {
		err = f.Truncate(size)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The last frame, cut at every byte, was never acknowledged unless it is whole: that is no damage, and nothing else is lost.
func TestTornTail(t *testing.T) {
	fs := vfs.NewMemory(0)
	l := mustOpen(t, fs, testOptionsSmall())
	mustAppend(t, l, "a", "b", "c")
	left := fs.CrashClone(1)
	mustClose(t, l)
	frames := framesOf(t, left, 1)
	last := frames[len(frames)-1]
	if last.kind != kindBlock || len(frames) != 4 {
		t.Fatalf("%d frames", len(frames))
	}
	whole := last.at + frameHeaderSize + int64(len(last.payload))
	for at := last.at; at <= whole; at++ {
		for _, zeros := range []bool{false, true} {
			o, damages := watchDamage(testOptionsSmall())
			l := mustOpen(t, cut(t, left, segmentFile(1), at, zeros), o)
			got := names(t, readAll(t, l), 3)
			// The last byte of a body is a brace, so a whole frame does not end in zeros.
			want := []string{"a", "b", "c"}
			if at < whole {
				want = want[:2]
			}
			if !slices.Equal(got, want) || len(*damages) > 0 {
				t.Fatalf("cut at %d of %d to %d: %v, damages %v", at, last.at, whole, got, *damages)
			}
			mustClose(t, l)
		}
	}
}

// testOptionsSmall has one segment, which is small enough to be copied often.
func testOptionsSmall() Options {
	o := tinyOptions()
	o.SegmentSize, o.Compression = 4096, Plain
	return o
}

// Every bit of an acknowledged frame that is flipped is noticed, reported with its range and its offsets, and costs that
// frame alone: while reading in a sealed segment, and at the start in the last one.
// It holds C-DAMAGE.
func TestFlippedBits(t *testing.T) {
	fs := vfs.NewMemory(0)
	l := mustOpen(t, fs, testOptionsSmall())
	mustAppend(t, l, "a", "b", "c")
	mustClose(t, l)
	victim := framesOf(t, fs, 1)[2]
	lost, err := victim.block()
	if err != nil {
		t.Fatal(err)
	}
	sealed := fs.CrashClone(1)
	mustClose(t, mustOpen(t, sealed, testOptionsSmall()))
	for name, fs := range map[string]*vfs.Memory{"last": fs, "sealed": sealed} {
		t.Run(name, func(t *testing.T) {
			for at := victim.at; at < victim.at+frameHeaderSize+int64(len(victim.payload)); at++ {
				spoilt := fs.CrashClone(1)
				if err := spoilt.Flip(segmentFile(1), at, 1<<(at%8)); err != nil {
					t.Fatal(err)
				}
				report, err := Verify(spoilt, testDir, VerifyOptions{})
				if err != nil || len(report.Damages) != 1 || len(report.Damages[0].Lost) != len(lost.Groups) {
					t.Fatalf("byte %d: Verify finds %+v, %v", at, report.Damages, err)
				}
				o, damages := watchDamage(testOptionsSmall())
				l := mustOpen(t, spoilt, o)
				if got := names(t, readAll(t, l), 3); !slices.Equal(got, []string{"a", "c"}) {
					t.Fatalf("byte %d: the log holds %v", at, got)
				}
				checkDamage(t, spoilt, *damages, victim, lost)
				mustClose(t, l)
			}
		})
	}
}

func checkDamage(t *testing.T, fs vfs.FS, damages []Damage, f frame, lost *penstock.Block) {
	t.Helper()
	if len(damages) != 1 || damages[0].From != f.at || damages[0].To != f.end {
		t.Fatalf("damages %+v, want bytes %d to %d", damages, f.at, f.end)
	}
	for _, g := range lost.Groups {
		want := LostRange{g.Partition, penstock.Position{Epoch: 1, Offset: g.First}, penstock.Position{Epoch: 1, Offset: g.End()}}
		if !slices.Contains(damages[0].Lost, want) {
			t.Fatalf("lost %+v, want %+v", damages[0].Lost, want)
		}
	}
	copied, err := vfs.ReadFile(fs, filepath.Join(testDir, damages[0].Copy))
	if err != nil || int64(len(copied)) != f.end-f.at {
		t.Fatalf("a copy of %d bytes, %v", len(copied), err)
	}
}

// A segment whose header is damaged, at any byte, keeps its records.
func TestFlippedHeader(t *testing.T) {
	fs := vfs.NewMemory(0)
	for _, name := range []string{"a", "b", "c"} {
		l := mustOpen(t, fs, testOptionsSmall())
		mustAppend(t, l, name)
		mustClose(t, l)
	}
	for id := SegmentID(1); id <= 3; id++ {
		for at := range headerSize(4) - 4 { // the last four bytes are padding
			spoilt := fs.CrashClone(1)
			if err := spoilt.Flip(segmentFile(id), at, 0x10); err != nil {
				t.Fatal(err)
			}
			o, damages := watchDamage(testOptionsSmall())
			l := mustOpen(t, spoilt, o)
			if got := names(t, readAll(t, l), 3); !slices.Equal(got, []string{"a", "b", "c"}) || len(*damages) == 0 {
				t.Fatalf("segment %d, byte %d: the log holds %v, damages %v", id, at, got, *damages)
			}
			mustClose(t, l)
		}
	}
}

// Damage at the very end, which only the commit frame or nothing at all follows, must not make offsets come twice.
func TestOffsetsAfterDamage(t *testing.T) {
	for name, witness := range map[string]bool{"commit frame": true, "later frame that is damaged too": false} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMemory(0)
			l := mustOpen(t, fs, testOptionsSmall())
			mustAppend(t, l, "a", "b", "c")
			_, before, err := l.Bounds(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			left := fs.CrashClone(1)
			mustClose(t, l)
			if witness {
				left = fs
			}
			frames := framesOf(t, left, 1)
			spoil := frames[3]
			if !witness {
				spoil = frames[2] // c witnesses it; c itself nothing does
			}
			if err := left.Flip(segmentFile(1), spoil.at+frameHeaderSize, 1); err != nil {
				t.Fatal(err)
			}
			l = mustOpen(t, left, testOptionsSmall())
			if _, after, err := l.Bounds(t.Context()); err != nil || !after.Reached(before) {
				t.Fatalf("the log ended at %v and ends at %v, %v", before, after, err)
			}
			readAll(t, l)
		})
	}
}

// A sector that cannot be read costs the frames on it.
func TestUnreadableSector(t *testing.T) {
	fs := vfs.NewMemory(0)
	o := testOptions()
	o.SegmentSize, o.Compression, o.Reserve = 1<<16, Plain, -1
	l := mustOpen(t, fs, o)
	for i := range 100 {
		mustAppend(t, l, fmt.Sprintf("a%02d", i))
	}
	mustClose(t, l)
	broken := vfs.Watch(fs, func(op vfs.Op) error {
		if op.Kind == vfs.OpRead && op.Name == segmentFile(1) && op.At < 12000 && op.At+int64(op.Len) > 11000 {
			return errEIO
		}
		return nil
	})
	o, damages := watchDamage(o)
	l = mustOpen(t, broken, o)
	got := names(t, readAll(t, l), 3)
	if len(*damages) != 1 || len(got) < 70 || len(got) > 95 || got[0] != "a00" || got[len(got)-1] != "a99" {
		t.Fatalf("damages %v; the log holds %v", *damages, got)
	}
}
