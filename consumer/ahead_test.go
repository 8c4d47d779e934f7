package consumer

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
)

// TestReadsOneAhead has a log that takes half a second to read a batch and a store that takes one to apply it: after the
// first batch reading costs nothing.
func TestReadsOneAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{MaxBatch: 1})
		r.log.takes, r.store.takes = 500*time.Millisecond, time.Second
		r.append(10, 10)
		r.start()
		for i := range 10 {
			time.Sleep(time.Second)
			synctest.Wait()
			// At i+1 seconds i batches are applied, one is in hand, and one is read ahead.
			_, _, read := r.log.counts()
			if most := min(i+2, 10) * 10; read > most || read < most-10 {
				t.Errorf("after %d s %d records are read, want %d", i+1, read, most)
			}
		}
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		r.complete()
		_ = r.stop()
	})
}

// TestKeepsUpWithoutReadingAhead appends while a batch is applied: it must not be read in a piece of its own.
func TestKeepsUpWithoutReadingAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.store.takes = time.Second
		r.append(1, 10)
		r.start()
		for range 9 {
			time.Sleep(100 * time.Millisecond)
			r.append(1, 10)
		}
		if _, nexts, _ := r.log.counts(); nexts != 1 {
			t.Errorf("%d reads while one batch is applied", nexts)
		}
		time.Sleep(2 * time.Second)
		r.complete()
		if calls := r.store.applied(); len(calls) != 2 || calls[1].batch.Len() != 90 {
			t.Errorf("%d batches", len(calls))
		}
		_ = r.stop()
	})
}

// TestOutageReadsNoFurther bounds what is in memory while the store is away.
func TestOutageReadsNoFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{MaxBatch: 1})
		r.store.fault = func(_ context.Context, n int, _ penstock.Batch) (error, error) {
			if n < 100 {
				return penstock.Errorf(penstock.Unavailable, "connect", "refused"), nil
			}
			return nil, nil
		}
		r.append(10, 10)
		r.start()
		time.Sleep(time.Minute)
		if _, nexts, read := r.log.counts(); nexts != 2 || read != 20 {
			t.Errorf("%d reads and %d records while the store is away", nexts, read)
		}
		time.Sleep(time.Hour)
		r.complete()
		_ = r.stop()
	})
}

// TestStaleDropsWhatWasReadAhead has another worker apply the batch in hand and the one read ahead, and one event more.
func TestStaleDropsWhatWasReadAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{MaxBatch: 1})
		r.append(10, 10)
		r.store.fault = func(ctx context.Context, n int, b penstock.Batch) (error, error) {
			if n == 2 {
				time.Sleep(time.Second) // meanwhile the next batch is read ahead
				r.otherWorker(3)
			}
			return nil, nil
		}
		r.start()
		time.Sleep(time.Minute)
		r.complete()
		if opened, _, _ := r.log.counts(); opened != 3 || r.stales != 1 {
			t.Errorf("%d cursors, %d times stale", opened, r.stales)
		}
		_ = r.stop()
	})
}

// otherWorker applies the next batches to the store, past the faults.
func (r *rig) otherWorker(batches int) {
	r.Helper()
	from, err := r.c.positions(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	cursor, err := r.log.Open(r.Context(), from)
	if err != nil {
		r.Fatal(err)
	}
	defer cursor.Close()
	for range batches {
		b, err := cursor.Next(r.Context(), 1)
		if err != nil {
			r.Fatal(err)
		}
		if err := r.store.Store.Apply(r.Context(), b); err != nil {
			r.Fatal(err)
		}
	}
}

// TestStopsWhileReadingAhead ends while the reader waits for what is not there yet, while it is busy, and while it cannot
// be interrupted: then that is waited for, since the log may be closed after Run. So it is while the store is away.
func TestStopsWhileReadingAhead(t *testing.T) {
	for _, c := range []struct {
		takes, wakes time.Duration
		away         bool
	}{{}, {takes: time.Minute}, {wakes: time.Minute}, {wakes: time.Minute, away: true}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Options{MaxBatch: 1})
			r.append(2, 10)
			r.start()
			synctest.Wait()
			r.log.takes, r.log.wakes = c.takes, c.wakes
			if c.away {
				r.store.fault = func(context.Context, int, penstock.Batch) (error, error) { return errFull, nil }
			}
			r.append(2, 10)
			if c.away {
				time.Sleep(c.wakes + time.Second) // now the first batch is in hand
				synctest.Wait()
				c.wakes -= time.Second
			}
			synctest.Wait()
			began := time.Now()
			if err := r.stop(); err != nil || time.Since(began) != c.wakes {
				t.Errorf("%+v: %v after %v", c, err, time.Since(began))
			}
			if r.log.mu.Lock(); r.log.active != 0 {
				t.Errorf("%+v: the log is read after Run has returned", c)
			}
			r.log.mu.Unlock()
		})
	}
}
