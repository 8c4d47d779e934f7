package consumer

import (
	"context"
	"maps"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
)

// lag asks, and fails if that fails.
func (r *rig) lag() Lag {
	r.Helper()
	l, err := r.c.Lag(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return l
}

// seconds fails unless the oldest event is that old.
func (r *rig) seconds(want time.Duration) {
	r.Helper()
	if l := r.lag(); math.Abs(l.Seconds-want.Seconds()) > 0.001 {
		r.Errorf("%v s behind with %d events, want %v", l.Seconds, l.Events, want)
	}
}

func TestLagCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		if l := r.lag(); l.Events != 0 || l.Seconds != 0 || l.DrainSeconds == nil || *l.DrainSeconds != 0 {
			t.Errorf("%+v before anything was appended", l)
		}
		r.append(10, 10)
		_, next, err := r.log.Bounds(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l := r.lag()
		// The log leaves gaps of up to two offsets before each group.
		if l.Events < 100 || l.Events > 100+2*10*4 || l.DrainSeconds != nil {
			t.Errorf("%+v of 100 events that nobody applies", l)
		}
		if !maps.Equal(l.Next, next) || len(l.Position) != cluster.Partitions || l.Position[0] != (penstock.Position{}) {
			t.Errorf("%v to %v, the log ends at %v", l.Position, l.Next, next)
		}
		r.start()
		synctest.Wait()
		if l := r.lag(); l.Events != 0 || l.Seconds != 0 || *l.DrainSeconds != 0 || !l.Position.Reached(nonZero(next)) {
			t.Errorf("%+v after everything was applied", l)
		}
		_ = r.stop()
		r.store.position = func() error { return errFull }
		if _, err := r.c.Lag(t.Context()); !penstock.Is(err, penstock.Full) {
			t.Errorf("Lag of a store that is away: %v", err)
		}
	})
}

// nonZero leaves out the partitions that hold nothing.
func nonZero(ps penstock.Positions) penstock.Positions {
	maps.DeleteFunc(ps, func(_ penstock.Partition, at penstock.Position) bool { return at.Offset == 0 })
	return ps
}

func TestPending(t *testing.T) {
	at := func(e penstock.Epoch, o penstock.Offset) penstock.Position {
		return penstock.Position{Epoch: e, Offset: o}
	}
	for _, c := range []struct {
		at, first, next penstock.Position
		want            uint64
	}{
		{at(0, 0), at(1, 0), at(1, 0), 0},
		{at(0, 0), at(1, 0), at(1, 7), 7},
		{at(0, 0), at(1, 5), at(1, 7), 2},
		{at(1, 6), at(1, 5), at(1, 7), 1},
		{at(1, 7), at(1, 5), at(1, 7), 0},
		{at(1, 9), at(1, 5), at(1, 7), 0}, // asked for the position before the log
		{at(1, 3), at(1, 5), at(1, 7), 2}, // trimmed
		{at(1, 99), at(1, 5), at(2, 7), 7},
		{at(1, 99), at(2, 5), at(2, 7), 2},
	} {
		if got := pending(c.at, c.first, c.next); got != c.want {
			t.Errorf("from %v, kept from %v to %v: %d, want %d", c.at, c.first, c.next, got, c.want)
		}
	}
}

// TestLagAge follows the age of the oldest event through idle times and outages.
func TestLagAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{MaxBatch: 1})
		var broken atomic.Bool
		r.store.fault = func(context.Context, int, penstock.Batch) (error, error) {
			if broken.Load() {
				return errFull, nil
			}
			return nil, nil
		}
		r.start()
		r.append(1, 5)
		synctest.Wait()
		r.seconds(0)

		time.Sleep(time.Hour) // idle: an event that comes now is not an hour old
		r.seconds(0)
		broken.Store(true)
		r.append(1, 5)
		r.seconds(0)
		synctest.Wait()
		r.seconds(0)
		time.Sleep(10 * time.Second)
		r.append(1, 5) // younger: the oldest counts
		r.seconds(10 * time.Second)
		time.Sleep(20 * time.Second)
		r.seconds(30 * time.Second)
		if l := r.lag(); l.Events < 10 {
			t.Errorf("%d events behind", l.Events)
		}

		broken.Store(false)
		time.Sleep(5 * time.Second) // the longest pause
		r.seconds(0)
		_ = r.stop()
	})
}

// TestLagAgeWhileBehind has events of ten seconds that take thirty to apply.
func TestLagAgeWhileBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{MaxBatch: 1})
		r.store.takes = 3 * time.Second
		for range 10 {
			r.append(1, 5)
			time.Sleep(time.Second)
		}
		r.start()
		for i := range 10 {
			// At the beginning of batch i its event, which is 10-i seconds old at first, is 3*i seconds older.
			synctest.Wait()
			r.seconds(time.Duration(10-i+3*i) * time.Second)
			time.Sleep(3 * time.Second)
		}
		synctest.Wait()
		r.seconds(0)
		_ = r.stop()
	})
}

