package storetest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"penstock"
)

// check compares positions, safe positions and rows with what the store must hold.
func (s *suite) check() {
	s.Helper()
	s.checkPositions()
	s.checkRows()
}

func (s *suite) checkPositions() {
	s.Helper()
	for _, p := range s.held {
		if at := s.position(p); at != s.at[p] {
			s.Fatalf("Position of %d is %v, want %v", p, at, s.at[p])
		}
	}
	safe, err := s.store.Safe(s.ctx)
	if err != nil {
		s.Fatalf("Safe: %v", err)
	}
	if !slices.Equal(safe.Partitions(), s.held) {
		s.Fatalf("Safe names %v, the store holds %v", safe.Partitions(), s.held)
	}
	for p, at := range safe {
		if s.at[p].Less(at) {
			s.Fatalf("Safe of %d is %v, past Position %v: the log may drop what is not stored", p, at, s.at[p])
		}
		if at.Less(s.safe[p]) {
			s.Fatalf("Safe of %d went back from %v to %v: the log may have dropped what lies between", p, s.safe[p], at)
		}
	}
	s.safe = safe
}

func (s *suite) checkRows() {
	s.Helper()
	if rows := s.rows(); !s.same(rows) {
		s.Fatal(compare(rows, slices.Collect(maps.Values(s.want))))
	}
}

// same reports whether the rows are those that the store must hold: much faster than compare, which finds out why not.
func (s *suite) same(rows []Row) bool {
	seen := make(map[place]struct{}, len(rows))
	for _, r := range rows {
		at := place{r.Partition, r.Position}
		if want, ok := s.want[at]; !ok || want != r {
			return false
		}
		seen[at] = struct{}{}
	}
	return len(seen) == len(rows) && len(rows) == len(s.want)
}

func (s *suite) rows() []Row {
	s.Helper()
	return s.Backend.Rows(s.T, s.store)
}

// compare returns "" if both hold the same rows, or the first difference in order of partition and position.
func compare(got, want []Row) string {
	order := func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Position.Epoch, b.Position.Epoch),
			cmp.Compare(a.Position.Offset, b.Position.Offset))
	}
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	for i, w := range want {
		switch {
		case i == len(got):
			return fmt.Sprintf("%d rows, want %d: the last are missing, from %s on", len(got), len(want), w)
		case got[i] == w:
		case i > 0 && order(got[i], want[i-1]) == 0:
			return fmt.Sprintf("%d rows, want %d: %s is there twice", len(got), len(want), got[i])
		default:
			return fmt.Sprintf("%d rows, want %d: the first that differs is\n%s, want\n%s", len(got), len(want), got[i], w)
		}
	}
	if n := len(want); len(got) > n {
		return fmt.Sprintf("%d rows, want %d: too many, from %s on", len(got), n, got[n])
	}
	return ""
}

// String describes a row, cut where it is long.
func (r Row) String() string {
	const most = 200
	body := fmt.Sprintf("%q", r.Body)
	if len(body) > most {
		body = fmt.Sprintf("%s… (%d bytes)", body[:most], len(r.Body))
	}
	return fmt.Sprintf("%s partition %d position %v: id %q key %q time %d received %d body %s",
		r.Stream, r.Partition, r.Position, r.ID, r.Key, r.Time, r.ReceivedAt, body)
}

// below returns the rows that lie below the positions.
func (s *suite) below(rows []Row, at penstock.Positions) []Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return !r.Position.Less(at[r.Partition]) })
}
