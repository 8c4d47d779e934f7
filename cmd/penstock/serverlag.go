package main

import (
	"context"
	"sync"
	"time"

	"penstock"
	"penstock/consumer"
	"penstock/query"
	"penstock/store/embedded"
)

// pump is the consumer of one shard, and how it fares.
type pump struct {
	*consumer.Consumer
	name string

	mu      sync.Mutex
	outage  error     // the last one
	retried time.Time // when it will have been tried again
}

func (e *engine) newPump(name string, shard penstock.Store) (*pump, error) {
	p := &pump{name: name}
	marker, err := e.openMarker(name)
	if err != nil {
		return nil, err
	}
	p.Consumer = consumer.New(consumer.Options{
		Reader: e.journal, Store: shard, MaxBatch: batchSize(len(e.config.Store)), Rows: embedded.RowGroup, Marker: marker, Trace: e.consumerTrace(p),
	})
	return p, nil
}

// batchSize bounds the blocks of a batch: as many as hold a row group for each of so many shards, since a shard finds only
// its part of each block. Beyond four shards memory counts more.
func batchSize(shards int) penstock.Bytes { return penstock.Bytes(min(shards, 4)) * 40 << 20 }

// outageGrace is how long after a retry an outage counts as over if nothing more was heard: without new events there is
// nothing to apply that would show it.
const outageGrace = 10 * time.Second

func (p *pump) fails(err error, pause time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outage, p.retried = err, time.Now().Add(pause)
}

func (p *pump) works() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outage = nil
}

// ready returns why the pump does not apply what comes, or nil.
func (p *pump) ready() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.outage != nil && time.Since(p.retried) > outageGrace {
		p.outage = nil
	}
	return p.outage
}

// lag says how far each shard is behind the log.
func (e *engine) lag(ctx context.Context) (query.Lag, error) {
	zero := 0.0
	all := query.Lag{DrainSeconds: &zero}
	for _, p := range e.pumps {
		lag, err := p.Lag(ctx)
		if err != nil {
			return query.Lag{}, err
		}
		all.Stores = append(all.Stores, storeLag(p.name, lag))
		all.Events += int64(lag.Events)
		all.Seconds = max(all.Seconds, lag.Seconds)
		all.DrainSeconds = later(all.DrainSeconds, lag.DrainSeconds)
	}
	return all, nil
}

func storeLag(name string, lag consumer.Lag) query.StoreLag {
	s := query.StoreLag{Store: name, Events: int64(lag.Events), Seconds: lag.Seconds}
	for _, p := range lag.Position.Partitions() {
		s.Partitions = append(s.Partitions, query.PartitionLag{Partition: p, Position: lag.Position[p].Offset, Next: lag.Next[p].Offset})
	}
	return s
}

// later returns the longer of two times; nil is never.
func later(a, b *float64) *float64 {
	if a == nil || b == nil {
		return nil
	}
	if *b > *a {
		return b
	}
	return a
}

// systemTables are the penstock.* tables of this process; penstock.shards is the store's own.
func (e *engine) systemTables() map[string]embedded.SystemTable {
	return map[string]embedded.SystemTable{"lag": e.lagTable(), "streams": e.streamTable(), "dlq": e.letterTable()}
}

// lagTable is penstock.lag: a row for each shard.
func (e *engine) lagTable() embedded.SystemTable {
	return embedded.SystemTable{
		Columns: []penstock.ResultColumn{
			{Name: "store", Type: "VARCHAR"}, {Name: "events", Type: "BIGINT"}, {Name: "seconds", Type: "DOUBLE"},
			{Name: "drain_seconds", Type: "DOUBLE"},
		},
		Rows: func(ctx context.Context) ([][]any, error) {
			var rows [][]any
			for _, p := range e.pumps {
				lag, err := p.Lag(ctx)
				if err != nil {
					return nil, err
				}
				var drain any
				if lag.DrainSeconds != nil {
					drain = *lag.DrainSeconds
				}
				rows = append(rows, []any{p.name, int64(lag.Events), lag.Seconds, drain})
			}
			return rows, nil
		},
	}
}
