package fold

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"penstock"
	"penstock/internal/delta"
	"penstock/internal/sketch"
)

// everything returns measures of each kind of each field that it can be of.
func everything() []penstock.Measure {
	measures := []penstock.Measure{{Name: "rows", Kind: penstock.MeasureCount}}
	for _, kind := range []penstock.MeasureKind{
		penstock.MeasureSum, penstock.MeasureAvg, penstock.MeasureMin, penstock.MeasureMax, penstock.MeasureUnique, penstock.MeasureQuantile,
		penstock.MeasureTop, penstock.MeasureLatest, penstock.MeasureFirst,
	} {
		for _, name := range []string{"s", "n", "d", "p", "w", "v", "b", "t", "j", "id", "key", "time", "received_at", "x.l", "x.number"} {
			m := penstock.Measure{Name: fmt.Sprintf("%s of %s", kind, name), Kind: kind, Of: named(name), Q: 0.5, K: 3}
			if checkMeasure(&m) == nil {
				measures = append(measures, m)
			}
		}
	}
	return measures
}

// models are views with what their where says in Go.
func models() ([]penstock.View, []func(e *thing) bool) {
	fields := func(names ...string) (all []penstock.Field) {
		for _, name := range names {
			all = append(all, named(name))
		}
		return all
	}
	any := func(*thing) bool { return true }
	return []penstock.View{
			{Name: "all", Stream: "things", Measures: everything()},
			{Name: "by_text", Stream: "things", Group: fields("s", "key"), Window: time.Minute, Measures: everything()},
			{Name: "by_each", Stream: "things", Group: fields("s", "n", "d", "p", "w", "v", "b", "t", "j", "key", "x.l", "x.number"), Measures: everything()},
			{Name: "some", Stream: "things", Where: "n > 0 or b = true", Window: time.Hour, Measures: everything()},
			{Name: "others", Stream: "things", Where: "s in ('a', 'ab') and x.l is not null and key <> 'l'", Group: fields("b"), Measures: everything()},
		}, []func(*thing) bool{any, any, any,
			func(e *thing) bool {
				n, _ := e.is["n"].(int64)
				return n > 0 || e.is["b"] == true
			},
			func(e *thing) bool {
				return (e.is["s"] == "a" || e.is["s"] == "ab") && !strings.Contains(string(e.Body), `"l" : null`) && len(e.Key) > 0 && string(e.Key) != "l"
			},
		}
}

// place is a group of a view, in one partition and window.
type place struct {
	partition penstock.Partition
	window    penstock.Micros
	group     string
}

// merged is what a place has: its state, and when it changed last.
type merged struct {
	state   []any
	changed penstock.Micros
}

// recount computes a view from the events themselves.
func recount(v *penstock.View, counts func(*thing) bool, events []*thing) map[place]merged {
	rows := map[place][]*thing{}
	for _, e := range events {
		if !counts(e) {
			continue
		}
		at := place{partition: e.Partition}
		if v.Window > 0 {
			start := big.NewInt(int64(e.Time)) // Div is Euclidean: downward
			size := big.NewInt(v.Window.Microseconds())
			at.window = penstock.Micros(start.Mul(start.Div(start, size), size).Int64())
		}
		var group []any
		for _, g := range v.Group {
			group = append(group, e.is[g.Name])
		}
		at.group = written(group)
		rows[at] = append(rows[at], e)
	}
	all := map[place]merged{}
	for at, events := range rows {
		slices.SortFunc(events, func(a, b *thing) int {
			return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.ReceivedAt, b.ReceivedAt), cmp.Compare(a.Partition, b.Partition),
				cmp.Compare(a.Position.Epoch, b.Position.Epoch), cmp.Compare(a.Position.Offset, b.Position.Offset))
		})
		m := merged{}
		for _, e := range events {
			m.changed = max(m.changed, e.LogTime)
		}
		for i := range v.Measures {
			m.state = append(m.state, recountMeasure(&v.Measures[i], events)...)
		}
		all[at] = m
	}
	return all
}

