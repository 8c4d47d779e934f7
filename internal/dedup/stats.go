package dedup

import "time"

// Window returns the window of a stream that is in force, the shortest of its lanes: the configured one, unless its share pushed out
// identities earlier; and about how many identities are remembered, never more than there are. It costs a look at each of its lanes.
func (x *Index) Window(tenant, name string) (time.Duration, int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.streams[streamName{tenant, name}]
	if s == nil || !s.on {
		return 0, 0
	}
	shortest, total := s.window, int64(0)
	for _, l := range s.lanes {
		if l == nil || l.have == 0 {
			continue
		}
		seconds, ids := l.inForce(x.second[l.partition])
		shortest = min(shortest, seconds)
		total += ids
	}
	return time.Duration(shortest) * time.Second, total
}

// Stats is what an index holds.
type Stats struct {
	IDs    int64 // identities in runs and tables, those that can never count again among them
	Runs   int
	Memory int64 // bytes of tables, filters, firsts and lanes
}

// Stats returns what the index holds, as of the last batch that was committed.
func (x *Index) Stats() Stats {
	lanes := 0
	x.mu.Lock()
	s := x.held
	for _, one := range x.byID {
		if one == nil {
			continue
		}
		s.Memory += int64(len(one.lanes)) * 8
		for _, l := range one.lanes {
			if l != nil {
				lanes++
				s.Memory += int64(cap(l.marks)) * 16
			}
		}
	}
	x.mu.Unlock()
	s.Memory += int64(lanes) * laneSize
	x.shelf.RLock()
	defer x.shelf.RUnlock()
	if x.frozen != nil {
		s.IDs += int64(x.frozen.n)
		s.Memory += x.frozen.memory()
	}
	s.Runs = len(x.runs)
	for _, r := range x.runs {
		s.IDs += r.ids
	}
	for _, shelf := range x.shelves {
		for _, one := range shelf {
			s.Memory += one.memory()
		}
	}
	return s
}
