// Package disk is the log on a local disk: one interleaved journal for all partitions, so that one write and one flush
// serve everybody who waits.
//
// Files, in the order in which data flows:
//
//	options.go             what a log is opened with, and what it reports
//	append.go group.go     callers hand over blocks and wait; who waits together shares a group
//	writer.go              the one goroutine that writes: a group at a time, one flush each
//	roll.go                segments: made ahead of need, begun, sealed
//	frame.go header.go     the bytes (docs/format/segment.md)
//	manifest.go            the directory's identity (docs/format/manifest.md)
//	totals.go              what was appended, by lane, since the log began
//	scan.go                walks the frames of a segment: the one decoder, of recovery, readers, Verify and Dump
//	verify.go audit.go     offline: damage, checksums of records, totals
//	open.go recover.go     what Open does with what it finds
//	tail.go cursor.go      readers: the newest blocks from memory, older ones from the segments
//	retain.go space.go     what goes when, and what happens when nothing can
//
// Invariants:
//
//   - A block is acknowledged, and shown to readers, only after the flush that covers it returned without error.
//   - Bytes below "synced up to", which each frame carries, never change and are never cut off. What is bad there is
//     damage: reported, copied aside and skipped. What is bad beyond every such witness was never acknowledged.
//   - A segment is used only after its header, and its name, were flushed. Its header says where the one before ends.
//   - After a failed flush nothing is written to the file any more, and the log stops.
package disk
