package penstock

import "context"

// Store keeps what batches bring, together with the positions up to which they were brought.
//
// Each record of a batch has one fate, which follows from the records before it in its partition, in log order, and never from where
// batches were cut:
//
//  1. A replay (ReplayOf) of a letter that is not open does nothing at all. Of an open one it is tried as below, but neither
//     as a repeat nor as one that has to wait: if it can be a row, the letter is closed with it; if not, the letter stays, with the new reason.
//  2. A record of a producer is a Duplicate if the producer's highest (Seq, Item) in that stream and partition is not below its own.
//  3. A record with an id that the sender gave, in a stream that recognises repeats, is a Duplicate if its identity counts as seen.
//     Otherwise it is seen from now on, whatever becomes of it.
//  4. In a stream with HaltKey a record whose key has an open or parked letter is Parked. Beyond a bound Apply fails with Full.
//  5. A record that is condemned, or that cannot be encoded, is Dead: a letter with reason and bytes.
//  6. Anything else is Stored: a row.
//
// Rows, identities, letters, tallies and positions of a batch are one transaction.
type Store interface {
	// Position returns the Next of the last batch applied to p, the zero Position if there was none; NotOwner if the
	// store does not hold p. It may be called concurrently with everything.
	Position(ctx context.Context, p Partition) (Position, error)
	// Apply makes the batch's rows and its positions durable as one transaction per physical shard: a query that starts
	// after it returned sees them, and after a crash either all or none of them are there. If a From is not the present
	// position it fails with Stale and changes nothing there: ask for Position again. If it names a partition that is not
	// held it fails with NotOwner and changes nothing. It fails with Invalid, and changes nothing, if a record of the batch cannot
	// be stored although nothing is wrong with the store: the caller finds it, by halves, and condemns it. After Unknown, or when several shards are involved, some may have
	// been applied whole; asking Position per partition settles it. Any other error changes nothing and is an outage:
	// the same batch may be tried again later. The batch stays the caller's. It may be called concurrently: of two
	// batches that begin at the same position one is Stale.
	Apply(ctx context.Context, b Batch) error
	// Safe returns, for each partition held, the position below which the store will never ask the log again.
	Safe(ctx context.Context) (Positions, error)
	// Partitions returns the partitions the store holds, in ascending order.
	Partitions() []Partition
	// Close waits for a running Apply and leaves everything durable. An Apply that comes later fails with Unavailable.
	Close() error
}
