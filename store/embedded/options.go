package embedded

import (
	"context"
	"path/filepath"
	"time"

	"penstock"
	"penstock/internal/delta"
	"penstock/internal/fate"
)

// Options configures a Database. Cluster and Shards are required; a zero value means the default for the rest.
type Options struct {
	Cluster penstock.Cluster
	Shards  []ShardSpec
	Streams []penstock.Stream // what is configured; streams that the shards know beside these stay readable

	// AcceptGap goes on where rows are lost for good: a file that cannot be read holds what the log no longer does.
	AcceptGap bool
	// LogFirst returns the oldest position of each partition that the log still has. Nil: all of them, from the first.
	LogFirst func() (penstock.Positions, error)
	// Fold makes deltas of rows for the views that are declared. It may be nil as long as there are none.
	Fold delta.Compile
	// Tables are the penstock.* tables beside the store's own.
	Tables map[string]SystemTable

	Memory     penstock.Bytes // that DuckDB may use, queries included; default 512 MiB
	Threads    int            // that DuckDB shares out beside those that call it; default one per two processors
	Checkpoint penstock.Bytes // written to the write-ahead log before it is brought into the file; default 32 MiB
	FileRows   int64          // after which a shard begins a file within a period; default 100 M
	Period     time.Duration  // of log time that a file holds at most; default a day
	Idle       time.Duration  // after its last commit, at which Retain makes a shard safe that rests; default 10 s
	Letters    fate.Limits    // of each shard
	MergeRows  int64          // states of a view that batches leave behind until they are merged; default 50,000
	QueryRows  int            // that a query returns at most; default 100,001, so that whoever cuts at 100,000 knows it

	Trace Trace
}

// ShardSpec names a shard: the directory below the database's, and the partitions that it owns.
type ShardSpec struct {
	Name       string
	Partitions []penstock.Partition
}

// SystemTable is a table of the schema penstock: its rows are made when a query reads them.
type SystemTable struct {
	Columns []penstock.ResultColumn                    // of types VARCHAR, BIGINT, DOUBLE, BOOLEAN, TIMESTAMPTZ
	Rows    func(ctx context.Context) ([][]any, error) // of string, int64, float64, bool, time.Time and nil
}

// Trace reports what a database does. Nil functions mean silence.
type Trace struct {
	Checkpoint func(shard string, took time.Duration)

	// Damaged reports that a query came upon a block that is not what was written, and in which file, if that can be told.
	Damaged func(shard, file string, err error)
	// CheckpointFailed reports that what is committed could not be made safe; it is tried again after the next commit.
	CheckpointFailed func(shard string, err error)

	// Broken reports that DuckDB refuses all further work with a shard: only a new process helps. It may be called again.
	Broken func(shard string, err error)

	Opened   func(shard string, files int, took time.Duration)
	SetAside func(shard, file string, err error) // a file, or its write-ahead log, that could not be read
	Removed  func(shard, file string, rows int64)
	Shed     func(queries int) // ended so that a batch finds memory

	// IdentitiesDiscarded reports that the index of identities was of no use and is made again from the files; IdentitiesFailed that it
	// could not be written, which is tried again.
	IdentitiesDiscarded func(shard string, err error)
	IdentitiesFailed    func(shard string, err error)

	// Dead reports, once it is committed, that events of a stream turned out to be no rows for a reason, whether for the first
	// time or when they were replayed. Those that are parked are not among them.
	Dead func(stream string, reason penstock.LetterReason, events int)
}

// The defaults.
const (
	defaultMemory     penstock.Bytes = 512 << 20
	defaultCheckpoint penstock.Bytes = 32 << 20
	defaultFileRows                  = 100_000_000
	defaultPeriod                    = 24 * time.Hour
	defaultQueryRows                 = 100_001
	defaultIdle                      = 10 * time.Second
	defaultMergeRows                 = 50_000
	maxTypedStreams                  = 100 // streams with declared columns: each costs a table in every commit
	maxFiles                         = 100 // of a shard, before files hold more than a period
)

func (o Options) withDefaults() Options {
	def(&o.Memory, defaultMemory)
	def(&o.Checkpoint, defaultCheckpoint)
	def(&o.FileRows, defaultFileRows)
	def(&o.Period, defaultPeriod)
	def(&o.QueryRows, defaultQueryRows)
	def(&o.MergeRows, defaultMergeRows)
	def(&o.Idle, defaultIdle)
	if o.LogFirst == nil {
		o.LogFirst = func() (penstock.Positions, error) { return penstock.Positions{}, nil }
	}
	return o
}

// check refuses what would end in a shard that lies elsewhere than it should.
func (o Options) check() error {
	const op = "check options"
	if err := o.Cluster.Validate(); err != nil {
		return err
	}
	names, partitions := map[string]bool{temporary: true}, map[penstock.Partition]bool{}
	for _, s := range o.Shards {
		if names[s.Name] || s.Name != filepath.Base(s.Name) || s.Name == "." || s.Name == ".." {
			return penstock.Errorf(penstock.Invalid, op, "%q is not the name of a directory of its own", s.Name)
		}
		names[s.Name] = true
		for _, p := range s.Partitions {
			if partitions[p] || int(p) >= o.Cluster.Partitions {
				return penstock.Errorf(penstock.Invalid, op, "partition %d of %d is given to shard %s, and to another", p, o.Cluster.Partitions, s.Name)
			}
			partitions[p] = true
		}
	}
	return nil
}

// temporary is the directory, beside the shards, to which queries spill what exceeds the memory. It is removed at each start.
const temporary = "tmp"

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
