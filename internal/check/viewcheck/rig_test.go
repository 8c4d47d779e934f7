// Package viewcheck lets internal/check judge, in one process, what the embedded store says of views: of batches with repeats, dead letters
// and replays, that are cut in two, beside builds and merges, and of what is left when the process ends at any moment.
package viewcheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock"
	"penstock/internal/check"
	"penstock/internal/checksum"
	"penstock/internal/fold"
	"penstock/store/embedded"
)

const (
	partitions = 8
	seed       = 7
)

// streams are what events are sent to. Both recognise repeats.
func streams() []penstock.Stream {
	columns := []penstock.Column{x().Column, place().Column}
	dedup := penstock.Dedup{Window: 24 * time.Hour, MaxIDs: 1_000_000}
	return []penstock.Stream{{Name: "clicks", Columns: columns, Dedup: dedup}, {Name: "scores", Columns: columns, Dedup: dedup}}
}

func x() penstock.Field {
	return penstock.Field{Column: penstock.Column{Name: "x", Type: penstock.Bigint, Path: "x"}}
}

func place() penstock.Field {
	return penstock.Field{Column: penstock.Column{Name: "place", Type: penstock.Text, Path: "geo.place"}}
}

func key() penstock.Field {
	return penstock.Field{Column: penstock.Column{Name: "key", Type: penstock.Text}}
}

// rig is a store, what was sent to it, and its log.
type rig struct {
	t       *testing.T
	o       embedded.Options
	dir     string
	db      *embedded.Database
	random  *rand.Rand
	builder *penstock.BlockBuilder
	sums    checksum.Hasher
	next    penstock.Positions // of the log
	logTime penstock.Micros

	makers    map[string]*check.Maker
	history   []check.Record
	sent      []request
	letters   []*check.Entry
	condemned []penstock.Event // those that the letters are of
	views     []penstock.View
	most      int // events of a request
}

// request is what was sent at once, so that it can be sent again.
type request struct {
	stream string
	events []penstock.Event
	record int // in the history
}

func newRig(t *testing.T, n uint64) *rig {
	cluster := penstock.Cluster{ID: strings.Repeat("ab", 16), Key: penstock.PartitionKey{7}, Partitions: partitions}
	shards := []embedded.ShardSpec{{Name: "shard-0"}, {Name: "shard-1"}}
	for p := range partitions {
		shards[p%2].Partitions = append(shards[p%2].Partitions, penstock.Partition(p))
	}
	r := &rig{
		t: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(seed, n)), builder: penstock.NewBlockBuilder(penstock.NewPartitioner(cluster)), sums: checksum.NewHasher(cluster),
		o:    embedded.Options{Cluster: cluster, Shards: shards, FileRows: 2000, MergeRows: 100, Fold: fold.Folder, Streams: streams()},
		next: penstock.Positions{}, logTime: penstock.MicrosOf(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
		most:   40,
		makers: map[string]*check.Maker{"clicks": check.NewMaker(seed, 1), "scores": check.NewMaker(seed, 2)},
	}
	for _, p := range penstock.All(partitions) {
		r.next[p] = penstock.Position{}
	}
	r.open()
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) open() {
	r.t.Helper()
	db, err := embedded.Open(r.t.Context(), r.dir, r.o)
	r.must(err)
	r.db = db
	r.t.Cleanup(func() { _ = db.Close() }) // a second time it is closed already
	if r.views != nil {
		r.declare(r.views...)
	}
}

func (r *rig) declare(views ...penstock.View) {
	r.t.Helper()
	r.views = views
	r.must(r.db.DeclareViews(r.t.Context(), views))
}

// kill goes on with a copy of what the process would leave if it ended now.
func (r *rig) kill() {
	r.t.Helper()
	left := r.t.TempDir()
	r.must(os.CopyFS(left, os.DirFS(r.dir)))
	r.must(r.db.Close())
	r.dir = left
	r.open()
}

