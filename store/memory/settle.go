package memory

import "penstock"

// settle gives a record its fate: the steps of penstock.Store. It fails with Full, half way.
func (s *Store) settle(r *penstock.Record, c penstock.Condemned) error {
	if r.ReplayOf != (penstock.Position{}) {
		s.replay(r, c)
		return nil
	}
	l := s.lane(r)
	switch {
	case s.sentBefore(l, r), s.seenBefore(l, r):
		s.count(l, penstock.FateDuplicate, r.Sum)
	case s.waits(r):
		return s.park(l, r, c)
	default:
		if reason, detail := s.flaw(r, c); reason != "" {
			s.bury(l, r, reason, detail)
		} else {
			s.store(l, r)
		}
	}
	return nil
}

// replay is the first step. What it moves is the letter, which was counted when its own record came.
func (s *Store) replay(r *penstock.Record, c penstock.Condemned) {
	at := penstock.Place{Partition: r.Partition, Position: r.ReplayOf}
	old, ok := s.letters[at]
	if !ok || old.state != penstock.LetterOpen || old.record.Stream != r.Stream || old.record.Tenant != r.Tenant {
		return
	}
	l := old
	l.since = r.LogTime
	if l.reason, l.detail = s.flaw(r, c); l.reason != "" {
		s.put(at, l)
		return
	}
	l.state, l.reason, l.detail = penstock.LetterReplayed, old.reason, old.detail
	s.put(at, l)
	s.row(r)
	s.move(&l.record, penstock.FateDead, penstock.FateStored)
	s.release(threadOf(&l.record), r.LogTime)
}

// sent is the last record of a producer.
type sent struct {
	seq  uint64
	item int
}

// sentBefore is the second step.
func (s *Store) sentBefore(l *lane, r *penstock.Record) bool {
	name := r.Producer.Name
	if name == "" {
		return false
	}
	last, known := l.producers[name]
	if known && (r.Producer.Seq < last.seq || r.Producer.Seq == last.seq && r.Item <= last.item) {
		return true
	}
	l.producers[name] = sent{r.Producer.Seq, r.Item}
	s.did(func() {
		if l.producers[name] = last; !known {
			delete(l.producers, name)
		}
	})
	return false
}

// occurrence is when an identity was seen for the first time.
type occurrence struct {
	second  int64 // of log time
	ordinal int64 // among those of its lane, from 1 on
}

// seenBefore is the third step.
func (s *Store) seenBefore(l *lane, r *penstock.Record) bool {
	dedup := s.stream(r.Stream).Dedup
	if !dedup.On() || r.Flags&penstock.ServerID != 0 {
		return false
	}
	id := s.partitioner.IdentityOf(r.Tenant, r.Stream, r.Key, r.ID)
	now := secondOf(r.LogTime)
	first, known := l.seen[id]
	if known && now-first.second <= int64(dedup.Window.Seconds()) && l.firsts-first.ordinal < dedup.Share(s.cluster.Partitions) {
		return true
	}
	l.firsts++
	l.seen[id] = occurrence{now, l.firsts}
	s.did(func() {
		l.firsts--
		if l.seen[id] = first; !known {
			delete(l.seen, id)
		}
	})
	return false
}

// secondOf returns the second in which a moment lies.
func secondOf(m penstock.Micros) int64 { return m.Time().Unix() }

// waits reports whether a record's key is halted: the fourth step.
func (s *Store) waits(r *penstock.Record) bool {
	return s.stream(r.Stream).HaltKey && len(r.Key) > 0 && len(s.waiting[threadOf(r)]) > 0
}

// store is the last step.
func (s *Store) store(l *lane, r *penstock.Record) {
	s.count(l, penstock.FateStored, r.Sum)
	s.row(r)
}

func (s *Store) row(r *penstock.Record) {
	n := len(s.rows)
	s.rows = append(s.rows, *r)
	s.did(func() { s.rows = s.rows[:n] })
}