// recountMeasure computes the state of a measure from events in their order.
func recountMeasure(m *penstock.Measure, events []*thing) []any {
	if m.Kind == penstock.MeasureCount {
		return []any{int64(len(events))}
	}
	var values []any
	var of []*thing
	for _, e := range events {
		if v := e.is[m.Of.Name]; v != nil {
			values, of = append(values, v), append(of, e)
		}
	}
	n := len(values)
	if n == 0 {
		switch m.Kind {
		case penstock.MeasureAvg:
			return []any{nil, int64(0)}
		case penstock.MeasureLatest, penstock.MeasureFirst:
			return []any{nil, nil}
		}
		return []any{nil}
	}
	switch m.Kind {
	case penstock.MeasureSum:
		return []any{total(m.Of.Type, values)}
	case penstock.MeasureAvg:
		return []any{total(m.Of.Type, values), int64(n)}
	case penstock.MeasureMin:
		return []any{slices.SortedFunc(slices.Values(values), compareValues)[0]}
	case penstock.MeasureMax:
		return []any{slices.SortedFunc(slices.Values(values), compareValues)[n-1]}
	case penstock.MeasureLatest:
		return []any{values[n-1], orderOf(of[n-1])}
	case penstock.MeasureFirst:
		return []any{values[0], orderOf(of[0])}
	}
	return []any{sketchOf(m, values)}
}

func compareValues(a, b any) int {
	switch a := a.(type) {
	case string:
		return bytes.Compare([]byte(a), []byte(b.(string)))
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		return cmp.Compare(a, b.(float64))
	}
	return a.(*big.Rat).Cmp(b.(*big.Rat))
}

func total(t penstock.ColumnType, values []any) any {
	sum := new(big.Rat)
	for _, v := range values {
		switch v := v.(type) {
		case int64:
			sum.Add(sum, new(big.Rat).SetInt64(v))
		case float64:
			sum.Add(sum, new(big.Rat).SetFloat64(v))
		case *big.Rat:
			sum.Add(sum, v)
		}
	}
	if t == penstock.Double {
		f, _ := sum.Float64()
		return f
	}
	return sum
}

// orderOf returns the bytes by which latest and first are chosen.
func orderOf(e *thing) string {
	var b bytes.Buffer
	_ = binary.Write(&b, binary.BigEndian, struct {
		Time, ReceivedAt uint64
		Partition        uint16
		Epoch            uint32
		Offset           uint64
	}{uint64(e.Time) + 1<<63, uint64(e.ReceivedAt) + 1<<63, uint16(e.Partition), uint32(e.Position.Epoch), uint64(e.Position.Offset)})
	return b.String()
}

// sketchOf makes the sketch of the values in one go, the values sorted.
func sketchOf(m *penstock.Measure, values []any) string {
	counts := map[string]uint64{}
	var unique sketch.Unique
	var quantile sketch.Quantile
	top := sketch.NewTop(m.K)
	for _, v := range values {
		if m.Kind == penstock.MeasureQuantile {
			quantile.Add(asFloat(v))
			continue
		}
		counts[spelled(m.Of, v)]++
	}
	for _, text := range sortedKeys(counts) {
		unique.Add([]byte(text))
		top.Add([]byte(text), counts[text])
	}
	switch m.Kind {
	case penstock.MeasureUnique:
		return string(unique.AppendTo(nil))
	case penstock.MeasureQuantile:
		return string(quantile.AppendTo(nil))
	}
	return string(top.AppendTo(nil))
}

func sortedKeys(m map[string]uint64) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func asFloat(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case *big.Rat:
		f, _ := v.Float64()
		return f
	}
	return v.(float64)
}

// spelled returns the text of a value for uniques and tops.
func spelled(f penstock.Field, v any) string {
	switch v := v.(type) {
	case int64:
		if f.Type == penstock.Timestamp {
			return time.UnixMicro(v).UTC().Format("2006-01-02T15:04:05.999999Z07:00")
		}
		return strconv.FormatInt(v, 10)
	case float64:
		b, _ := json.Marshal(v) // as JavaScript does it
		return string(b)
	case *big.Rat:
		return v.FloatString(f.Scale)
	case bool:
		return strconv.FormatBool(v)
	}
	return v.(string)
}

