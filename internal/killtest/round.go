package killtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"time"
)

// round loads and kills, in some rounds again while the server recovers, and checks what a new start shows.
func (t *tester) round(ctx context.Context, r *Round) error {
	if err := t.dropLetters(ctx); err != nil {
		return err
	}
	poison := t.Poison && r.Number%2 == 1
	writers := t.newWriters(r, poison)
	healed, err := t.loadAndFail(ctx, r, writers)
	defer healed()
	if err != nil {
		return err
	}
	changed := t.changeViews(r)
	if poison {
		t.late++
	}
	if poison || changed {
		if err := t.configure(); err != nil {
			return err
		}
	}
	if err := t.failAgain(ctx, r, changed); err != nil {
		return err
	}
	t.verifyLog(ctx, r)
	began := time.Now()
	if err := t.start(ctx); err != nil {
		return err
	}
	if err := t.ask().WaitReady(ctx); err != nil {
		return err
	}
	healed()
	r.Ready = time.Since(began)
	if err := t.settle(ctx, writers); err != nil {
		return err
	}
	r.Drained = time.Since(began)
	r.count(writers)
	if err := t.judgeRound(ctx, r, writers); err != nil {
		return err
	}
	return t.judgeRanks(ctx, r)
}

// failAgain makes the fault while the server recovers, and while it counts what is stored for a view that is new.
func (t *tester) failAgain(ctx context.Context, r *Round, changed bool) error {
	for range r.Again {
		if err := t.failWhileStarting(ctx); err != nil {
			return err
		}
	}
	for range 2 {
		if !changed {
			break
		}
		r.Again++
		if err := t.failWhileBuilding(ctx); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until every attempt has an answer, all that was answered is applied, and every view answers.
func (t *tester) settle(ctx context.Context, writers []*writer) error {
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	if !t.Once {
		if err := t.resolveAll(ctx, writers); err != nil {
			return err
		}
	}
	if err := t.ask().WaitDrained(ctx); err != nil {
		return err
	}
	return t.waitViews(ctx)
}

// newWriters returns the writers of a round.
func (t *tester) newWriters(r *Round, poison bool) []*writer {
	all := make([]*writer, 0, writers)
	for _, s := range sources {
		for range s.writers {
			w := t.newWriter(uint32(r.Number*writers+len(all)), s, r.Batch)
			w.asks = len(all) == 0
			if poison && s.poison {
				w.poison = fmt.Sprintf(`,"late_%d":"text"`, t.late+1)
			}
			all = append(all, w)
		}
	}
	return all
}

// count adds up what the writers did.
func (r *Round) count(writers []*writer) {
	for _, w := range writers {
		r.Sent += w.sent
		r.Acked += w.acked
	}
}

// fail makes the fault.
func (t *tester) fail(ctx context.Context) error {
	t.kills++
	if t.Fail == nil || t.server == nil {
		t.kill()
		return nil
	}
	return t.Fail(ctx, t.server)
}

// failWhileStarting starts the server and makes the fault soon: before it listens, while it recovers, or while it catches up.
func (t *tester) failWhileStarting(ctx context.Context) error {
	soon, cancel := context.WithTimeout(ctx, t.between(time.Millisecond, 400*time.Millisecond))
	defer cancel()
	err := t.start(soon)
	if soon.Err() == nil && err != nil {
		return err
	}
	<-soon.Done()
	return errors.Join(t.fail(ctx), ctx.Err())
}

// between returns a random duration.
func (t *tester) between(low, high time.Duration) time.Duration {
	return low + time.Duration(t.random.Int64N(int64(high-low)))
}

// loadAndFail lets the writers post until the server is dead. What it returns says that the fault is over.
func (t *tester) loadAndFail(ctx context.Context, r *Round, writers []*writer) (healed func(), err error) {
	r.KilledAfter = t.between(20*time.Millisecond, 800*time.Millisecond)
	loading, stop := context.WithTimeout(ctx, startPatience)
	defer stop()
	b := newBudget(t.Events)
	var working sync.WaitGroup
	for _, w := range writers {
		working.Go(func() { w.work(loading, t.server.URL, func() { b.spend(w.batch) }) })
	}
	select {
	case <-b.begun:
		select {
		case <-b.spent:
		case <-loading.Done():
		case <-time.After(r.KilledAfter):
		}
	case <-loading.Done():
		err = errors.New("nothing was answered")
	}
	healed = t.recorder.Fault("kill")
	err = errors.Join(err, t.fail(ctx))
	stop()
	working.Wait()
	return healed, errors.Join(err, ctx.Err())
}

// budget is how many events a round may have answered.
type budget struct {
	begun, spent chan struct{}

	mu   sync.Mutex
	left int64 // 0: no bound
	used bool
}

func newBudget(events int64) *budget {
	return &budget{begun: make(chan struct{}), spent: make(chan struct{}), left: events}
}

func (b *budget) spend(events int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.used {
		b.used = true
		close(b.begun)
	}
	if b.left == 0 {
		return
	}
	if b.left -= int64(events); b.left <= 0 {
		b.left = 0
		close(b.spent)
	}
}

// verifyLog lets the offline command read the log that the dead server left.
func (t *tester) verifyLog(ctx context.Context, r *Round) {
	c := exec.CommandContext(ctx, t.Program, "log", "verify", t.data())
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Run(); err != nil {
		r.Problems = append(r.Problems, fmt.Sprintf("log verify: %v: %s", err, bytes.TrimSpace(said.Bytes())))
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
