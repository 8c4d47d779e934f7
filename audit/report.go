package audit

import (
	"cmp"
	"maps"
	"slices"

	"penstock"
)

// Report is the answer of GET /v1/audit.
type Report struct {
	OK      bool     `json:"ok"`             // nothing is missing, too many or changed, as far as was looked
	Deep    *Deep    `json:"deep,omitempty"` // of a deep check
	Streams []Stream `json:"streams"`        // in the order of their names
}

// Stream is the sum over a stream's lanes.
type Stream struct {
	Tenant string `json:"tenant,omitempty"` // "": the default tenant
	Stream string `json:"stream"`
	Counts
	FirstMissing *Place `json:"first_missing,omitempty"` // of an event without fate that the log still holds
	FirstChanged *Place `json:"first_changed,omitempty"` // of an event that is not what the door accepted
	FirstDoubled *Place `json:"first_doubled,omitempty"` // of an event that the store has twice, or that the log does not have
	Partitions   []Lane `json:"partitions,omitempty"`    // if they were asked for
}

// Lane is what a stream has in one partition.
type Lane struct {
	Partition penstock.Partition `json:"partition"`
	Counts
}

// Counts counts events: Accepted + Excess = Stored + Duplicates + Dead + Dropped + Expired + Pending + Missing.
type Counts struct {
	Accepted   int64 `json:"accepted"`
	Stored     int64 `json:"stored"`
	Duplicates int64 `json:"duplicates"`
	Dead       int64 `json:"dead"`
	Dropped    int64 `json:"dropped"`
	Expired    int64 `json:"expired"`
	Pending    int64 `json:"pending"` // parked, or not applied yet
	Missing    int64 `json:"missing"`
	ChecksumOK *bool `json:"checksum_ok"` // nil: too much is pending to read it all, so neither this nor Missing is known
	Excess     int64 `json:"excess"`      // more than was accepted
	Parked     int64 `json:"parked"`      // of those pending
	Replaying  int64 `json:"replaying"`   // replays that are not applied yet; their letters count as dead until then
}

// Place is where an event lies in the log.
type Place struct {
	Partition penstock.Partition `json:"partition"`
	Epoch     penstock.Epoch     `json:"epoch"`
	Offset    penstock.Offset    `json:"offset"`
}

func placeOf(r *penstock.Record) Place {
	return Place{r.Partition, r.Position.Epoch, r.Position.Offset}
}

func (p Place) less(q Place) bool { return p.vocabulary().Less(q.vocabulary()) }

func (p Place) vocabulary() penstock.Place {
	return penstock.Place{Partition: p.Partition, Position: penstock.Position{Epoch: p.Epoch, Offset: p.Offset}}
}

// Deep says what a deep check compared.
type Deep struct {
	Complete bool  `json:"complete"` // it came from the log's oldest record to the store's positions
	Events   int64 `json:"events"`   // compared
	Missing  int64 `json:"missing"`  // neither row nor letter nor repeat
	Changed  int64 `json:"changed"`  // with another checksum
	Doubled  int64 `json:"doubled"`  // there twice, or not in the log
	Unsure   int64 `json:"unsure"`   // not there, perhaps rightly: what would explain it is older than what the log or the store has
}

func (d *Deep) right() bool { return d.Missing == 0 && d.Changed == 0 && d.Doubled == 0 }

// counts returns the numbers of a lane.
func (e *entry) counts() Counts {
	t := e.tally
	c := Counts{
		Accepted: e.accepted.Events, Stored: t[penstock.FateStored].Events, Duplicates: t[penstock.FateDuplicate].Events,
		Dead: t[penstock.FateDead].Events, Dropped: t[penstock.FateDropped].Events, Expired: t[penstock.FateExpired].Events,
		Parked: t[penstock.FateParked].Events, Replaying: e.replays,
	}
	c.Pending = c.Parked + e.waiting.Events
	missing, right := e.missing().Events, e.right()
	c.Missing, c.Excess = max(0, missing), max(0, -missing)
	if !e.known() {
		c.Pending += e.left().Events
	}
	if e.known() || !right {
		c.ChecksumOK = &right
	}
	return c
}

// add adds the numbers of another lane. Wrong is more than not known, and that is more than right.
func (c *Counts) add(d Counts) {
	c.Accepted += d.Accepted
	c.Stored += d.Stored
	c.Duplicates += d.Duplicates
	c.Dead += d.Dead
	c.Dropped += d.Dropped
	c.Expired += d.Expired
	c.Pending += d.Pending
	c.Missing += d.Missing
	c.Excess += d.Excess
	c.Parked += d.Parked
	c.Replaying += d.Replaying
	switch {
	case c.ChecksumOK != nil && !*c.ChecksumOK:
	case d.ChecksumOK == nil || !*d.ChecksumOK:
		c.ChecksumOK = d.ChecksumOK
	}
}

// report adds up the lanes. What was found is nil if nothing was looked for.
func (b *balance) report(ask Ask, found *search) Report {
	r := Report{OK: true, Streams: []Stream{}}
	for _, l := range slices.SortedFunc(maps.Keys(b.lanes), compareLanes) {
		s := r.stream(l)
		e := b.lanes[l]
		counts := e.counts()
		s.add(counts)
		r.OK = r.OK && e.right()
		raise(&s.FirstChanged, e.first)
		if found != nil {
			found.name(l, s)
		}
		if ask.Partitions {
			s.Partitions = append(s.Partitions, Lane{l.Partition, counts})
		}
	}
	if ask.Deep && found != nil {
		r.Deep = found.sum()
		r.OK = r.OK && r.Deep.right()
	}
	return r
}

// stream returns the stream of a lane. Lanes come in order.
func (r *Report) stream(l penstock.Lane) *Stream {
	tenant := l.Tenant
	if tenant == penstock.DefaultTenant {
		tenant = ""
	}
	if n := len(r.Streams); n == 0 || r.Streams[n-1].Stream != l.Stream || r.Streams[n-1].Tenant != tenant {
		right := true
		r.Streams = append(r.Streams, Stream{Tenant: tenant, Stream: l.Stream, Counts: Counts{ChecksumOK: &right}})
	}
	return &r.Streams[len(r.Streams)-1]
}

func compareLanes(a, b penstock.Lane) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Partition, b.Partition))
}

// raise sets first to at if that comes before it.
func raise(first **Place, at *Place) {
	if at != nil && (*first == nil || at.less(**first)) {
		*first = at
	}
}
