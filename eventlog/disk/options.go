package disk

import (
	"fmt"
	"time"

	"penstock"
)

// Options says how a log is kept. Zero means the default; only Cluster must be given.
type Options struct {
	Cluster penstock.Cluster

	Keep time.Duration  // records younger than this by log time stay; default 72 h
	Max  penstock.Bytes // size of all segments at which Append fails with Full; default 20 GiB

	SegmentSize penstock.Bytes // of one segment, about; default 64 MiB, at most an eighth of Max
	TailMemory  penstock.Bytes // newest blocks kept for readers that lag; default 64 MiB
	MaxWaiting  penstock.Bytes // blocks that wait for a flush before Append fails with Overloaded; default 64 MiB
	Reserve     penstock.Bytes // kept aside so that a full disk can start; default 16 MiB, at most a segment; negative: none
	HighWater   penstock.Bytes // free space below which Append fails with Full; default 5 % of the disk, at most 1 GiB; negative: none

	Compression Compression

	Now         func() time.Time // the wall clock; default time.Now
	AcceptClock bool             // an operator vouches for the wall clock
	NewEpoch    bool             // offsets begin to mean something else: the log was restored from a copy

	Trace Trace
}

// Compression says whether blocks are compressed, by the goroutine that appends them.
type Compression int

// The choices.
const (
	S2    Compression = iota // with s2: 0.1 µs of processor an event more, a third of the bytes
	Plain                    // as they are
)

// Trace reports what happens. A nil function means silence. The functions must return soon and not call the log.
type Trace struct {
	Synced      func(Sync)          // a group became durable
	Recovered   func(Recovery)      // Open found a log
	Damaged     func(Damage)        // acknowledged bytes are damaged; once per range and process
	WriteFailed func(error)         // a write failed, and the log goes on
	Failed      func(error)         // the log stopped for good
	Removed     func(id SegmentID)  // retention removed a segment
	Clock       func(time.Duration) // the wall clock is ahead of log time by this much, more than is followed
}

// Sync describes one flush.
type Sync struct {
	Blocks, Events int
	Bytes          penstock.Bytes // as written
	Took           time.Duration  // of the flush alone
}

// Recovery describes what Open found.
type Recovery struct {
	Took      time.Duration
	Scanned   penstock.Bytes // of the last segment
	Clean     bool           // the log had been closed
	Rewritten int            // frames that may have been acknowledged, flushed again in a new segment
	Dropped   penstock.Bytes // bytes that were surely never acknowledged
}

// SegmentID numbers the segments of a log.
type SegmentID uint64

// Damage is a range of acknowledged bytes that cannot be read. All that follows it is kept.
type Damage struct {
	Segment  SegmentID
	From, To int64       // within the file
	Copy     string      // the file that holds a copy of the range, if one could be made
	Lost     []LostRange // the offsets that it held, as far as what follows tells
	Why      string
}

// LostRange is a run of offsets of a partition that were lost, at most.
type LostRange struct {
	Partition  penstock.Partition
	From, Next penstock.Position
}

// String names the segment and the range.
func (d Damage) String() string {
	return fmt.Sprintf("segment %d, bytes %d to %d: %s", d.Segment, d.From, d.To, d.Why)
}

const (
	defaultKeep       = 72 * time.Hour
	defaultMax        = 20 << 30
	defaultSegment    = 64 << 20
	defaultTailMemory = 64 << 20
	defaultMaxWaiting = 64 << 20
	defaultReserve    = 16 << 20

	maxBlock   = 64 << 20         // largest block, encoded
	groupBytes = 4 << 20          // a group is handed to the writer at this size at the latest
	stallAfter = 5 * time.Second  // a wait after which those who wait are told so, and new appends are refused
	tailKept   = 1 << 20          // of the tail, for readers to come
	gatherFor  = time.Millisecond // that blocks wait for others at most, while those keep coming
	idleAfter  = 50 * time.Millisecond
	readChunk  = 1 << 20
)

func (o Options) withDefaults() Options {
	set := func(v *penstock.Bytes, to penstock.Bytes) {
		if *v == 0 {
			*v = to
		}
	}
	set(&o.Max, defaultMax)
	set(&o.SegmentSize, defaultSegment)
	o.SegmentSize = min(o.SegmentSize, o.Max/8)
	set(&o.TailMemory, defaultTailMemory)
	set(&o.MaxWaiting, defaultMaxWaiting)
	set(&o.Reserve, min(defaultReserve, o.SegmentSize))
	if o.Keep == 0 {
		o.Keep = defaultKeep
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
