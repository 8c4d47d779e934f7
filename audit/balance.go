package audit

import (
	"context"
	"time"

	"penstock"
	"penstock/internal/checksum"
)

// balance is the three numbers of each lane, and what they belong to.
type balance struct {
	lanes map[penstock.Lane]*entry
	store penstock.Positions // S: of the tallies. A partition that is not among them nobody applies here
	log   penstock.Positions // L: of the totals
}

// entry is what is known of a lane.
type entry struct {
	accepted penstock.Total // below L
	tally    penstock.Tally // of what is below S
	unread   bool           // the reading did not come to L: waiting is a part of what lies there
	waiting  penstock.Total // read between S and L
	replays  int64          // read there: they wait, too, but are no events of their own
	changed  int64          // read there, with other bytes than the checksum was taken of
	first    *Place         // of the first of these
}

// left is what neither a fate nor the reading accounts for; below zero if they account for more than was accepted.
func (e *entry) left() penstock.Total {
	return e.accepted.Minus(e.tally.Sum()).Minus(e.waiting)
}

// known reports whether left is what is missing. If the reading did not come to the end it is, too, when nothing is left, and
// when less than nothing is: what was not read would only make it worse.
func (e *entry) known() bool { return !e.unread || e.left().Events <= 0 }

// missing returns what is surely missing. Events below zero are too many instead.
func (e *entry) missing() penstock.Total {
	if !e.known() {
		return penstock.Total{}
	}
	return e.left()
}

// right reports whether the lane's numbers and checksums are what they should be, as far as that is known.
func (e *entry) right() bool {
	return e.missing() == penstock.Total{} && e.changed == 0
}

// suspects returns the lanes in which what the store has is wrong.
func (b *balance) suspects() map[penstock.Lane]bool {
	wrong := map[penstock.Lane]bool{}
	for l, e := range b.lanes {
		if e.missing() != (penstock.Total{}) {
			wrong[l] = true
		}
	}
	return wrong
}

func (b *balance) lane(l penstock.Lane) *entry {
	e := b.lanes[l]
	if e == nil {
		e = &entry{}
		b.lanes[l] = e
	}
	return e
}

// balance takes the three numbers, in the order that the package's comment gives reasons for. It fails with Trimmed if
// retention came between.
func (a *Audit) balance(ctx context.Context) (*balance, error) {
	tallies, stood, err := a.o.Store.Tallies(ctx)
	if err != nil {
		return nil, err
	}
	totals, ends, err := a.accepted(ctx, stood)
	if err != nil {
		return nil, err
	}
	b := &balance{lanes: make(map[penstock.Lane]*entry, len(totals)), store: stood, log: ends}
	for l, t := range totals {
		b.lanes[l] = &entry{accepted: t}
	}
	for l, t := range tallies {
		b.lane(l).tally = t
	}
	return b, a.readWaiting(ctx, b)
}

// accepted asks for the log's totals until they reach what the store had. A log that counts before it shows records does so at once.
func (a *Audit) accepted(ctx context.Context, stood penstock.Positions) (map[penstock.Lane]penstock.Total, penstock.Positions, error) {
	for attempt := 1; ; attempt++ {
		totals, ends, err := a.o.Log.Accepted(ctx)
		if err != nil || ends.Reached(stood) {
			return totals, ends, err
		}
		if attempt < 3 {
			continue
		}
		for _, p := range stood.Partitions() {
			if ends[p].Less(stood[p]) {
				return nil, nil, penstock.Errorf(penstock.Conflict, "audit", "partition %d: the log ends at %v, the store stands at %v", p, ends[p], stood[p])
			}
		}
	}
}

// readWaiting counts what lies between the store's positions and the log's.
func (a *Audit) readWaiting(ctx context.Context, b *balance) error {
	behind, err := a.behind(ctx, b)
	if err != nil {
		return err
	}
	reached, err := a.walk(ctx, behind, limit{a.o.Limits.Read, time.Now().Add(a.o.Limits.Time)}, func(batch penstock.Batch) error {
		b.count(batch, a.o.Hasher)
		return nil
	})
	for l, e := range b.lanes {
		_, held := b.store[l.Partition]
		to, more := behind.to[l.Partition]
		e.unread = !held || more && reached[l.Partition].Less(to)
	}
	return err
}

// behind returns what of the log is to be read: the partitions in which it may have something past the store's positions.
func (a *Audit) behind(ctx context.Context, b *balance) (stretch, error) {
	s := stretch{from: penstock.Positions{}, to: penstock.Positions{}}
	for p, at := range b.store {
		if at.Less(b.log[p]) {
			s.from[p], s.to[p] = at, b.log[p]
		}
	}
	if len(s.from) == 0 {
		return s, nil
	}
	oldest, _, err := a.o.Reader.Bounds(ctx)
	if err != nil {
		return s, err
	}
	for p, to := range s.to {
		if !oldest[p].Less(to) && s.from[p] == (penstock.Position{}) { // nothing is kept, and perhaps never was
			delete(s.from, p)
			delete(s.to, p)
		}
	}
	return s, nil
}

// count adds the records of a batch to what waits.
func (b *balance) count(batch penstock.Batch, h checksum.Hasher) {
	sums := summer{hasher: h}
	for r := range batch.Records() {
		e := b.lane(penstock.Lane{Tenant: r.Tenant, Stream: r.Stream, Partition: r.Partition})
		if r.Sum != 0 && r.Sum != sums.of(r) {
			e.changed++
			if at := placeOf(r); e.first == nil || at.less(*e.first) {
				e.first = &at
			}
		}
		if r.ReplayOf != (penstock.Position{}) {
			e.replays++
		} else {
			e.waiting.Add(r.Sum)
		}
	}
}

// summer takes checksums of records, most of which are of the stream of the one before.
type summer struct {
	hasher         checksum.Hasher
	tenant, stream string
	sums           checksum.Stream
	begun          bool
}

func (s *summer) of(r *penstock.Record) penstock.Checksum {
	if !s.begun || r.Stream != s.stream || r.Tenant != s.tenant {
		s.tenant, s.stream, s.begun = r.Tenant, r.Stream, true
		s.sums = s.hasher.Stream(r.Tenant, r.Stream)
	}
	return s.sums.Sum(r.Key, r.ID, r.Body)
}
