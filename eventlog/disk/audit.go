package disk

import (
	"fmt"

	"penstock"
	"penstock/internal/checksum"
)

// auditor makes the report of Verify. It compares each record with its checksum, and what the records add up to with what the commit
// frames say.
type auditor struct {
	o      VerifyOptions
	report Report
	sum    func(*penstock.Block) ([]penstock.Total, error)
	id     SegmentID // that is walked

	totals *totals
	based  bool // on a commit frame of all lanes
	spoilt bool // damage was found since then
	wrong  []Damage
}

func newAuditor(o VerifyOptions) *auditor {
	a := &auditor{o: o, sum: checksum.Totals}
	if o.Cluster != nil {
		a.sum = checksum.NewHasher(*o.Cluster).Totals
	}
	return a
}

func (a *auditor) found(d Damage) error {
	a.report.Damages = append(a.report.Damages, d)
	return nil
}

func (a *auditor) manifest(m manifest) error {
	a.report.Log, a.report.Cluster = m.Log, m.Cluster
	a.totals = newTotals(m.Partitions)
	if a.o.Cluster == nil {
		return nil
	}
	return a.o.Cluster.Mismatch(m.Cluster, m.Key, m.Partitions)
}

func (a *auditor) segment(s *segment) error {
	a.report.Segments++
	a.report.Bytes += penstock.Bytes(s.size)
	// Records of a segment that is missing are in the totals of the next.
	a.based = a.based && s.prev == a.id
	a.id = s.id
	return nil
}

func (a *auditor) frame(f frame, b *penstock.Block) error {
	if b == nil {
		return a.commit(f)
	}
	return a.block(b, Damage{Segment: a.id, From: f.at, To: f.end})
}

// block counts a block, whose place is that of d.
func (a *auditor) block(b *penstock.Block, d Damage) error {
	a.report.Blocks++
	a.report.Records += b.Len()
	sums, err := a.sum(b)
	if err == nil {
		a.totals.add(b, sums)
		return nil
	}
	d.Why = err.Error()
	if err := a.found(d); err != nil {
		return err
	}
	return a.totals.count(b)
}

func (a *auditor) commit(f frame) error {
	c, err := f.commit()
	if err != nil {
		return err
	}
	said := newTotals(len(c.next))
	said.set(c.lanes)
	if a.based && !a.spoilt {
		if why := said.differ(a.totals, c.all); why != "" {
			a.wrong = append(a.wrong, Damage{Segment: a.id, From: f.at, To: f.end, Why: why})
		}
	}
	if c.all {
		a.totals, a.based, a.spoilt = said, true, false
		return nil
	}
	a.totals.set(c.lanes)
	return nil
}

// leave reports the totals of the segment that are wrong: where bytes are damaged, they cannot be expected to fit.
func (a *auditor) leave() {
	if !a.spoilt {
		a.report.Damages = append(a.report.Damages, a.wrong...)
	}
	a.wrong = nil
}

func (a *auditor) end(segments []*segment, t tailScan) error {
	r := &a.report
	r.Unwitnessed, r.Torn = len(t.blocks), penstock.Bytes(t.dropped)
	r.First = positions(segments[0].epoch, segments[0].next)
	r.Next = positions(segments[len(segments)-1].epoch, t.next)
	// A commit frame that nothing follows is not walked: it is among what the next start looks at.
	if a.based && !a.spoilt {
		if why := t.totals.differ(a.totals, true); why != "" {
			r.Damages = append(r.Damages, Damage{Segment: t.id, From: t.end, To: t.last, Why: why})
		}
	}
	for _, b := range t.blocks {
		if err := a.block(b, Damage{Segment: t.id, From: t.end, To: t.last}); err != nil {
			return err
		}
	}
	return nil
}

// differ says where these totals are not the others, "" if they are; all: nor may the others have lanes more.
func (t *totals) differ(others *totals, all bool) string {
	for _, s := range t.order {
		other := others.streams[s.streamName]
		for p, total := range s.of {
			if total.Events > 0 && (other == nil || other.of[p] != total) {
				return fmt.Sprintf("the total of stream %s in partition %d is not that of its records", s.stream, p)
			}
		}
	}
	if all && t.lanes != others.lanes {
		return fmt.Sprintf("totals of %d lanes, records of %d", t.lanes, others.lanes)
	}
	return ""
}
