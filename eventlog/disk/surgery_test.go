package disk

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"penstock"
	"penstock/internal/vfs"
)

// TestTornTails cuts the last batch, which has up to five blocks, at every byte: the file ends there, or goes on with zeros or with
// something else. What was written before is there, what follows is gone and no damage, and the log goes on.
// It holds C-TORN.
func TestTornTails(t *testing.T) {
	tortured(t, "torn_tail", 100, func(k *torture) {
		for _, c := range []Compression{Plain, S2} {
			g := newRig(k.seed, 0, nil)
			g.o.Compression, g.o.SegmentSize = c, 1<<14
			p := g.start()
			p.append('a', 3)
			p.together('b', 1+k.r.IntN(5))
			p.kill()
			im, err := takeImage(fmt.Sprint("compression ", c), g)
			if err != nil {
				t.Fatal(err)
			}
			if !k.tear(&im, im.segments[len(im.segments)-1]) {
				return
			}
		}
	})
}

// tear tears the last batch of an image, whose frames are those that nothing witnesses.
func (k *torture) tear(im *image, seg imageSegment) bool {
	whole := spoilt{segment: &seg, data: seg.data}
	last := seg.frames[len(seg.frames)-1]
	for at := whole.witnessed(); at <= last.whole; at++ {
		if !k.some(1) {
			continue
		}
		garbage := make([]byte, last.end-at)
		for i := range garbage {
			garbage[i] = byte(k.r.Uint32())
		}
		for how, rest := range map[string][]byte{"ends": nil, "zeros": make([]byte, int64(len(seg.data))-at), "garbage": garbage} {
			s := spoilt{segment: &seg, from: at, to: int64(len(seg.data)), data: slices.Concat(seg.data[:at], rest)}
			if !k.round(im.lookAtSpoilt(s), "%s, cut at %d, %s", im.name, at, how) {
				return false
			}
		}
	}
	return true
}

// TestFiles removes, empties, cuts and swaps each kind of file, and adds others. The answer is one of three: nothing is lost and
// nothing said; what is lost is said and the rest is there; or the log refuses to start, and verify says why.
func TestFiles(t *testing.T) {
	const (
		whole   = "whole"
		damaged = "damaged"
		refused = "refused"
	)
	for _, c := range []struct {
		name, want string
		do         func(im *image, m *vfs.Memory) error
	}{
		{"manifest missing", whole, removed(manifestName)},
		{"manifest empty", whole, replaced(manifestName, nil)},
		{"manifest of something else", whole, replaced(manifestName, []byte("{}\ncrc32c 00000000\n"))},
		{"an unfinished manifest", whole, replaced(manifestTemp, []byte("{"))},
		{"a spare of something else", whole, replaced(spareName, []byte(segmentMagic))},
		{"reserve missing", whole, removed(reserveName)},
		{"reserve empty", whole, replaced(reserveName, nil)},
		{"a file in quarantine", whole, replaced(filepath.Join(quarantineDir, "0000000000000001-0-1"), []byte("x"))},
		{"files of others", whole, replaced("0000000000000x01.log", []byte("x"))},
		{"first segment missing", damaged, func(im *image, m *vfs.Memory) error { return m.Remove(segmentFile(im.segments[0].id)) }},
		{"middle segment missing", damaged, func(im *image, m *vfs.Memory) error { return m.Remove(segmentFile(im.segments[2].id)) }},
		{"segments that the last start saw missing", refused, removeNewest(99)},
		{"first segment empty", damaged, cutTo(0, 0)},
		{"middle segment empty", damaged, cutTo(2, 0)},
		{"last segment empty", damaged, cutTo(-1, 0)},
		{"middle segment cut in its header", damaged, cutTo(2, 100)},
		{"middle segment cut in a frame", damaged, cutTo(2, 350)},
		{"middle segment cut between frames", damaged, cutTo(2, -1)},
		{"last segment cut in its first frame", damaged, cutTo(-1, 200)},
		{"last segment cut after its header", damaged, cutTo(-1, 144)},
		{"two segments swapped", damaged, func(im *image, m *vfs.Memory) error { return swap(m, im.segments[1].id, im.segments[2].id) }},
		{"an old segment under a new name", damaged, func(im *image, m *vfs.Memory) error {
			return overwriteNew(m, segmentFile(im.segments[len(im.segments)-1].id+1), im.segments[0].data)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			all, err := images(3)
			if err != nil {
				t.Fatal(err)
			}
			im := &all[1] // closed
			m := im.mem.CrashClone(1)
			if err := c.do(im, m); err != nil {
				t.Fatal(err)
			}
			if c.want == refused {
				_, err := Open(m, testDir, im.o)
				if _, verify := Verify(m, testDir, VerifyOptions{}); !penstock.Is(err, penstock.Corrupt) || verify != nil {
					t.Fatalf("Open: %v, Verify: %v", err, verify)
				}
				return
			}
			im.lookAtFiles(t, m, c.want == damaged)
		})
	}
}

