package audit

import (
	"context"
	"time"

	"penstock"
)

// search compares what the log has, up to the store's positions, with what the store has, one by one.
//
// A record that is not found may be a repeat: stores keep no places of those, so the store is asked for an earlier event of the same
// key and id, and the numbers of producers are followed here. Or it was a row that expired. Rows expire in the order of
// the log, so a record that lies behind a row of the same answer did not.
type search struct {
	audit    *Audit
	only     map[penstock.Lane]bool // nil: all lanes
	lanes    map[penstock.Lane]*finding
	sums     summer
	followed followed
	asked    int // records that Repeats was asked about
	complete bool
}

// finding is what a search found in a lane.
type finding struct {
	deep                      Deep
	missing, changed, doubled *Place // the first of each
	early                     int64  // missing, unless they expired
	firstEarly                *Place
}

// search looks at all lanes, or at those in which the balance is wrong.
func (a *Audit) search(ctx context.Context, b *balance, deep bool) (*search, error) {
	s := &search{audit: a, lanes: map[penstock.Lane]*finding{}, sums: summer{hasher: a.o.Hasher}, followed: followed{}}
	most := limit{until: time.Now().Add(a.o.Limits.Deep)}
	if !deep {
		s.only, most.until = b.suspects(), time.Now().Add(a.o.Limits.Time)
	}
	done := penstock.Positions{}
	for range rounds {
		all, err := s.applied(ctx, b)
		if err != nil {
			return nil, err
		}
		for p := range all.from {
			all.from.Raise(penstock.Positions{p: done[p]})
		}
		reached, err := a.walk(ctx, all, most, func(batch penstock.Batch) error { return s.compare(ctx, batch) })
		s.complete = err == nil && reached.Reached(all.to)
		if err != nil && !penstock.Is(err, penstock.Trimmed) {
			return nil, err
		}
		if err == nil {
			break
		}
		done.Raise(reached) // retention was faster: on with what it left
	}
	return s, s.conclude(ctx, b)
}

// applied returns what the log still has of what the store has applied.
func (s *search) applied(ctx context.Context, b *balance) (stretch, error) {
	oldest, _, err := s.audit.o.Reader.Bounds(ctx)
	all := stretch{from: penstock.Positions{}, to: penstock.Positions{}}
	for l := range b.lanes {
		from, to := oldest[l.Partition], b.store[l.Partition]
		if (s.only == nil || s.only[l]) && from.Less(to) {
			all.from[l.Partition], all.to[l.Partition] = from, to
		}
	}
	return all, err
}

func laneOf(r *penstock.Record) penstock.Lane {
	return penstock.Lane{Tenant: r.Tenant, Stream: r.Stream, Partition: r.Partition}
}

func (s *search) wants(l penstock.Lane) bool {
	return l.Tenant == penstock.DefaultTenant && (s.only == nil || s.only[l])
}

func (s *search) lane(l penstock.Lane) *finding {
	f := s.lanes[l]
	if f == nil {
		f = &finding{}
		s.lanes[l] = f
	}
	return f
}

// compare compares a batch, stream by stream.
func (s *search) compare(ctx context.Context, batch penstock.Batch) error {
	streams := map[string][]penstock.Record{}
	for r := range batch.Records() {
		if s.wants(laneOf(r)) {
			streams[r.Stream] = append(streams[r.Stream], *r)
		}
	}
	for stream, records := range streams {
		has, err := s.find(ctx, stream, batch)
		if err != nil {
			return err
		}
		if err := s.explain(ctx, stream, s.absent(records, has), has); err != nil {
			return err
		}
		s.foreign(stream, has)
	}
	return nil
}

// answer is what the store has of a stream within a batch.
type answer struct {
	events map[penstock.Place]held
	rows   penstock.Positions // of each partition the first row
}

// held is what the store has at a place.
type held struct {
	count  int
	sum    penstock.Checksum // of one of them
	differ bool              // the others have other checksums
	judged bool
}

func (s *search) find(ctx context.Context, stream string, batch penstock.Batch) (answer, error) {
	a := answer{map[penstock.Place]held{}, penstock.Positions{}}
	err := s.audit.o.Finder.Find(ctx, stream, batch.From, batch.Next, func(at penstock.Place, f penstock.Fate, sum penstock.Checksum) {
		if !s.wants(penstock.Lane{Tenant: penstock.DefaultTenant, Stream: stream, Partition: at.Partition}) {
			return
		}
		e := a.events[at]
		e.differ = e.count > 0 && e.sum != sum
		e.count, e.sum = e.count+1, sum
		a.events[at] = e
		if first, ok := a.rows[at.Partition]; f == penstock.FateStored && (!ok || at.Position.Less(first)) {
			a.rows[at.Partition] = at.Position
		}
	})
	return a, err
}

