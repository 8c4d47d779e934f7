package main

import (
	"context"
	"path/filepath"
	"time"

	"penstock"
	"penstock/audit"
	"penstock/consumer"
	"penstock/internal/checksum"
	"penstock/internal/vfs"
	"penstock/letters"
	"penstock/query"
	"penstock/store/embedded"
)

// What became of the events that were accepted: dead letters, the audit, repeats.

// openAccounts makes the routes of dead letters and of the audit.
func (s *server) openAccounts() error {
	keeper, keeps := s.store.(penstock.DeadLetters)
	auditor, audits := s.store.(penstock.Auditor)
	if !keeps || !audits {
		return penstock.Errorf(penstock.Internal, "open accounts", "the store keeps neither letters nor tallies")
	}
	s.letters = letters.New(letters.Options{Letters: keeper, Log: s.journal, Cluster: s.cluster, Trace: s.lettersTrace()})
	s.letters.Register(s.guard)
	s.audit = audit.New(audit.Options{
		Log: s.journal, Reader: s.journal, Store: auditor, Hasher: checksum.NewHasher(s.cluster), Finder: s.database, Trace: s.auditTrace(),
	})
	s.audit.Register(s.guard)
	return nil
}

// openMarker returns what remembers the range that a shard's consumer has in hand; nil with a log in memory, which ends with the
// process.
func (e *engine) openMarker(shard string) (consumer.Marker, error) {
	if e.inMemory() || !e.o.roles.consumer {
		return nil, nil
	}
	file, err := consumer.OpenMarkFile(vfs.OS(), filepath.Join(e.dir, shard+markSuffix))
	if err != nil {
		return nil, err
	}
	e.onClose("marker of "+shard, file.Close)
	return file, nil
}

const markSuffix = ".mark"

func (e *engine) lettersTrace() letters.Trace {
	return letters.Trace{Changed: func(c letters.Change) {
		if c.Err != nil {
			e.log.Warn("dead letters: a "+c.Kind+" ended early", "matched", c.Matched, "done", c.Done, "rejected", c.Rejected, "error", c.Err)
			return
		}
		e.log.Info("dead letters: "+c.Kind, "dry_run", c.DryRun, "matched", c.Matched, "done", c.Done, "rejected", c.Rejected, "took", c.Elapsed)
	}}
}

func (e *engine) auditTrace() audit.Trace {
	return audit.Trace{
		Audited: func(r audit.Report, took time.Duration, err error) {
			switch {
			case err != nil:
				e.log.Warn("an audit failed", "error", err, "took", took)
			case !r.OK:
				e.log.Error("the audit does not balance: penstock audit says where", "took", took)
			}
		},
		Nameless: func(err error) { e.log.Warn("an audit could not look for what is missing", "error", err) },
	}
}

// dead counts events that are no rows, and says so.
func (e *engine) dead(stream string, reason penstock.LetterReason, events int) {
	e.metrics.dead.WithLabelValues(e.metrics.streamLabel(stream), string(reason)).Add(float64(events))
	e.log.Warn("events are dead letters: penstock dlq ls shows them", "stream", stream, "reason", string(reason), "events", events)
}

// condemned says which event the consumer found to be one that the store refuses, or that ends the process.
func (e *engine) condemned(stream string, at penstock.Place, why penstock.Condemned) {
	e.log.Error("an event cannot be stored", "stream", stream, "partition", int(at.Partition), "position", at.Position.String(),
		"reason", string(why.Reason), "detail", why.Detail)
}

// account is what became of a stream's events.
type account struct{ duplicates, dead int64 }

// accounts adds up the tallies of each stream.
func (e *engine) accounts(ctx context.Context) (map[string]account, error) {
	auditor, ok := e.store.(penstock.Auditor)
	if !ok { // while the store is being opened
		return nil, nil
	}
	tallies, _, err := auditor.Tallies(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]account{}
	for lane, tally := range tallies {
		a := all[lane.Stream]
		a.duplicates += tally[penstock.FateDuplicate].Events
		a.dead += tally[penstock.FateDead].Events
		all[lane.Stream] = a
	}
	return all, nil
}

// setWindow shows the window of a stream, with a warning if it is shorter than it should be.
func setWindow(c *query.StreamCounts, w embedded.Window) {
	c.DedupWindowSeconds, c.IDs = w.InForce.Seconds(), w.IDs
	if w.InForce < w.Configured {
		c.Warning = narrowText(w)
	}
}

func narrowText(w embedded.Window) string {
	return "ids are remembered for " + w.InForce.String() + " instead of " + w.Configured.String() + ": more came than dedup.max_ids allows"
}

// watchWindows says once for each stream that its window is shorter than it should be, and once that it is whole again.
func (e *engine) watchWindows(narrow map[string]bool) {
	for name, w := range e.database.Windows() {
		switch is := w.InForce < w.Configured; {
		case is && !narrow[name]:
			narrow[name] = true
			e.log.Warn("repeats are recognised for a shorter time than configured", "stream", name, "window", w.InForce, "configured", w.Configured, "ids", w.IDs)
		case !is && narrow[name]:
			delete(narrow, name)
			e.log.Info("repeats are recognised for the configured time again", "stream", name, "window", w.Configured)
		}
	}
}