// TestLagAgeOfWhatIsNotRead asks while the consumer lingers: the event came after the last look.
func TestLagAgeOfWhatIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Linger: 10 * time.Second})
		r.append(1, 1)
		time.Sleep(time.Hour)
		r.start()
		synctest.Wait()
		time.Sleep(4 * time.Second)
		r.append(1, 1)
		if l := r.lag(); l.Events == 0 || l.Seconds > 4 {
			t.Errorf("%+v of an event that is new", l)
		}
		time.Sleep(2 * time.Second)
		if l := r.lag(); l.Seconds < 2 || l.Seconds > 6 {
			t.Errorf("%+v of an event that is two seconds old", l)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		r.seconds(0)
		_ = r.stop()
	})
}

// TestLagAfterAnIdleHour asks before the consumer has even seen the event that ended it.
func TestLagAfterAnIdleHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.log.wakes = time.Second
		r.start()
		r.append(1, 10)
		time.Sleep(time.Hour)
		r.append(1, 10)
		r.seconds(0)
		if l := r.lag(); l.Events == 0 || l.DrainSeconds == nil {
			t.Errorf("%+v of an event that has just come", l)
		}
		time.Sleep(500 * time.Millisecond)
		r.seconds(500 * time.Millisecond)
		time.Sleep(time.Second)
		r.seconds(0)
		_ = r.stop()
	})
}

// TestDrain has 10 events applied in 100 ms while 20 arrive in a second: 80 a second are gained.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{MaxBatch: 1})
		r.store.takes = 100 * time.Millisecond
		r.append(1000, 10)
		r.start()
		for range 60 {
			time.Sleep(500 * time.Millisecond)
			r.append(1, 10)
		}
		l := r.lag()
		if l.DrainSeconds == nil {
			t.Fatalf("%+v: it never ends", l)
		}
		behind := r.events - len(r.store.Records())
		want := float64(behind) / 80
		// Arrivals are counted in offsets, of which the log leaves some out.
		if *l.DrainSeconds < want*0.9 || *l.DrainSeconds > want*2 {
			t.Errorf("%v s for %d events, want about %v", *l.DrainSeconds, behind, want)
		}
		if rate := r.c.AppliedRate(); rate < 90 || rate > 110 {
			t.Errorf("%v events applied a second, want 100", rate)
		}
		_ = r.stop()
	})
}

// TestDrainNever has more arrive than can be applied, and then a store that is away.
func TestDrainNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{MaxBatch: 1})
		r.store.takes = 100 * time.Millisecond
		r.start()
		for range 600 {
			r.append(1, 10)
			time.Sleep(50 * time.Millisecond)
		}
		if l := r.lag(); l.DrainSeconds != nil {
			t.Errorf("%v s, but what is applied is half of what comes", *l.DrainSeconds)
		}
		_ = r.stop()
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		var away atomic.Bool
		r.store.fault = func(context.Context, int, penstock.Batch) (error, error) {
			if away.Load() {
				return errFull, nil
			}
			return nil, nil
		}
		r.store.takes = 10 * time.Millisecond
		r.start()
		for i := range 400 {
			away.Store(i >= 100)
			r.append(1, 10)
			time.Sleep(time.Second)
		}
		if l := r.lag(); l.DrainSeconds != nil {
			t.Errorf("%v s, but the store is away", *l.DrainSeconds)
		}
		_ = r.stop()
	})
}

// TestDrainWhileKeepingUp has something pending at every look, and every look says that it will soon be done.
func TestDrainWhileKeepingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.store.takes = 20 * time.Millisecond
		r.start()
		for i := range 400 {
			r.append(1, 10)
			if l := r.lag(); i > 100 && (l.Events == 0 || l.DrainSeconds == nil || *l.DrainSeconds > 1 || l.Seconds > 0.1) {
				t.Fatalf("%+v while it keeps up", l)
			}
			time.Sleep(10 * time.Millisecond)
		}
		_ = r.stop()
	})
}

func TestRate(t *testing.T) {
	var r rate
	if got := r.after(time.Hour); got != 0 {
		t.Errorf("%v of nothing", got)
	}
	r.add(50, 500*time.Millisecond)
	if got := r.after(0); math.Abs(got-100) > 1e-9 {
		t.Errorf("%v after 50 in half a second", got)
	}
	for range 100 {
		r.add(10, time.Second)
	}
	if got := r.after(0); math.Abs(got-10) > 0.1 {
		t.Errorf("%v after 10 a second for long", got)
	}
	if got := r.after(10 * time.Second); got < 3 || got > 4 {
		t.Errorf("%v after ten seconds of nothing, want the e-th part", got)
	}
	r.add(5, 0)
	if got := r.after(0); math.IsInf(got, 0) || math.IsNaN(got) {
		t.Errorf("%v after something in no time", got)
	}
	once := rate{}
	once.add(1000, 15*time.Second)
	if got := once.after(0); math.Abs(got-1000.0/15) > 1e-9 {
		t.Errorf("%v after one look at 15 seconds", got)
	}
}
