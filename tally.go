package penstock

import (
	"context"
	"math/bits"
)

// Total is a number of events and the sum of their checksums modulo 2¹²⁸: the same in any order, and unlike an exclusive or it
// tells an event that is there twice from one that is not there.
type Total struct {
	Events int64  `json:"events"`
	Hi     uint64 `json:"hi"`
	Lo     uint64 `json:"lo"`
}

// Add counts an event.
func (t *Total) Add(sum Checksum) {
	var carry uint64
	t.Events++
	t.Lo, carry = bits.Add64(t.Lo, uint64(sum), 0)
	t.Hi += carry
}

// Plus returns the total of both.
func (t Total) Plus(u Total) Total {
	lo, carry := bits.Add64(t.Lo, u.Lo, 0)
	hi, _ := bits.Add64(t.Hi, u.Hi, carry)
	return Total{t.Events + u.Events, hi, lo}
}

// Minus returns what is left of t without u.
func (t Total) Minus(u Total) Total {
	lo, borrow := bits.Sub64(t.Lo, u.Lo, 0)
	hi, _ := bits.Sub64(t.Hi, u.Hi, borrow)
	return Total{t.Events - u.Events, hi, lo}
}

// Lane is the events of a stream in one partition: what the audit counts by.
type Lane struct {
	Tenant, Stream string
	Partition      Partition
}

// Fate is what can become of an event that was accepted.
type Fate int

// The fates. An event has one at a time; the audit's equation is accepted = their sum + what is not applied yet.
const (
	FateStored    Fate = iota // it is a row
	FateDuplicate             // its identity had its effect before
	FateDead                  // it is an open dead letter
	FateParked                // it waits behind a dead letter of its key
	FateDropped               // it was a dead letter that somebody gave up
	FateExpired               // it was a row, and its time to be kept is over
	Fates                     // how many there are
)

// Tally is what became of a lane's events below the store's position. A replay is no event of its own: it moves its letter.
type Tally [Fates]Total

// Sum returns all events whatever became of them.
func (t Tally) Sum() Total {
	var all Total
	for _, one := range t {
		all = all.Plus(one)
	}
	return all
}

// Auditor is a store that accounts for what was applied.
type Auditor interface {
	// Tallies returns the tally of every lane, and the positions up to which they go: those of one moment.
	Tallies(ctx context.Context) (map[Lane]Tally, Positions, error)
}

// Accountant is a log that accounts for what was appended.
type Accountant interface {
	// Accepted returns the total of every lane since the log began, replays not counted, and the positions up to which they go: those
	// of one moment. Removed records stay counted.
	Accepted(ctx context.Context) (map[Lane]Total, Positions, error)
}
