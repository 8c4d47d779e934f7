// Package audit adds up what became of every event that the log has accepted: stored, a repeat, a dead letter, given up, expired or
// not applied yet. What is left over is missing, and is named while the log still holds it.
//
//	store: tallies up to S ─▶ log: totals up to L ─▶ log: records from S to L ─▶ accepted = fates + pending + missing, by lane
//
// Ingestion and applying go on meanwhile, and an answer never names an event as missing that is on its way. Three numbers are
// taken one after the other, and each belongs to positions, not to a moment of the clock:
//
//  1. The store's tallies, with the positions S of the same transaction: what became of all events below S. They stay true
//     whatever is applied later; letters that are replayed or dropped, and rows that expire, only move within them.
//  2. The log's totals, with their positions L: all events below L. They are asked for after the tallies, and a store knows only
//     records that the log has counted, so L is at or past S.
//  3. The records from S to L, read from the log: what is below L and in no tally. L was reached before the reading began, so it
//     waits for nothing, and what comes past L is left out.
//
// In each lane the first and the third add up to the second, or an event is missing or there twice. A sum of checksums beside each
// count tells apart what is equal in number only. Retention may remove records from S on while they are read, since the store moved
// on: then all is asked for anew. A reading that its limits end before L proves less, and the answer says so instead of guessing.
//
// docs/audit.md is its page for users.
package audit

import (
	"context"
	"errors"
	"time"

	"penstock"
	"penstock/internal/checksum"
)

// Options joins the audit to what it asks. All but Finder, Limits and Trace are required.
type Options struct {
	Log    penstock.Accountant
	Reader penstock.Reader // of the same log
	Store  penstock.Auditor
	Hasher checksum.Hasher
	Finder Finder // nil: nothing is looked for, only added up
	Limits Limits
	Trace  Trace
}

// Limits bounds what an audit costs. A zero value means the default.
type Limits struct {
	Read    penstock.Bytes // of the log between the store's positions and its end; 64 MiB
	Time    time.Duration  // for that reading, and again for a search that an unbalanced lane begins; 5 s
	Deep    time.Duration  // for a deep check; 90 s
	Idle    time.Duration  // for records that the log has, to come; 1 s
	Repeats int            // records for which the store is asked whether they are repeats; 100,000
	Waiting int            // audits that wait for the one that runs; 8
}

// Trace hears what an audit does. Functions may be nil, and are not called concurrently.
type Trace struct {
	Audited  func(r Report, took time.Duration, err error) // how it ended
	Nameless func(err error)                               // why it could not look for what is missing; the report says that it is
}

// Ask says what an audit shall find out.
type Ask struct {
	Partitions bool // shows the lanes of each stream
	Deep       bool // compares, one by one, all records that the log has with what the store has
}

// Audit audits a log and the store that it feeds. Its methods may be called concurrently; one audit runs at a time.
type Audit struct {
	o     Options
	turn  chan struct{}
	line  chan struct{} // of those who wait or run
	ctx   context.Context
	close context.CancelFunc
}

// New returns an audit. Close ends what runs.
func New(o Options) *Audit {
	def(&o.Limits.Read, 64<<20)
	def(&o.Limits.Time, 5*time.Second)
	def(&o.Limits.Deep, 90*time.Second)
	def(&o.Limits.Idle, time.Second)
	def(&o.Limits.Repeats, 100_000)
	def(&o.Limits.Waiting, 8)
	a := &Audit{o: o, turn: make(chan struct{}, 1), line: make(chan struct{}, 1+o.Limits.Waiting)}
	a.ctx, a.close = context.WithCancel(context.Background())
	return a
}

func def[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// Close ends the audits that run or wait, so that a server can stop. It returns at once.
func (a *Audit) Close() { a.close() }

// errClosing ends what runs when the audit closes.
var errClosing = &penstock.Error{Code: penstock.Unavailable, Op: "audit", Reason: "shutting_down"}

// Run audits. It fails with Overloaded if too many wait already, with Conflict if the log ends below the store's positions, and
// with Stale if retention overtook it again and again.
func (a *Audit) Run(ctx context.Context, ask Ask) (Report, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(context.Canceled)
	defer context.AfterFunc(a.ctx, func() { cancel(errClosing) })()
	if a.ctx.Err() != nil {
		return Report{}, errClosing
	}
	select {
	case a.line <- struct{}{}:
		defer func() { <-a.line }()
	default:
		return Report{}, &penstock.Error{Code: penstock.Overloaded, Op: "audit", Reason: "too_many_queries"}
	}
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return Report{}, goneOr(ctx, ctx.Err())
	}
	began := time.Now()
	r, err := a.run(ctx, ask)
	err = goneOr(ctx, err)
	if a.o.Trace.Audited != nil {
		a.o.Trace.Audited(r, time.Since(began), err)
	}
	return r, err
}

// goneOr returns err, or that the audit closes: then err is only what came of it.
func goneOr(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errClosing) {
		return errClosing
	}
	return err
}

// rounds is how often an audit begins anew because retention removed what it was about to read.
const rounds = 5

func (a *Audit) run(ctx context.Context, ask Ask) (Report, error) {
	b, err := a.settle(ctx)
	if err != nil {
		return Report{}, err
	}
	if a.o.Finder == nil || !ask.Deep && len(b.suspects()) == 0 {
		return b.report(ask, nil), nil
	}
	found, err := a.search(ctx, b, ask.Deep)
	if err == nil {
		return b.report(ask, found), nil
	}
	if ask.Deep || ctx.Err() != nil {
		return Report{}, err
	}
	if a.o.Trace.Nameless != nil {
		a.o.Trace.Nameless(err)
	}
	return b.report(ask, nil), nil
}

// settle balances, again when retention came between two of the numbers.
func (a *Audit) settle(ctx context.Context) (*balance, error) {
	for range rounds {
		b, err := a.balance(ctx)
		switch {
		case penstock.Is(err, penstock.Trimmed):
			continue
		case err != nil:
			return nil, err
		}
		moved, err := a.movedFromStart(ctx, b)
		if err != nil || !moved {
			return b, err
		}
	}
	return nil, penstock.Errorf(penstock.Stale, "audit", "retention removed %d times what was about to be counted", rounds)
}

// movedFromStart reports whether something is missing in a partition of which the store had nothing, and has now. A cursor from
// the zero Position begins at the oldest record kept, silently: if the store applied records since its tallies were taken, and
// retention removed them, they were not counted.
func (a *Audit) movedFromStart(ctx context.Context, b *balance) (bool, error) {
	var began []penstock.Partition
	for l, e := range b.lanes {
		if b.store[l.Partition] == (penstock.Position{}) && e.missing().Events > 0 {
			began = append(began, l.Partition)
		}
	}
	if len(began) == 0 {
		return false, nil
	}
	_, now, err := a.o.Store.Tallies(ctx)
	if err != nil {
		return false, err
	}
	for _, p := range began {
		if now[p] != (penstock.Position{}) {
			return true, nil
		}
	}
	return false, nil
}
