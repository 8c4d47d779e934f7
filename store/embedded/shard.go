package embedded

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"penstock"
	"penstock/internal/checksum"
	"penstock/internal/dedup"
	"penstock/internal/failpoint"
	"penstock/internal/fate"
)

// shard is one physical store. Exactly one goroutine at a time writes it: whoever holds applying.
type shard struct {
	db     *Database
	number int
	spec   ShardSpec
	dir    string
	owned  map[penstock.Partition]bool
	known  registry // what its newest file said when it was opened

	manifest manifest // guarded by applying

	applying  sync.Mutex
	conn      conn
	encoders  map[tableName]*encoder
	foldings  map[int32]*folding        // by stream; nil: no view counts its rows
	models    models                    // changed under both locks
	swept     map[int32]penstock.Micros // up to which log time windows of a model were deleted. Of Tend alone
	gathered  map[int32]int             // up to which file states of a model are brought forward, so that groups can be deleted. Of Tend alone
	pace      map[int32]int64           // rows that a model counts at once. Of Tend alone
	unmerged  map[int32]int64           // states that batches left behind, by model; those of before the start count as many. Guarded by mu
	ledger    *ledger
	ids       *dedup.Index            // replaced under both locks
	complete  bool                    // ids has all that counts
	ordinals  map[penstock.Lane]int64 // of the next identity
	sums      checksum.Hasher
	logged    penstock.Bytes // about what the write-ahead log holds beyond the last checkpoint
	unsafe    bool           // something was committed since the last checkpoint
	closed    bool
	doubt     error // why it is not known what the newest file holds
	committed time.Time

	merging  sync.Mutex   // states of models are written beside batches: no file begins meanwhile. It is taken before applying
	expiring atomic.Int64 // the last file whose rows are all past their time

	mu       sync.RWMutex
	book     *fate.Book // changed under both locks
	files    []*file    // ascending; the last is the one that is written
	position penstock.Positions
	safe     penstock.Positions
	trail    trail
}

func newShard(d *Database, number int, spec ShardSpec) *shard {
	s := &shard{
		db: d, number: number, spec: spec, dir: filepath.Join(d.dir, spec.Name),
		owned: map[penstock.Partition]bool{}, encoders: map[tableName]*encoder{}, foldings: map[int32]*folding{}, unmerged: map[int32]int64{}, pace: map[int32]int64{}, swept: map[int32]penstock.Micros{}, gathered: map[int32]int{}, ledger: newLedger(),
		ordinals: map[penstock.Lane]int64{}, sums: checksum.NewHasher(d.o.Cluster), book: fate.New(d.o.Letters),
		trail: trail{},
	}
	for _, p := range spec.Partitions {
		s.owned[p] = true
	}
	return s
}

// Partitions implements penstock.Store.
func (s *shard) Partitions() []penstock.Partition { return slices.Sorted(maps.Keys(s.owned)) }

// Position implements penstock.Store.
func (s *shard) Position(_ context.Context, p penstock.Partition) (penstock.Position, error) {
	if !s.owned[p] {
		return penstock.Position{}, penstock.Errorf(penstock.NotOwner, "read position", "partition %d is not in shard %s", p, s.spec.Name)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.position[p], nil
}

// Safe implements penstock.Store: the positions at the last checkpoint. What came later stands in DuckDB's write-ahead
// log, and one that cannot be replayed must cost nothing that the log has given up already.
func (s *shard) Safe(context.Context) (penstock.Positions, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	safe := penstock.Positions{}
	for p := range s.owned {
		safe[p] = s.safe[p]
	}
	return safe, nil
}

// Close implements penstock.Store. The database stays open for queries until it is closed itself.
func (s *shard) Close() error {
	s.applying.Lock()
	defer s.applying.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	if s.unsafe {
		err = s.checkpoint(context.Background())
	}
	if isBusy(err) || penstock.Is(err, penstock.Full) {
		err = nil // what is not in the file yet is in its write-ahead log
	}
	if s.ids != nil {
		if failed := s.ids.Close(); !errors.Is(failed, syscall.ENOSPC) { // what it could not keep the files have
			err = errors.Join(err, failed)
		}
	}
	return errors.Join(err, s.conn.Close())
}

// newest returns the file that is written.
func (s *shard) newest() *file {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.files[len(s.files)-1]
}

// list returns the files, oldest first.
func (s *shard) list() []*file {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.files)
}

// logTime returns the log time of the shard's newest row: a file that was begun lately has none yet.
func (s *shard) logTime() penstock.Micros {
	var now penstock.Micros
	for _, f := range s.list() {
		now = max(now, f.state.LogTime)
	}
	return now
}

