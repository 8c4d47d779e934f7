package penstock

import "context"

// Letter is an event that was accepted and cannot be a row, kept with its bytes.
type Letter struct {
	Stream string
	Row
	Reason LetterReason
	Detail string // for people
	State  LetterState
	Since  Micros // log time of the record, or of its last replay

	Flags   RecordFlags // the record's, and with Sum what a replay carries on
	Sum     Checksum
	LogTime Micros
}

// LetterReason is the stable word for why an event is a dead letter, such as "bad_type".
type LetterReason string

// The reasons that any store may give. An encoder's own refusals have the words of the door: bad_json, bad_type, ….
const (
	ReasonRefused LetterReason = "store_refused" // the database took the batch without it, and not with it
	ReasonCrashes LetterReason = "crashes"       // applying it ended the process
	ReasonSum     LetterReason = "bad_checksum"  // it is not what the door accepted
)

// LetterState is what is to be done about a letter.
type LetterState string

// The states. Only an open letter can be replayed or dropped.
const (
	LetterOpen     LetterState = "open"
	LetterParked   LetterState = "parked"   // nothing is wrong with it: it waits for an open letter of its key
	LetterReplayed LetterState = "replayed" // it became a row
	LetterDropped  LetterState = "dropped"
)

// Place names a record.
type Place struct {
	Partition Partition
	Position  Position
}

// Less orders places by partition, then by position.
func (p Place) Less(q Place) bool {
	if p.Partition != q.Partition {
		return p.Partition < q.Partition
	}
	return p.Position.Less(q.Position)
}

// LetterQuery asks for letters.
type LetterQuery struct {
	Stream, ID string // "": any; so of Reason and State
	Reason     LetterReason
	State      LetterState
	After      Place // only letters past it; the zero Place: from the first
	Limit      int
}

// DeadLetters is a store's side of what cannot be stored. Letters arise within Apply.
type DeadLetters interface {
	// Letters returns up to Limit letters in the order of their places.
	Letters(ctx context.Context, q LetterQuery) ([]Letter, error)
	// Drop gives open letters up, durably, and returns how many of those named were open. Letters parked behind a dropped one
	// become rows, in order, in the same transaction, unless another open letter of their key is before them.
	Drop(ctx context.Context, places []Place) (int, error)
}

// Condemned is a record that Apply must not try to store.
type Condemned struct {
	Reason LetterReason
	Detail string
}
