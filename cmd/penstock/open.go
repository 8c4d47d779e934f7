package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"penstock"
	"penstock/eventlog/disk"
	"penstock/eventlog/memory"
	"penstock/internal/fold"
	"penstock/internal/vfs"
	"penstock/store/embedded"
	"penstock/store/sharded"
)

// journal is a log with all its sides: only here does anyone hold more than one of them.
type journal interface {
	sides
	// Ready returns why an Append of so many bytes would be refused now, or nil.
	Ready(size penstock.Bytes) error
	Close() error
}

// sides are what the parts see of a log.
type sides interface {
	penstock.Appender
	penstock.Reader
	penstock.Retainer
	penstock.Accountant
}

// engineOptions is what the command line adds to the configuration.
type engineOptions struct {
	roles          roles
	auto           bool          // streams are made by their first use
	fsyncDelay     time.Duration // added to each flush of the log, to see what a slower disk does
	acceptGap      bool          // go on where the log no longer holds what a shard lacks
	acceptClock    bool          // take the wall clock's jump as true
	acceptRollback bool          // the log is older than the store: begin a new epoch
	log            *slog.Logger
}

// engine is everything that one process runs. Its parts are opened in the order in which events flow, and closed in the
// reverse order.
type engine struct {
	config *Config // as it was at the start
	o      engineOptions
	log    *slog.Logger

	dir      string // where everything embedded lives
	cluster  penstock.Cluster
	metrics  *metrics
	traffic  *traffic
	streams  *directory
	journal  journal
	failed   <-chan struct{} // closed when the log can no longer promise anything; nil: never
	doubtful func() bool     // log time may be wrong by far, so that nothing may expire; nil: never
	broken   chan error      // has why a shard needs a new process
	database *embedded.Database
	store    penstock.Store
	viewer   penstock.Viewer // nil: there are no views
	pumps    []*pump
	closers  []closer
}

type closer struct {
	name  string
	close func() error
}

// openEngine joins the parts that the configuration names. On an error everything opened so far is closed.
func openEngine(ctx context.Context, c *Config, o engineOptions) (*engine, error) {
	e := &engine{config: c, o: o, log: o.log, broken: make(chan error, 1)}
	e.streams = newDirectory(c.streams(), o.auto, nil)
	e.metrics = newMetrics(e.streams.label)
	e.traffic = newTraffic(e.metrics)
	steps := []func(context.Context) error{e.lockData, e.openCluster, e.openLog, e.openStore, e.checkLog}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, e.close())
		}
	}
	return e, nil
}

func (e *engine) onClose(name string, close func() error) {
	e.closers = append(e.closers, closer{name, close})
}

// close ends the parts, each whatever became of the one before. It is called once.
func (e *engine) close() error {
	var all []error
	for _, c := range slices.Backward(e.closers) {
		if err := c.close(); err != nil {
			e.log.Error("closing failed", "part", c.name, "error", err)
			all = append(all, err)
		}
	}
	e.closers = nil
	return errors.Join(all...)
}

// inMemory reports whether nothing shall survive the process.
func (e *engine) inMemory() bool { return strings.HasPrefix(e.config.Log.URL, "memory:") }

// lockData takes the data directory for this process. With a log in memory the rows live below it in a directory that
// goes with the process: a store that outlived its log would wait for offsets that never come.
func (e *engine) lockData(context.Context) error {
	const op = "open data directory"
	fs, dir := vfs.OS(), e.config.Data
	if err := fs.MkdirAll(dir); err != nil {
		return penstock.Wrap(penstock.Invalid, op, err)
	}
	lock, err := fs.Lock(filepath.Join(dir, lockFile), fmt.Sprintf("process %d", os.Getpid()))
	var held *vfs.Locked
	if errors.As(err, &held) {
		return &penstock.Error{Code: penstock.Conflict, Op: op, Reason: "in_use", Err: fmt.Errorf("%s is in use by %s", dir, held.Note)}
	}
	if err != nil {
		return penstock.Wrap(penstock.Invalid, op, err)
	}
	e.onClose("data directory", lock.Close)
	e.dir = dir
	if !e.inMemory() {
		return nil
	}
	e.dir = filepath.Join(dir, memoryDir)
	if err := errors.Join(os.RemoveAll(e.dir), os.MkdirAll(e.dir, 0o700)); err != nil {
		return penstock.Wrap(penstock.Invalid, op, err)
	}
	e.onClose("scratch directory", func() error { return os.RemoveAll(e.dir) })
	e.log.Warn("the log is in memory: events and rows go with this process")
	return nil
}

func (e *engine) openCluster(context.Context) error {
	var err error
	e.cluster, err = openCluster(e.dir, e.config.cluster())
	return err
}

