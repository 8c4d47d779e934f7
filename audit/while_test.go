package audit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
	"penstock/eventlog/disk"
	"penstock/eventlog/memory"
	"penstock/internal/vfs"
)

// TestWhileEventsCome audits again and again while events come, are applied, fail, are replayed, dropped and forgotten by the log.
// Whatever comes between what, nothing is ever missing.
// It holds C-AUDIT while events come.
func TestWhileEventsCome(t *testing.T) {
	halting := dedup
	halting.HaltKey = true
	t.Run("memory", func(t *testing.T) { newRigWith(t, memory.Options{Max: 64 << 10}, Limits{}, halting).everything() })
	t.Run("disk", func(t *testing.T) {
		o := disk.Options{Max: 128 << 10, SegmentSize: 16 << 10, TailMemory: 8 << 10, Compression: disk.Plain}
		newRigOn(t, openDisk(t, vfs.NewMemory(0), o), Limits{}, halting).everything()
	})
}

// everything does all that can be done to a log and a store, and audits.
func (r *rig) everything() {
	t := r.t
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	sends, tends := make(chan int, 4), make(chan int, 1)
	all.Go(func() { r.sendFor(ctx, sends) })
	all.Go(func() { r.applyFor(ctx) })
	all.Go(func() { r.tendFor(ctx, tends) })
	defer all.Wait()
	defer cancel()
	pending, waited, last := 0, int64(0), Report{}
	for round := range 200 {
		sends <- round
		select {
		case tends <- round:
		default:
		}
		report, err := r.audit.Run(ctx, Ask{Deep: round%25 == 24})
		if err != nil {
			t.Fatal(err)
		}
		if !report.OK {
			t.Fatalf("round %d: a false alarm: %+v, deep %+v", round, report, report.Deep)
		}
		for _, s := range report.Streams {
			if s.ChecksumOK == nil || s.Missing != 0 || len(last.Streams) > 0 && s.Accepted < last.Streams[0].Accepted {
				t.Fatalf("round %d: %s after %+v", round, show(s.Counts), last)
			}
			if s.Pending > s.Parked {
				pending++
			}
			waited += s.Dead + s.Parked
		}
		last = report
	}
	if first, _, _ := r.log.Bounds(ctx); first[0].Offset == 0 || pending == 0 {
		t.Errorf("%d times something was pending, and the log begins at %v", pending, first)
	}
	if s := last.Streams[0]; s.Duplicates == 0 || s.Dropped == 0 || waited == 0 || s.Accepted < 1500 {
		t.Errorf("hardly anything happened: %s", show(s.Counts))
	}
}

// sendFor sends requests, whose events are in part repeats of those of others, and some of which cannot be stored.
func (r *rig) sendFor(ctx context.Context, turns <-chan int) {
	for {
		var n int
		select {
		case n = <-turns:
		case <-ctx.Done():
			return
		}
		batch := events(n*7, 10)
		if n%5 == 0 {
			key := fmt.Sprintf("stuck%d", n%3)
			bad := event(fmt.Sprintf("bad%d", n), key)
			bad.Body = []byte("{")
			batch = append(batch, bad, event(fmt.Sprintf("behind%d", n), key))
		}
		r.append(ctx, batch...)
	}
}

// append appends events, and makes room for them.
func (r *rig) append(ctx context.Context, batch ...penstock.Event) {
	b := r.block("clicks", penstock.Producer{}, batch...)
	for penstock.Is(r.log.Append(ctx, b), penstock.Full) && ctx.Err() == nil {
		safe, _ := r.store.Safe(ctx)
		_ = r.log.Retain(ctx, safe)
	}
}

func (r *rig) applyFor(ctx context.Context) {
	from, _ := r.store.Safe(ctx)
	cursor, err := r.log.Open(ctx, from)
	if err != nil {
		r.t.Error(err)
		return
	}
	defer cursor.Close()
	for {
		b, err := cursor.Next(ctx, penstock.Bytes(1+rand.IntN(4<<10)))
		if err != nil {
			return
		}
		if err := r.store.Apply(ctx, b); err != nil && ctx.Err() == nil {
			r.t.Error(err)
			return
		}
	}
}

