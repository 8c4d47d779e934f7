package check

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"penstock"
)

// The errors that docs/format/sketch.md states.
const (
	uniqueExact   = 3072  // so many values are counted one by one,
	uniqueMissed  = 3     // of which so many may be taken for others: that one is happens once in some hundred counts,
	uniqueFew     = 50    // and hardly ever among so few
	uniqueError   = 0.05  // beyond: six standard errors of 0.81 %
	quantileError = 0.01  // of the number
	rounding      = 1e-9  // of sums of doubles
	topCounters   = 20    // for each value that is asked for,
	topLeast      = 1_000 // and at least so many
)

// figure is what a measure says of a group. NULL is never added.
type figure struct {
	n       int64
	sum     big.Rat
	double  float64
	best    value // of min, max, latest and first
	when    turn
	often   map[string]int64 // each value
	numbers []float64
}

func (f *figure) add(m penstock.Measure, v value, at turn) {
	f.n++
	switch m.Kind {
	case penstock.MeasureSum, penstock.MeasureAvg:
		if m.Of.Type == penstock.Double {
			f.double += v.double
		} else {
			f.sum.Add(&f.sum, v.exact)
		}
	case penstock.MeasureMin, penstock.MeasureMax:
		c := v.compare(f.best)
		if f.n == 1 || m.Kind == penstock.MeasureMin && c < 0 || m.Kind == penstock.MeasureMax && c > 0 {
			f.best = v
		}
	case penstock.MeasureLatest, penstock.MeasureFirst:
		if f.n == 1 || f.when.less(at) == (m.Kind == penstock.MeasureLatest) {
			f.best, f.when = v, at
		}
	case penstock.MeasureUnique, penstock.MeasureTop:
		if f.often == nil {
			f.often = map[string]int64{}
		}
		f.often[v.text]++
	case penstock.MeasureQuantile:
		f.numbers = append(f.numbers, v.double)
	}
}

// compare orders two values of a type.
func (v value) compare(with value) int {
	if v.exact != nil && with.exact != nil {
		return v.exact.Cmp(with.exact)
	}
	return strings.Compare(v.text, with.text)
}

// says compares what an answer has for a measure with what it should have. It returns what is wrong, "" if nothing is, and whether
// that is an estimate.
func (f *figure) says(m penstock.Measure, rows int64, said json.RawMessage) (wrong string, estimate bool) {
	if m.Kind == penstock.MeasureCount {
		return exactly(said, new(big.Rat).SetInt64(rows)), false
	}
	switch {
	case m.Kind == penstock.MeasureUnique:
		return f.unique(said), true
	case m.Kind == penstock.MeasureTop:
		return f.top(m, said), true
	case f.n == 0:
		if string(said) != "null" {
			return fmt.Sprintf("%s, and nothing was measured", said), false
		}
		return "", false
	case m.Kind == penstock.MeasureQuantile:
		return f.quantile(m, said), true
	case m.Kind == penstock.MeasureSum && m.Of.Type == penstock.Double:
		return about(said, f.double, f.double, rounding), false
	case m.Kind == penstock.MeasureSum:
		return exactly(said, &f.sum), false
	case m.Kind == penstock.MeasureAvg:
		mean := f.double
		if m.Of.Type != penstock.Double {
			mean, _ = f.sum.Float64()
		}
		mean /= float64(f.n)
		return about(said, mean, mean, rounding), false
	case f.best.exact != nil:
		return exactly(said, f.best.exact), false
	}
	var text string
	if err := json.Unmarshal(said, &text); err != nil || text != f.best.text {
		return fmt.Sprintf("%s, want %q", said, f.best.text), false
	}
	return "", false
}

// exactly compares a number with what it should be.
func exactly(said json.RawMessage, want *big.Rat) string {
	got, ok := new(big.Rat).SetString(string(said))
	if ok && got.Cmp(want) == 0 {
		return ""
	}
	return fmt.Sprintf("%s, want %s", said, strings.TrimSuffix(want.RatString(), "/1"))
}

// about wants a number between two, give or take a share of them.
func about(said json.RawMessage, low, high, off float64) string {
	var got float64
	err := json.Unmarshal(said, &got)
	if low -= math.Abs(low)*off + 1e-300; err == nil && string(said) != "null" && got >= low && got <= high+math.Abs(high)*off+1e-300 {
		return ""
	}
	return fmt.Sprintf("%s, want %v within %v", said, high, off)
}

func (f *figure) unique(said json.RawMessage) string {
	n := float64(len(f.often))
	var got float64
	err := json.Unmarshal(said, &got)
	low, high := n, n
	switch {
	case n > uniqueExact:
		low, high = n*(1-uniqueError), n*(1+uniqueError)
	case n > uniqueFew:
		low -= uniqueMissed
	}
	if err == nil && string(said) != "null" && got >= low && got <= high {
		return ""
	}
	return fmt.Sprintf("%s, and there are %d", said, len(f.often))
}

// quantile wants the least number that has the share q of all at or below it.
func (f *figure) quantile(m penstock.Measure, said json.RawMessage) string {
	if !slices.IsSorted(f.numbers) {
		slices.Sort(f.numbers)
	}
	n := len(f.numbers)
	rank := int(math.Ceil(m.Q*float64(n) - 1e-6)) // a share such as 0.55 is a little more in binary, and is not meant to be
	want := f.numbers[min(max(rank, 1), n)-1]
	return about(said, want, want, quantileError+rounding)
}

// top wants the most frequent values: their counts are exact while there are no more values than counters, and beyond that too low by
// one part in so many at most.
func (f *figure) top(m penstock.Measure, said json.RawMessage) string {
	var items []struct {
		Value string
		Count int64
	}
	if err := json.Unmarshal(said, &items); err != nil {
		return fmt.Sprintf("%s, which is no top", said)
	}
	counters := max(topCounters*m.K, topLeast)
	off := int64(0)
	if len(f.often) > counters {
		off = f.n / int64(counters)
	}
	shown := map[string]bool{}
	least := int64(math.MaxInt64)
	for _, item := range items {
		is, known := f.often[item.Value]
		switch {
		case !known, shown[item.Value]:
			return fmt.Sprintf("%q, which never was, or twice", item.Value)
		case item.Count > is || item.Count < is-off:
			return fmt.Sprintf("%d of %q, want %d, at most %d less", item.Count, item.Value, is, off)
		case item.Count > least:
			return fmt.Sprintf("%q behind what there is less of", item.Value)
		}
		shown[item.Value], least = true, item.Count
	}
	if len(items) < min(m.K, len(f.often)) && off == 0 || len(items) > m.K {
		return fmt.Sprintf("%d values of %d", len(items), len(f.often))
	}
	for one, n := range f.often {
		if !shown[one] && len(items) > 0 && n > least+off {
			return fmt.Sprintf("%q is missing, of which there are %d, and it has others with %d", one, n, least)
		}
	}
	return ""
}
