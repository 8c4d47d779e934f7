package main

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"io"
	"net/http"
	"sync"
	"time"

	"penstock"
	"penstock/client"
)

// sending is one run of `penstock send`: a goroutine reads lines and deals them out to lanes, each of which has a
// goroutine that sends them.
type sending struct {
	client *client.Client
	stream string
	f      sendFlags
	fields client.StreamInfo // where the lines have their ids and keys
	ids    *identifier
	lanes  []*lane
	seed   maphash.Seed
	line   []byte // scratch memory of the reader
	notes  *noteWriter
	live   bool // a person looks at the progress
	tally  tally
}

func (s *sending) openLanes(n int) {
	s.seed = maphash.MakeSeed()
	for range n {
		s.lanes = append(s.lanes, newLane(batchLimit{lines: s.f.batch, bytes: maxBody}))
	}
}

// run sends every line of in. When it fails, or ctx ends, it does not wait for a read that hangs.
func (s *sending) run(ctx context.Context, in io.Reader) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	read := make(chan error, 1)
	go func() { read <- s.read(ctx, in) }()
	var senders sync.WaitGroup
	var failed sync.Once
	var failure error
	for _, l := range s.lanes {
		senders.Go(func() {
			deliver := func(ctx context.Context, b *lineBatch) error { return s.deliver(ctx, l, b) }
			if err := l.each(ctx, deliver); err != nil {
				failed.Do(func() { failure = err })
				cancel(err)
			}
		})
	}
	senders.Wait()
	if failure != nil {
		return failure
	}
	return <-read // the lanes have ended, so it has too
}

// read deals out the lines, and closes the lanes behind the last.
func (s *sending) read(ctx context.Context, in io.Reader) error {
	defer func() {
		for _, l := range s.lanes {
			close(l.due)
		}
	}()
	r := lineReader{
		line: s.deal,
		tooLong: func(l inputLine) {
			s.tally.begin(1)
			s.reject(l.number, penstock.Rejection{Code: "too_large", Message: "the line is longer than 16 MiB"})
			s.tally.settle(l.size, 0, 1)
		},
		drained: func() {
			for _, l := range s.lanes {
				l.flush()
			}
		},
	}
	return r.read(ctx, in)
}

// deal gives a line its id and adds it to the lane of its key.
func (s *sending) deal(ctx context.Context, in inputLine) error {
	var spread []byte
	s.line, spread = s.ids.appendLine(s.line[:0], in.number, in.text)
	n := uint64(in.number)
	if len(spread) > 0 {
		n = maphash.Bytes(s.seed, spread)
	}
	return s.lanes[n%uint64(len(s.lanes))].add(ctx, in, s.line)
}

// deliver sends a batch until the server's answer is definite. One that is larger than the server takes is sent in halves.
func (s *sending) deliver(ctx context.Context, l *lane, b *lineBatch) error {
	s.tally.begin(len(b.ends))
	return s.deliverPart(ctx, l, b)
}

func (s *sending) deliverPart(ctx context.Context, l *lane, b *lineBatch) error {
	sent, err := s.client.Send(ctx, s.stream, client.Batch{
		Events: b.body, IDField: s.f.idField, KeyField: s.f.keyField, TimeField: s.f.timeField,
	})
	switch refused := refusedAsTooLarge(err); {
	case refused != nil && len(b.ends) > 1:
		l.shrink(batchLimit{lines: len(b.ends) / 2, bytes: len(b.body) / 2})
		first, second := b.halves()
		if err := s.deliverPart(ctx, l, first); err != nil {
			return err
		}
		return s.deliverPart(ctx, l, second)
	case refused != nil:
		s.reject(b.numbers[0], *refused)
		s.tally.settle(b.size(), 0, 1)
		return nil
	case err != nil:
		if penstock.Is(err, penstock.Unknown) {
			s.tally.doubt(len(b.ends))
		}
		return err
	}
	s.notes.clear()
	for _, r := range sent.Rejected {
		if r.Index >= 0 && r.Index < len(b.numbers) {
			s.reject(b.numbers[r.Index], r)
		}
	}
	s.tally.settle(b.size(), sent.Accepted, sent.RejectedCount)
	s.tally.durable(sent.Durability)
	return nil
}

// refusedAsTooLarge returns what to say about a single event if that was why a request was refused.
func refusedAsTooLarge(err error) *penstock.Rejection {
	var refusal *client.Refusal
	var known *penstock.Error
	if !errors.As(err, &refusal) || refusal.Status != http.StatusRequestEntityTooLarge || !errors.As(err, &known) {
		return nil
	}
	return &penstock.Rejection{Code: cmp.Or(known.Reason, "too_large"), Message: refusal.Error()}
}

// maxListed is how many rejected lines are listed.
const maxListed = 20

// reject lists a rejected line, if not too many are listed already.
func (s *sending) reject(number int64, r penstock.Rejection) {
	if s.tally.list() {
		s.notes.note("line %d: %s: %s", number, r.Code, shown(r.Message))
	}
}

// listRest says how many more lines were rejected than are listed.
func (s *sending) listRest(r sendReport) {
	s.tally.mu.Lock()
	more := r.Rejected - int64(s.tally.listed)
	s.tally.mu.Unlock()
	if more > 0 {
		s.notes.note("%s more lines were rejected", grouped(more))
	}
}

// confess says what became of the lines of a run that did not come to its end.
func (s *sending) confess(r sendReport) {
	again := "sent again, they have the same ids"
	if s.f.fresh {
		again = "sent again, they have other ids (--fresh)"
	}
	s.tally.mu.Lock()
	unknown := s.tally.unknown
	s.tally.mu.Unlock()
	switch {
	case unknown > 0:
		s.notes.note("penstock: %s events were acknowledged, of %s more the outcome is not known; %s",
			grouped(r.Accepted), grouped(unknown), again)
	case r.Accepted > 0:
		s.notes.note("penstock: %s events were acknowledged; %s", grouped(r.Accepted), again)
	}
}

// tally counts what became of the lines. It may be used concurrently.
type tally struct {
	mu                       sync.Mutex
	sent, accepted, rejected int64
	unknown                  int64 // no answer came
	input                    int64 // bytes that are settled
	listed                   int
	durability               penstock.Durability
}

func (t *tally) begin(lines int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent += int64(lines)
}

func (t *tally) settle(input int64, accepted, rejected int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.input += input
	t.accepted += int64(accepted)
	t.rejected += int64(rejected)
}

// doubt counts events that may have been stored.
func (t *tally) doubt(events int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unknown += int64(events)
}

func (t *tally) durable(d penstock.Durability) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.durability = d
}

// list reports whether one more line is to be listed.
func (t *tally) list() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listed == maxListed {
		return false
	}
	t.listed++
	return true
}

func (t *tally) report(elapsed time.Duration) sendReport {
	t.mu.Lock()
	defer t.mu.Unlock()
	return sendReport{Sent: t.sent, Accepted: t.accepted, Rejected: t.rejected, Seconds: elapsed.Seconds(), Durability: t.durability}
}