// openLog is the one place that knows which log a URL means.
func (e *engine) openLog(context.Context) error {
	if e.inMemory() {
		log := memory.New(memory.Options{
			Cluster: e.cluster, Partitions: e.cluster.Partitions, Max: min(penstock.Bytes(e.config.Log.Max), maxMemoryLog), Keep: time.Duration(e.config.Log.Keep),
		})
		e.journal = log
		e.onClose("log", log.Close)
		e.metrics.logSize(func() (size, most penstock.Bytes) { s := log.Stats(); return s.Bytes, s.Max })
		return nil
	}
	fs := vfs.OS()
	if e.o.fsyncDelay > 0 {
		fs = vfs.Delayed(fs, e.o.fsyncDelay)
	}
	log, err := disk.Open(fs, filepath.Join(e.dir, logDir), disk.Options{
		Cluster:     e.cluster,
		Keep:        time.Duration(e.config.Log.Keep),
		Max:         penstock.Bytes(e.config.Log.Max),
		AcceptClock: e.o.acceptClock,
		NewEpoch:    e.o.acceptRollback,
		Trace:       e.diskTrace(),
	})
	if err != nil {
		return err
	}
	e.journal, e.failed = log, log.Failed()
	e.doubtful = func() bool { return log.Stats().Doubtful }
	e.onClose("log", log.Close)
	e.metrics.logSize(func() (size, most penstock.Bytes) { s := log.Stats(); return s.Bytes, s.Max })
	e.metrics.value("fsync_stall_seconds", "How long the oldest write has been waiting for the disk.", func() float64 {
		return log.Stats().Stalled.Seconds()
	})
	return nil
}

// maxMemoryLog bounds a log in memory, whatever the configuration allows a log on disk.
const maxMemoryLog = 256 << 20

// openStore is the one place that knows which stores the URLs mean.
func (e *engine) openStore(ctx context.Context) error {
	if !e.o.roles.store() {
		return nil
	}
	var err error
	e.database, err = embedded.Open(ctx, e.dir, hurried(embedded.Options{
		Cluster:   e.cluster,
		Shards:    shardSpecs(e.config.Store, e.cluster.Partitions),
		Streams:   e.config.streams(),
		Fold:      fold.Folder,
		AcceptGap: e.o.acceptGap,
		LogFirst:  e.logFirst,
		Tables:    e.systemTables(),
		Trace:     e.storeTrace(),
	}))
	if err != nil {
		return err
	}
	e.onClose("store", e.database.Close)
	if e.store, err = sharded.New(e.database.Shards()...); err != nil {
		return err
	}
	for i, shard := range e.database.Shards() {
		p, err := e.newPump(shardName(e.config.Store[i]), shard)
		if err != nil {
			return err
		}
		e.pumps = append(e.pumps, p)
	}
	if err := e.adoptStreams(); err != nil {
		return err
	}
	e.viewer = e.database
	return e.declareViews(e.config)
}

// logFirst returns the oldest position that the log still has.
func (e *engine) logFirst() (penstock.Positions, error) {
	first, _, err := e.journal.Bounds(context.Background())
	return first, err
}

// checkLog refuses to start when the log does not hold what the shards will ask it for: were events accepted all the
// same, they would get offsets that the shards have seen before.
func (e *engine) checkLog(ctx context.Context) error {
	if e.store == nil {
		return nil
	}
	from := penstock.Positions{}
	for _, p := range e.store.Partitions() {
		at, err := e.store.Position(ctx, p)
		if err != nil {
			return err
		}
		from[p] = at
	}
	cursor, err := e.journal.Open(ctx, from)
	switch {
	case penstock.Is(err, penstock.Conflict):
		return penstock.Errorf(penstock.Conflict, "compare log and store",
			"the store is ahead of the log (%w): a log that was restored from an older copy needs --accept-log-rollback, once", cause(err))
	case penstock.Is(err, penstock.Trimmed):
		return penstock.Errorf(penstock.Conflict, "compare log and store",
			"the store lacks what the log no longer keeps (%w): --accept-gap goes on without it", cause(err))
	case err != nil:
		return err
	}
	return cursor.Close()
}

// The names in the data directory beside the shards' own.
const (
	lockFile    = "LOCK"
	clusterName = "cluster.json"
	logDir      = "log"
	memoryDir   = "memory"
)

// shardName returns the name of the shard that a URL means.
func shardName(url string) string { return strings.TrimPrefix(url, "duckdb:") }

// shardSpecs deals the partitions out to the shards, in turn.
func shardSpecs(urls []string, partitions int) []embedded.ShardSpec {
	specs := make([]embedded.ShardSpec, len(urls))
	for i, url := range urls {
		specs[i].Name = shardName(url)
	}
	for p := range partitions {
		s := &specs[p%len(specs)]
		s.Partitions = append(s.Partitions, penstock.Partition(p))
	}
	return specs
}
