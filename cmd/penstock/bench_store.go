package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/internal/load"
	"penstock/store/embedded"
)

func storeFlags(c *cobra.Command, f *benchFlags) {
	fs := c.Flags()
	fs.Int64Var(&f.events, "events", 0, "stop after so many rows")
	fs.DurationVar(&f.duration, "duration", 10*time.Second, "stop after so long")
	fs.IntVar(&f.batch, "batch", 122_880, "rows a commit")
	fs.IntVar(&f.connections, "connections", 1, "shards, each with one writer")
	fs.IntVar(&f.shape.Size, "size", 250, "bytes an event")
	fs.IntVar(&f.shape.Keys, "keys", 10_000, "distinct keys")
	fs.StringVar(&f.shape.Skew, "skew", "uniform", "choice of keys: uniform, zipf:S, hot:SHARE")
	fs.StringVar(&f.stream, "stream", "bench", "stream to write to")
	fs.BoolVar(&f.columns, "columns", false, "declare columns for the stream")
	fs.StringVar(&f.dir, "dir", "", "where the temporary directory is made (default the system's)")
}

// storePartitions is how many partitions each shard of the measurement has.
const storePartitions = 64

// runStore applies batches that are ready in memory: what it shows is the store alone.
func runStore(c *cobra.Command, f *benchFlags) error {
	dir, remove, err := f.workDir()
	if err != nil {
		return err
	}
	defer remove()
	stream := penstock.Stream{Name: f.stream}
	if f.columns {
		stream.Columns = benchColumns()
	}
	cluster := penstock.Cluster{ID: "62656e6368206f6620612073746f7265", Partitions: storePartitions * f.connections}
	urls := make([]string, f.connections)
	for i := range urls {
		urls[i] = fmt.Sprintf("duckdb:shard-%d", i)
	}
	db, err := embedded.Open(c.Context(), dir, embedded.Options{
		Cluster: cluster, Shards: shardSpecs(urls, cluster.Partitions), Streams: []penstock.Stream{stream},
	})
	if err != nil {
		return err
	}
	r, err := f.applyAll(c.Context(), cluster, db)
	if closed := db.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	report := f.reportOf("store", r)
	report.Durability = "store"
	return f.print(c, report)
}

// benchColumns are the typed fields of the generator's events.
func benchColumns() []penstock.Column {
	column := func(name string, t penstock.ColumnType) penstock.Column {
		return penstock.Column{Name: name, Type: t, Path: name}
	}
	return []penstock.Column{
		column("kind", penstock.Text), column("country", penstock.Text), column("amount", penstock.Bigint),
		column("latency_ms", penstock.Double), column("ok", penstock.Boolean),
	}
}

// applyAll runs one writer per shard until rows or time are used up.
func (f *benchFlags) applyAll(ctx context.Context, cluster penstock.Cluster, db *embedded.Database) (*load.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, f.duration)
	defer cancel()
	total := &load.Result{Latency: load.NewLatency()}
	var mu sync.Mutex
	var failed error
	var writing sync.WaitGroup
	began := time.Now()
	for i, shard := range db.Shards() {
		writing.Go(func() {
			w, err := f.newStoreWriter(cluster, shard, i)
			if err == nil {
				err = w.run(ctx, f.events/int64(f.connections), total.Latency)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil && failed == nil {
				failed = err
			}
			if w != nil {
				total.Events += w.written
			}
		})
	}
	writing.Wait()
	total.Elapsed = time.Since(began)
	total.Bytes = total.Events * int64(f.shape.Size)
	return total, failed
}

// storeWriter makes batches as a log would hand them out and applies them to one shard.
type storeWriter struct {
	store   penstock.Store
	events  *load.Generator
	builder *penstock.BlockBuilder
	next    penstock.Positions
	rows    int
	stream  string
	written int64
}

func (f *benchFlags) newStoreWriter(cluster penstock.Cluster, store penstock.Store, number int) (*storeWriter, error) {
	events, err := load.NewGenerator(f.shape, number)
	if err != nil {
		return nil, err
	}
	w := &storeWriter{
		store: store, events: events, builder: penstock.NewBlockBuilder(penstock.NewPartitioner(cluster)),
		next: penstock.Positions{}, stream: f.stream,
		rows: f.batch * f.connections, // of which this shard's share, about --batch, is applied
	}
	for _, p := range store.Partitions() {
		w.next[p] = penstock.Position{}
	}
	return w, nil
}

// run applies batches until max rows are written, if max is not 0, or ctx ends. The batches are made by another
// goroutine, one ahead, as the log reads ahead of the consumer.
func (w *storeWriter) run(ctx context.Context, max int64, latency *load.Latency) error {
	ahead := make(chan penstock.Batch)
	stop := make(chan struct{})
	var making sync.WaitGroup
	making.Go(func() {
		for {
			select {
			case ahead <- w.batch():
			case <-stop:
				return
			}
		}
	})
	defer making.Wait()
	defer close(stop)
	for ctx.Err() == nil && (max == 0 || w.written < max) {
		b := <-ahead
		start := time.Now()
		// A commit that has begun is finished: a cut one would not count.
		if err := w.store.Apply(context.WithoutCancel(ctx), b); err != nil {
			return err
		}
		latency.Record(time.Since(start))
		w.written += int64(b.Len())
	}
	return nil
}

// blockEvents is how many events of a batch came in one request.
const blockEvents = 1000

// batch makes the next batch. Partitions of other shards get nothing: their events are not part of the batch.
func (w *storeWriter) batch() penstock.Batch {
	b := penstock.Batch{From: w.next.Clone()}
	now := penstock.MicrosOf(time.Now())
	for made := 0; made < w.rows; made += blockEvents {
		w.builder.Reset(penstock.DefaultTenant, w.stream, now, penstock.Bytes(blockEvents*320))
		for range min(blockEvents, w.rows-made) {
			w.builder.Add(w.events.Next())
		}
		block := w.builder.Take()
		block.Epoch, block.LogTime = 1, now
		for i := range block.Groups {
			g := &block.Groups[i]
			at, mine := w.next[g.Partition]
			if !mine {
				continue
			}
			g.First = at.Offset
			w.next[g.Partition] = penstock.Position{Epoch: 1, Offset: g.End()}
		}
		b.Blocks = append(b.Blocks, block)
	}
	b.Next = w.next.Clone()
	return b
}
