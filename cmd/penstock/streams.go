package main

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"penstock"
	"penstock/query"
	"penstock/store/embedded"
)

// declarePatience is how long a request waits for the store to make its stream: a batch may be in the way.
const declarePatience = 10 * time.Second

// adoptStreams joins the streams of the configuration with those that the shards have rows of. Where streams are made
// by their first use, all of them are open; else the door refuses those that the configuration does not name, and
// their rows stay readable: such a stream was removed from the file, or made by `penstock dev`.
func (e *engine) adoptStreams() error {
	e.streams.declare = e.declare
	known := e.database.Streams()
	if e.o.auto {
		configured := e.config.streams()
		all := union(configured, known)
		if len(all) > penstock.MaxStreams {
			e.log.Warn("there are more streams than can be made", "streams", len(all), "limit", penstock.MaxStreams)
		}
		e.streams.publish(all, namesOf(configured))
		return nil
	}
	named := e.streams.current.Load().configured
	for _, s := range known {
		if !named[s.Name] {
			e.log.Warn("the configuration does not name a stream that has rows: they stay readable, new events are answered 404",
				"stream", s.Name, "hint", "penstock config init --from")
		}
	}
	return nil
}

// declare makes streams in the shards, or changes them. Those that are no longer named stay as they were.
func (e *engine) declare(streams []penstock.Stream) error {
	ctx, cancel := context.WithTimeout(context.Background(), declarePatience)
	defer cancel()
	err := e.database.Declare(ctx, streams)
	if err != nil && ctx.Err() != nil {
		return penstock.Wrap(penstock.Unavailable, "declare streams", err)
	}
	return err
}

// readable returns the streams that queries may name: what the door accepts, and what has rows.
func (e *engine) readable() []penstock.Stream {
	if e.database == nil {
		return e.streams.list()
	}
	return union(e.streams.list(), e.database.Streams())
}

// streamCounts says what is known about each readable stream.
func (e *engine) streamCounts(ctx context.Context) (map[string]query.StreamCounts, error) {
	stored, err := e.database.Counts(ctx)
	if err != nil {
		return nil, err
	}
	accounts, err := e.accounts(ctx)
	if err != nil {
		return nil, err
	}
	windows := e.database.Windows()
	counts := map[string]query.StreamCounts{}
	for _, s := range e.readable() {
		m := e.traffic.of(s.Name)
		a := accounts[s.Name]
		c := query.StreamCounts{
			Accepted: m.total.Load(), Stored: stored[s.Name], EventsPerSecond: m.perSecond(), Duplicates: a.duplicates, Dead: a.dead,
		}
		setWindow(&c, windows[s.Name])
		counts[s.Name] = c
	}
	return counts, nil
}

// streamTable is penstock.streams.
func (e *engine) streamTable() embedded.SystemTable {
	return embedded.SystemTable{
		Columns: []penstock.ResultColumn{
			{Name: "name", Type: "VARCHAR"}, {Name: "id_field", Type: "VARCHAR"}, {Name: "key_field", Type: "VARCHAR"},
			{Name: "time_field", Type: "VARCHAR"}, {Name: "columns", Type: "VARCHAR"}, {Name: "keep_rows_seconds", Type: "BIGINT"},
			{Name: "durability", Type: "VARCHAR"}, {Name: "configured", Type: "BOOLEAN"}, {Name: "accepted", Type: "BIGINT"},
			{Name: "stored", Type: "BIGINT"}, {Name: "events_per_second", Type: "DOUBLE"}, {Name: "dedup_window_seconds", Type: "DOUBLE"},
			{Name: "duplicates", Type: "BIGINT"}, {Name: "dead", Type: "BIGINT"},
		},
		Rows: e.streamRows,
	}
}

func (e *engine) streamRows(ctx context.Context) ([][]any, error) {
	if e.database == nil { // the store asks while it is being opened
		return nil, nil
	}
	counts, err := e.streamCounts(ctx)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	configured := e.streams.current.Load().configured
	for _, s := range e.readable() {
		columns, err := json.Marshal(append([]penstock.Column{}, s.Columns...))
		if err != nil {
			return nil, penstock.Wrap(penstock.Internal, "encode columns", err)
		}
		n := counts[s.Name]
		rows = append(rows, []any{
			s.Name, cmp.Or(s.IDField, "id"), cmp.Or(s.KeyField, "key"), cmp.Or(s.TimeField, "time"), string(columns),
			int64(s.KeepRows / time.Second), cmp.Or(string(s.Durability), string(penstock.DurabilityDisk)), configured[s.Name],
			n.Accepted, n.Stored, n.EventsPerSecond, n.DedupWindowSeconds,
			n.Duplicates, n.Dead,
		})
	}
	return rows, nil
}

// traffic counts what the door accepts.
type traffic struct {
	label  func(stream string) string
	events *prometheus.CounterVec
	meters sync.Map // stream → *meter; as many as there are streams
	bytes  meter
}

func newTraffic(m *metrics) *traffic { return &traffic{label: m.streamLabel, events: m.accepted} }

// accept is called for every request.
func (t *traffic) accept(stream string, events int, size penstock.Bytes) {
	m := t.of(stream)
	m.total.Add(int64(events))
	t.bytes.total.Add(int64(size))
	if c := m.counter.Load(); c != nil {
		(*c).Add(float64(events))
	}
}

// of returns the meter of a stream.
func (t *traffic) of(stream string) *meter {
	if m, ok := t.meters.Load(stream); ok {
		return m.(*meter)
	}
	m := &meter{}
	c := t.events.WithLabelValues(t.label(stream))
	m.counter.Store(&c)
	kept, _ := t.meters.LoadOrStore(stream, m)
	return kept.(*meter)
}

// relabel lets the counters follow a changed configuration.
func (t *traffic) relabel() {
	t.meters.Range(func(stream, m any) bool {
		c := t.events.WithLabelValues(t.label(stream.(string)))
		m.(*meter).counter.Store(&c)
		return true
	})
}

// sample brings the rates up to date. It is called about once a second, by one goroutine.
func (t *traffic) sample(since time.Duration) {
	t.bytes.sample(since)
	t.meters.Range(func(_, m any) bool {
		m.(*meter).sample(since)
		return true
	})
}

// run samples until ctx ends.
func (t *traffic) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			now := time.Now()
			t.sample(now.Sub(last))
			last = now
		}
	}
}

// meter is a count and its rate.
type meter struct {
	total   atomic.Int64
	counter atomic.Pointer[prometheus.Counter]
	rate    atomic.Uint64 // the bits of a float64
	seen    int64         // by sample, of total
}

// rateWindow is over how long a rate is averaged: events that are older than that weigh little.
const rateWindow = 5 * time.Second

func (m *meter) sample(since time.Duration) {
	if since <= 0 {
		return
	}
	total := m.total.Load()
	present := float64(total-m.seen) / since.Seconds()
	m.seen = total
	weight := 1 - math.Exp(-since.Seconds()/rateWindow.Seconds())
	m.rate.Store(math.Float64bits(m.perSecond() + weight*(present-m.perSecond())))
}

// perSecond returns the rate of late.
func (m *meter) perSecond() float64 { return math.Float64frombits(m.rate.Load()) }
