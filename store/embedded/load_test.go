package embedded

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"penstock"
)

// All that a database does at once: two shards that are written, queries, events of keys, streams that change, files that
// begin and go. What is stored at the end is compared with what was applied.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	o := Options{
		Cluster: testCluster(8), Shards: deal(8, 2), FileRows: 400, Checkpoint: 30_000, Memory: 256 << 20, Idle: 1,
		Streams: []penstock.Stream{clicks(), kept("short", 1), {Name: "plain"}},
		Trace:   Trace{Damaged: func(_, _ string, err error) { t.Error(err) }},
	}
	d := openDatabase(t, t.TempDir(), o)
	var batches []penstock.Batch
	f := newFeeder(o.Cluster)
	for i := range 150 {
		var events []event
		for j := range 20 {
			events = append(events, event{id: fmt.Sprintf("%d-%d", i, j), key: fmt.Sprint("k", j), body: fmt.Sprintf(`{"a":%d,"b":%d,"s":"%d"}`, i, j, i)})
		}
		batches = append(batches, f.batch([]string{"clicks", "short", "plain"}[i%3], events...))
		f.logTime += penstock.Micros(5 * time.Minute / time.Microsecond)
	}
	w := &everything{T: t, d: d}
	var writers, others sync.WaitGroup
	for _, s := range d.Shards() {
		writers.Go(func() { w.write(s, batches) })
	}
	for i := range 2 {
		others.Go(func() { w.ask(uint64(i)) })
	}
	others.Go(w.change)
	writers.Wait()
	w.written.Store(true)
	others.Wait()
	retain(t, d)
	for range 2 {
		w.compare(batches)
		w.d = reopen(t, w.d)
	}
}

// everything is what the goroutines of TestEverythingAtOnce share.
type everything struct {
	*testing.T
	d       *Database
	written atomic.Bool
}

func (w *everything) done() bool { return w.written.Load() || w.Failed() }

// write applies the batches to one shard, some of them twice.
func (w *everything) write(s penstock.Store, batches []penstock.Batch) {
	for i, b := range batches {
		b = b.Only(s.Partitions())
		if err := s.Apply(w.Context(), b); err != nil {
			w.Error(err)
			return
		}
		if i%10 == 0 {
			if err := s.Apply(w.Context(), b); !penstock.Is(err, penstock.Stale) {
				w.Errorf("the same batch again: %v", err)
			}
		}
	}
}

// ask runs statements until all is written. No count goes back.
func (w *everything) ask(seed uint64) {
	random := rand.New(rand.NewPCG(seed, 7))
	var last int64
	for !w.done() {
		rows, err := tryQuery(w.T, w.d, "select count(*), count(distinct id) from clicks")
		if err != nil || rows[0][0] != rows[0][1] || rows[0][0].(int64) < last {
			w.Errorf("%v after %d, %v", rows, last, err)
			return
		}
		last = rows[0][0].(int64)
		q := penstock.KeyQuery{Stream: "clicks", Key: fmt.Sprint("k", random.IntN(20)), Limit: 1000}
		events, err := w.d.Events(w.Context(), q)
		if err != nil {
			w.Error(err)
			return
		}
		for i, e := range events {
			if i > 0 && !events[i-1].Position.Less(e.Position) {
				w.Errorf("key %s: %v before %v", q.Key, events[i-1].Position, e.Position)
			}
		}
		text := []string{"summarize clicks", "select * from plain order by id limit 5", "select min(time), max(time) from short", "from penstock.shards"}[random.IntN(4)]
		if _, err := tryQuery(w.T, w.d, text); err != nil {
			w.Errorf("%s: %v", text, err)
			return
		}
	}
}

// change declares streams and removes what is past its time until all is written.
func (w *everything) change() {
	for i := 0; !w.done(); i++ {
		columns := [][]penstock.Column{{bigint("a")}, {bigint("a"), bigint("b")}, {textual("s")}}[i%3]
		if err := w.d.Declare(w.Context(), []penstock.Stream{clicks(columns...), {Name: fmt.Sprint("new", i%5), Columns: columns}}); err != nil {
			w.Error(err)
			return
		}
		if err := w.d.Retain(w.Context()); err != nil {
			w.Error(err)
			return
		}
	}
}

// compare compares what is stored with the batches.
func (w *everything) compare(batches []penstock.Batch) {
	w.Helper()
	p := &past{}
	for _, b := range batches {
		p.blocks = append(p.blocks, b.Blocks...)
	}
	newest := p.blocks[len(p.blocks)-1].LogTime
	p.check(w.T, w.d, func(r *penstock.Record) bool { return r.Stream != "short" || r.LogTime >= newest-hour })
	declare(w.T, w.d, clicks(bigint("a"), bigint("b"), textual("s")))
	expect(w.T, w.d, "select count(*) from clicks where a <> (data->>'a')::int or b <> (data->>'b')::int or s <> data->>'s'", "[[0]]")
	at := positionsOf(w.T, w.d)
	if last := batches[len(batches)-1].Next; !at.Reached(last) || !last.Reached(at) {
		w.Errorf("it stands at %v, want %v", at, last)
	}
}

// A batch that finds no memory ends the queries that run, and is stored when there is some.
func TestBatchesBeforeQueries(t *testing.T) {
	var shed []int
	o := Options{
		Cluster: testCluster(4), Shards: deal(4, 1), Memory: 6 << 20, Streams: []penstock.Stream{clicks()},
		Trace: Trace{Shed: func(queries int) { shed = append(shed, queries) }},
	}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	apply(t, d, f.batch("clicks", event{id: "first"}))
	var events []event
	for i := range 30_000 {
		events = append(events, event{id: fmt.Sprint(i), body: `{"s":"` + strings.Repeat(fmt.Sprint(i), 200) + `"}`})
	}
	b := f.batch("clicks", events...)
	ended := make(chan error)
	go func() {
		_, err := d.Query(t.Context(), penstock.Query{SQL: heavy})
		ended <- err
	}()
	for d.running.count() == 0 {
		runtime.Gosched()
	}
	before := positionsOf(t, d)
	if err := d.shards[0].Apply(t.Context(), b); !penstock.Is(err, penstock.Unavailable) {
		t.Fatal(err)
	}
	if err := <-ended; !penstock.Is(err, penstock.Invalid) || reasonOf(err) != "query_limit" || fmt.Sprint(shed) != "[1]" {
		t.Fatalf("the query ended with %v; %v were ended", err, shed)
	}
	if at := positionsOf(t, d); !before.Reached(at) {
		t.Fatalf("a batch that failed moved it from %v to %v", before, at)
	}
	expect(t, d, "select count(*) from clicks", "[[1]]")
	apply(t, d, penstock.Batch{From: b.From, Next: b.From})
	d.o.Memory = 256 << 20
	d = reopen(t, d)
	apply(t, d, b)
	expect(t, d, "select count(*), count(distinct id) from clicks", "[[30001 30001]]")
}
