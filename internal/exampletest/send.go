package exampletest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"penstock/client"
)

const (
	batchEvents = 4000 // the server's limit is 5,000
	waitsAtOnce = 16   // receipts of an URL: some 8 KiB
	maxWait     = 30 * time.Second
)

// sent is what a stream was sent.
type sent struct {
	different map[string]struct{} // events; a repeat has the same bytes
	all       int64
	receipts  []string // that no answer has contained yet
}

// Send sends events, which become JSON, in their order, and returns when all are on the server's disk. Repeats are the same bytes.
func Send[E any](ctx context.Context, s *Server, stream string, events []E) error {
	t := s.sent[stream]
	if t == nil {
		t = &sent{different: map[string]struct{}{}}
		s.sent[stream] = t
	}
	repeats := -t.repeats()
	var lines bytes.Buffer
	for batch := range slices.Chunk(events, batchEvents) {
		lines.Reset()
		for _, e := range batch {
			line, err := json.Marshal(e)
			if err != nil {
				return fmt.Errorf("encode event: %w", err)
			}
			t.different[string(line)] = struct{}{}
			lines.Write(append(line, '\n'))
		}
		answer, err := s.Client.Send(ctx, stream, client.Batch{Events: lines.Bytes()})
		if err != nil {
			return fmt.Errorf("send %s: %w", stream, err)
		}
		if answer.Accepted != len(batch) {
			return fmt.Errorf("send %s: %d of %d events accepted: %v", stream, answer.Accepted, len(batch), answer.Rejected)
		}
		t.all += int64(len(batch))
		t.receipts = append(t.receipts, answer.Receipt)
	}
	repeats += t.repeats()
	s.Step("%s: sent %d events, %d of them repeats", stream, len(events), repeats)
	return nil
}

func (t *sent) repeats() int64 { return t.all - int64(len(t.different)) }

// After returns what to name in after, so that an answer contains all that was sent.
func (s *Server) After(ctx context.Context) ([]string, error) {
	for stream, t := range s.sent {
		for receipts := range slices.Chunk(t.receipts, waitsAtOnce) {
			q := client.ViewQuery{View: s.view, Limit: 1, After: slices.Concat(receipts, s.asOf), Timeout: maxWait}
			page, err := s.Client.View(ctx, q)
			if err != nil {
				return nil, fmt.Errorf("wait for %s: %w", stream, err)
			}
			s.asOf = []string{page.AsOf}
		}
		t.receipts = nil
	}
	return s.asOf, nil
}

// kept holds the server's accounts against what it was sent: each event is stored once. A request that was repeated, since its answer was lost, makes
// more repeats than were meant.
func (s *Server) kept(ctx context.Context) error {
	if _, err := s.After(ctx); err != nil {
		return err
	}
	audit, err := s.Client.Audit(ctx, client.AuditQuery{})
	if err != nil {
		return err
	}
	for stream, t := range s.sent {
		i := slices.IndexFunc(audit.Streams, func(a client.AuditStream) bool { return a.Stream == stream && a.Tenant == "" })
		if i < 0 {
			return fmt.Errorf("the audit lacks the stream %s", stream)
		}
		a := audit.Streams[i]
		if a.Stored != int64(len(t.different)) || a.Accepted < t.all || a.Accepted-a.Duplicates != a.Stored || a.Pending > 0 {
			return fmt.Errorf("%s: sent %d events, %d of them repeats; the audit says %+v", stream, t.all, t.repeats(), a.AuditCounts)
		}
	}
	return nil
}