// mergeStates merges two states of a view, as Columns says.
func mergeStates(t interface{ Fatal(...any) }, columns []delta.Column, a, b []any) []any {
	places := map[string]int{}
	for i, c := range columns {
		places[c.Name] = i
	}
	var out []any
	for i, c := range columns {
		x, y := a[i], b[i]
		if x == nil || y == nil {
			if x == nil {
				x = y
			}
			out = append(out, x)
			continue
		}
		switch c.Merge {
		case delta.Sum:
			if n, ok := x.(int64); ok {
				x = n + y.(int64)
			} else {
				x = total(c.Type, []any{x, y})
			}
		case delta.Min, delta.First:
			at := i
			if c.Merge == delta.First {
				at = places[c.By]
			}
			if compareValues(b[at], a[at]) < 0 {
				x = y
			}
		case delta.Max, delta.Latest:
			at := i
			if c.Merge == delta.Latest {
				at = places[c.By]
			}
			if compareValues(b[at], a[at]) > 0 {
				x = y
			}
		case delta.Sketch:
			state, err := sketch.Merge(slices.Values([][]byte{[]byte(x.(string)), []byte(y.(string))}))
			if err != nil {
				t.Fatal(err)
			}
			x = string(state)
		default:
			t.Fatal("no such merge", c.Merge)
		}
		out = append(out, x)
	}
	return out
}

// collect merges the deltas of a batch into what there is.
func collect(t interface{ Fatal(...any) }, v *penstock.View, f *Fold, i int, into map[place]merged) {
	columns := delta.Columns(v)
	for d := range f.Deltas(i) {
		at := place{partition: d.Partition, window: d.Window}
		var group, state []any
		for j, c := range d.Group {
			group = append(group, valueOf(v.Group[j].Column, c))
		}
		if len(d.State) != len(columns) {
			t.Fatal(len(d.State), "cells of", len(columns), "columns")
		}
		for j, c := range d.State {
			state = append(state, valueOf(columns[j].Column, c))
		}
		at.group = written(group)
		if old, ok := into[at]; ok {
			into[at] = merged{mergeStates(t, columns, old.state, state), max(old.changed, d.Changed)}
		} else {
			into[at] = merged{state, d.Changed}
		}
	}
}

// differ fails if a view is not what a recount says.
func differ(t interface {
	Fatalf(string, ...any)
}, v *penstock.View, got, want map[place]merged) {
	if len(got) != len(want) {
		t.Fatalf("view %s has %d groups, want %d", v.Name, len(got), len(want))
	}
	columns := delta.Columns(v)
	for at, w := range want {
		g, ok := got[at]
		if !ok {
			t.Fatalf("view %s has no group %v", v.Name, at)
		}
		if g.changed != w.changed {
			t.Fatalf("view %s: %v changed at %d, want %d", v.Name, at, g.changed, w.changed)
		}
		for i := range columns {
			if x, y := written(g.state[i:i+1]), written(w.state[i:i+1]); x != y {
				t.Fatalf("view %s, %v, %s of %s: %s, want %s", v.Name, at, columns[i].Name, v.Measures[columns[i].Measure].Name, x, y)
			}
		}
	}
}

// TestRecount folds random events in a random order, in batches that are cut at random, and merges the deltas. A recount by other code
// must agree, so neither order nor cuts make a difference.
func TestRecount(t *testing.T) {
	views, counts := models()
	plan, err := Compile(things(), views)
	if err != nil {
		t.Fatal(err)
	}
	f := plan.Begin()
	rapid.Check(t, func(t *rapid.T) {
		f.Reset()
		events := make([]*thing, rapid.IntRange(0, 40).Draw(t, "events"))
		for i := range events {
			events[i] = drawThing(t, i)
		}
		got := make([]map[place]merged, len(views))
		for i := range got {
			got[i] = map[place]merged{}
		}
		order := rapid.Permutation(events).Draw(t, "order")
		for len(order) > 0 {
			n := rapid.IntRange(1, len(order)).Draw(t, "batch")
			for _, e := range order[:n] {
				f.Add(&e.Record)
			}
			for i := range views {
				collect(t, &views[i], f, i, got[i])
			}
			f.Reset()
			order = order[n:]
		}
		for i := range views {
			differ(t, &views[i], got[i], recount(&views[i], counts[i], events))
		}
	})
}
