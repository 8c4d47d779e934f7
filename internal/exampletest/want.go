package exampletest

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Want judges a value of an answer: nil, or what is wrong with it.
type Want func(got json.RawMessage) error

// exactly wants a value whose JSON is this.
func exactly(text string) Want {
	return func(got json.RawMessage) error {
		if string(got) != text {
			return fmt.Errorf("%s instead of %s", got, text)
		}
		return nil
	}
}

// Null wants NULL.
func Null() Want { return exactly("null") }

// Whole wants this integer.
func Whole[N int | int64](n N) Want { return exactly(strconv.FormatInt(int64(n), 10)) }

// Text wants this text.
func Text(s string) Want {
	return func(got json.RawMessage) error {
		var have *string
		if err := json.Unmarshal(got, &have); err != nil || have == nil || *have != s {
			return fmt.Errorf("%s instead of %q", got, s)
		}
		return nil
	}
}

// Time wants this moment, to the microsecond.
func Time(t time.Time) Want { return exactly(t.UTC().Format(`"2006-01-02T15:04:05.999999Z07:00"`)) }

// Fixed wants a decimal with this many digits behind the point, of so many of its last unit.
func Fixed(units int64, digits int) Want { return exactly(FixedText(units, digits)) }

// FixedText returns a decimal as text.
func FixedText(units int64, digits int) string {
	sign := ""
	if units < 0 {
		sign, units = "-", -units
	}
	text := fmt.Sprintf("%0*d", digits+1, units)
	return sign + text[:len(text)-digits] + "." + text[len(text)-digits:]
}

// Same wants this double, to the last bit.
func Same(v float64) Want { return Near(v, 0) }

// Near wants a double that differs from v by no more than a share of it.
func Near(v, share float64) Want {
	return func(got json.RawMessage) error {
		have, err := strconv.ParseFloat(string(got), 64)
		if err != nil || !(math.Abs(have-v) <= share*math.Abs(v)) {
			return fmt.Errorf("%s instead of %v (%g of it)", got, v, share)
		}
		return nil
	}
}

// Rounded wants a sum of doubles, or an average: added in another order it differs in its last digits.
func Rounded(v float64) Want { return Near(v, 1e-9) }

// The errors that docs/views.md states for estimates.
const (
	exactUniques  = 3072
	uniqueError   = 0.0081 // standard error
	quantileError = 0.01
	topLeast      = 1000 // counters
	topFactor     = 20   // counters for each value that is asked for
)

// Unique wants a count of n different values. Up to 3,072 it is to be exact, which it nearly always is, and always for the same values; beyond that
// within four standard errors.
func Unique(n int) Want {
	if n <= exactUniques {
		return Whole(n)
	}
	return Near(float64(n), 4*uniqueError)
}

// Quantile wants the least of the values that has the share q of all at or below it, within 1 %.
func Quantile(values []float64, q float64) Want {
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(q * float64(len(sorted)) * (1 - 1e-15)))
	return AboutQuantile(sorted[max(rank, 1)-1])
}

// AboutQuantile wants a number within 1 % of the quantile v.
func AboutQuantile(v float64) Want { return Near(v, quantileError+1e-12) }

// Top wants the k most frequent values. While there are no more different ones than counters all is exact. Beyond that a count may be too low, by
// a part of all that was counted, and a value may be missing if it is less frequent than the last one, or by no more than that above it.
func Top(values []string, k int) Want {
	counts := map[string]int64{}
	for _, v := range values {
		counts[v]++
	}
	most := sortedCounts(counts)
	return func(got json.RawMessage) error {
		var have []struct {
			Value string
			Count int64
		}
		if err := json.Unmarshal(got, &have); err != nil || len(have) != min(k, len(counts)) {
			return fmt.Errorf("%.200s has not %d values: %v", got, min(k, len(counts)), err)
		}
		missing, slack := map[string]int64{}, int64(0)
		for v, n := range counts {
			missing[v] = n
		}
		if counters := max(topLeast, topFactor*k); len(counts) > counters {
			slack = int64(len(values) / counters)
		}
		for i, h := range have {
			n, ok := missing[h.Value]
			delete(missing, h.Value) // so that it is refused a second time
			if !ok || h.Count > n || h.Count < n-slack || i > 0 && h.Count > have[i-1].Count {
				return fmt.Errorf("%q counted %d times, place %d: it is there %d times; most are %s", h.Value, h.Count, i+1, n, most)
			}
		}
		for v, n := range missing {
			if n > have[len(have)-1].Count+slack {
				return fmt.Errorf("%q is missing, which is there %d times; most are %s", v, n, most)
			}
		}
		return nil
	}
}

// sortedCounts returns the first few counts as text, the most first.
func sortedCounts(counts map[string]int64) string {
	var all []int64
	for _, n := range counts {
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b int64) int { return int(b - a) })
	return strings.Trim(fmt.Sprint(all[:min(5, len(all))]), "[]")
}
