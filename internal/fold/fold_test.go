package fold

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"penstock"
	"penstock/internal/delta"
	"penstock/internal/jsonscan"
	"penstock/internal/sketch"
)

func compile(t testing.TB, s penstock.Stream, views ...penstock.View) *Plan {
	t.Helper()
	plan, err := Compile(s, views)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// keyOf returns a delta's place as bytes that compare as the order of deltas is promised.
func keyOf(v *penstock.View, d *delta.Delta) []byte {
	key := appendKeyHead(nil, d.Partition, d.Window)
	for i := range d.Group {
		key = appendCell(key, shapeOf(v.Group[i].Type), &d.Group[i])
	}
	return key
}

// TestManyGroups folds records of many groups, in some batches: each group has one delta, in order, and batches leave nothing behind.
func TestManyGroups(t *testing.T) {
	v := penstock.View{Name: "v", Stream: "things", Group: []penstock.Field{named("key")}, Window: time.Minute, Measures: []penstock.Measure{
		{Name: "rows", Kind: penstock.MeasureCount}, {Name: "sum", Kind: penstock.MeasureSum, Of: named("n")},
	}}
	f := compile(t, things(), v).Begin()
	for batch, groups := range []int{20_000, 7, 1000, 0, 20_000} {
		for i := range 2 * groups {
			g := i % groups
			f.Add(&penstock.Record{
				Event:   penstock.Event{Key: fmt.Appendf(nil, "a long common beginning %d", g), Time: penstock.Micros(g%3) * 60e6, Body: fmt.Appendf(nil, `{"in":{"n":%d}}`, g)},
				LogTime: penstock.Micros(i + 1), Partition: penstock.Partition(g % 64),
			})
		}
		var last []byte
		n := 0
		for d := range f.Deltas(0) {
			key := keyOf(&v, d)
			if bytes.Compare(last, key) >= 0 {
				t.Fatalf("%x follows %x", key, last)
			}
			var g int
			if _, err := fmt.Sscanf(string(d.Group[0].Bytes), "a long common beginning %d", &g); err != nil {
				t.Fatal(err)
			}
			if d.State[0].Int != 2 || d.State[1].Lo != uint64(2*g) || d.Partition != penstock.Partition(g%64) ||
				d.Window != penstock.Micros(g%3)*60e6 || d.Changed != penstock.Micros(groups+g+1) {
				t.Fatalf("batch %d: group %d has %+v", batch, g, d)
			}
			last = key
			n++
		}
		if n != groups {
			t.Fatalf("batch %d has %d groups, want %d", batch, n, groups)
		}
		f.Reset()
	}
}

// TestDeltasAgain asks twice, and stops in between.
func TestDeltasAgain(t *testing.T) {
	f := compile(t, clicks(), byKey()...).Begin()
	for i := range 100 {
		f.Add(click(i, i))
	}
	for range f.Deltas(0) {
		break
	}
	list := func() (all []string) {
		for d := range f.Deltas(2) {
			all = append(all, fmt.Sprintf("%+v", d))
		}
		return all
	}
	if first, again := list(), list(); len(first) != 100 || !slices.Equal(first, again) {
		t.Error(len(first), len(again))
	}
}

// TestAddDoesNotAllocate holds that records of groups that are there, with values that are no longer than those before, cost no memory.
func TestAddDoesNotAllocate(t *testing.T) {
	views, _ := models()
	for i := range views {
		views[i].Measures = slices.DeleteFunc(views[i].Measures, func(m penstock.Measure) bool {
			return m.Of.Name == "time" && (m.Kind == penstock.MeasureUnique || m.Kind == penstock.MeasureTop) // each is another
		})
	}
	f := compile(t, things(), views...).Begin()
	r := &penstock.Record{Event: penstock.Event{ID: []byte("e"), Key: []byte("k"), Time: 5, Body: []byte(
		`{"s":"a","in":{"n":5},"d":0.5,"p":12.50,"w":100.5,"v":7,"b":true,"t":"2026-01-01T00:00:00Z","j":{"a":1},"x":{"l":"text with \"escapes\""}}`)}}
	f.Add(r)
	if n := testing.AllocsPerRun(100, func() {
		r.Time++ // the latest changes
		r.Position.Offset++
		f.Add(r)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	plan := compile(t, clicks(), plain()...).Begin()
	records := []*penstock.Record{click(0, 0), click(1, 1), click(2, 2)}
	add := func() {
		for _, r := range records {
			plan.Add(r)
		}
	}
	add()
	if n := testing.AllocsPerRun(100, add); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestResetKeepsLittle folds a batch of many groups with long texts and sketches: little memory stays.
func TestResetKeepsLittle(t *testing.T) {
	s := streamOf{clicks()}
	views := append(byKey(), estimates()...)
	for i := range views {
		views[i].Group = []penstock.Field{s.field("key")}
	}
	views[2].Measures[0].Of = penstock.Field{Column: penstock.Column{Name: "v", Type: penstock.JSON, Path: "v"}}
	f := compile(t, clicks(), views...).Begin()
	r := click(0, 0)
	text := bytes.Repeat([]byte("x"), 500)
	for i := range 50_000 {
		r.Key = fmt.Appendf(r.Key[:0], "user-%d", i)
		r.Body = fmt.Appendf(r.Body[:0], `{"url":"%d","new":true,"ms":%d,"v":"%s"}`, i, i, text)
		f.Add(r)
	}
	largest := func() (size int) {
		for i := range f.tables {
			t := &f.tables[i]
			inTexts := 0
			for _, text := range t.texts[:cap(t.texts)] {
				inTexts += cap(text)
			}
			size = max(size, inTexts, cap(t.places)*8, cap(t.keys), cap(t.slots)*24, cap(t.groups)*24, cap(t.order)*16, cap(t.uniques)*48, cap(t.quantiles)*56, cap(t.tops)*8)
		}
		return size
	}
	if n := largest(); n < 5*kept {
		t.Fatalf("the largest list has only %d bytes", n)
	}
	f.Reset()
	if n := largest(); n > kept || n < kept/64 {
		t.Errorf("a list of %d bytes is kept", n)
	}
}

// TestHostileBodies adds what no scanner accepts: it has no values that count, or some, and does not end the process.
func TestHostileBodies(t *testing.T) {
	views, _ := models()
	f := compile(t, things(), views...).Begin()
	for _, body := range []string{"", "{", `{"d":`, `{"d":,`, `{"d":NaN}`, `{"d":infinity}`, `{"in":{"n":}}`, `{"in":{"n":-}}`, `{"s":"\`, `{"s":"\u00"}`, `{"p":e}`, `{"p":-}`,
		`{"x":{"l":}}`, `{"t":}`, `{"t":"}`, `{"b":}`, `[`, "\x00", `{"w":.}`, `{"s" "a"}`} {
		f.Add(&penstock.Record{Event: penstock.Event{Body: []byte(body)}})
	}
	for d := range f.Deltas(0) {
		if d.State[0].Int != 20 {
			t.Errorf("%d rows", d.State[0].Int)
		}
		for i, c := range d.State {
			if c.Float != c.Float || c.Float > 1e308 || c.Float < -1e308 {
				t.Errorf("column %d is %v", i, c.Float)
			}
		}
	}
}

// TestSpelling looks at the text under which sketches know typed values.
func TestSpelling(t *testing.T) {
	f := compile(t, things(), penstock.View{Name: "v", Stream: "things", Measures: []penstock.Measure{
		{Name: "n", Kind: penstock.MeasureTop, K: 9, Of: named("n")}, {Name: "d", Kind: penstock.MeasureTop, K: 9, Of: named("d")},
		{Name: "p", Kind: penstock.MeasureTop, K: 9, Of: named("p")}, {Name: "v", Kind: penstock.MeasureTop, K: 9, Of: named("v")},
		{Name: "b", Kind: penstock.MeasureTop, K: 9, Of: named("b")}, {Name: "t", Kind: penstock.MeasureTop, K: 9, Of: named("t")},
		{Name: "l", Kind: penstock.MeasureTop, K: 9, Of: named("x.l")},
	}}).Begin()
	for _, body := range []string{
		`{"in":{"n":5},"d":5,"p":5,"v":-340282366920938463463374607431768211,"b":true,"t":0,"x":{"l":5}}`,
		`{"in":{"n":5},"d":5.0,"p":0.5e1,"v":18446744073709551616,"b":true,"t":"1970-01-01T01:00:00+01:00","x":{"l":5.0}}`,
		`{"in":{"n":-0},"d":-0.0,"p":-0.05,"v":0,"b":false,"t":1.5,"x":{"l":true}}`,
		`{"in":{"n":0},"d":0,"p":-0.050,"v":-0,"b":false,"t":1.5000009,"x":{"l":"true"}}`,
		`{"d":1e-9,"x":{"l":[]}}`, `{"d":1e21}`, `{"d":100000000}`,
	} {
		f.Add(&penstock.Record{Event: penstock.Event{Body: []byte(body)}})
	}
	want := []string{
		"0×2 5×2", "0×2 5×2 100000000×1 1e+21×1 1e-9×1", "-0.05×2 5.00×2", "0×2 -340282366920938463463374607431768211×1 18446744073709551616×1", "false×2 true×2",
		"1970-01-01T00:00:00Z×2 1970-01-01T00:00:01.5Z×2", "true×2 5×1 5.0×1",
	}
	for d := range f.Deltas(0) {
		for i, c := range d.State {
			items, err := sketch.TopItems(c.Bytes, 9)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, item := range items {
				got += fmt.Sprintf("%s×%d ", item.Key, item.Count)
			}
			if got != want[i]+" " {
				t.Errorf("%s, want %s", got, want[i])
			}
		}
	}
}

// TestNumbers holds that quantiles see what numbers are, of decimals on either side of zero.
func TestNumbers(t *testing.T) {
	for text, want := range map[string]float64{"-0.01": -0.01, "0.01": 0.01, "-1": -1, "0": 0, "9999999999.99": 9999999999.99, "-9999999999.99": -9999999999.99} {
		c, err := jsonscan.ParseCell(named("p").Column, jsonscan.Value{Raw: []byte(text), Kind: jsonscan.Number})
		if err != nil {
			t.Fatal(err)
		}
		column := named("p").Column
		if got := number(&column, &c); got != want {
			t.Errorf("%s is %v", text, got)
		}
	}
}

// TestShortDecimals holds that the short way to read decimals leads where the long one does.
func TestShortDecimals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		precision := rapid.IntRange(1, 38).Draw(t, "precision")
		column := penstock.Column{Type: penstock.Decimal, Precision: precision, Scale: rapid.IntRange(0, precision).Draw(t, "scale")}
		text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,9})?([eE][+-]?[0-9])?`).Draw(t, "number")
		want, err := jsonscan.ParseCell(column, jsonscan.Value{Raw: []byte(text), Kind: jsonscan.Number})
		var got jsonscan.Cell
		if ok := shortDecimal(&got, &column, []byte(text)); ok && (err != nil || got.Hi != want.Hi || got.Lo != want.Lo) {
			t.Fatalf("%s as decimal(%d,%d) is %v, want %v, %v", text, column.Precision, column.Scale, got, want, err)
		}
	})
	column := named("p").Column
	for text, want := range map[string]bool{"12.50": true, "-0.05": true, "7": true, "9999999999.99": true, "10000000000": false, "0.125": false, "1e2": false, "1.2.3": false, ".": false, "": false, "-": false} {
		var c jsonscan.Cell
		if got := shortDecimal(&c, &column, []byte(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
