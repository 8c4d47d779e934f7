// Package dedup tells whether an identity counts as seen (docs/format/ids.md, contract C-DUP).
//
// The store's packed identities are the truth. The index is made from them, and keeps each identity in one of three places, asked
// from the newest to the oldest; the first that knows the identity decides, since an older occurrence can only be further away:
//
//  1. the table that grows, in memory; a batch adds to it and takes back what it added if it is aborted;
//  2. the full table that is being written, if there is one;
//  3. runs: sorted files, behind a blocked Bloom filter in memory each. Filters only save reads.
//
// A table that is full becomes a run. Runs are merged in the background: four of about the same size become one, and the oldest,
// the largest by far, is merged with all others when these have a quarter of its size. So a lookup asks about five filters, and
// what can never count again is held for a while but bounded by that quarter.
//
// A run is cut into 256 sections by the first byte of the identity, each with its own filter. A merge goes section by section and
// puts each into use at once, in place of the inputs': otherwise the filters of a large merge would be in memory twice. If the merge
// fails, the sections of its inputs are loaded again.
//
// Locks: Index.mu guards what Window shows, Index.shelf the places and the runs. Neither is held while the other is taken. What
// belongs to the caller of Begin, SetWindow and Restore has no lock: these are called by one goroutine at a time.
package dedup
