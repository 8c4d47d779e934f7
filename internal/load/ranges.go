package load

import "sort"

// Range is the sequences From to To-1.
type Range struct{ From, To int64 }

// Ranges is an ascending list of ranges that do not touch.
type Ranges []Range

// Add returns rs with the sequences from to to-1, which lie past all that it holds.
func (rs Ranges) Add(from, to int64) Ranges {
	if from >= to {
		return rs
	}
	if n := len(rs); n > 0 && rs[n-1].To == from {
		rs[n-1].To = to
		return rs
	}
	return append(rs, Range{from, to})
}

// Len returns how many sequences rs holds.
func (rs Ranges) Len() int64 {
	var n int64
	for _, r := range rs {
		n += r.To - r.From
	}
	return n
}

// Missing returns the sequences of rs that have lacks.
func (rs Ranges) Missing(have Ranges) Ranges {
	var missing Ranges
	for _, r := range rs {
		at := r.From
		i := sort.Search(len(have), func(i int) bool { return have[i].To > r.From })
		for ; i < len(have) && have[i].From < r.To; i++ {
			missing = missing.Add(at, have[i].From)
			at = have[i].To
		}
		missing = missing.Add(at, r.To)
	}
	return missing
}
