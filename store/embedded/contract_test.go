package embedded

import (
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"penstock"
	"penstock/internal/checksum"
	"penstock/store/sharded"
	"penstock/store/storetest"
)

func testCluster(partitions int) penstock.Cluster {
	return penstock.Cluster{ID: strings.Repeat("ab", 16), Key: penstock.PartitionKey{7}, Partitions: partitions}
}

// deal gives partitions to shards in turn.
func deal(partitions, shards int) []ShardSpec {
	specs := make([]ShardSpec, shards)
	for i := range specs {
		specs[i].Name = "shard-" + string(rune('0'+i))
	}
	for p := range partitions {
		s := &specs[p%shards]
		s.Partitions = append(s.Partitions, penstock.Partition(p))
	}
	return specs
}

func openDatabase(t *testing.T, dir string, o Options) *Database {
	t.Helper()
	d, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// harness opens databases for the conformance suite and remembers which store belongs to which.
type harness struct {
	options Options
	mu      sync.Mutex
	opened  map[penstock.Store]*Database
	dirs    map[penstock.Store]string
	streams map[penstock.Store][]penstock.Stream
}

// open opens the database of a directory, with some of its streams as given.
func (h *harness) open(t *testing.T, dir string, streams []penstock.Stream) penstock.Store {
	t.Helper()
	o := h.options
	o.Streams = slices.Clone(o.Streams)
	for _, s := range streams {
		o.Streams = append(slices.DeleteFunc(o.Streams, func(old penstock.Stream) bool { return old.Name == s.Name }), s)
	}
	d := openDatabase(t, dir, o)
	s, err := sharded.New(d.Shards()...)
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opened[s], h.dirs[s], h.streams[s] = d, dir, streams
	return s
}

// of returns what belongs to a store.
func (h *harness) of(s penstock.Store) (d *Database, dir string, streams []penstock.Stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.opened[s], h.dirs[s], h.streams[s]
}

func (h *harness) crash(t *testing.T, s penstock.Store) penstock.Store {
	t.Helper()
	dir := t.TempDir()
	_, from, streams := h.of(s)
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return h.open(t, dir, streams)
}

// rowsOf reads all rows of a database back, as users do.
func rowsOf(t *testing.T, d *Database) []storetest.Row {
	t.Helper()
	var all []storetest.Row
	for _, stream := range d.Streams() {
		for _, row := range query(t, d, "SELECT id, key, epoch_us(time), epoch_us(received_at), data, _partition, _epoch, _offset, coalesce(_replay_of, '0:0') FROM "+ident(stream.Name)) {
			key, _ := row[1].(string)
			replayOf, err := parsePosition(row[8].(string))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, storetest.Row{Stream: stream.Name, Row: penstock.Row{
				ID: row[0].(string), Key: key, Time: penstock.Micros(row[2].(int64)), ReceivedAt: penstock.Micros(row[3].(int64)),
				Body: row[4].(penstock.Raw), Partition: penstock.Partition(row[5].(int64)),
				Position: penstock.Position{Epoch: penstock.Epoch(row[6].(int64)), Offset: penstock.Offset(row[7].(int64))}, ReplayOf: replayOf,
			}})
		}
	}
	return all
}

// query returns all rows of a statement.
func query(t *testing.T, d *Database, text string, params ...any) [][]any {
	t.Helper()
	all, err := tryQuery(t, d, text, params...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return all
}

func tryQuery(t *testing.T, d *Database, text string, params ...any) ([][]any, error) {
	t.Helper()
	rows, err := d.Query(t.Context(), penstock.Query{SQL: text, Params: params})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all [][]any
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, row)
	}
}

// whole reports whether all is asked for, however long it takes.
func whole() bool { return os.Getenv("PENSTOCK_STORETEST") == "whole" }

// contract runs the suite over an arrangement. What becomes of records is the same in those that only keep rows otherwise: there it
// is left out unless the whole suite is asked for.
func contract(t *testing.T, shards int, o Options, fates bool) {
	t.Parallel()
	o.Cluster = testCluster(8)
	o.Shards = deal(8, shards)
	o.LogFirst, o.QueryRows = nil, 1_000_000
	o.Letters.Parked = 64
	h := &harness{
		options: o, opened: map[penstock.Store]*Database{}, dirs: map[penstock.Store]string{}, streams: map[penstock.Store][]penstock.Stream{},
	}
	reopen := func(t *testing.T, s penstock.Store, streams []penstock.Stream) penstock.Store {
		d, dir, _ := h.of(s)
		if err := errors.Join(s.Close(), d.Close()); err != nil {
			t.Fatal(err)
		}
		return h.open(t, dir, streams)
	}
	b := storetest.Backend{
		Cluster: o.Cluster,
		Open:    func(t *testing.T) penstock.Store { return h.open(t, t.TempDir(), nil) },
		Rows: func(t *testing.T, s penstock.Store) []storetest.Row {
			d, _, _ := h.of(s)
			return rowsOf(t, d)
		},
		Reopen: func(t *testing.T, s penstock.Store) penstock.Store {
			_, _, streams := h.of(s)
			return reopen(t, s, streams)
		},
		Crash:      h.crash,
		MaxParked:  o.Letters.Parked,
		Brief:      !whole(),
		Cut:        !whole() && o.Checkpoint == 1,
		Parallel:   true,
		ReopenWith: reopen,
		ShardOf:    func(p penstock.Partition) int { return int(p) % shards },
	}
	if fates || whole() {
		b.OpenWith = func(t *testing.T, streams []penstock.Stream) penstock.Store { return h.open(t, t.TempDir(), streams) }
	}
	storetest.Run(t, b)
}

