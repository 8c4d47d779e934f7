package audit

import (
	"context"

	"penstock"
)

// Finder is the store's side of a comparison one by one. It may be called while batches are applied.
type Finder interface {
	// Find calls yield for everything that became of the events of a stream between the positions of each partition, to excluded,
	// as of one moment and in any order: with the place at which the event was accepted, its fate, and its checksum, taken again of
	// the bytes that are there. A row is FateStored, a letter FateDead, FateParked or FateDropped. An event that was
	// replayed is its row, under the place of its letter. What is there twice is yielded twice. Repeats, and rows that
	// expired, are not there. All partitions are applied up to their positions.
	Find(ctx context.Context, stream string, from, to penstock.Positions, yield func(penstock.Place, penstock.Fate, penstock.Checksum)) error
	// Repeats reports for each of the records, all of a stream and none of them found, whether the store has a row or a letter of
	// the same key and id at an earlier position of its partition.
	Repeats(ctx context.Context, stream string, records []penstock.Record) ([]bool, error)
}
