package check

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"penstock"
	"penstock/internal/sketch"
)

// sketched counts values both ways.
type sketched struct {
	figure
	measure penstock.Measure
}

func newSketched(kind penstock.MeasureKind) *sketched {
	m := penstock.Measure{Kind: kind, Q: 0.95, K: 50, Of: penstock.Field{Column: penstock.Column{Type: penstock.Bigint}}}
	return &sketched{measure: m}
}

// sometimes is ten times as many where time does not matter.
func sometimes(n int) int {
	if testing.Short() {
		return n
	}
	return 10 * n
}

// take adds a number, and returns its text.
func (s *sketched) take(n int64) []byte {
	text := fmt.Appendf(nil, "%d", n)
	s.add(s.measure, numberOf(text, penstock.Column{Type: penstock.Bigint}), turn{})
	return text
}

// judge wants an answer to pass, or not.
func (s *sketched) judge(t *testing.T, said any, passes bool) {
	t.Helper()
	text, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	if wrong, estimate := s.says(s.measure, s.n, text); (wrong == "") != passes || !estimate {
		t.Errorf("%s of %d values passes: %t; %.200s of %.200s", s.measure.Kind, s.n, !passes, wrong, text)
	}
}

// TestEstimatesPassWithinTheirErrors gives the judge what sketches say, and what is a little worse.
func TestEstimatesPassWithinTheirErrors(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{1, 10, 1000, 3072, 4000, 10 * sometimes(1000)} {
		of, unique := newSketched(penstock.MeasureUnique), new(sketch.Unique)
		for range n {
			unique.Add(of.take(random.Int64N(1 << 50)))
		}
		of.judge(t, unique.Count(), true)
		off := 4.0
		if n > uniqueExact {
			off = 0.06 * float64(n)
		}
		of.judge(t, float64(n)+off, false)
		of.judge(t, math.Max(float64(n)-off, -1), false)
		of.judge(t, nil, false)
	}
	for _, n := range []int{1, 2, 19, 20, 21, 10_000} {
		of, quantile := newSketched(penstock.MeasureQuantile), new(sketch.Quantile)
		for range n {
			x := int64(math.Exp(random.NormFloat64()*4+8)) - 3000
			of.take(x)
			quantile.Add(float64(x))
		}
		at := quantile.At(of.measure.Q)
		of.judge(t, at, true)
		of.judge(t, at*1.021+1e-9, false)
		of.judge(t, at*0.979-1e-9, false)
	}
}

type topItem struct {
	Value string `json:"value"`
	Count uint64 `json:"count"`
}

// TestTopsPassWithinTheirErrors does so with tops, of fewer and of more values than there are counters.
func TestTopsPassWithinTheirErrors(t *testing.T) {
	for _, keys := range []int64{3, 900, 50_000} {
		random := rand.New(rand.NewPCG(2, uint64(keys)))
		of, top := newSketched(penstock.MeasureTop), sketch.NewTop(50)
		zipf := rand.NewZipf(random, 1.1, 1, uint64(keys-1))
		for range 10 * sometimes(1000) {
			top.Add(of.take(int64(zipf.Uint64())), 1)
		}
		var said []topItem
		for _, item := range top.Items(50) {
			said = append(said, topItem{item.Key, item.Count})
		}
		of.judge(t, said, true)
		of.judge(t, said[:len(said)-1], keys > topLeast) // fewer than there are; the estimate may know no more
		more := append([]topItem{{said[0].Value, said[0].Count + 1}}, said[1:]...)
		of.judge(t, more, false)
		of.judge(t, append([]topItem{said[0]}, said...)[:len(said)], false)
		of.judge(t, said[1:], false)
		less := append([]topItem{}, said...)
		less[len(less)-1].Count -= min(less[len(less)-1].Count, 101)
		of.judge(t, less, false)
	}
}

// TestRecountRefusesWhatItCannotCount names views.
func TestRecountRefusesWhatItCannotCount(t *testing.T) {
	field := func(of penstock.ColumnType) penstock.Field {
		return penstock.Field{Column: penstock.Column{Name: "x", Type: of, Path: "x"}}
	}
	for want, v := range map[string]penstock.View{
		"a group by double":     {Group: []penstock.Field{field(penstock.Double)}},
		"sum of text":           {Measures: []penstock.Measure{{Kind: penstock.MeasureSum, Of: field(penstock.Text)}}},
		"top of double":         {Measures: []penstock.Measure{{Kind: penstock.MeasureTop, Of: field(penstock.Double)}}},
		"latest of timestamp":   {Measures: []penstock.Measure{{Kind: penstock.MeasureLatest, Of: field(penstock.Timestamp)}}},
		"a measure median":      {Measures: []penstock.Measure{{Kind: "median", Of: field(penstock.Double)}}},
		`a condition "x is"`:    {Where: "x is"},
		`an operator "like"`:    {Where: "x like 'a'"},
		`a literal "y"`:         {Where: "x = y"},
		`a condition "x = 1 or`: {Where: "x = 1 or x = 2"},
	} {
		if _, err := NewRecount(v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
