package consumer

import (
	"context"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
)

func TestCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 4 << 10
		r := newRig(t, Options{MaxBatch: most})
		r.append(300, 10)
		began := time.Now()
		r.start()
		synctest.Wait()
		r.complete()
		if took := time.Since(began); took != 0 {
			t.Errorf("it waited for %v while it was behind", took)
		}
		at := penstock.Positions{}
		for _, p := range r.store.Partitions() {
			at[p] = penstock.Position{}
		}
		calls := r.store.applied()
		for i, c := range calls {
			if !maps.Equal(c.batch.From, at) {
				t.Fatalf("batch %d begins at %v, the one before ended at %v", i, c.batch.From, at)
			}
			at = c.batch.Next
			last := c.batch.Blocks[len(c.batch.Blocks)-1].Size()
			if size := c.batch.Size(); size-last >= most || size < most && i < len(calls)-1 {
				t.Errorf("batch %d of %d has %d bytes, the last block %d", i, len(calls), size, last)
			}
		}
		if !maps.Equal(r.c.Position(), at) {
			t.Errorf("Position %v, applied up to %v", r.c.Position(), at)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestGoesOnWhereTheStoreIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		for range 5 {
			r.append(3, 20)
			r.start()
			synctest.Wait()
			r.complete()
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestLingers has an event each millisecond: it would cost a commit each.
func TestLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.start()
		synctest.Wait()
		r.append(1, 1)
		synctest.Wait()
		if n := len(r.store.Records()); n != 1 {
			t.Fatalf("the first event waits: %d rows", n)
		}
		for range 1000 {
			time.Sleep(time.Millisecond)
			r.append(1, 1)
		}
		time.Sleep(time.Second)
		r.complete()
		calls := r.store.applied()
		for i := 1; i < len(calls); i++ {
			if d := calls[i].began.Sub(calls[i-1].began); d < 50*time.Millisecond {
				t.Errorf("batch %d begins %v after the one before", i, d)
			}
		}
		if n := len(calls); n < 20 || n > 22 {
			t.Errorf("%d batches in a second", n)
		}
		_ = r.stop()
	})
}

// TestBatchFollowsLag has a store that takes longer than Linger: each batch holds what came meanwhile.
func TestBatchFollowsLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.store.takes = 200 * time.Millisecond
		r.start()
		for range 1000 {
			r.append(1, 1)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		r.complete()
		calls := r.store.applied()
		for i, c := range calls[1:] {
			if d := c.began.Sub(calls[i].began); d != 200*time.Millisecond {
				t.Errorf("batch %d begins %v after the one before", i+1, d)
			}
			if n := c.batch.Len(); (n < 199 || n > 201) && i < len(calls)-2 {
				t.Errorf("batch %d has %d events", i+1, n)
			}
		}
		_ = r.stop()
	})
}

func TestContextEndsEveryWait(t *testing.T) {
	for name, prepare := range map[string]func(r *rig){
		"idle":   func(*rig) {},
		"linger": func(r *rig) { r.append(1, 1) },
		"outage": func(r *rig) {
			r.append(1, 1)
			r.store.fault = func(context.Context, int, penstock.Batch) (error, error) {
				return penstock.Errorf(penstock.Full, "write", "the disk is full"), nil
			}
		},
		"no position": func(r *rig) {
			r.store.position = func() error { return penstock.Errorf(penstock.Unavailable, "ask", "away") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{})
				prepare(r)
				r.start()
				synctest.Wait()
				began := time.Now()
				if err := r.stop(); err != nil || time.Since(began) != 0 {
					t.Errorf("%v after %v", err, time.Since(began))
				}
			})
		})
	}
}

// TestContextEndsAfterTheBatch stops while a batch is applied: that is finished, and no other begun.
func TestContextEndsAfterTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{MaxBatch: 1})
		r.store.takes = 3 * time.Second
		r.append(5, 10)
		r.start()
		time.Sleep(4 * time.Second)
		began := time.Now()
		if err := r.stop(); err != nil || time.Since(began) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if n := len(r.store.Records()); n != 20 {
			t.Errorf("%d rows of two batches", n)
		}
	})
}

// TestContextEndsAStoreThatHangs gives up after Grace.
func TestContextEndsAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Grace: 7 * time.Second})
		r.store.fault = func(ctx context.Context, _ int, _ penstock.Batch) (error, error) {
			<-ctx.Done()
			return penstock.Wrap(penstock.Unknown, "commit", ctx.Err()), nil
		}
		r.append(1, 1)
		r.start()
		time.Sleep(time.Hour)
		began := time.Now()
		if err := r.stop(); err != nil || time.Since(began) != 7*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestBackoffHasJitter(t *testing.T) {
	c := New(Options{})
	for attempt, most := range []time.Duration{50, 100, 200, 400, 800, 1600, 3200, 5000, 5000} {
		most *= time.Millisecond
		var seen []time.Duration
		for range 50 {
			pause := c.backoff(attempt)
			if pause < most/2 || pause > most {
				t.Errorf("pause %v after %d failures, want up to %v", pause, attempt, most)
			}
			seen = append(seen, pause)
		}
		if slices.Max(seen) == slices.Min(seen) {
			t.Errorf("every pause after %d failures is %v", attempt, seen[0])
		}
	}
	if pause := c.backoff(1 << 30); pause > c.o.BackoffMax || pause < c.o.BackoffMax/2 {
		t.Errorf("pause %v after many failures", pause)
	}
}
