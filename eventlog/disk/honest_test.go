package disk

import (
	"context"
	"maps"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"penstock"
	"penstock/internal/vfs"
)

// TestReadersSeeOnlyWhatIsFlushed holds up a flush: until it is over no reader is shown what it covers, no position passes that, and it
// does not count as accepted.
func TestReadersSeeOnlyWhatIsFlushed(t *testing.T) {
	for name, o := range map[string]Options{"from memory": testOptions(), "from segments": tinyOptions()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { holdUpFlush(t, o) })
		})
	}
}

func holdUpFlush(t *testing.T, o Options) {
	var holds atomic.Bool
	back := make(chan struct{})
	l := mustOpen(t, vfs.Watch(vfs.NewMemory(0), func(op vfs.Op) error {
		if op.Kind == vfs.OpDatasync && holds.Load() {
			<-back
		}
		return nil
	}), o)
	mustAppend(t, l, "before")
	_, end := boundsOf(t, l)
	shown := make(chan int, 1)
	go func() { shown <- readOnce(t, l, end) }()
	synctest.Wait() // it waits for what follows

	holds.Store(true)
	appended := make(chan error, 1)
	go func() { appended <- l.Append(t.Context(), testBlock("late", 5)) }()
	synctest.Wait() // for the flush
	select {
	case n := <-shown:
		t.Errorf("a reader that waited was shown %d records before their flush", n)
		shown <- n
	default:
	}
	if n := readOnce(t, l, from0(l)); n != 3 {
		t.Errorf("a new reader was shown %d records, 3 of them flushed", n)
	}
	if _, next := boundsOf(t, l); !maps.Equal(next, end) {
		t.Errorf("the log ended at %v, and ends at %v before the flush", end, next)
	}
	if n := countAccepted(t, l); n != 3 {
		t.Errorf("%d records count as accepted, 3 of them flushed", n)
	}
	holds.Store(false)
	close(back)
	if err := <-appended; err != nil {
		t.Error(err)
	}
	if n := <-shown; n != 5 {
		t.Errorf("after the flush %d records are shown", n)
	}
	if n := countAccepted(t, l); n != 8 {
		t.Errorf("after the flush %d records count as accepted", n)
	}
	mustClose(t, l)
}

// readOnce returns how many records a new cursor finds first.
func readOnce(t *testing.T, l *Log, from penstock.Positions) int {
	c, err := l.Open(t.Context(), from)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer c.Close()
	b, err := c.Next(t.Context(), 1<<20)
	if err != nil {
		t.Error(err)
	}
	return b.Len()
}

func countAccepted(t *testing.T, l *Log) (n int64) {
	for _, total := range accepted(t, l) {
		n += total.Events
	}
	return n
}

// TestRetentionKeepsUnread: however old a record is and however large the log, it stays while a store may ask for it.
func TestRetentionKeepsUnread(t *testing.T) {
	old, large := tinyOptions(), tinyOptions()
	old.Keep = 1
	large.Keep, large.Max = 1<<60, 1
	for name, o := range map[string]Options{"old": old, "large": large} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMemory(0)
			l := mustOpen(t, fs, tinyOptions())
			mustAppend(t, l, "a", "b", "c")
			_, middle := boundsOf(t, l)
			mustAppend(t, l, "d", "e", "f", "g")
			mustClose(t, l)
			l = mustOpen(t, fs, o)
			first, end := boundsOf(t, l)
			for _, safe := range []penstock.Positions{{}, first, middle, end} {
				if err := l.Retain(t.Context(), safe); err != nil {
					t.Fatal(err)
				}
				now, _ := boundsOf(t, l)
				if !first.Reached(now) && !safe.Reached(now) {
					t.Errorf("safe is what lies below %v, and the log begins at %v", safe, now)
				}
				if safe.Reached(middle) && maps.Equal(now, first) {
					t.Errorf("nothing was removed of what lies below %v", safe)
				}
			}
			mustClose(t, l)
		})
	}
}

func boundsOf(t *testing.T, l *Log) (first, next penstock.Positions) {
	t.Helper()
	first, next, err := l.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return first, next
}

// TestRefusedIsGone refuses an append of two blocks, of which the disk has the first whole: from the answer on no loss of power brings
// it back.
// It holds C-503 and C-WRITE.
func TestRefusedIsGone(t *testing.T) {
	for name, cut := range map[string]error{"cut off": nil, "cannot be cut": syscall.EIO} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { refuseHalf(t, cut) })
		})
	}
}

func refuseHalf(t *testing.T, cut error) {
	var strikes atomic.Int32
	g := newRig(1, 0, func(fs vfs.FS) vfs.FS {
		return vfs.Watch(fs, func(op vfs.Op) error {
			switch {
			case op.Kind == vfs.OpWrite && strikes.CompareAndSwap(1, 2):
				return vfs.ErrShort
			case op.Kind == vfs.OpTruncate && strikes.CompareAndSwap(2, 3):
				return cut
			}
			return nil
		})
	})
	g.o.SegmentSize = 1 << 14
	p := g.start()
	p.append('a', 2)
	small, large := testBlock("b00001", 1), testBlock("b00002", 20)
	first, second := g.led.add("b00001", small), g.led.add("b00002", large)
	strikes.Store(1)
	err := p.log.Append(context.Background(), small, large)
	if !penstock.Is(err, penstock.Unavailable) || strikes.Load() != 3 {
		t.Fatalf("Append: %v, %d", err, strikes.Load())
	}
	refused := g.now()
	g.led.answered(first, small, err, refused)
	g.led.answered(second, large, err, refused)
	p.append('a', 2)
	p.close()
	states := 0
	for step, moment := range g.trace.Moments() {
		if step < refused {
			continue
		}
		for how, state := range moment.States(g.r) {
			states++
			for _, f := range lookAt(state, g.o, g.led, step, states) {
				t.Errorf("step %d after %s, %s: %s: %s", step, moment.Last(), how, f.kind, f.text)
			}
		}
	}
	if states == 0 {
		t.Error("no state was looked at")
	}
}
