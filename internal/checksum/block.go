package checksum

import "penstock"

// Totals returns the total of each group of a block, as the checksums in its records have it; replays are not counted. A record
// without a checksum counts as one of zero. Of groups that share a partition the last one has it all.
func Totals(b *penstock.Block) ([]penstock.Total, error) { return totals(b, nil) }

// Totals is the function of that name, and fails with Internal if a record's checksum is not that of its event. A record without
// one passes: nobody took it.
func (h Hasher) Totals(b *penstock.Block) ([]penstock.Total, error) {
	s := h.Stream(b.Tenant, b.Stream)
	return totals(b, &s)
}

func totals(b *penstock.Block, s *Stream) ([]penstock.Total, error) {
	const op = "sum block"
	sums := make([]penstock.Total, len(b.Groups))
	var groupOf [penstock.MaxPartitions]uint16
	for i, g := range b.Groups {
		if g.Partition >= penstock.MaxPartitions {
			return nil, penstock.Errorf(penstock.Invalid, op, "partition %d", g.Partition)
		}
		groupOf[g.Partition] = uint16(i)
	}
	for r := range b.Records() {
		if s != nil && r.Sum != 0 && r.Sum != s.Sum(r.Key, r.ID, r.Body) {
			return nil, penstock.Errorf(penstock.Internal, op, "the checksum of record %d of stream %s, id %q, is not that of its event", r.Item, b.Stream, r.ID)
		}
		if r.ReplayOf == (penstock.Position{}) {
			sums[groupOf[r.Partition]].Add(r.Sum)
		}
	}
	return sums, nil
}
