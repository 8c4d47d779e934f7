package sketch

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf8"
)

// The limits of a Top.
const (
	MaxTop    = 1000 // most keys that are asked for
	MaxTopKey = 256  // bytes of a key that count
)

// Top says which keys have the most weight: Space-Saving (Metwally, Agrawal, El Abbadi 2005) in the form that can be merged (Agarwal et al.,
// Mergeable Summaries, 2012). It has a number of counters, capacity. While the keys are no more than that it is exact. Then those with the
// least are dropped, and a key that has none may have had as much as what was dropped at most, floor. A counter says what was
// counted since its key has it, and how much more there may have been: at most the floor of that moment.
//
// However states were merged, floor is at most the weight of all divided by capacity + 1: each time that it rises by some amount, capacity + 1
// counters rose above it by that much before.
type Top struct {
	capacity int
	floor    uint64
	counters []counter
	places   map[string]int // of keys among the counters; nil while these are few
}

type counter struct {
	key             string
	counted, unsure uint64
}

// most is how much weight the key can have had.
func (a *counter) most() uint64 { return plus(a.counted, a.unsure) }

// An Item is a key of the result. Its weight is at least Count and at most Count + Error.
type Item struct {
	Key          string
	Count, Error uint64
}

// NewTop returns a Top for the first k keys, of at most MaxTop: it has 20 counters for each, at least 1,000. The zero value is one too: it takes the capacity of the first state
// that is merged, or that for few keys if something is added before.
func NewTop(k int) *Top { return &Top{capacity: capacityFor(k)} }

// So many counters find the first 100 of a Zipf distribution that was cut and merged in whatever way; half of them missed three
// (docs/format/sketch.md has the figures).
const (
	minCapacity = 1000
	maxCapacity = 20 * MaxTop
)

func capacityFor(k int) int { return max(minCapacity, 20*min(k, MaxTop)) }

// Add adds weight to a key. Keys that do not differ in their first MaxTopKey bytes are one key, that of these bytes; if they
// are UTF-8, of the whole characters among these.
func (t *Top) Add(key []byte, weight uint64) {
	if weight == 0 {
		return
	}
	if t.capacity == 0 {
		t.capacity = minCapacity
	}
	if c := t.find(whole(key)); c != nil {
		c.counted = plus(c.counted, weight)
		return
	}
	t.insert(counter{string(whole(key)), weight, t.floor})
	t.shrink(2 * t.capacity)
}

// whole cuts a key that is too long.
func whole(key []byte) []byte {
	if len(key) <= MaxTopKey {
		return key
	}
	end := MaxTopKey
	for end > MaxTopKey-utf8.UTFMax && !utf8.RuneStart(key[end]) {
		end--
	}
	if !utf8.RuneStart(key[end]) {
		end = MaxTopKey
	}
	return key[:end]
}

const fewCounters = 8 // so many are looked through faster than a map finds one

func (t *Top) find(key []byte) *counter {
	if t.places != nil {
		if at, ok := t.places[string(key)]; ok {
			return &t.counters[at]
		}
		return nil
	}
	for i := range t.counters {
		if t.counters[i].key == string(key) {
			return &t.counters[i]
		}
	}
	return nil
}

func (t *Top) insert(c counter) {
	t.counters = append(t.counters, c)
	if t.places != nil {
		t.places[c.key] = len(t.counters) - 1
	} else if len(t.counters) > fewCounters {
		t.index()
	}
}

func (t *Top) index() {
	if t.places == nil {
		t.places = make(map[string]int, 2*len(t.counters))
	}
	clear(t.places)
	for i, c := range t.counters {
		t.places[c.key] = i
	}
}

// shrink drops the least if there are more counters than limit, so that capacity are left.
func (t *Top) shrink(limit int) {
	if len(t.counters) <= limit {
		return
	}
	part(t.counters, t.capacity)
	t.floor = max(t.floor, t.counters[t.capacity].most())
	clear(t.counters[t.capacity:])
	t.counters = t.counters[:t.capacity]
	t.index()
}

