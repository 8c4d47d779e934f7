package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"penstock"
	"penstock/consumer"
	"penstock/eventlog/disk"
	"penstock/ingest"
	"penstock/internal/edge"
	"penstock/query"
	"penstock/store/embedded"
)

// The functions here turn what parts report into metrics and log lines; the parts know of neither.

func (e *engine) consumerTrace(p *pump) consumer.Trace {
	m := e.metrics
	applied, stale, outages := m.applied.WithLabelValues(p.name), m.stale.WithLabelValues(p.name), m.outages.WithLabelValues(p.name)
	return consumer.Trace{
		Applied: func(rows int, _ penstock.Bytes, took time.Duration) {
			p.works()
			applied.Add(float64(rows))
			m.apply.Observe(took.Seconds())
			m.batchRows.Observe(float64(rows))
		},
		Stale: func() { stale.Inc() },
		Outage: func(err error, pause time.Duration) {
			p.fails(err, pause)
			outages.Inc()
			e.log.Warn("a store cannot take a batch, it will be tried again", "store", p.name, "error", err, "pause", pause)
		},
		Condemned: e.condemned,
		Suspect: func(records, crashes int, wait time.Duration) {
			level, what := slog.LevelError, "the process ended again and again while it applied the same events, they are tried in parts"
			if crashes < 2 {
				level, what = slog.LevelInfo, "the process ended while it applied events: should it do so again they are tried in parts"
			}
			e.log.Log(context.Background(), level, what, "store", p.name, "events", records, "ends", crashes, "wait", wait)
		},
		Unmarked: func(err error) {
			e.log.Warn("what is in hand cannot be noted: an event that ends the process would not be found", "store", p.name, "error", err)
		},
	}
}

func (e *engine) doorTrace() ingest.Trace {
	m := e.metrics
	return ingest.Trace{
		Accepted: func(stream string, events int, size penstock.Bytes, appended time.Duration) {
			e.traffic.accept(stream, events, size)
			m.append.Observe(appended.Seconds())
		},
		Rejected: func(stream, code string, events int) {
			m.rejected.WithLabelValues(m.streamLabel(stream), code).Add(float64(events))
		},
		Refused: func(reason string, err error) {
			m.rejected.WithLabelValues("other", reason).Inc()
			if penstock.Is(err, penstock.Internal) {
				e.log.Error("a request failed", "reason", reason, "error", err)
			}
		},
	}
}

func (e *engine) guardTrace() edge.GuardTrace {
	return edge.GuardTrace{
		Refused: func(reason string) { e.metrics.rejected.WithLabelValues("other", reason).Inc() },
		Panicked: func(pattern string, value any, stack []byte) {
			e.log.Error("a handler panicked", "route", pattern, "value", value, "stack", placesOf(stack))
		},
	}
}

// placesOf returns the files and lines of a stack, the innermost first.
func placesOf(stack []byte) []string {
	var places []string
	for line := range strings.Lines(string(stack)) {
		if place, ok := strings.CutPrefix(line, "\t"); ok && len(places) < 32 {
			places = append(places, strings.TrimSpace(place))
		}
	}
	return places
}

func (e *engine) queryTrace() query.Trace {
	m := e.metrics
	return query.Trace{
		Statement: func(s query.Statement) {
			code := "ok"
			if s.Err != nil {
				code = edge.Reason(s.Err)
			}
			m.queries.WithLabelValues(code).Inc()
			m.querySeconds.Observe(s.Elapsed.Seconds())
			if penstock.Is(s.Err, penstock.Internal) {
				e.log.Error("a statement failed", "error", s.Err)
			}
		},
		Tails: func(open int) { m.tails.Set(float64(open)) },
	}
}

func (e *engine) dropped(stream string, events int, why error) {
	e.metrics.dropped.WithLabelValues(e.metrics.streamLabel(stream)).Add(float64(events))
	e.log.Warn("events of a stream with durability memory were dropped", "stream", stream, "events", events, "error", why)
}

func (e *engine) diskTrace() disk.Trace {
	m := e.metrics
	return disk.Trace{
		Synced:    func(s disk.Sync) { m.fsync.Observe(s.Took.Seconds()) },
		Recovered: e.recovered,
		Damaged:   e.damaged,
		WriteFailed: func(err error) {
			m.writeErrors.Inc()
			e.log.Error("log_write_error: a write to the log failed, it goes on", "error", err)
		},
		Failed:  func(err error) { e.log.Error("the log has stopped for good", "error", err) },
		Removed: func(id disk.SegmentID) { e.log.Info("a segment of the log has expired", "segment", uint64(id)) },
		Clock: func(ahead time.Duration) {
			e.log.Warn("clock_jump: nothing expires until the clock is confirmed with --accept-clock", "ahead", ahead)
		},
	}
}

