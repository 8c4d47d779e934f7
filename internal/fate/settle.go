package fate

import (
	"slices"

	"penstock"
)

// replay tries a letter again. One that is not open any more had its effect, or was given up: the record does nothing.
func (p *Page) replay(e *entry, r *penstock.Record, s *penstock.Stream) error {
	at := penstock.Place{Partition: r.Partition, Position: r.ReplayOf}
	l, ok := p.letter(at)
	if !ok || l.Parked || l.Lane != e.lane {
		return nil
	}
	if why := p.store(r); why != nil {
		p.sink.Settle(at, penstock.LetterOpen, *why, r.LogTime)
		return nil
	}
	p.move(e, l, penstock.FateDead, penstock.FateStored)
	p.sink.Settle(at, penstock.LetterReplayed, penstock.Condemned{}, r.LogTime)
	return p.closed(e, at, l, r.LogTime)
}

// Drop gives an open letter up, and reports whether it was one.
func (p *Page) Drop(at penstock.Place, now penstock.Micros) (bool, error) {
	l, ok := p.letter(at)
	if !ok || l.Parked {
		return false, nil
	}
	e := p.entry(l.Lane)
	p.move(e, l, penstock.FateDead, penstock.FateDropped)
	p.sink.Settle(at, penstock.LetterDropped, penstock.Condemned{}, now)
	return true, p.closed(e, at, l, now)
}

// Expire moves events of a lane from rows to those whose time is over.
func (p *Page) Expire(lane penstock.Lane, rows penstock.Total) {
	e := p.entry(lane)
	e.tally[penstock.FateStored] = e.tally[penstock.FateStored].Minus(rows)
	e.tally[penstock.FateExpired] = e.tally[penstock.FateExpired].Plus(rows)
}

// move counts a letter's event under another fate.
func (p *Page) move(e *entry, l Letter, from, to penstock.Fate) {
	one := penstock.Total{Events: 1, Lo: uint64(l.Sum)}
	e.tally[from] = e.tally[from].Minus(one)
	e.tally[to] = e.tally[to].Plus(one)
}

// closed takes a letter off the book, and lets those go that were parked behind it.
func (p *Page) closed(e *entry, at penstock.Place, l Letter, now penstock.Micros) error {
	p.note(at, change{letter: l, gone: true})
	p.open--
	if l.Key == "" {
		return nil
	}
	k := keyLane{e.lane, l.Key}
	queue := p.queue(k)
	if len(queue) > 0 && queue[0] == at { // most often: letters are replayed in their order
		return p.release(e, k, queue[1:], now)
	}
	left := slices.DeleteFunc(slices.Clone(queue), func(other penstock.Place) bool { return other == at })
	return p.release(e, k, left, now)
}

// release makes rows of the letters at the head of a queue that are parked, up to one that is open or turns out to be.
func (p *Page) release(e *entry, k keyLane, queue []penstock.Place, now penstock.Micros) error {
	for ; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		l, _ := p.letter(at)
		if !l.Parked {
			break
		}
		r, verdict, err := p.sink.Parked(at)
		if err != nil {
			return err
		}
		p.parked--
		why := &verdict
		if verdict == (penstock.Condemned{}) {
			late := *r
			late.LogTime = max(late.LogTime, now) // rows are kept for a time from when they became rows, as those of replays are
			why = p.store(&late)
		}
		if why != nil {
			l.Parked = false
			p.note(at, change{letter: l})
			p.move(e, l, penstock.FateParked, penstock.FateDead)
			p.sink.Settle(at, penstock.LetterOpen, *why, now)
			break
		}
		p.note(at, change{letter: l, gone: true})
		p.open--
		p.move(e, l, penstock.FateParked, penstock.FateStored)
		p.sink.Settle(at, penstock.LetterReplayed, penstock.Condemned{}, now)
	}
	p.setQueue(k, queue)
	return nil
}

// Tallies calls f for each lane that the page touched, with its tally as the page leaves it.
func (p *Page) Tallies(f func(penstock.Lane, penstock.Tally)) {
	for _, e := range p.lanes {
		f(e.lane, e.tally)
	}
}

// Producers calls f for each producer that moved.
func (p *Page) Producers(f func(ProducerLane, Mark)) {
	for lane, mark := range p.producers {
		f(lane, mark)
	}
}

// Keep writes the page into its book: the store's transaction is committed.
func (p *Page) Keep() {
	b := p.book
	for _, e := range p.lanes {
		b.lanes[e.lane] = e.tally
	}
	for lane, mark := range p.producers {
		b.producers[lane] = mark
	}
	for at, c := range p.letters {
		if c.gone {
			delete(b.letters, at)
		} else {
			b.letters[at] = c.letter
		}
	}
	for k, q := range p.waiting {
		if len(q) == 0 {
			delete(b.waiting, k)
		} else {
			b.waiting[k] = q
		}
	}
	b.parked += p.parked
}
