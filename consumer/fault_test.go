package consumer

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
	eventmemory "penstock/eventlog/memory"
)

var errFull = penstock.Errorf(penstock.Full, "write", "the disk is full")

// TestOutageForADay keeps the batch and goes on with it.
// It holds C-OUTAGE.
func TestOutageForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		until := time.Now().Add(24 * time.Hour)
		r.store.fault = func(context.Context, int, penstock.Batch) (error, error) {
			if time.Now().Before(until) {
				return errFull, nil
			}
			return nil, nil
		}
		r.append(3, 10)
		r.start()
		time.Sleep(25 * time.Hour)
		r.complete()
		calls := r.store.applied()
		for i, c := range calls {
			if !maps.Equal(c.batch.From, calls[0].batch.From) || !maps.Equal(c.batch.Next, calls[0].batch.Next) {
				t.Fatalf("call %d has another batch: %v to %v", i, c.batch.From, c.batch.Next)
			}
		}
		if opened, _, _ := r.log.counts(); opened != 1 {
			t.Errorf("%d cursors", opened)
		}
		if len(r.pauses) != len(calls)-1 {
			t.Errorf("%d outages reported of %d", len(r.pauses), len(calls)-1)
		}
		for i, pause := range r.pauses {
			if most := min(50*time.Millisecond<<min(i, 10), 5*time.Second); pause < most/2 || pause > most {
				t.Fatalf("pause %d is %v, want up to %v", i, pause, most)
			}
		}
		_ = r.stop()
	})
}

// TestOutageWithAnyCode tries again whatever the code but Invalid: only what the log says ends Run.
func TestOutageWithAnyCode(t *testing.T) {
	for _, code := range []penstock.Code{
		penstock.NotFound, penstock.Forbidden, penstock.Conflict, penstock.Overloaded, penstock.Full,
		penstock.Unavailable, penstock.NotOwner, penstock.Trimmed, penstock.Corrupt, penstock.Expired, penstock.Internal,
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Options{})
			r.store.fault = func(_ context.Context, n int, _ penstock.Batch) (error, error) {
				if n < 5 {
					return penstock.Errorf(code, "write", "no"), nil
				}
				return nil, nil
			}
			r.append(3, 10)
			r.start()
			time.Sleep(time.Minute)
			r.complete()
			if len(r.errs) != 5 || !penstock.Is(r.errs[0], code) {
				t.Errorf("%s: reported %v", code, r.errs)
			}
			// Who no longer holds a partition is asked what it holds.
			if opened, _, _ := r.log.counts(); (opened == 6) != (code == penstock.NotOwner) {
				t.Errorf("%s: %d cursors", code, opened)
			}
			if err := r.stop(); err != nil {
				t.Errorf("%s: %v", code, err)
			}
		})
	}
}

// TestPausesBeginAnewAfterSuccess has outages of one call each: the tenth is no reason to wait longer than the first.
func TestPausesBeginAnewAfterSuccess(t *testing.T) {
	for _, code := range []penstock.Code{penstock.Full, penstock.Unknown} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Options{MaxBatch: 1})
			r.store.fault = func(_ context.Context, n int, _ penstock.Batch) (error, error) {
				if n%2 == 1 {
					return penstock.Errorf(code, "write", "no"), nil
				}
				return nil, nil
			}
			r.append(20, 10)
			r.start()
			time.Sleep(time.Hour)
			r.complete()
			if len(r.pauses) < 10 {
				t.Errorf("%s: %d pauses", code, len(r.pauses))
			}
			for i, pause := range r.pauses {
				if pause > r.c.o.BackoffMin {
					t.Errorf("%s: pause %d is %v", code, i, pause)
				}
			}
			_ = r.stop()
		})
	}
}

// TestStaleAsksAgain has another worker apply what this one holds.
func TestStaleAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.append(10, 10)
		r.store.fault = func(_ context.Context, n int, _ penstock.Batch) (error, error) {
			if n == 0 {
				r.otherWorker(4)
			}
			return nil, nil
		}
		began := time.Now()
		r.start()
		synctest.Wait()
		r.complete()
		if took := time.Since(began); took != 0 || r.stales != 1 || len(r.errs) != 0 {
			t.Errorf("%d times stale, after %v, reported as %v", r.stales, took, r.errs)
		}
		_ = r.stop()
	})
}

// TestStaleForEver must not spin.
func TestStaleForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.append(10, 10)
		r.store.fault = func(context.Context, int, penstock.Batch) (error, error) {
			return penstock.Errorf(penstock.Stale, "compare", "elsewhere"), nil
		}
		r.start()
		time.Sleep(time.Hour)
		if n := len(r.store.applied()); n < 700 || n > 1500 {
			t.Errorf("%d calls in an hour", n)
		}
		_ = r.stop()
	})
}

