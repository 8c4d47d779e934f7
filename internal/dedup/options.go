package dedup

import (
	"penstock"
	"penstock/internal/vfs"
)

// Options says where an index lives. FS and Dir must be given; zero elsewhere means the default.
type Options struct {
	FS         vfs.FS
	Dir        string // of the runs alone; made if it is not there
	History    string // names the history of the store: runs that were made from another are discarded
	Partitions int    // of the cluster; default penstock.MaxPartitions
	TableIDs   int    // identities in memory before they become a run; default 1<<18. While that is written there are twice as many

	Trace Trace
}

// Trace reports what happens. A nil function means silence. The functions must return soon, not call the index, and bear being called concurrently.
type Trace struct {
	Discarded func(why error) // the runs were of no use: everything has to come from the store again
	Written   func(Written)   // a run was written
	Failed    func(error)     // writing a run did not succeed; it is tried again
}

// Written describes a new run.
type Written struct {
	Inputs  int            // runs that were merged; 0: it was a table
	IDs     int64          // in the run
	LeftOut int64          // that can never count again
	Bytes   penstock.Bytes // of the file
}

const (
	defaultTableIDs = 1 << 18
	maxRuns         = 64 // then batches wait for the merger, and fail if it does
)

func (o Options) withDefaults() Options {
	if o.Partitions == 0 {
		o.Partitions = penstock.MaxPartitions
	}
	if o.TableIDs == 0 {
		o.TableIDs = defaultTableIDs
	}
	return o
}