func (e *engine) recovered(r disk.Recovery) {
	if !r.Clean {
		e.metrics.unclean.Set(1)
	}
	e.metrics.recovery.Set(r.Took.Seconds())
	e.log.Info("the log was opened", "clean", r.Clean, "took", r.Took, "scanned_bytes", int64(r.Scanned),
		"rewritten_frames", r.Rewritten, "dropped_bytes", int64(r.Dropped))
}

// damaged says which events were lost, a line for each run of offsets.
func (e *engine) damaged(d disk.Damage) {
	e.log.Error("acknowledged bytes of the log are damaged, what follows them is kept", "where", d.String(), "copy", d.Copy)
	for _, lost := range d.Lost {
		n := max(0, int64(lost.Next.Offset)-int64(lost.From.Offset))
		e.metrics.lost.Add(float64(n))
		e.log.Error("data_loss", "partition", int(lost.Partition), "from", lost.From.String(), "next", lost.Next.String(), "events", n)
	}
}

func (e *engine) storeTrace() embedded.Trace {
	m := e.metrics
	return embedded.Trace{
		Checkpoint: func(_ string, took time.Duration) { m.checkpoint.Observe(took.Seconds()) },
		Opened: func(shard string, files int, took time.Duration) {
			e.log.Info("a shard was opened", "store", shard, "files", files, "took", took)
		},
		SetAside: func(shard, file string, err error) {
			m.setAside.WithLabelValues(shard).Inc()
			e.log.Error("a file of a shard cannot be read and was set aside", "store", shard, "file", file, "error", err)
		},
		Damaged: func(shard, file string, err error) {
			e.log.Error("a query came upon a damaged block: take the file away and start again, it is rebuilt from the log as far as that reaches",
				"store", shard, "file", file, "error", err)
		},
		IdentitiesDiscarded: func(shard string, err error) {
			e.log.Warn("the index of identities is made again from the shard's files", "shard", shard, "error", err)
		},
		IdentitiesFailed: func(shard string, err error) {
			e.log.Warn("the index of identities could not be written, it will be tried again", "shard", shard, "error", err)
		},
		CheckpointFailed: func(shard string, err error) {
			e.log.Warn("what is stored could not be made safe, it will be tried again", "store", shard, "error", err)
		},
		Broken: func(shard string, err error) {
			select {
			case e.broken <- penstock.Errorf(penstock.Corrupt, "use shard "+shard, "only a new process helps: %w", err):
			default: // it was said already
			}
		},
		Removed: func(shard, file string, rows int64) {
			e.log.Info("rows have expired", "store", shard, "file", file, "rows", rows)
		},
		Shed: func(queries int) {
			m.shed.Add(float64(queries))
			e.log.Warn("queries were ended so that a batch finds memory", "queries", queries)
		},
		Dead: e.dead,
	}
}

// refreshAccounts brings the series of the configured streams up to date; of others only the sum of repeats is shown.
func (e *engine) refreshAccounts(ctx context.Context) {
	e.metrics.dedupWindow.Reset()
	windows := e.database.Windows()
	for _, name := range e.streams.configured() {
		e.metrics.dedupWindow.WithLabelValues(name).Set(windows[name].InForce.Seconds())
	}
	accounts, err := e.accounts(ctx)
	if err != nil {
		return
	}
	repeats := map[string]int64{}
	for stream, a := range accounts {
		repeats[e.metrics.streamLabel(stream)] += a.duplicates
	}
	e.metrics.duplicates.set(repeats)
}

// refreshMetrics brings the series up to date that are read from elsewhere.
func (e *engine) refreshMetrics(ctx context.Context) {
	for _, p := range e.pumps {
		lag, err := p.Lag(ctx)
		if err != nil {
			continue
		}
		e.metrics.lagEvents.WithLabelValues(p.name).Set(float64(lag.Events))
		e.metrics.lagSeconds.WithLabelValues(p.name).Set(lag.Seconds)
	}
	if e.database != nil {
		e.refreshAccounts(ctx)
	}
}
