package penstock

import "context"

// Store keeps what batches bring, together with the positions up to which they were brought.
type Store interface {
	// Position returns the Next of the last batch applied to p, the zero Position if there was none; NotOwner if the
	// store does not hold p. It may be called concurrently with everything.
	Position(ctx context.Context, p Partition) (Position, error)
	// Apply makes the batch's rows and its positions durable as one transaction per physical shard: a query that starts
	// after it returned sees them, and after a crash either all or none of them are there. If a From is not the present
	// position it fails with Stale and changes nothing there: ask for Position again. If it names a partition that is not
	// held it fails with NotOwner and changes nothing. After Unknown, or when several shards are involved, some may have
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
