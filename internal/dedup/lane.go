package dedup

import "penstock"

// stream is what the index knows about a stream.
type stream struct {
	tenant, name string
	number       uint32
	window       int64 // seconds
	share        int64 // ordinals of a lane
	on           bool
	known        bool    // SetWindow was called: until then nothing of the stream is left out
	lanes        []*lane // by partition; nil: nothing yet
}

// laneBits is how many bits of a lane's number are its partition.
const laneBits = 10

// lane numbers the first occurrences of a stream in a partition.
type lane struct {
	stream    *stream
	partition penstock.Partition
	// What follows belongs to the caller of Begin and Restore.
	next    int64  // ordinal of the next new identity
	last    uint32 // log second of the newest identity
	touched bool   // it has entries in the table that grows
	inBatch bool
	first   int64  // next, before the batch that it is in
	before  uint32 // last, before that batch

	base int64 // have, before anything was restored

	// What follows is guarded by Index.mu.
	have  int64 // ordinals below are in the index, or can never count
	marks []mark
	left  mark // the newest ordinal that a merge left out, plus 1; 0: none
}

// mark is an ordinal and its log second.
type mark struct {
	ordinal int64
	second  uint32
}

// grain is how many marks a lane keeps for its window and its share.
const grain = 16

// laneSize is about what a lane takes in memory, its marks not counted.
const laneSize = 96

func (l *lane) number() uint32 { return l.stream.number<<laneBits | uint32(l.partition) }

// counts reports whether an entry of the lane counts at a log second and next ordinal.
func (s *stream) counts(e mark, second uint32, next int64) bool {
	return s.on && int64(second)-int64(e.second) <= s.window && next-e.ordinal <= s.share
}

// note moves have to next, and remembers when the ordinal before it came.
func (l *lane) note(next int64, second uint32) {
	l.have = next
	newest := mark{next - 1, second}
	if n := len(l.marks); n > 0 {
		last := l.marks[n-1]
		if newest.ordinal-last.ordinal < steps(l.stream.share) && int64(second)-int64(last.second) < steps(l.stream.window) {
			return
		}
	}
	gone := 0
	for gone+1 < len(l.marks) && !l.stream.counts(l.marks[gone+1], second, next-1) {
		gone++
	}
	if len(l.marks)-gone > 2*grain+2 {
		gone++ // the window was widened, or seconds went back
	}
	l.marks = append(l.marks[:copy(l.marks, l.marks[gone:])], newest)
}

// steps cuts what a lane remembers into grain parts.
func steps(whole int64) int64 { return max(1, (whole+grain-1)/grain) }

// inForce returns the window of the lane at a log second, never longer than it is, and about how many identities it remembers, never more.
func (l *lane) inForce(second uint32) (seconds, ids int64) {
	s := l.stream
	pushed := l.have - s.share - 1 // the newest ordinal that the share pushed out
	if pushed < 0 {
		seconds = s.window
	}
	oldest := l.have
	for i := len(l.marks) - 1; i >= 0 && l.marks[i].ordinal >= pushed; i-- {
		m := l.marks[i]
		if pushed >= 0 {
			seconds = min(s.window, max(0, int64(second)-int64(m.second)))
		}
		if s.counts(m, second, l.have) {
			oldest = m.ordinal
		}
	}
	return seconds, l.have - oldest
}
