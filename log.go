package penstock

import "context"

// Durability names what an answer promises (docs/contract.md, section 2).
type Durability string

// The modes of durability that a log can give.
const (
	DurabilityDisk   Durability = "disk"   // survives loss of power
	DurabilityMemory Durability = "memory" // survives nothing
)

// Appender is the door's side of a log: it cannot read.
type Appender interface {
	// Append adds the records of the blocks to their partitions, in the order given, and fills in each block's
	// Epoch, LogTime and the First offset of its groups. It returns nil only when they would survive what
	// Durability says. The log keeps the blocks: the caller must not change them, or the bytes they hold, again.
	//
	// After Overloaded, Full, Invalid or Unavailable nothing was added. After any other error some may have been; the
	// caller may append all again, since ids tell repeats apart. Calls that wait together share one flush.
	// Rather than queue without bound it fails with Overloaded. It may be called concurrently.
	// A context that ends while the append is under way gives Unknown. A log that knows the cluster's key fails with Internal, having
	// added nothing, if the checksum of a record is there and is not that of its event.
	Append(ctx context.Context, blocks ...*Block) error
	// Durability is what an Append that returned nil promises.
	Durability() Durability
}

// Reader is the consumer's side of a log: it cannot append.
type Reader interface {
	// Open returns a cursor over a set of partitions, each from its position; the zero Position means the oldest record
	// kept. It fails with Trimmed if a position lies below the oldest record kept, and with Conflict if one lies past
	// the end or in an epoch that this log does not know.
	Open(ctx context.Context, from Positions) (Cursor, error)
	// Bounds returns, for each partition, the position of the oldest record kept and the one that follows the newest
	// durable record.
	Bounds(ctx context.Context) (first, next Positions, err error)
}

// Cursor walks a set of partitions. It is used by one goroutine at a time, but Close may come from any.
type Cursor interface {
	// Next waits for records of the cursor's partitions and returns what is at hand, in log order: at least one record,
	// and no more blocks once max bytes are exceeded. It shows only what is durable, and the From of each partition is
	// the Next of the batch before. One scan of the journal serves all partitions. The blocks are shared: read only.
	// It fails with the context's error, with Unavailable after Close, with Trimmed if retention overtook it.
	Next(ctx context.Context, max Bytes) (Batch, error)
	// Close frees what the cursor holds and ends a Next that waits.
	Close() error
}

// Retainer is a log that removes old records.
type Retainer interface {
	// Retain removes records that are older than the log keeps, or that exceed its size, oldest first, and that lie below
	// safe. A partition that safe lacks keeps all its records.
	Retain(ctx context.Context, safe Positions) error
}