// tendFor replays every other letter, and drops the rest.
func (r *rig) tendFor(ctx context.Context, turns <-chan int) {
	for {
		select {
		case <-turns:
		case <-ctx.Done():
			return
		}
		letters, _ := r.store.Letters(ctx, penstock.LetterQuery{State: penstock.LetterOpen, Limit: 20})
		for i, l := range letters {
			if i%2 == 0 {
				_, _ = r.store.Drop(ctx, []penstock.Place{{Partition: l.Partition, Position: l.Position}})
				continue
			}
			again := event(l.ID, l.Key)
			again.Body, again.ReplayOf = []byte(l.Body), l.Position
			r.append(ctx, again)
		}
	}
}

// forget makes the log forget all that is safe.
func (r *rig) forget() {
	r.t.Helper()
	first, _, _ := r.log.Bounds(r.t.Context())
	safe, _ := r.store.Safe(r.t.Context())
	for oldest := first; fmt.Sprint(oldest) == fmt.Sprint(first); oldest, _, _ = r.log.Bounds(r.t.Context()) {
		if err := r.log.Retain(r.t.Context(), safe); err != nil {
			r.t.Fatal(err)
		}
	}
}

// TestRetentionBetween has the log forget what an audit is about to read, at first from the store's position on, then from
// the beginning, where a cursor does not say so.
func TestRetentionBetween(t *testing.T) {
	for _, applied := range []int{10, 0} {
		r := newRigWith(t, memory.Options{Keep: time.Microsecond}, Limits{})
		if applied > 0 {
			r.send("clicks", events(0, applied)...)
			r.apply(nil)
		}
		r.send("clicks", events(100, 20)...)
		rounds := 0
		r.store.between = func() {
			if rounds++; rounds == 1 {
				r.apply(nil)
				r.forget()
				r.send("clicks", events(200, 5)...)
			}
		}
		r.expect(Ask{}, true, fmt.Sprintf("accepted %d, stored %d, pending 5", applied+25, applied+20))
		if rounds < 2 {
			t.Errorf("%d rounds", rounds)
		}
	}
}

// TestForgotten counts what the log does not have any more.
func TestForgotten(t *testing.T) {
	r := newRigWith(t, memory.Options{Keep: time.Microsecond}, Limits{})
	r.send("clicks", events(0, 20)...)
	gone := r.send("clicks", event("gone", "k"))
	r.apply(func(b *penstock.Block) *penstock.Block {
		if b == gone {
			return nil
		}
		return b
	})
	r.forget()
	r.send("clicks", events(30, 5)...)
	report := r.expect(Ask{Deep: true}, false, "accepted 26, stored 20, pending 5, missing 1, wrong checksum")
	if report.Streams[0].FirstMissing != nil {
		t.Errorf("it names what the log has forgotten: %v", report.Streams[0].FirstMissing)
	}
}

// TestMuchPending has more to read than an audit reads.
func TestMuchPending(t *testing.T) {
	r := newRigWith(t, memory.Options{}, Limits{Read: 1}) // a chunk, that is
	body := make([]byte, 100<<10)
	for i := range body {
		body[i] = ' '
	}
	copy(body, "{}")
	r.send("quiet", event("only", "k1"))
	r.apply(nil)
	for i := range 200 {
		e := event(fmt.Sprintf("id%d", i), fmt.Sprintf("k%d", i))
		e.Body = body
		r.send("clicks", e)
	}
	report := r.run(Ask{})
	if got := show(report.Streams[0].Counts); got != "accepted 200, pending 200, not checked" || !report.OK {
		t.Errorf("%t %s", report.OK, got)
	}
	if got := show(report.Streams[1].Counts); got != "accepted 1, stored 1" {
		t.Errorf("a stream of which nothing waits: %s", got)
	}
	r.store.tallies = func(tallies map[penstock.Lane]penstock.Tally) { // what was not read cannot excuse this
		for l, tally := range tallies {
			tally[penstock.FateStored].Add(1)
			tallies[l] = tally
		}
	}
	report = r.run(Ask{})
	if got := show(report.Streams[1].Counts); got != "accepted 1, stored 2, excess 1, wrong checksum" || report.OK {
		t.Errorf("%t %s", report.OK, got)
	}
}

