package memory

import (
	"context"
	"maps"
	"slices"

	"penstock"
)

// letter is a record that is no row, or was none at first.
type letter struct {
	record penstock.Record
	reason penstock.LetterReason // of a parked one: of its condemnation, if it was condemned
	detail string
	state  penstock.LetterState
	since  penstock.Micros
}

// thread is the events of one key, which have an order.
type thread struct {
	tenant, stream, key string
	partition           penstock.Partition
}

func threadOf(r *penstock.Record) thread {
	return thread{r.Tenant, r.Stream, string(r.Key), r.Partition}
}

func placeOf(r *penstock.Record) penstock.Place {
	return penstock.Place{Partition: r.Partition, Position: r.Position}
}

// bury makes a letter of a record: the fifth step.
func (s *Store) bury(l *lane, r *penstock.Record, reason penstock.LetterReason, detail string) {
	s.count(l, penstock.FateDead, r.Sum)
	s.put(placeOf(r), letter{*r, reason, detail, penstock.LetterOpen, r.LogTime})
}

// park makes a record wait. It is not looked at before its turn comes.
func (s *Store) park(l *lane, r *penstock.Record, c penstock.Condemned) error {
	if s.parked >= s.maxParked {
		err := penstock.Errorf(penstock.Full, "count letters", "%d are parked: replay or drop those that they wait for", s.parked)
		return &penstock.Error{Code: penstock.Full, Op: "park record", Err: err, Reason: "letters_full"}
	}
	s.count(l, penstock.FateParked, r.Sum)
	s.put(placeOf(r), letter{*r, c.Reason, c.Detail, penstock.LetterParked, r.LogTime})
	return nil
}

// put adds or replaces a letter, and keeps count of those that are parked and of those that keys wait for.
func (s *Store) put(at penstock.Place, l letter) {
	old, known := s.letters[at]
	s.did(func() {
		if s.letters[at] = old; !known {
			delete(s.letters, at)
		}
	})
	s.letters[at] = l
	s.wait(at, old, l)
}

// wait notes that a letter changed its state.
func (s *Store) wait(at penstock.Place, from, to letter) {
	parked, t := s.parked, threadOf(&to.record)
	places := s.waiting[t]
	s.did(func() { s.parked, s.waiting[t] = parked, places })
	if from.state == penstock.LetterParked {
		s.parked--
	}
	if to.state == penstock.LetterParked {
		s.parked++
	}
	if t.key == "" {
		return
	}
	changed := slices.DeleteFunc(slices.Clone(places), func(p penstock.Place) bool { return p == at })
	if to.state == penstock.LetterOpen || to.state == penstock.LetterParked {
		changed = append(changed, at)
		slices.SortFunc(changed, comparePlaces)
	}
	if s.waiting[t] = changed; len(changed) == 0 {
		delete(s.waiting, t)
	}
}

func comparePlaces(a, b penstock.Place) int {
	switch {
	case a.Less(b):
		return -1
	case b.Less(a):
		return 1
	}
	return 0
}

// release makes rows of a key's parked letters, in order, up to the first that is open. One that cannot be a row is open from
// then on, and those behind it stay parked. They were tried at the log time now; 0: a time that no log knows.
func (s *Store) release(t thread, now penstock.Micros) {
	for _, at := range slices.Clone(s.waiting[t]) {
		l := s.letters[at]
		if l.state == penstock.LetterOpen {
			return
		}
		l.since = max(l.since, now)
		reason, detail := s.flaw(&l.record, penstock.Condemned{Reason: l.reason, Detail: l.detail})
		if reason != "" {
			l.state, l.reason, l.detail = penstock.LetterOpen, reason, detail
			s.put(at, l)
			s.move(&l.record, penstock.FateParked, penstock.FateDead)
			return
		}
		l.state = penstock.LetterReplayed
		s.put(at, l)
		s.row(&l.record)
		s.move(&l.record, penstock.FateParked, penstock.FateStored)
	}
}

// Letters returns letters, as penstock.DeadLetters says.
func (s *Store) Letters(ctx context.Context, q penstock.LetterQuery) ([]penstock.Letter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(ctx, "list letters"); err != nil {
		return nil, err
	}
	var found []penstock.Letter
	for _, at := range slices.SortedFunc(maps.Keys(s.letters), comparePlaces) {
		if len(found) >= q.Limit {
			break
		}
		if l := s.letters[at].shown(); asksFor(q, at, l) {
			found = append(found, l)
		}
	}
	return found, nil
}

func asksFor(q penstock.LetterQuery, at penstock.Place, l penstock.Letter) bool {
	return q.After.Less(at) &&
		(q.Stream == "" || q.Stream == l.Stream) &&
		(q.ID == "" || q.ID == l.ID) &&
		(q.Reason == "" || q.Reason == l.Reason) &&
		(q.State == "" || q.State == l.State)
}

func (l letter) shown() penstock.Letter {
	r := l.record
	row := penstock.Row{
		ID: string(r.ID), Key: string(r.Key), Time: r.Time, ReceivedAt: r.ReceivedAt, Body: penstock.Raw(r.Body),
		Partition: r.Partition, Position: r.Position,
	}
	return penstock.Letter{
		Stream: r.Stream, Row: row, Reason: l.reason, Detail: l.detail, State: l.state, Since: l.since,
		Flags: r.Flags, Sum: r.Sum, LogTime: r.LogTime,
	}
}

// Drop gives letters up, as penstock.DeadLetters says.
func (s *Store) Drop(ctx context.Context, places []penstock.Place) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(ctx, "drop letters"); err != nil {
		return 0, err
	}
	n := 0
	halted := map[thread]bool{}
	for _, at := range places {
		l, ok := s.letters[at]
		if !ok || l.state != penstock.LetterOpen {
			continue
		}
		n++
		l.state = penstock.LetterDropped
		s.put(at, l)
		s.move(&l.record, penstock.FateDead, penstock.FateDropped)
		halted[threadOf(&l.record)] = true
	}
	for t := range halted {
		s.release(t, 0)
	}
	s.undo = nil // nothing can fail any more
	return n, nil
}