// stays reports whether a stays rather than b.
func (a *counter) stays(b *counter) bool {
	if x, y := a.most(), b.most(); x != y {
		return x > y
	}
	if a.counted != b.counted {
		return a.counted > b.counted
	}
	return a.key < b.key
}

// part reorders the counters: first the n that stay, then the first that does not, then the others (FIND, C. A. R. Hoare 1961).
func part(counters []counter, n int) {
	for low, high := 0, len(counters)-1; low < high; {
		pivot := counters[low+(high-low)/2]
		i, j := low, high
		for i <= j {
			for counters[i].stays(&pivot) {
				i++
			}
			for pivot.stays(&counters[j]) {
				j--
			}
			if i <= j {
				counters[i], counters[j] = counters[j], counters[i]
				i, j = i+1, j-1
			}
		}
		if j < n {
			low = i
		}
		if n < i {
			high = j
		}
	}
}

// Merge adds the weights of another Top's state. It fails with Corrupt as well if that has another capacity: they were made for
// different numbers of keys.
func (t *Top) Merge(state []byte) error {
	s, err := openTop(state)
	switch {
	case err != nil:
		return err
	case t.capacity == 0:
		t.capacity = s.capacity
	case t.capacity != s.capacity:
		return corrupt("%d counters are merged with %d", s.capacity, t.capacity)
	}
	if s.floor > 0 {
		for i := range t.counters { // of all that the state does not have
			t.counters[i].unsure = plus(t.counters[i].unsure, s.floor)
		}
	}
	for s.next() {
		if c := t.find(s.key); c != nil {
			c.counted, c.unsure = plus(c.counted, s.counted), plus(c.unsure-s.floor, s.unsure)
		} else {
			t.insert(counter{string(s.key), s.counted, plus(s.unsure, t.floor)})
		}
	}
	t.floor = plus(t.floor, s.floor)
	t.shrink(2 * t.capacity)
	return nil
}

// Items returns the k keys with the highest counts, the highest first; of equal ones in the order of the keys.
func (t *Top) Items(k int) []Item {
	items := make([]Item, len(t.counters))
	for i, c := range t.counters {
		items[i] = Item{c.key, c.counted, c.unsure}
	}
	slices.SortFunc(items, func(a, b Item) int {
		if a.Count != b.Count {
			return cmp.Compare(b.Count, a.Count)
		}
		return strings.Compare(a.Key, b.Key)
	})
	return slices.Clip(items[:max(0, min(k, len(items)))])
}

// Missing returns how much weight a key can have had that has no counter: none, as long as nothing was dropped.
func (t *Top) Missing() uint64 { return t.floor }

// AppendTo appends the state to dst and returns the longer slice. It drops what is beyond the capacity.
func (t *Top) AppendTo(dst []byte) []byte {
	if t.capacity == 0 {
		t.capacity = minCapacity
	}
	t.shrink(t.capacity)
	slices.SortFunc(t.counters, func(a, b counter) int { return strings.Compare(a.key, b.key) })
	if t.places != nil {
		t.index()
	}
	start := len(dst)
	dst = append(dst, byte(KindTop))
	for _, n := range []uint64{uint64(t.capacity), t.floor, uint64(len(t.counters))} {
		dst = binary.AppendUvarint(dst, n)
	}
	before := ""
	for _, c := range t.counters {
		shared := 0
		for shared < min(len(before), len(c.key)) && before[shared] == c.key[shared] {
			shared++
		}
		dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(shared)), uint64(len(c.key)-shared))
		dst = binary.AppendUvarint(append(dst, c.key[shared:]...), c.counted-1)
		if t.floor > 0 {
			dst = binary.AppendUvarint(dst, c.unsure)
		}
		before = c.key
	}
	return seal(dst, start)
}
