// Package fate decides what becomes of the records that a store applies: the six steps that penstock.Store names. It does no
// I/O: a store shows it the records of a batch, in log order, through a Page, and keeps what comes of them in its own
// transaction; once that is committed it closes the page, and the book knows.
//
//	store.Apply ─▶ Book.Open ─▶ Page.Take(record) … ─▶ Sink.Row, Sink.Letter, Sink.Settle
//	                                  │ Page.Changes: tallies, producers  ─▶ the store's transaction
//	            committed: Page.Keep  ┘ failed: the page is dropped
package fate

import (
	"maps"

	"penstock"
)

// Book is what a store remembers of what it applied, but for identities and rows. It is used by one goroutine at a time.
type Book struct {
	lanes     map[penstock.Lane]penstock.Tally
	producers map[ProducerLane]Mark
	letters   map[penstock.Place]Letter
	waiting   map[keyLane][]penstock.Place // letters of a key in order. Whether the key halts is asked when its next event comes
	parked    int
	limits    Limits
}

// Limits bounds what a book remembers.
type Limits struct {
	Letters int // open and parked; 1,000,000 if zero
	Parked  int // of these; 100,000 if zero
}

// ProducerLane is a producer's requests in one lane.
type ProducerLane struct {
	penstock.Lane
	Producer string
}

// Mark is how far a producer came.
type Mark struct {
	Seq  uint64
	Item int
}

// Less reports whether m comes before n.
func (m Mark) Less(n Mark) bool {
	if m.Seq != n.Seq {
		return m.Seq < n.Seq
	}
	return m.Item < n.Item
}

// Letter is what the book remembers of a letter that is open or parked.
type Letter struct {
	Lane   penstock.Lane
	Key    string // "": it has none
	Sum    penstock.Checksum
	Parked bool
}

// keyLane is the events of one key.
type keyLane struct {
	penstock.Lane
	key string
}

// New returns an empty book.
func New(l Limits) *Book {
	if l.Letters == 0 {
		l.Letters = 1_000_000
	}
	if l.Parked == 0 {
		l.Parked = 100_000
	}
	return &Book{
		lanes: map[penstock.Lane]penstock.Tally{}, producers: map[ProducerLane]Mark{}, letters: map[penstock.Place]Letter{},
		waiting: map[keyLane][]penstock.Place{}, limits: l,
	}
}

// Recall tells a book that no page was opened of what a store has kept: a lane's tally.
func (b *Book) Recall(l penstock.Lane, t penstock.Tally) { b.lanes[l] = t }

// RecallProducer tells it how far a producer came.
func (b *Book) RecallProducer(p ProducerLane, m Mark) { b.producers[p] = m }

// RecallLetter tells it of an open or parked letter. Letters come in the order of their places.
func (b *Book) RecallLetter(at penstock.Place, l Letter) {
	b.letters[at] = l
	if l.Parked {
		b.parked++
	}
	if l.Key != "" {
		k := keyLane{l.Lane, l.Key}
		b.waiting[k] = append(b.waiting[k], at)
	}
}

// Tallies returns the tally of every lane.
func (b *Book) Tallies() map[penstock.Lane]penstock.Tally { return maps.Clone(b.lanes) }

// Tally returns the tally of a lane.
func (b *Book) Tally(l penstock.Lane) penstock.Tally { return b.lanes[l] }

// Producers returns how far every producer came. The caller does not change the map.
func (b *Book) Producers() map[ProducerLane]Mark { return b.producers }

// Letter returns a letter that is open or parked, and whether there is one.
func (b *Book) Letter(at penstock.Place) (Letter, bool) {
	l, ok := b.letters[at]
	return l, ok
}

// Open reports whether a letter is there that can be replayed or dropped.
func (b *Book) Open(at penstock.Place) (Letter, bool) {
	l, ok := b.letters[at]
	return l, ok && !l.Parked
}