// make makes events of a stream, some of them late.
func (r *rig) make(stream string, count int) request {
	client := map[string]uint32{"clicks": 1, "scores": 2}[stream]
	m := r.makers[stream]
	now := int64(len(r.history) + 1)
	one := request{stream: stream, record: len(r.history)}
	r.history = append(r.history, check.Record{Op: now, Kind: check.Post, Client: client, Stream: stream, Seq: m.Next(), Count: count, Call: 10 * now, Ret: 10*now + 5, Outcome: check.Ok, Status: 202})
	for range count {
		at := r.logTime - penstock.Micros(r.random.IntN(100_000_000))
		k := fmt.Sprint("k", r.random.IntN(30))
		rest := fmt.Sprintf(`,"time":"%s","x":%d,"geo":{"place":"p%d"}`, at.Time().Format(time.RFC3339Nano), r.random.IntN(1000)-300, r.random.IntN(5))
		if r.random.IntN(12) == 0 {
			rest = fmt.Sprintf(`,"time":"%s","x":null`, at.Time().Format(time.RFC3339Nano))
		}
		id := check.EventID(client, m.Next())
		body := m.Append(nil, k, rest)
		e := penstock.Event{ID: []byte(id), Key: []byte(k), Time: at, Body: body}
		e.Sum = r.sums.Stream(penstock.DefaultTenant, stream).Sum(e.Key, e.ID, e.Body)
		one.events = append(one.events, e)
	}
	r.sent = append(r.sent, one)
	return one
}

// block is the record of the log that a request becomes.
func (r *rig) block(one request) *penstock.Block {
	r.builder.Reset(penstock.DefaultTenant, one.stream, r.logTime, 0)
	for _, e := range one.events {
		r.builder.Add(e)
	}
	b := r.builder.Take()
	b.Epoch, b.LogTime = 1, r.logTime
	for i := range b.Groups {
		g := &b.Groups[i]
		g.First = r.next[g.Partition].Offset
		r.next[g.Partition] = penstock.Position{Epoch: 1, Offset: g.End()}
	}
	return b
}

// batch is blocks of several requests, with some that were sent before, one event that is condemned, and another attempt at one that was.
func (r *rig) batch() penstock.Batch {
	b := penstock.Batch{From: r.next.Clone(), Condemned: map[penstock.Place]penstock.Condemned{}}
	r.logTime += 1_000_000
	for i, stream := range []string{"clicks", "scores", "clicks"} {
		one := r.make(stream, 1+r.random.IntN(r.most))
		block := r.block(one)
		b.Blocks = append(b.Blocks, block)
		if i == 0 {
			r.condemn(&b, block, one)
		}
		if r.random.IntN(3) == 0 {
			b.Blocks = append(b.Blocks, r.again())
		}
	}
	if i := r.random.IntN(len(r.letters)); r.letters[i].State == penstock.LetterOpen {
		b.Blocks = append(b.Blocks, r.replay(i)...)
	}
	b.Next = r.next.Clone()
	return b
}

// again sends a request once more.
func (r *rig) again() *penstock.Block {
	one := r.sent[r.random.IntN(len(r.sent))]
	rec := r.history[one.record]
	rec.Attempt, rec.Call, rec.Ret = 2, 10*int64(len(r.history)+1), 10*int64(len(r.history)+1)+5
	r.history = append(r.history, rec)
	return r.block(one)
}

// condemn makes the first record of a block a letter.
func (r *rig) condemn(b *penstock.Batch, block *penstock.Block, one request) {
	for rec := range block.Records() {
		at := penstock.Place{Partition: rec.Partition, Position: rec.Position}
		b.Condemned[at] = penstock.Condemned{Reason: penstock.ReasonRefused, Detail: "it ends the process"}
		r.history[one.record].Poison = []int{rec.Item}
		r.letters = append(r.letters, &check.Entry{Partition: at.Partition, Epoch: at.Position.Epoch, Offset: at.Position.Offset, Stream: one.stream,
			ID: string(rec.ID), Key: string(rec.Key), Body: slices.Clone(rec.Body), State: penstock.LetterOpen, Reason: penstock.ReasonRefused})
		r.condemned = append(r.condemned, one.events[rec.Item])
		return
	}
}

// replay tries a letter again, twice: it becomes one row.
func (r *rig) replay(i int) []*penstock.Block {
	l, e := r.letters[i], r.condemned[i]
	l.State, e.ReplayOf = penstock.LetterReplayed, l.Place().Position
	one := request{stream: l.Stream, events: []penstock.Event{e}}
	return []*penstock.Block{r.block(one), r.block(one)}
}

// apply hands batches to the shards, some of them cut in two.
func (r *rig) apply(n int) {
	r.t.Helper()
	if testing.Short() {
		n = (n + 2) / 3
	}
	for range n {
		b := r.batch()
		parts := []penstock.Batch{b}
		if r.random.IntN(3) == 0 {
			first, rest := b.Cut(1 + r.random.IntN(b.Len()))
			parts = []penstock.Batch{first, rest}
		}
		for _, part := range parts {
			for _, s := range r.db.Shards() {
				r.must(s.Apply(r.t.Context(), part.Only(s.Partitions())))
			}
		}
	}
}

