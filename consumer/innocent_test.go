package consumer

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
	"penstock/internal/vfs"
)

// TestInnocentUnderRandomKills kills at random moments, from as soon as the process has started to long after, while single records, or
// many, are applied quickly or slowly. Nobody is ever condemned, and between the kills it goes on.
func TestInnocentUnderRandomKills(t *testing.T) {
	for seed := range uint64(80) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 21))
			between := 20 * time.Millisecond << random.IntN(10)
			l := newLives(t, 1)
			s := l.stores[0]
			s.takes = time.Millisecond << random.IntN(8)
			l.options.MaxBatch = penstock.Bytes(1 << random.IntN(18))
			size := 1 << random.IntN(8)
			for range 100 {
				l.append(1+random.IntN(3), 1+random.IntN(size))
				l.begin()
				time.Sleep(time.Duration(random.Int64N(int64(between))))
				l.kill()
			}
			l.begin()
			l.live(24 * time.Hour)
			l.end()
			s.judge(t, l.events, "", ids())
		})
	}
}

// TestInnocentUnderRegularKills is a supervisor that always gives up after the same time, while one record takes long.
func TestInnocentUnderRegularKills(t *testing.T) {
	for _, takes := range []time.Duration{5 * time.Millisecond, 50 * time.Millisecond, 500 * time.Millisecond} {
		for _, after := range []time.Duration{takes / 2, takes + time.Millisecond, time.Second, 3 * time.Second, 10 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				l := newLives(t, 1)
				s := l.stores[0]
				s.takes = takes
				for range 200 {
					l.append(1, 1)
					l.begin()
					time.Sleep(after)
					l.kill()
				}
				l.begin()
				l.live(24 * time.Hour)
				l.end()
				s.judge(t, l.events, "", ids())
			})
		}
	}
}

// TestInnocentWhileTheStoreHangs is killed by whoever sees that nothing moves, again and again.
func TestInnocentWhileTheStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 41))
		l := newLives(t, 1)
		s := l.stores[0]
		hangs := true
		s.fault = func(int, penstock.Batch) error {
			for hangs && !s.isDead() {
				time.Sleep(time.Second)
			}
			return nil
		}
		l.append(1, 1)
		for range 50 {
			l.begin()
			time.Sleep(time.Minute + time.Duration(random.Int64N(int64(10*time.Minute))))
			l.kill()
		}
		hangs = false
		l.begin()
		l.live(time.Hour)
		l.end()
		s.judge(t, 1, "", ids())
	})
}

// TestSuspicionEnds when trial after trial shows nothing: a process that is killed long after it began to apply is one more of these.
func TestSuspicionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLives(t, 1)
		s := l.stores[0]
		var crashes []int
		l.options.Trace.Suspect = func(_, n int, _ time.Duration) { crashes = append(crashes, n) }
		s.takes = time.Hour
		l.append(1, 1)
		for range 2 * (waitsFrom + maxVain + 1) {
			l.begin()
			time.Sleep(maxWait + 10*time.Minute)
			l.kill()
		}
		// Of the first process nothing is suspected, nor of the one after the last trial in vain.
		if want := []int{1, 2, 2, 2, 2, 1, 2, 2, 2, 2}; !slices.Equal(crashes, want) {
			t.Errorf("%v crashes in a row, want %v", crashes, want)
		}
	})
}

// TestInnocentWhileTheStoreIsAway is killed during the pauses of an outage, with a single record kept for later.
func TestInnocentWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 42))
		l := newLives(t, 1)
		s := l.stores[0]
		away := true
		s.fault = func(int, penstock.Batch) error {
			if away {
				return errFull
			}
			return nil
		}
		l.append(1, 1)
		for range 50 {
			l.begin()
			time.Sleep(time.Duration(random.Int64N(int64(time.Minute))))
			l.kill()
		}
		away = false
		l.begin()
		if l.live(10 * time.Second); l.settled() != 1 {
			t.Error("after the outage it waits")
		}
		l.end()
		s.judge(t, 1, "", ids())
	})
}

// TestPanicIsNoCleanEnd leaves the mark, although the functions on the stack get to run.
func TestPanicIsNoCleanEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newStrictRig(t, Options{})
		file, err := OpenMarkFile(vfs.NewMemory(0), "mark")
		if err != nil {
			t.Fatal(err)
		}
		o := r.c.o
		o.Marker = file
		r.strict.fault = func(int, penstock.Batch) error { panic("a defect") }
		r.append(3, 10)
		func() {
			defer func() { _ = recover() }()
			_ = New(o).Run(t.Context())
			t.Error("Run returned")
		}()
		m, err := file.Load()
		if err != nil || !m.Hand || m.Records == 0 || m.Crashes != 0 {
			t.Errorf("%+v, %v", m, err)
		}
	})
}

// TestCleanEndForgets: what a process leaves in good order is no suspect, even when the store did not finish in time.
func TestCleanEndForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLives(t, 1)
		s := l.stores[0]
		var asked []int
		l.options.Trace.Suspect = func(records, crashes int, _ time.Duration) { asked = append(asked, records, crashes) }
		s.fault = func(n int, _ penstock.Batch) error {
			if n%2 == 0 {
				time.Sleep(time.Minute)
				return errFull
			}
			return nil
		}
		for range 10 {
			l.append(1, 10)
			l.begin()
			time.Sleep(time.Second)
			l.end()
		}
		l.begin()
		l.live(time.Hour)
		l.end()
		if len(asked) > 0 {
			t.Errorf("suspected after a clean end: %v", asked)
		}
		s.judge(t, l.events, "", ids())
	})
}

// TestFailingMarker must not stop anything, and says so once.
func TestFailingMarker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newStrictRig(t, Options{})
		m := &brokenMarker{}
		o := r.c.o
		var reported []error
		o.Marker, o.Trace.Unmarked = m, func(err error) { reported = append(reported, err) }
		r.c = New(o)
		r.append(5, 10)
		r.start()
		for range 10 {
			r.append(1, 10)
			time.Sleep(time.Second)
		}
		r.strict.judge(t, r.events, "", ids())
		synctest.Wait()
		if len(reported) != 2 { // Load, and the first of many
			t.Errorf("reported: %v", reported)
		}
		m.works.Store(true)
		r.append(1, 10)
		time.Sleep(time.Second)
		m.works.Store(false)
		r.append(1, 10)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(reported) != 3 {
			t.Errorf("reported: %v", reported)
		}
		_ = r.stop()
	})
}

var errBroken = errors.New("the disk is away")

type brokenMarker struct{ works atomic.Bool }

func (m *brokenMarker) Load() (Mark, error) { return Mark{}, errBroken }

func (m *brokenMarker) Save(Mark) error {
	if m.works.Load() {
		return nil
	}
	return errBroken
}
