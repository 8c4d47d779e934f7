package embedded

import (
	"slices"

	"penstock"
)

// trail remembers for each partition which log time it had reached at some of its last positions. By it a range of positions becomes
// a bound of log time, and that leaves out nearly all row groups: each of them holds all partitions, whose offsets drift apart, but
// only a moment of log time. What was applied before this process began has no bound.
type trail map[penstock.Partition][]mark

// mark says that no row at this position or beyond has an earlier log time. That of a letter that was let go is later than its neighbours'.
type mark struct {
	at      penstock.Position
	logTime penstock.Micros
}

const (
	markStep  = 2048 // offsets between two marks
	markCount = 64   // of a partition, at most; the older, the sparser
)

// note marks a position, unless the last mark is close.
func (t trail) note(p penstock.Partition, m mark) {
	marks := t[p]
	if n := len(marks); n > 0 {
		if last := marks[n-1].at; last.Epoch == m.at.Epoch && m.at.Offset < last.Offset+markStep {
			return
		}
		if n == markCount { // of the older three quarters every other one goes
			kept := marks[:0]
			for i, old := range marks {
				if i >= markCount*3/4 || i%2 == 0 {
					kept = append(kept, old)
				}
			}
			marks = kept
		}
	}
	t[p] = append(marks, m)
}

// since returns a log time before which there is no row at that position or beyond; 0 if none is known.
func (t trail) since(p penstock.Partition, at penstock.Position) penstock.Micros {
	for _, m := range slices.Backward(t[p]) {
		if !at.Less(m.at) {
			return m.logTime
		}
	}
	return 0
}
