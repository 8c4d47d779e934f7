// Package embedded is a store of DuckDB files: shards that take batches, and SQL over all of them.
//
//	Batch ─▶ encode: records to Arrow columns, a table per stream that declares columns, one for all others
//	      ─▶ one transaction of the shard's newest file: rows and state (positions, row counts)
//	      ─▶ now and then a checkpoint: what it wrote is Safe
//
// One DuckDB instance holds everything: its own catalog is in memory and has only views; the files of all shards are
// attached to it. A shard is a directory of files, one per period of log time: the newest is written, older ones never
// change again, and retention removes whole files. docs/format/shard.md has the layout, docs/adr/004-files.md the
// reasons.
//
// Locks: Database.declaring (one change of the catalog at a time) before shard.applying (one writer of a shard) before
// shard.mu, which is held only to read or replace values.
package embedded
