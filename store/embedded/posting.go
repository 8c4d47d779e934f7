package embedded

import (
	"errors"
	"strings"

	"penstock"
	"penstock/internal/checksum"
	"penstock/internal/dedup"
	"penstock/internal/fate"
)

// posting is a batch on its way into the shard's tables: it takes the records one by one, has them decided, and collects what
// becomes of them on the shard's sheets. The caller of its methods holds applying.
type posting struct {
	shard   *shard
	todo    penstock.Batch // whose records are taken while the posting is committed
	failed  error          // why they could not be
	next    state
	page    *fate.Page
	ids     *dedup.Batch
	streams registry

	// Of the record before: most have the stream of their neighbour.
	tenant, name string
	known        registered
	stream       penstock.Stream
	sums         checksum.Stream
	to           *encoder
	fold         *folding // nil: no view counts the stream's rows
	rows         int64
	indexed      bool // the identity of the record in hand was not seen before

	ahead      []penstock.Record // that come next
	identities []penstock.Identity
	at         int // which of them is in hand

	parked map[penstock.Place]parked // letters of this batch that wait
	dead   map[dead]int              // how many became open letters
}

// dead is what open letters are counted by.
type dead struct {
	stream string
	reason penstock.LetterReason
}

// post begins a posting. end ends it, committed or not.
func (s *shard) post(condemned map[penstock.Place]penstock.Condemned) *posting {
	p := &posting{shard: s, next: s.newest().state.clone(), streams: *s.db.streams.Load(), ids: s.ids.Begin()}
	p.next.Serial++
	p.page = s.book.Begin(p, p.seen, condemned)
	return p
}

func (p *posting) end() {
	p.ids.Abort()
	p.shard.forget()
}

// batch takes the records of a batch and its positions.
func (p *posting) batch(b penstock.Batch) error {
	for at, next := range b.Next {
		p.next.Positions[at] = next
	}
	for r := range b.Records() {
		if len(p.ahead) == takenAtOnce || len(p.ahead) > 0 && (r.Stream != p.ahead[0].Stream || r.Tenant != p.ahead[0].Tenant) {
			if err := p.take(); err != nil {
				return err
			}
		}
		p.ahead = append(p.ahead, *r)
	}
	if err := p.take(); err != nil {
		return err
	}
	p.close()
	return nil
}

// takenAtOnce is how many records' identities are looked for side by side.
const takenAtOnce = 64

// take takes the records that are ahead, which are of one stream.
func (p *posting) take() error {
	if len(p.ahead) == 0 {
		return nil
	}
	if err := p.use(p.ahead[0].Tenant, p.ahead[0].Stream); err != nil {
		return err
	}
	p.expect()
	for i := range p.ahead {
		r := &p.ahead[i]
		if p.next.Since == 0 {
			p.next.Since = r.LogTime
		}
		p.next.LogTime = max(p.next.LogTime, r.LogTime)
		p.indexed, p.at = false, i
		if err := p.page.Take(r, &p.stream); err != nil {
			return err
		}
	}
	p.ahead = p.ahead[:0]
	return nil
}

// expect makes the identities of the records that are ahead.
func (p *posting) expect() {
	if !p.stream.Dedup.On() {
		return
	}
	p.identities = p.identities[:0]
	for i := range p.ahead {
		r := &p.ahead[i]
		p.identities = append(p.identities, p.shard.db.partitioner.IdentityOf(r.Tenant, r.Stream, r.Key, r.ID))
	}
	p.ids.Expect(p.identities)
}

// use makes a stream the present one.
func (p *posting) use(tenant, name string) error {
	if p.to != nil && name == p.name && tenant == p.tenant {
		return nil
	}
	p.count()
	p.tenant, p.name = tenant, name
	p.known = p.streams[streamKey{tenant, name}]
	p.stream = penstock.Stream{Name: name, Dedup: p.known.Dedup, HaltKey: p.known.HaltKey}
	p.sums = p.shard.sums.Stream(tenant, name)
	var err error
	if p.to, err = p.shard.encoder(p.known); err != nil {
		return err
	}
	p.fold, err = p.shard.folding(p.known)
	return err
}

// count notes how many rows the present stream got.
func (p *posting) count() {
	if p.rows > 0 {
		p.next.Rows[p.known.ID] += p.rows
		p.rows = 0
	}
}