// ledger is a log that says other totals.
type ledger struct {
	journal
	change func(map[penstock.Lane]penstock.Total, penstock.Positions)
}

func (l *ledger) Accepted(ctx context.Context) (map[penstock.Lane]penstock.Total, penstock.Positions, error) {
	totals, ends, err := l.journal.Accepted(ctx)
	l.change(totals, ends)
	return totals, ends, err
}

// TestNewEpoch has positions of an epoch that no record is in yet: nothing comes from there, and the audit does not wait for ever.
func TestNewEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.audit.o.Log = &ledger{r.log, func(_ map[penstock.Lane]penstock.Total, ends penstock.Positions) {
			for p, at := range ends {
				ends[p] = penstock.Position{Epoch: 2, Offset: at.Offset}
			}
		}}
		r.send("clicks", events(0, 20)...)
		r.apply(nil)
		began := time.Now()
		r.expect(Ask{}, true, "accepted 20, stored 20")
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it waited %v", took)
		}
	})
}

// TestLogBehindStore has a log that ends below the store's positions: it is an older copy.
func TestLogBehindStore(t *testing.T) {
	r := newRig(t)
	older := newJournal(memory.Options{})
	defer older.Close()
	r.audit.o.Log = older
	r.send("clicks", events(0, 20)...)
	r.apply(nil)
	if _, err := r.audit.Run(t.Context(), Ask{}); !penstock.Is(err, penstock.Conflict) {
		t.Error(err)
	}
}

// TestForeignPartition has a partition that the store does not hold.
func TestForeignPartition(t *testing.T) {
	r := newRig(t)
	r.send("clicks", events(0, 40)...)
	other, rows := New(Options{Log: r.log, Reader: r.log, Hasher: r.hasher, Store: auditorOf(func(ctx context.Context) (map[penstock.Lane]penstock.Tally, penstock.Positions, error) {
		tallies, at, err := r.store.Tallies(ctx)
		delete(at, 2)
		for l := range tallies {
			if l.Partition == 2 {
				delete(tallies, l)
			}
		}
		return tallies, at, err
	})}), int64(0)
	defer other.Close()
	r.apply(nil)
	for _, row := range r.store.Records() {
		if row.Partition == 2 {
			rows++
		}
	}
	report, err := other.Run(t.Context(), Ask{})
	if err != nil || !report.OK || rows == 0 {
		t.Fatal(err, report, rows)
	}
	if got, want := show(report.Streams[0].Counts), fmt.Sprintf("accepted 40, stored %d, pending %d, not checked", 40-rows, rows); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

type auditorOf func(context.Context) (map[penstock.Lane]penstock.Tally, penstock.Positions, error)

func (f auditorOf) Tallies(ctx context.Context) (map[penstock.Lane]penstock.Tally, penstock.Positions, error) {
	return f(ctx)
}

// TestOneAtATime has audits that wait, one that is refused, and an end of all.
func TestOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigWith(t, memory.Options{}, Limits{Waiting: 2})
		enough := make(chan struct{})
		running := 0
		r.store.between = func() {
			running++
			<-enough
		}
		ended := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := r.audit.Run(t.Context(), Ask{})
				ended <- err
			}()
		}
		synctest.Wait()
		if _, err := r.audit.Run(t.Context(), Ask{}); !penstock.Is(err, penstock.Overloaded) || running != 1 {
			t.Errorf("a fourth: %v, %d run", err, running)
		}
		r.audit.Close()
		synctest.Wait()
		for range 2 {
			if err := <-ended; !errors.Is(err, errClosing) {
				t.Error(err)
			}
		}
		close(enough)
		<-ended
	})
}

// TestGivenUp leaves no cursor behind when an audit is given up in the middle.
func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send("clicks", events(0, 5)...)
		r.audit.o.Log = &ledger{r.log, func(_ map[penstock.Lane]penstock.Total, ends penstock.Positions) {
			for p, at := range ends {
				ends[p] = penstock.Position{Epoch: 1, Offset: at.Offset + 1} // which nothing reaches
			}
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := r.audit.Run(ctx, Ask{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		r.expect(Ask{}, true, "accepted 5, pending 5")
	})
}
