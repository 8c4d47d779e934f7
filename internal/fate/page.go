package fate

import "penstock"

// Sink is where the outcome of a page goes: a store's encoder.
type Sink interface {
	// Row encodes the record as a row, or returns why it cannot be one.
	Row(r *penstock.Record) *penstock.Condemned
	// Letter encodes the record as a new letter, open or parked.
	Letter(r *penstock.Record, s penstock.LetterState, why penstock.Condemned)
	// Settle encodes what became of a letter that was there before: a new state, and for an open one a new reason.
	Settle(at penstock.Place, s penstock.LetterState, why penstock.Condemned, since penstock.Micros)
	// Parked returns the record of a parked letter, with the bytes that it came with, and the reason with which Letter was called: a
	// record may be condemned and have to wait nevertheless.
	Parked(at penstock.Place) (*penstock.Record, penstock.Condemned, error)
}

// Seen reports whether an identity counts as seen, and otherwise notes it.
type Seen func(r *penstock.Record) (bool, error)

// Page is the records of one transaction. It changes nothing of its book until Keep.
type Page struct {
	book *Book
	sink Sink
	seen Seen // nil: nothing is

	condemned map[penstock.Place]penstock.Condemned
	at        *entry // of the record before
	lanes     map[penstock.Lane]*entry
	producers map[ProducerLane]Mark
	letters   map[penstock.Place]change
	waiting   map[keyLane][]penstock.Place
	open      int // letters more than the book has, or less
	parked    int
}

// entry is a lane's tally as the page leaves it.
type entry struct {
	lane  penstock.Lane
	tally penstock.Tally
}

// change is what a page does to a letter.
type change struct {
	letter Letter
	gone   bool
}

// Begin opens a page of the book.
func (b *Book) Begin(sink Sink, seen Seen, condemned map[penstock.Place]penstock.Condemned) *Page {
	return &Page{book: b, sink: sink, seen: seen, condemned: condemned, lanes: map[penstock.Lane]*entry{}}
}

// Take decides a record. It fails with Full if more letters are there than the book may hold, or with what the sink or the index
// of identities failed with; then the page is to be dropped.
func (p *Page) Take(r *penstock.Record, s *penstock.Stream) error {
	e := p.entry(penstock.Lane{Tenant: r.Tenant, Stream: r.Stream, Partition: r.Partition})
	if r.ReplayOf != (penstock.Position{}) {
		return p.replay(e, r, s)
	}
	repeat, err := p.repeats(r, s)
	if err != nil {
		return err
	}
	if repeat {
		e.tally[penstock.FateDuplicate].Add(r.Sum)
		return nil
	}
	if s.HaltKey && len(r.Key) > 0 && len(p.queue(keyLane{e.lane, string(r.Key)})) > 0 {
		e.tally[penstock.FateParked].Add(r.Sum)
		return p.bury(e, r, penstock.LetterParked, p.condemned[penstock.Place{Partition: r.Partition, Position: r.Position}])
	}
	if why := p.store(r); why != nil {
		e.tally[penstock.FateDead].Add(r.Sum)
		return p.bury(e, r, penstock.LetterOpen, *why)
	}
	e.tally[penstock.FateStored].Add(r.Sum)
	return nil
}

// entry returns the page's entry of a lane.
func (p *Page) entry(l penstock.Lane) *entry {
	if p.at != nil && p.at.lane == l {
		return p.at
	}
	e := p.lanes[l]
	if e == nil {
		e = &entry{l, p.book.lanes[l]}
		p.lanes[l] = e
	}
	p.at = e
	return e
}

// repeats reports whether the record's effect was there before.
func (p *Page) repeats(r *penstock.Record, s *penstock.Stream) (bool, error) {
	if r.Producer.Name != "" && !p.advance(r) {
		return true, nil
	}
	if p.seen == nil || r.Flags&penstock.ServerID != 0 || !s.Dedup.On() {
		return false, nil
	}
	return p.seen(r)
}

// advance moves the record's producer forward, or reports that it is there already.
func (p *Page) advance(r *penstock.Record) bool {
	lane := ProducerLane{penstock.Lane{Tenant: r.Tenant, Stream: r.Stream, Partition: r.Partition}, r.Producer.Name}
	mark, ok := p.producers[lane]
	if !ok {
		mark, ok = p.book.producers[lane]
	}
	next := Mark{r.Producer.Seq, r.Item}
	if ok && !mark.Less(next) {
		return false
	}
	if p.producers == nil {
		p.producers = map[ProducerLane]Mark{}
	}
	p.producers[lane] = next
	return true
}

// store makes the record a row, or returns why it cannot be one.
func (p *Page) store(r *penstock.Record) *penstock.Condemned {
	if len(p.condemned) > 0 {
		if why, ok := p.condemned[penstock.Place{Partition: r.Partition, Position: r.Position}]; ok {
			return &why
		}
	}
	return p.sink.Row(r)
}

// bury makes the record a letter.
func (p *Page) bury(e *entry, r *penstock.Record, state penstock.LetterState, why penstock.Condemned) error {
	at := penstock.Place{Partition: r.Partition, Position: r.Position}
	l := Letter{Lane: e.lane, Key: string(r.Key), Sum: r.Sum, Parked: state == penstock.LetterParked}
	p.open++
	if l.Parked {
		p.parked++
	}
	if b := p.book; len(b.letters)+p.open > b.limits.Letters || b.parked+p.parked > b.limits.Parked {
		return &penstock.Error{Code: penstock.Full, Op: "keep dead letter", Reason: "letters_full",
			Err: penstock.Errorf(penstock.Full, "count letters", "%d letters wait: replay or drop some", len(b.letters))}
	}
	p.note(at, change{letter: l})
	if l.Key != "" {
		// Beyond its end a queue of the book belongs to the page that is open, of which there is one at a time.
		k := keyLane{e.lane, l.Key}
		p.setQueue(k, append(p.queue(k), at))
	}
	p.sink.Letter(r, state, why)
	return nil
}

func (p *Page) note(at penstock.Place, c change) {
	if p.letters == nil {
		p.letters = map[penstock.Place]change{}
	}
	p.letters[at] = c
}

// letter returns a letter as the page leaves it.
func (p *Page) letter(at penstock.Place) (Letter, bool) {
	if c, ok := p.letters[at]; ok {
		return c.letter, !c.gone
	}
	l, ok := p.book.letters[at]
	return l, ok
}

// queue returns the letters of a key that are not closed, in order.
func (p *Page) queue(k keyLane) []penstock.Place {
	if q, ok := p.waiting[k]; ok {
		return q
	}
	return p.book.waiting[k]
}

func (p *Page) setQueue(k keyLane, q []penstock.Place) {
	if p.waiting == nil {
		p.waiting = map[keyLane][]penstock.Place{}
	}
	p.waiting[k] = q
}
