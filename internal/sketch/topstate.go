package sketch

import (
	"cmp"
	"math"
	"slices"
)

// topState reads the counters of a Top's state, in the order of their keys.
type topState struct {
	r        reader
	capacity int
	floor    uint64
	left     uint64 // counters that are to come

	room            [MaxTopKey]byte
	key             []byte // of the counter that was read last, until the next is
	counted, unsure uint64
}

// openTop returns a state that is whole.
func openTop(state []byte) (*topState, error) {
	body, err := open(state, KindTop)
	if err != nil {
		return nil, err
	}
	s := &topState{r: reader{b: body}}
	s.capacity = int(s.r.number(maxCapacity))
	s.floor, s.left = s.r.number(math.MaxUint64), s.r.number(uint64(s.capacity))
	if s.r.bad || s.capacity == 0 || s.floor > 0 && s.left != uint64(s.capacity) {
		return nil, corrupt("a top of %d counters has %d, with floor %d", s.capacity, s.left, s.floor)
	}
	again := *s
	for s.next() {
	}
	if s.r.bad || len(s.r.b) != 0 {
		return nil, corrupt("the counters of a top are not whole")
	}
	*s = again
	return s, nil
}

// next reads a counter. A key has what it shares with the one before, as a number, and the rest, which is higher.
func (s *topState) next() bool {
	if s.left == 0 {
		return false
	}
	s.left--
	first := s.key == nil
	shared := s.r.number(uint64(len(s.key)))
	rest := s.r.bytes(s.r.number(MaxTopKey - shared))
	higher := first || len(rest) > 0 && (shared == uint64(len(s.key)) || rest[0] > s.key[shared])
	s.key = append(s.room[:shared], rest...)
	s.counted = s.r.number(math.MaxUint64-1) + 1
	s.unsure = 0
	if s.floor > 0 {
		s.unsure = s.r.number(s.floor)
	}
	if !higher || plus(s.counted, s.unsure) < s.floor {
		s.r.bad = true
	}
	return !s.r.bad
}

// TopItems returns what Items of a Top of that state would, and makes no other keys than these.
func TopItems(state []byte, k int) ([]Item, error) {
	s, err := openTop(state)
	if err != nil {
		return nil, err
	}
	type place struct {
		Item
		from, to int // of its key
	}
	all, keys := make([]place, 0, s.left), make([]byte, 0, 2*len(state))
	for s.next() {
		from := len(keys)
		keys = append(keys, s.key...)
		all = append(all, place{Item{Count: s.counted, Error: s.unsure}, from, len(keys)})
	}
	slices.SortStableFunc(all, func(a, b place) int { return cmp.Compare(b.Count, a.Count) }) // they came in the order of their keys
	items := make([]Item, max(0, min(k, len(all))))
	for i := range items {
		items[i] = all[i].Item
		items[i].Key = string(keys[all[i].from:all[i].to])
	}
	return items, nil
}