// close puts the lanes and producers that changed on the ledger.
func (p *posting) close() {
	p.count()
	for _, f := range p.shard.foldings {
		if f != nil {
			f.write()
		}
	}
	added := map[penstock.Lane]int64{}
	for one := range p.ids.Added() {
		added[one.Lane] = one.Next - one.First
	}
	p.page.Tallies(func(l penstock.Lane, t penstock.Tally) {
		row := laneRow{
			stream: p.streams[streamKey{l.Tenant, l.Stream}].ID, partition: l.Partition, next: p.next.Positions[l.Partition],
			ordinal: p.shard.ordinals[l] + added[l], tally: t,
		}
		p.shard.ledger.addLane(row)
	})
	p.page.Producers(func(l fate.ProducerLane, m fate.Mark) {
		p.shard.ledger.addProducer(p.streams[streamKey{l.Tenant, l.Stream}].ID, l, m)
	})
}

// keep makes what was posted the present state: it is committed.
func (p *posting) keep() {
	s := p.shard
	for one := range p.ids.Added() {
		s.ordinals[one.Lane] = one.Next
	}
	p.ids.Commit()
	f := s.newest()
	f.letters.Store(f.letters.Load() || s.ledger.letters.used > 0)
	f.settled.Store(f.settled.Load() || s.ledger.settled.used > 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	p.page.Keep()
	f.state = p.next
	s.position = p.next.Positions
	for _, f := range s.foldings {
		if f != nil {
			f.count(s.unmerged)
			f.tell(&s.db.boards)
		}
	}
	for _, b := range p.todo.Blocks {
		for _, g := range b.Groups {
			s.trail.note(g.Partition, mark{penstock.Position{Epoch: b.Epoch, Offset: g.End()}, b.LogTime})
		}
	}
}

// tell reports what became a letter. The batch is committed, and no lock for readers is held.
func (p *posting) tell() {
	if trace := p.shard.db.o.Trace.Dead; trace != nil {
		for one, events := range p.dead {
			trace(one.stream, one.reason, events)
		}
	}
}

func (p *posting) found(s penstock.LetterState, why penstock.Condemned) {
	if s != penstock.LetterOpen {
		return
	}
	if p.dead == nil {
		p.dead = map[dead]int{}
	}
	p.dead[dead{p.name, why.Reason}]++
}

// seen implements fate.Seen.
func (p *posting) seen(r *penstock.Record) (bool, error) {
	lane := penstock.Lane{Tenant: r.Tenant, Stream: r.Stream, Partition: r.Partition}
	seen, err := p.ids.Seen(lane, p.identities[p.at], r.LogTime)
	p.indexed = !seen && err == nil
	return seen, err
}

// Row implements fate.Sink. A record with a checksum is as the door checked it; one without has to be checked here.
func (p *posting) Row(r *penstock.Record) *penstock.Condemned {
	if r.Sum != 0 && p.sums.Sum(r.Key, r.ID, r.Body) != r.Sum {
		return &penstock.Condemned{Reason: penstock.ReasonSum, Detail: "it is not what was accepted: its checksum differs"}
	}
	var err error
	if r.Sum == 0 {
		err = unfit(r)
	}
	if err == nil {
		err = p.to.add(p.known.ID, r, p.indexed)
	}
	if err != nil {
		return condemned(err)
	}
	p.rows++
	if p.fold != nil {
		p.fold.Add(r)
	}
	return nil
}

// condemned turns an encoder's error into a letter's reason.
func condemned(err error) *penstock.Condemned {
	var e *penstock.Error
	if errors.As(err, &e) && e.Reason != "" {
		return &penstock.Condemned{Reason: penstock.LetterReason(e.Reason), Detail: err.Error()}
	}
	return &penstock.Condemned{Reason: penstock.ReasonRefused, Detail: err.Error()}
}

// Letter implements fate.Sink.
func (p *posting) Letter(r *penstock.Record, s penstock.LetterState, why penstock.Condemned) {
	p.shard.ledger.addLetter(p.known.ID, r, letterRow{s, why, p.indexed, r.LogTime})
	p.found(s, why)
	if s == penstock.LetterParked {
		p.note(r, why)
	}
}

// Settle implements fate.Sink.
func (p *posting) Settle(at penstock.Place, s penstock.LetterState, why penstock.Condemned, since penstock.Micros) {
	p.shard.ledger.addSettled(at, s, why, since)
	p.found(s, why)
}

// plain returns text that any database takes, and not too much of it.
func plain(s string) []byte {
	const most = 500
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", " "), "\ufffd")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return []byte(s)
}