func TestContractOfOneShard(t *testing.T) { contract(t, 1, Options{}, true) }

func TestContractOfTwoShards(t *testing.T) { contract(t, 2, Options{}, false) }

// Files of a few rows and a checkpoint after every batch: what happens once a day happens all the time.
func TestContractOfSmallFiles(t *testing.T) {
	rows := int64(100)
	if testing.Short() {
		rows = 500
	}
	contract(t, 2, Options{FileRows: rows, Checkpoint: 1, Period: time.Hour}, true)
}

func TestContractOfTypedStreams(t *testing.T) {
	contract(t, 1, Options{Streams: []penstock.Stream{
		{Name: "clicks", Columns: []penstock.Column{{Name: "n", Type: penstock.JSON, Path: "n"}, {Name: "word", Type: penstock.Text, Path: "word"}}},
		{Name: "orders"},
	}}, false)
}

// feeder makes batches as a log would hand them out.
type feeder struct {
	cluster   penstock.Cluster
	builder   *penstock.BlockBuilder
	next      penstock.Positions
	logTime   penstock.Micros
	epoch     penstock.Epoch // of the batches to come; 0: the first
	unchecked bool           // records have no checksum, as if no door had seen them
}

func newFeeder(c penstock.Cluster) *feeder {
	f := &feeder{cluster: c, builder: penstock.NewBlockBuilder(penstock.NewPartitioner(c)), next: penstock.Positions{}}
	f.logTime = penstock.MicrosOf(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	for _, p := range penstock.All(c.Partitions) {
		f.next[p] = penstock.Position{}
	}
	return f
}

// event is an event of the feeder, at the log's time unless it has one.
type event struct {
	id, key, body string
	time          penstock.Micros
	replayOf      penstock.Position
}

func (f *feeder) batch(stream string, events ...event) penstock.Batch {
	b := penstock.Batch{From: f.next.Clone()}
	f.builder.Reset(penstock.DefaultTenant, stream, f.logTime, 0)
	for _, e := range events {
		if e.time == 0 {
			e.time = f.logTime
		}
		if e.body == "" {
			e.body = "{}"
		}
		one := penstock.Event{ID: []byte(e.id), Key: []byte(e.key), Time: e.time, Body: []byte(e.body), ReplayOf: e.replayOf}
		if !f.unchecked {
			one.Sum = checksum.NewHasher(f.cluster).Stream(penstock.DefaultTenant, stream).Sum(one.Key, one.ID, one.Body)
		}
		f.builder.Add(one)
	}
	block := f.builder.Take()
	block.Epoch, block.LogTime = max(f.epoch, 1), f.logTime
	for i := range block.Groups {
		g := &block.Groups[i]
		if at := f.next[g.Partition]; at.Epoch == block.Epoch {
			g.First = at.Offset
		}
		f.next[g.Partition] = penstock.Position{Epoch: block.Epoch, Offset: g.End()}
	}
	b.Blocks, b.Next = []*penstock.Block{block}, f.next.Clone()
	return b
}

// apply hands a batch to the shards of a database.
func apply(t *testing.T, d *Database, b penstock.Batch) {
	t.Helper()
	for _, s := range d.Shards() {
		if err := s.Apply(t.Context(), b.Only(s.Partitions())); err != nil {
			t.Fatal(err)
		}
	}
}

// only returns the single value of a statement.
func only(t *testing.T, d *Database, text string, params ...any) any {
	t.Helper()
	rows := query(t, d, text, params...)
	if len(rows) != 1 || len(rows[0]) != 1 {
		t.Fatalf("%s: %v", text, rows)
	}
	if n, ok := rows[0][0].(*big.Int); ok {
		return n.String()
	}
	return rows[0][0]
}

func filesOf(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "shard-*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return filepath.Base(name) == "ids" }) // derived, and a directory
}