// checkpoint brings everything committed into the file; then it is safe. It fails with Full, and has done nothing, if there may be no
// room for it. The caller holds applying.
func (s *shard) checkpoint(ctx context.Context) error {
	began := time.Now()
	if err := s.room(); err != nil {
		return err
	}
	position := s.newest().state.Positions
	failpoint.Hit("store.before-checkpoint")
	if err := s.conn.exec(ctx, "CHECKPOINT "+s.newest().alias); err != nil {
		return s.outage("checkpoint", err)
	}
	failpoint.Hit("store.checkpointed")
	s.mu.Lock()
	s.safe = position
	s.mu.Unlock()
	s.logged, s.unsafe = 0, false
	if s.db.o.Trace.Checkpoint != nil {
		s.db.o.Trace.Checkpoint(s.spec.Name, time.Since(began))
	}
	return nil
}

// tryCheckpoint makes a checkpoint if it can be made now, and otherwise sees to it that it is tried again after the next
// commit, or some more of them if there is no room: what was committed stays so whatever becomes of this. The caller holds applying.
func (s *shard) tryCheckpoint(ctx context.Context) {
	err := s.checkpoint(context.WithoutCancel(ctx))
	if err == nil {
		return
	}
	s.logged = max(s.logged, s.db.o.Checkpoint)
	if penstock.Is(err, penstock.Full) {
		s.logged = s.db.o.Checkpoint * 7 / 8
	}
	if s.db.o.Trace.CheckpointFailed != nil {
		s.db.o.Trace.CheckpointFailed(s.spec.Name, err)
	}
}

// outage gives an error of DuckDB its code: whatever it is, the same batch may be tried again later, unless the instance
// works no more, or refuses a record.
func (s *shard) outage(op string, err error) error {
	op += " in shard " + s.spec.Name
	switch {
	case isBroken(err):
		if s.db.o.Trace.Broken != nil {
			s.db.o.Trace.Broken(s.spec.Name, err)
		}
		return penstock.Wrap(penstock.Corrupt, op, err)
	case penstock.Is(err, penstock.Unknown):
		return penstock.Wrap(penstock.Unknown, op, err)
	case isRefusal(err):
		return penstock.Wrap(penstock.Invalid, op, err)
	}
	return penstock.Wrap(penstock.Unavailable, op, err)
}

// ended is the error of a shard that was closed.
func (s *shard) ended(op string) error {
	return penstock.Errorf(penstock.Unavailable, op, "shard %s is closed", s.spec.Name)
}

// addFile makes the shard's next file, which takes over where the last one stands. The caller holds applying; the new
// file is not written before a view shows it.
func (s *shard) addFile(ctx context.Context, streams []registered) (*file, error) {
	number, last := s.manifest.First, state{Positions: penstock.Positions{}}
	if files := s.list(); len(files) > 0 {
		before := files[len(files)-1]
		number, last = before.number+1, before.state
	}
	f := s.file(number)
	f.from, f.state = last.Positions, state{Serial: last.Serial + 1, Positions: last.Positions.Clone(), Rows: map[int32]int64{}}
	if err := s.createFile(ctx, f, streams); err != nil {
		return nil, s.outage("make file", errors.Join(err, s.drop(ctx, f)))
	}
	failpoint.Hit("file.made")
	return f, s.outageOrNil("sync directory", syncDir(s.dir))
}

// drop takes back a file that could not be finished.
func (s *shard) drop(ctx context.Context, f *file) error {
	ctx = context.WithoutCancel(ctx)
	_ = s.conn.exec(ctx, "DETACH DATABASE IF EXISTS "+f.alias) // it may not be there
	var all []error
	for _, path := range withLogs(f.path) {
		all = append(all, removeIfThere(path))
	}
	return errors.Join(all...)
}

func (s *shard) outageOrNil(op string, err error) error {
	if err == nil {
		return nil
	}
	return s.outage(op, err)
}

func (s *shard) file(number int) *file {
	f := &file{number: number, path: filePath(s.dir, number), alias: alias(s.number, number)}
	f.tables.Store(&columnsByTable{})
	return f
}

func (s *shard) identity(f *file) identity {
	c := s.db.o.Cluster
	return identity{
		Cluster: c.ID, Partitions: c.Partitions, Fingerprint: c.Key.Fingerprint(),
		Shard: s.spec.Name, MapEpoch: 1, Owned: s.Partitions(), Number: f.number, From: f.from,
	}
}

// check compares what a file says of itself with what it should be.
func (s *shard) check(id identity) error {
	if err := s.db.o.Cluster.Mismatch(id.Cluster, id.Fingerprint, id.Partitions); err != nil {
		return penstock.Wrap(penstock.Conflict, "open shard "+s.spec.Name, err)
	}
	if id.Shard != s.spec.Name || !slices.Equal(id.Owned, s.Partitions()) {
		return penstock.Errorf(penstock.Conflict, "open shard "+s.spec.Name,
			"its files are those of shard %s with %d partitions, the configuration gives it %d: the list under store: was "+
				"changed; set it back (moving partitions between shards is not built yet)", id.Shard, len(id.Owned), len(s.owned))
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
