package embedded

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"penstock"
)

// Database is a set of shards and SQL over all of them. Its methods may be called concurrently.
type Database struct {
	o       Options
	dir     string
	engine  *engine
	shards  []*shard
	holders map[penstock.Partition]*shard
	running queries

	partitioner penstock.Partitioner

	streams    atomic.Pointer[registry]
	shownViews atomic.Pointer[shownViews]
	hidden     atomic.Pointer[cutoffs]

	hiddenStates atomic.Pointer[cutoffs] // of models by number: log time, less the time to keep
	goneStates   atomic.Pointer[cutoffs] // the same, as far as retention has said that it holds: states may be deleted
	tending      tending
	boards       boards
	sweeps       map[int32]sweep // of Tend alone

	removed atomic.Int64 // files, as views no longer show them
	unshown atomic.Bool  // a file may be there that the views do not show

	declaring sync.Mutex // one change of streams, files or views at a time

	declared registry // what some shard knows: ahead of streams if a Declare failed half way
	catalog  conn     // for views
}

// Open opens the shards below dir, makes those that are not there, and returns when all of them can be written and
// queried. It fails with Conflict when a shard belongs elsewhere, or lacks rows that the log no longer has.
func Open(ctx context.Context, dir string, o Options) (*Database, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, penstock.Wrap(penstock.Invalid, "find "+dir, err)
	}
	if err := os.RemoveAll(filepath.Join(dir, temporary)); err != nil { // what queries spilled before a crash
		return nil, penstock.Wrap(penstock.Unavailable, "clear temporary files", err)
	}
	for {
		d := &Database{o: o, dir: dir, holders: map[penstock.Partition]*shard{}, partitioner: penstock.NewPartitioner(o.Cluster), sweeps: map[int32]sweep{}}
		err := d.open(ctx)
		if err == nil {
			return d, nil
		}
		var away asides
		found := errors.As(err, &away)
		if err := errors.Join(err, d.Close()); !found {
			return nil, err
		}
		if err := away.run(); err != nil {
			return nil, err
		}
	}
}

func (d *Database) open(ctx context.Context) error {
	var err error
	if d.engine, err = openEngine(ctx, d.dir, d.o); err != nil {
		return err
	}
	if d.catalog, err = d.engine.conn(ctx); err != nil {
		return penstock.Wrap(penstock.Internal, "open database", err)
	}
	if err := d.catalog.exec(ctx, "CREATE SCHEMA penstock", "CREATE SCHEMA internal"); err != nil {
		return penstock.Wrap(penstock.Internal, "open database", err)
	}
	for i, spec := range d.o.Shards {
		s := newShard(d, i, spec)
		d.shards = append(d.shards, s)
		for _, p := range spec.Partitions {
			d.holders[p] = s
		}
	}
	if err := d.openShards(ctx); err != nil {
		return err
	}
	known := registry{}
	for _, s := range d.shards {
		if err := known.merge(s.known); err != nil {
			return err
		}
	}
	d.streams.Store(&known)
	d.declared = known
	d.hidden.Store(&cutoffs{})
	d.shownViews.Store(&shownViews{})
	d.hiddenStates.Store(&cutoffs{})
	d.goneStates.Store(&cutoffs{})
	if err := d.share(ctx, known); err != nil {
		return err
	}
	if err := d.registerTables(ctx); err != nil {
		return err
	}
	hidden, _ := d.cutoffs(d.logTime())
	d.hidden.Store(&hidden)
	if err := d.viewAll(ctx); err != nil {
		return err
	}
	if err := d.shareModels(ctx); err != nil {
		return err
	}
	kept, _ := d.viewCutoffs(d.logTime())
	d.hiddenStates.Store(&kept)
	if err := d.showModels(ctx); err != nil {
		return err
	}
	if err := d.finishDying(ctx); err != nil {
		return err
	}
	return d.Declare(ctx, d.o.Streams)
}

// share gives every shard what only others know of streams: a crash came between them, or a shard is new.
func (d *Database) share(ctx context.Context, known registry) error {
	for _, s := range d.shards {
		if err := s.declare(ctx, known.since(s.known)); err != nil {
			return err
		}
	}
	return nil
}

// Shards returns the shards in the order of the options, as stores.
func (d *Database) Shards() []penstock.Store {
	all := make([]penstock.Store, len(d.shards))
	for i, s := range d.shards {
		all[i] = s
	}
	return all
}