// TestUnknown asks the store, which knows whether the batch is there.
func TestUnknown(t *testing.T) {
	unknown := penstock.Errorf(penstock.Unknown, "commit", "the connection broke")
	for _, effect := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Options{})
			r.store.fault = func(_ context.Context, n int, _ penstock.Batch) (before, after error) {
				switch {
				case n > 2:
					return nil, nil
				case effect:
					return nil, unknown
				}
				return unknown, nil
			}
			r.start()
			for range 5 {
				r.append(2, 10)
				time.Sleep(time.Minute)
			}
			r.complete()
			if opened, _, _ := r.log.counts(); opened != 4 || len(r.errs) != 3 {
				t.Errorf("effect %v: %d cursors, reported %v", effect, opened, r.errs)
			}
			_ = r.stop()
		})
	}
}

// TestOutageBeforeTheFirstBatch has a store, then a log that is away at first.
func TestOutageBeforeTheFirstBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		began := time.Now()
		away := func(until time.Duration) func() error {
			return func() error {
				if time.Since(began) < until {
					return penstock.Errorf(penstock.Unavailable, "connect", "refused")
				}
				return nil
			}
		}
		r.store.position, r.log.open, r.log.next = away(time.Hour), away(2*time.Hour), away(3*time.Hour)
		r.append(10, 10)
		r.start()
		time.Sleep(4 * time.Hour)
		r.complete()
		if n := len(r.errs); n < 2100 || n > 4400 {
			t.Errorf("%d outages in three hours", n)
		}
		_ = r.stop()
	})
}

// TestWhatEndsRun has errors of the log that no retry mends, at either place.
func TestWhatEndsRun(t *testing.T) {
	for _, code := range []penstock.Code{penstock.Trimmed, penstock.Conflict, penstock.Corrupt} {
		fault := func() error { return penstock.Errorf(code, "read log", "no") }
		for name, prepare := range map[string]func(r *rig){
			"open": func(r *rig) { r.log.open = fault },
			"next": func(r *rig) { r.log.next = fault },
		} {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{})
				prepare(r)
				r.append(1, 1)
				r.start()
				synctest.Wait()
				select {
				case err := <-r.ended:
					if !penstock.Is(err, code) {
						t.Errorf("%s at %s: Run returned %v", code, name, err)
					}
				default:
					t.Errorf("%s at %s: Run goes on", code, name)
					_ = r.stop()
				}
				r.cancel()
			})
		}
	}
}

// TestTrimmedByRetention has a log that no longer holds what the store needs.
func TestTrimmedByRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.log.Log = eventmemory.New(eventmemory.Options{Partitions: cluster.Partitions, Keep: 1})
		r.append(1, 100)
		r.start()
		synctest.Wait()
		_ = r.stop()
		r.append(10, 100)
		_, next, err := r.log.Bounds(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := r.log.Retain(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		r.start()
		if err := <-r.ended; !penstock.Is(err, penstock.Trimmed) {
			t.Errorf("Run returned %v", err)
		}
		r.cancel()
		if n := len(r.store.Records()); n != 100 {
			t.Errorf("%d rows", n)
		}
	})
}

// TestAnotherLog has a store that is further than its log.
func TestAnotherLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.append(1, 100)
		r.start()
		synctest.Wait()
		_ = r.stop()
		r.log.Log = eventmemory.New(eventmemory.Options{Partitions: cluster.Partitions})
		r.start()
		if err := <-r.ended; !penstock.Is(err, penstock.Conflict) {
			t.Errorf("Run returned %v", err)
		}
		r.cancel()
	})
}

// TestRandomFaults mixes them, with a second consumer for the same store.
func TestRandomFaults(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random, faults := rand.New(rand.NewPCG(seed, 7)), rand.New(rand.NewPCG(seed, 8))
			r := newRig(t, Options{MaxBatch: 1 << random.IntN(14)})
			r.store.takes = time.Duration(random.IntN(20)) * time.Millisecond
			r.log.takes = time.Duration(random.IntN(20)) * time.Millisecond
			r.store.fault = func(_ context.Context, _ int, _ penstock.Batch) (before, after error) {
				r.mu.Lock()
				defer r.mu.Unlock()
				switch faults.IntN(8) {
				case 0:
					return errFull, nil
				case 1:
					return penstock.Errorf(penstock.Unknown, "commit", "no answer"), nil
				case 2:
					return nil, penstock.Errorf(penstock.Unknown, "commit", "no answer")
				}
				return nil, nil
			}
			other := &rig{T: t, log: r.log, store: r.store, c: New(r.c.o)}
			r.start()
			other.start()
			for range 60 {
				r.append(1+random.IntN(3), 1+random.IntN(20))
				time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
				if random.IntN(10) == 0 {
					if err := r.stop(); err != nil {
						t.Error(err)
					}
					r.start()
				}
			}
			time.Sleep(time.Hour)
			r.complete()
			if err := fmt.Sprint(r.stop(), other.stop()); err != "<nil> <nil>" {
				t.Errorf("seed %d: %s", seed, err)
			}
		})
	}
}
