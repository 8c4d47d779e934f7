// Package writebehind is an Appender made of another: it answers at once and appends later. It serves the streams whose
// configuration says `durability: memory`, and nothing that is answered 202.
package writebehind

import (
	"context"
	"sync"
	"time"

	"penstock"
)

// Options configures an Appender. Zero means the default.
type Options struct {
	MaxWaiting penstock.Bytes                        // blocks held in memory before Append fails with Overloaded; default 8 MiB
	Patience   time.Duration                         // how long a refusal of the log is retried before its events are dropped; default 5 s
	Dropped    func(stream string, n int, why error) // nil means silence
}

// Appender appends behind the caller's back. It may be used concurrently.
type Appender struct {
	to   penstock.Appender
	o    Options
	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex
	waiting []*penstock.Block
	size    penstock.Bytes
	closed  bool
}

// New starts an appender that feeds to; Close ends it.
func New(to penstock.Appender, o Options) *Appender {
	if o.MaxWaiting == 0 {
		o.MaxWaiting = 8 << 20
	}
	if o.Patience == 0 {
		o.Patience = 5 * time.Second
	}
	if o.Dropped == nil {
		o.Dropped = func(string, int, error) {}
	}
	a := &Appender{to: to, o: o, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go a.run()
	return a
}

// Durability is memory: what was answered may be lost with the process.
func (a *Appender) Durability() penstock.Durability { return penstock.DurabilityMemory }

// Accepted returns what the log accounts for, as penstock.Accountant says: of what was answered, that which was appended by now. It fails
// with Invalid if the log does not account.
func (a *Appender) Accepted(ctx context.Context) (map[penstock.Lane]penstock.Total, penstock.Positions, error) {
	accountant, ok := a.to.(penstock.Accountant)
	if !ok {
		return nil, nil, penstock.Errorf(penstock.Invalid, "account for log", "this log does not account for what was appended")
	}
	return accountant.Accepted(ctx)
}

// Append queues the blocks, in the order of the calls, and returns. Their Epoch stays 0 and their offsets unset, so
// there is no receipt. It fails with Overloaded when MaxWaiting is reached, with Unavailable after Close.
func (a *Appender) Append(_ context.Context, blocks ...*penstock.Block) error {
	const op = "queue blocks"
	var size penstock.Bytes
	for _, b := range blocks {
		size += b.Size()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return penstock.Errorf(penstock.Unavailable, op, "the log is closed")
	}
	if a.size+size > a.o.MaxWaiting {
		return penstock.Errorf(penstock.Overloaded, op, "%d bytes wait already", a.size)
	}
	// The log fills in what it appends while the caller still reads what it queued, so it gets copies of the headers.
	for _, b := range blocks {
		a.waiting = append(a.waiting, b.CloneHeader())
	}
	a.size += size
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return nil
}

// Close appends what waits and returns when that is done or dropped.
func (a *Appender) Close() error {
	a.mu.Lock()
	if !a.closed {
		a.closed = true
		close(a.wake)
	}
	a.mu.Unlock()
	<-a.done
	return nil
}

func (a *Appender) run() {
	defer close(a.done)
	for range a.wake {
		a.flush()
	}
	a.flush()
}

// flush appends what waits as one call, so that order holds, and lets go of it whatever comes of it.
func (a *Appender) flush() {
	a.mu.Lock()
	blocks := a.waiting
	a.waiting = nil
	a.mu.Unlock()
	if len(blocks) == 0 {
		return
	}
	err := a.append(blocks)
	var size penstock.Bytes
	for _, b := range blocks {
		size += b.Size()
		if err != nil {
			a.o.Dropped(b.Stream, b.Len(), err)
		}
	}
	a.mu.Lock()
	a.size -= size
	a.mu.Unlock()
}

// append retries what was surely not done; after Unknown a retry could double events, so that counts as dropped.
func (a *Appender) append(blocks []*penstock.Block) error {
	ctx, cancel := context.WithTimeout(context.Background(), a.o.Patience)
	defer cancel()
	for {
		err := a.to.Append(ctx, blocks...)
		if !penstock.Is(err, penstock.Overloaded) && !penstock.Is(err, penstock.Full) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}