// tend does all that views need.
func (r *rig) tend() {
	r.t.Helper()
	for more := true; more; {
		var err error
		more, err = r.db.Tend(r.t.Context())
		r.must(err)
	}
}

// beside tends views while f goes on.
func (r *rig) beside(f func()) {
	r.t.Helper()
	ctx, end := context.WithCancel(r.t.Context())
	done := make(chan error)
	go func() {
		for ctx.Err() == nil {
			if _, err := r.db.Tend(r.t.Context()); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	f()
	end()
	r.must(<-done)
}

// judge lets internal/check judge rows, letters and views.
func (r *rig) judge() *check.Verdict {
	r.t.Helper()
	v, err := check.Judge(check.Run{
		Config: check.Config{Seed: seed}, Rows: r.rows(), Models: r.views, Views: r.answers(),
		History: func(yield func(*check.Record, error) bool) {
			for i := range r.history {
				if !yield(&r.history[i], nil) {
					return
				}
			}
		},
		Letters: func(yield func(*check.Entry, error) bool) {
			for _, l := range r.letters {
				if !yield(l, nil) {
					return
				}
			}
		},
	})
	r.must(err)
	return v
}

func (r *rig) rows() iter.Seq2[*check.Entry, error] {
	parts := make([]string, 0, 2)
	for _, s := range streams() {
		parts = append(parts, fmt.Sprintf("select '%s' as stream, id, key, cast(data as varchar) as body, epoch_us(time) as t, epoch_us(received_at) as r, "+
			"_partition, _epoch, _offset, _replay_of from %s", s.Name, s.Name))
	}
	return func(yield func(*check.Entry, error) bool) {
		result, err := r.db.Query(r.t.Context(), penstock.Query{SQL: "select * from (" + strings.Join(parts, " union all ") + ") as everything order by _partition, _epoch, _offset"})
		for row, err := range each(result, err) {
			var e check.Entry
			if err == nil {
				e, err = entryOf(row)
			}
			if !yield(&e, err) || err != nil {
				return
			}
		}
	}
}

// each yields the rows of a result.
func each(result penstock.Rows, err error) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		if err != nil {
			yield(nil, err)
			return
		}
		defer result.Close()
		for {
			row, err := result.Next()
			if errors.Is(err, io.EOF) || !yield(row, err) || err != nil {
				return
			}
		}
	}
}

func entryOf(row []any) (check.Entry, error) {
	number := func(i int) int64 { n, _ := row[i].(int64); return n }
	text := func(i int) string { s, _ := row[i].(string); return s }
	e := check.Entry{Stream: text(0), ID: text(1), Key: text(2), Body: check.Text(text(3)), Time: penstock.Micros(number(4)), ReceivedAt: penstock.Micros(number(5)),
		Partition: penstock.Partition(number(6)), Epoch: penstock.Epoch(number(7)), Offset: penstock.Offset(number(8))}
	if of := text(9); of != "" {
		_, err := fmt.Sscanf(of, "%d:%d", &e.ReplayOf.Epoch, &e.ReplayOf.Offset)
		return e, err
	}
	return e, nil
}

// answers yields what views say, in pages of different sizes.
func (r *rig) answers() iter.Seq2[*check.ViewRow, error] {
	return func(yield func(*check.ViewRow, error) bool) {
		for _, v := range r.views {
			var after []any
			for {
				q := penstock.ViewQuery{View: v.Name, Limit: 1 + r.random.IntN(200), After: after}
				result, err := r.db.View(r.t.Context(), q)
				n := 0
				for row, err := range each(result, err) {
					said := check.ViewRow{View: v.Name, Row: map[string]json.RawMessage{}}
					for i := range row {
						said.Row[result.Columns()[i].Name] = jsonOf(row[i])
					}
					if !yield(&said, err) || err != nil {
						return
					}
					n++
					after = row[:len(row)-len(v.Measures)]
				}
				if n < q.Limit || len(after) == 0 {
					break
				}
			}
		}
	}
}

// jsonOf is a value as the API shows it.
func jsonOf(v any) json.RawMessage {
	switch v := v.(type) {
	case penstock.Raw:
		return json.RawMessage(v)
	case penstock.Number:
		return json.RawMessage(v)
	case *big.Int:
		return json.RawMessage(v.String())
	case time.Time:
		return json.RawMessage(`"` + v.UTC().Format(time.RFC3339Nano) + `"`)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return text
}