// lookAtFiles opens what surgery left: what lay in files that it did not touch is there, twice in a row.
func (im *image) lookAtFiles(t *testing.T, m *vfs.Memory, damaged bool) {
	t.Helper()
	led := im.led.asOf(0, nil)
	for _, seg := range im.segments {
		data, err := vfs.ReadFile(m, segmentFile(seg.id))
		if err == nil && string(data) == string(seg.data) {
			continue
		}
		for _, f := range seg.frames {
			for _, name := range f.names {
				led.entries[name].acked = never
			}
		}
	}
	if _, err := Verify(m, testDir, VerifyOptions{Cluster: &im.o.Cluster}); err != nil {
		t.Errorf("Verify: %v", err)
	}
	o, damages := watchDamage(im.o)
	s := openAndLook(m, o, led, "z00001")
	for _, f := range append(s.found, led.judgeRecords(s, 0)...) {
		t.Errorf("%s: %s", f.kind, f.text)
	}
	if damaged != (len(*damages) > 0) {
		t.Errorf("damages: %v", *damages)
	}
	led = led.asOf(0, s.places)
	o, _ = watchDamage(im.o)
	for _, f := range led.judgeRecords(openAndLook(m, o, led, "z00002"), 0) {
		t.Errorf("again: %s: %s", f.kind, f.text)
	}
}

func removed(name string) func(*image, *vfs.Memory) error {
	return func(_ *image, m *vfs.Memory) error {
		if err := m.Remove(filepath.Join(testDir, name)); name != reserveName {
			return err
		}
		return nil
	}
}

func replaced(name string, data []byte) func(*image, *vfs.Memory) error {
	return func(_ *image, m *vfs.Memory) error { return overwriteNew(m, filepath.Join(testDir, name), data) }
}

func overwriteNew(m *vfs.Memory, name string, data []byte) error {
	_ = m.Remove(name) // which may not exist
	return vfs.WriteFile(m, name, data)
}

// cutTo cuts a segment, counted from the end if negative, at a place; -1 is the end of its last frame but one.
func cutTo(n int, at int64) func(*image, *vfs.Memory) error {
	return func(im *image, m *vfs.Memory) error {
		seg := im.segments[(n+len(im.segments))%len(im.segments)]
		to := at
		if at < 0 {
			to = seg.frames[len(seg.frames)-1].at
		}
		return overwrite(m, segmentFile(seg.id), seg.data[:to])
	}
}

func removeNewest(n int) func(*image, *vfs.Memory) error {
	return func(im *image, m *vfs.Memory) error {
		for _, seg := range im.segments[max(0, len(im.segments)-n):] {
			if err := m.Remove(segmentFile(seg.id)); err != nil {
				return err
			}
		}
		return nil
	}
}

func swap(m *vfs.Memory, a, b SegmentID) error {
	return errors.Join(m.Rename(segmentFile(a), "aside"), m.Rename(segmentFile(b), segmentFile(a)), m.Rename("aside", segmentFile(b)))
}

// TestClockJumps moves the wall clock while the log is open and while it is not: log time never goes back, order is that of the
// appends, and nothing expires that is younger than it may.
// It holds C-CLOCK.
func TestClockJumps(t *testing.T) {
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, jump := range []time.Duration{
		time.Hour, -time.Hour, -24 * time.Hour, 10 * 365 * 24 * time.Hour, -time.Second, // a leap second is one that comes twice
		time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC).Sub(began), -began.Sub(time.Unix(0, 0)),
	} {
		t.Run(jump.String(), func(t *testing.T) {
			mem := vfs.NewMemory(0)
			var names []string
			now := began
			o := tinyOptions()
			o.Now = func() time.Time { return now }
			for life := range 3 {
				l := mustOpen(t, mem, o)
				for i := range 4 {
					name := fmt.Sprintf("a%d%d", life, i)
					names = append(names, name)
					mustAppend(t, l, name)
					if i == 1 && life == 0 {
						now = now.Add(jump) // under way
					}
				}
				if life == 1 {
					now = began // and back, before the last start
				}
				_, safe, err := l.Bounds(context.Background())
				if err := errors.Join(err, l.Retain(context.Background(), safe)); err != nil {
					t.Fatal(err)
				}
				wantNames(t, l, names...)
				wantAscending(t, l)
				mustClose(t, l)
			}
			o.Keep, o.AcceptClock = 1, true
			l := mustOpen(t, mem, o)
			if s := l.Stats(); s.Doubtful {
				t.Error("an operator has vouched for the clock, and it is doubtful")
			}
		})
	}
}

// wantAscending fails unless log time grows with the log, and only a little in a test.
func wantAscending(t *testing.T, l *Log) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c, err := l.Open(ctx, from0(l))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, end, err := l.Bounds(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var last penstock.Micros
	for next := (penstock.Positions{}); !next.Reached(onlyBegun(end)); {
		b, err := c.Next(ctx, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for r := range b.Records() {
			if r.LogTime < last {
				t.Fatalf("log time went back from %d to %d", last, r.LogTime)
			}
			last = r.LogTime
		}
		next = b.Next
	}
	cancel()
}
