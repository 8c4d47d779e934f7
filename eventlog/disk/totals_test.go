package disk

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"penstock"
	"penstock/internal/vfs"
)

type lanes = map[penstock.Lane]penstock.Total

func accepted(t *testing.T, l *Log) lanes {
	t.Helper()
	all, _, err := l.Accepted(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// lanesOf adds up blocks of testBlock, of three records each.
func lanesOf(names ...string) lanes {
	all := lanes{}
	for _, name := range names {
		for r := range testBlock(name, 3).Records() {
			lane := penstock.Lane{Tenant: r.Tenant, Stream: r.Stream, Partition: r.Partition}
			total := all[lane]
			total.Add(r.Sum)
			all[lane] = total
		}
	}
	return all
}

func wantLanes(t *testing.T, l *Log, names ...string) {
	t.Helper()
	if got, want := accepted(t, l), lanesOf(names...); !maps.Equal(got, want) {
		t.Fatalf("accepted %v, want %v", got, want)
	}
}

// What was acknowledged stays counted when it is damaged, whatever that was and whether the process was closed or killed; the
// blocks that nothing witnessed, which a start writes again, are counted once.
func TestTotalsOfDamagedLog(t *testing.T) {
	fs := vfs.NewMemory(0)
	l := mustOpen(t, fs, testOptionsSmall())
	mustAppend(t, l, "a", "b", "c")
	killed := fs.CrashClone(1)
	mustClose(t, l)
	for name, fs := range map[string]*vfs.Memory{"closed": fs, "killed": killed} {
		t.Run(name, func(t *testing.T) {
			frames := framesOf(t, fs, 1)
			for i, f := range frames {
				spoilt := fs.CrashClone(1)
				if err := spoilt.Flip(segmentFile(1), f.at+frameHeaderSize, 1); err != nil {
					t.Fatal(err)
				}
				want := []string{"a", "b", "c"}
				if name == "killed" && i > 0 {
					want = slices.Delete(want, i-1, i) // no commit frame says it
				}
				for range 3 {
					l := mustOpen(t, spoilt, testOptionsSmall())
					wantLanes(t, l, want...)
					mustClose(t, l)
				}
			}
		})
	}
}

// Where the totals at the beginning of the last segment are damaged, they are found in the one before.
func TestTotalsAreFoundAgain(t *testing.T) {
	fs := vfs.NewMemory(0)
	names := []string{}
	for life := range 4 {
		l := mustOpen(t, fs, testOptionsSmall())
		for i := range life {
			names = append(names, fmt.Sprint(life, i))
			mustAppend(t, l, names[len(names)-1])
		}
		if life < 3 {
			mustClose(t, l)
		}
	}
	left := fs.CrashClone(1) // of a process that was killed
	for spoil := SegmentID(4); spoil > 1; spoil-- {
		if err := left.Flip(segmentFile(spoil), framesOf(t, left, spoil)[0].at+40, 4); err != nil {
			t.Fatal(err)
		}
		l := mustOpen(t, left.CrashClone(1), testOptionsSmall())
		wantLanes(t, l, names...)
	}
}

func TestTotalsOfARemovedPast(t *testing.T) {
	fs := vfs.NewMemory(0)
	o := tinyOptions()
	o.Keep = 1
	l := mustOpen(t, fs, o)
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprintf("a%02d", i))
	}
	mustAppend(t, l, names...)
	_, safe, err := l.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Retain(t.Context(), safe); err != nil {
		t.Fatal(err)
	}
	if n := l.Stats().Segments; n != 1 {
		t.Fatalf("%d segments are left", n)
	}
	left := fs.CrashClone(0)
	wantLanes(t, l, names...)
	mustClose(t, l)
	for _, fs := range []vfs.FS{fs, left} {
		l := mustOpen(t, fs, o)
		wantLanes(t, l, names...)
		mustClose(t, l)
		r, err := Verify(fs, testDir, VerifyOptions{Cluster: &o.Cluster})
		if err != nil || len(r.Damages) > 0 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
}

// Verify takes each checksum again, which finds what was wrong before it was framed, and adds the records up.
func TestVerifyTakesSumsAgain(t *testing.T) {
	fs := vfs.NewMemory(0)
	o := testOptionsSmall()
	l := mustOpen(t, fs, o)
	mustAppend(t, l, "a")
	raw := testBlock("b", 3).AppendTo(nil)
	raw[len(raw)-2]++
	bad, err := penstock.DecodeBlock(raw)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := l.sums.Totals(bad)
	if !penstock.Is(err, penstock.Internal) || sums != nil {
		t.Fatalf("%v, %v", sums, err)
	}
	g, err := l.enqueue([]packed{{block: bad, sums: make([]penstock.Total, len(bad.Groups))}}, bad.Size())
	if err != nil {
		t.Fatal(err)
	}
	<-g.done
	mustAppend(t, l, "c")
	mustClose(t, l)
	r, err := Verify(fs, testDir, VerifyOptions{Cluster: &o.Cluster})
	if err != nil || len(r.Damages) != 2 || r.Records != 9 {
		t.Fatalf("%+v, %v", r, err)
	}
	frames := framesOf(t, fs, 1)
	for i, f := range []frame{frames[2], frames[4]} { // the block, and the totals, which lack it
		if d := r.Damages[i]; d.From != f.at || d.To != f.end {
			t.Errorf("%v, want bytes %d to %d", d, f.at, f.end)
		}
	}
	if r, err := Verify(fs, testDir, VerifyOptions{}); err != nil || len(r.Damages) != 1 {
		t.Errorf("without the cluster's key: %+v, %v", r, err)
	}
	other := o.Cluster
	other.Key[0]++
	if _, err := Verify(fs, testDir, VerifyOptions{Cluster: &other}); !penstock.Is(err, penstock.Conflict) {
		t.Errorf("another cluster's key: %v", err)
	}
}

// A thousand streams in all partitions make a segment begin with many bytes; only lanes that have events cost any.
func TestTotalsOfManyLanes(t *testing.T) {
	all := newTotals(penstock.MaxPartitions)
	for i := range 1000 {
		s := all.stream(streamName{penstock.DefaultTenant, fmt.Sprint("stream", i)})
		for p := range penstock.Partition(penstock.MaxPartitions) {
			all.put(s, p, penstock.Total{Events: 1, Lo: uint64(p)})
		}
	}
	some := newTotals(penstock.MaxPartitions)
	b := testBlock("a", 3)
	if err := some.count(b); err != nil {
		t.Fatal(err)
	}
	for name, totals := range map[string]*totals{"all": all, "some": some} {
		c := commit{next: make([]penstock.Offset, penstock.MaxPartitions), all: true}
		buf := appendCommit(nil, place{1, 0}, c, totals)
		if size := commitSize(len(c.next), totals); int64(len(buf)) > size || int64(len(buf)) < size-frameAlign {
			t.Errorf("%s: %d bytes, at most %d are expected", name, len(buf), size)
		}
		f, _, _ := parseHeader(buf, 1, 0)
		f.payload = buf[frameHeaderSize:]
		f.payload = f.payload[:le.Uint32(buf[8:])]
		read, err := f.commit()
		if err != nil {
			t.Fatal(err)
		}
		again := newTotals(penstock.MaxPartitions)
		again.set(read.lanes)
		if why := again.differ(totals, true); why != "" || again.most != totals.most {
			t.Errorf("%s: %s", name, why)
		}
	}
}

func FuzzCommit(f *testing.F) {
	some := newTotals(4)
	if err := some.count(testBlock("a", 3)); err != nil {
		f.Fatal(err)
	}
	f.Add(appendCommit(nil, place{1, 0}, commit{next: make([]penstock.Offset, 4), all: true}, some)[frameHeaderSize:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := frame{payload: payload}.commit()
		if err != nil {
			return
		}
		totals := newTotals(len(c.next))
		totals.set(c.lanes)
		totals.forget()
		if n := int64(len(totals.appendTo(nil, true))); n > totals.most {
			t.Fatalf("%d bytes, at most %d are expected", n, totals.most)
		}
	})
}