// Streams returns every stream that the shards know, in no particular order.
func (d *Database) Streams() []penstock.Stream {
	all := make([]penstock.Stream, 0)
	for _, r := range *d.streams.Load() {
		all = append(all, r.stream())
	}
	return all
}

// Counts returns the stored rows of each stream.
func (d *Database) Counts(context.Context) (map[string]int64, error) {
	byID := d.rowsByID()
	counts := map[string]int64{}
	for key, r := range *d.streams.Load() {
		counts[key.name] = byID[r.ID]
	}
	return counts, nil
}

// Declare makes streams known, or changes them. It returns when their rows can be written and queried. A stream that is
// not named stays as it was. It fails with Conflict for a change that stored rows cannot follow, and then changes nothing.
func (d *Database) Declare(ctx context.Context, streams []penstock.Stream) error {
	d.declaring.Lock()
	defer d.declaring.Unlock()
	counts := d.rowsByID()
	empty := func(id int32) bool { return counts[id] == 0 }
	known := d.declared
	var refused error
	for _, s := range streams {
		next, err := known.with(s, empty)
		if err != nil {
			refused = errors.Join(refused, err)
			continue
		}
		known = next
	}
	if refused != nil {
		return penstock.Wrap(penstock.Conflict, "declare streams", refused)
	}
	changed := known.since(*d.streams.Load())
	if len(changed) == 0 {
		return nil
	}
	d.declared = known
	for _, s := range d.shards {
		if err := s.declare(ctx, changed); err != nil {
			return err
		}
	}
	// Views come first: whoever finds the stream in the registry can query it.
	for _, r := range changed {
		if err := d.viewStream(ctx, r); err != nil {
			return err
		}
	}
	d.streams.Store(&known)
	return nil
}

// learn makes a stream known that the log has and no configuration declares any more.
func (d *Database) learn(ctx context.Context, name string) error {
	if _, ok := (*d.streams.Load())[streamKey{penstock.DefaultTenant, name}]; ok {
		return nil
	}
	return d.Declare(ctx, []penstock.Stream{{Name: name}})
}

func (d *Database) rowsByID() map[int32]int64 {
	counts := map[int32]int64{}
	d.eachState(func(st state) {
		for id, n := range st.Rows {
			counts[id] += n
		}
	})
	return counts
}

// eachState calls f for the state of every file. A state never changes: a commit replaces it.
func (d *Database) eachState(f func(state)) {
	for _, s := range d.shards {
		s.mu.RLock()
		states := make([]state, len(s.files))
		for i, file := range s.files {
			states[i] = file.state
		}
		s.mu.RUnlock()
		for _, st := range states {
			f(st)
		}
	}
}

// declare writes streams into the shard's newest file. DDL stands alone in its transaction and is checkpointed as soon as
// nobody reads what was before it, since DuckDB's log does not replay it reliably beside rows.
func (s *shard) declare(ctx context.Context, streams []registered) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	if len(streams) == 0 {
		return nil
	}
	if s.closed {
		return s.ended("declare streams")
	}
	f := s.newest()
	before := *f.tables.Load()
	tables := maps.Clone(before)
	if err := s.conn.transaction(ctx, func() error { return tables.put(ctx, s.conn, f, streams) }); err != nil {
		return s.outage("declare streams", err)
	}
	f.tables.Store(&tables)
	s.unsafe = true
	if err := s.setWindows(ctx, streams, s.db.declared); err != nil {
		return err
	}
	if !maps.EqualFunc(before, tables, slices.Equal) {
		s.tryCheckpoint(ctx)
	}
	return nil
}

// Close ends queries, brings what was committed into the files, and closes them.
func (d *Database) Close() error {
	var all []error
	d.running.end(penstock.Errorf(penstock.Unavailable, "query", "the store is closing"))
	for _, s := range d.shards {
		if s.conn.Conn != nil {
			all = append(all, s.Close())
		}
	}
	if d.catalog.Conn != nil {
		all = append(all, d.catalog.Close())
	}
	if d.engine != nil {
		all = append(all, d.engine.close())
	}
	return penstock.Wrap(penstock.Unavailable, "close database", errors.Join(all...))
}

func alias(shard, number int) string { return fmt.Sprintf("shard%d_%d", shard, number) }