// absent judges the records that the store has, and returns those that it does not have, although no producer's number explains that.
func (s *search) absent(records []penstock.Record, has answer) []penstock.Record {
	var absent []penstock.Record
	for i := range records {
		r := &records[i]
		if r.ReplayOf != (penstock.Position{}) { // its letter is what counts
			continue
		}
		f, at := s.lane(laneOf(r)), placeOf(r)
		f.deep.Events++
		e, ok := has.events[at.vocabulary()]
		if ok {
			e.judged = true
			has.events[at.vocabulary()] = e
			f.judge(at, e, s.sums.of(r), r.Sum)
		}
		switch s.followed.see(r, ok) {
		case perhaps:
			f.deep.Unsure++
		case no:
			if !ok {
				absent = append(absent, *r)
			}
		}
	}
	return absent
}

// judge looks at an event that the store has. Its checksum is that of the record's bytes, which is what the door took, unless
// nobody took one.
func (f *finding) judge(at Place, e held, taken, door penstock.Checksum) {
	if e.sum != taken && e.sum != door || e.differ || door != 0 && door != taken {
		f.deep.Changed++
		raise(&f.changed, &at)
	}
	if e.count > 1 {
		f.deep.Doubled++
		raise(&f.doubled, &at)
	}
}

// foreign looks at what the store has and the log has not.
func (s *search) foreign(stream string, has answer) {
	for at, e := range has.events {
		if !e.judged {
			f := s.lane(penstock.Lane{Tenant: penstock.DefaultTenant, Stream: stream, Partition: at.Partition})
			f.deep.Doubled++
			raise(&f.doubled, &Place{at.Partition, at.Position.Epoch, at.Position.Offset})
		}
	}
}

// explain asks whether records that the store does not have are repeats, and judges those that are not.
func (s *search) explain(ctx context.Context, stream string, absent []penstock.Record, has answer) error {
	var ask []penstock.Record
	for i := range absent {
		r := &absent[i]
		switch {
		case r.Flags&penstock.ServerID != 0: // its id is nobody else's
			s.lane(laneOf(r)).miss(r, has)
		case s.asked >= s.audit.o.Limits.Repeats:
			s.lane(laneOf(r)).deep.Unsure++
		default:
			s.asked++
			ask = append(ask, *r)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	repeats, err := s.audit.o.Finder.Repeats(ctx, stream, ask)
	if err == nil && len(repeats) != len(ask) {
		err = penstock.Errorf(penstock.Internal, "ask for repeats", "%d answers to %d questions", len(repeats), len(ask))
	}
	for i := range repeats {
		if err == nil && !repeats[i] {
			s.lane(laneOf(&ask[i])).miss(&ask[i], has)
		}
	}
	return err
}

// miss notes a record that is not there, and should be unless it expired.
func (f *finding) miss(r *penstock.Record, has answer) {
	at := placeOf(r)
	if row, ok := has.rows[r.Partition]; ok && row.Less(r.Position) {
		f.deep.Missing++
		raise(&f.missing, &at)
		return
	}
	f.early++
	raise(&f.firstEarly, &at)
}

// conclude decides about the records that may have expired, by tallies that are younger than every answer.
func (s *search) conclude(ctx context.Context, b *balance) error {
	tallies, _, err := s.audit.o.Store.Tallies(ctx)
	if err != nil {
		return err
	}
	for l, f := range s.lanes {
		lane := b.lane(l) // the log may know nothing of it
		expired, repeats := tallies[l][penstock.FateExpired].Events, tallies[l][penstock.FateDuplicate].Events
		if expired == 0 {
			f.deep.Missing += f.early
			raise(&f.missing, f.firstEarly)
		} else {
			f.deep.Unsure += f.early
		}
		if expired > 0 && repeats > 0 && lane.missing().Events <= 0 {
			f.deep.Unsure += f.deep.Missing // what they repeat may have expired
			f.deep.Missing, f.missing = 0, nil
		}
	}
	return nil
}

// sum returns what was found in all lanes.
func (s *search) sum() *Deep {
	all := Deep{Complete: s.complete}
	for _, f := range s.lanes {
		all.Events += f.deep.Events
		all.Missing += f.deep.Missing
		all.Changed += f.deep.Changed
		all.Doubled += f.deep.Doubled
		all.Unsure += f.deep.Unsure
	}
	return &all
}

// name tells a stream what was found in one of its lanes.
func (s *search) name(l penstock.Lane, to *Stream) {
	f := s.lanes[l]
	if f == nil {
		return
	}
	raise(&to.FirstMissing, f.missing)
	raise(&to.FirstChanged, f.changed)
	raise(&to.FirstDoubled, f.doubled)
	if !f.deep.right() {
		to.add(Counts{ChecksumOK: new(bool)})
	}
}
