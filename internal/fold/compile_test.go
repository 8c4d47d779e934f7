package fold

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"penstock"
	"penstock/internal/delta"
)

// refusal is a change to a good view, and what is said of it.
type refusal struct {
	change func(*penstock.View)
	want   string
}

func refusals() []refusal {
	field := func(name string, typ penstock.ColumnType, path string) penstock.Field {
		return penstock.Field{Column: penstock.Column{Name: name, Type: typ, Path: path}}
	}
	measure := func(kind penstock.MeasureKind, of string) func(*penstock.View) {
		return func(v *penstock.View) {
			v.Measures[1] = penstock.Measure{Name: "m", Kind: kind, Of: named(of), Q: 0.5, K: 10}
		}
	}
	group := func(f penstock.Field) func(*penstock.View) {
		return func(v *penstock.View) { v.Group[0] = f }
	}
	board := func(kind penstock.MeasureKind, of string) func(*penstock.View) {
		return func(v *penstock.View) {
			v.Board, v.Window = true, 0
			v.Measures = []penstock.Measure{{Name: "score", Kind: kind, Of: named(of), Q: 0.5, K: 10}}
		}
	}
	return []refusal{
		{func(v *penstock.View) { v.Stream = "others" }, "it is of the stream others, not things"},
		{func(v *penstock.View) { v.Window = -time.Second }, "want whole microseconds"},
		{func(v *penstock.View) { v.Window = 1500 * time.Nanosecond }, "want whole microseconds"},
		{func(v *penstock.View) { v.Where = "s = " }, "where: read condition: at byte 4"},
		{func(v *penstock.View) { v.Where = "n = 'x'" }, "n is a bigint"},
		{func(v *penstock.View) { v.Measures = nil }, "it measures nothing"},
		{func(v *penstock.View) { v.Measures[1].Name = "s" }, "two columns have the name s"},
		{func(v *penstock.View) { v.Measures[1].Name = "Rows" }, "two columns have the name Rows"},
		{func(v *penstock.View) { v.Measures[1].Name = "time" }, "two columns have the name time"},
		{func(v *penstock.View) { v.Measures[1].Name = "" }, "a column has no name"},
		{func(v *penstock.View) { v.Group = append(v.Group, v.Group[0]) }, "two columns have the name s"},
		{func(v *penstock.View) { v.Measures[0].Of = named("n") }, "a count is of rows"},
		{measure("median", "n"), `the kind "median" is not known`},
		{measure(penstock.MeasureSum, "s"), "sum is of numbers, and s is a text"},
		{measure(penstock.MeasureAvg, "t"), "avg is of numbers, and t is a timestamp"},
		{measure(penstock.MeasureSum, "v"), "v is a decimal of 38 digits: the sum of more than 28 could not be held"},
		{measure(penstock.MeasureAvg, "v"), "could not be held"},
		{measure(penstock.MeasureMin, "b"), "b is a boolean, of which none is less"},
		{measure(penstock.MeasureMax, "j"), "j is a json, of which none is less"},
		{measure(penstock.MeasureQuantile, "t"), "a quantile is of numbers, and t is a timestamp"},
		{func(v *penstock.View) { measure(penstock.MeasureQuantile, "n")(v); v.Measures[1].Q = 1.5 }, "no quantile 1.5"},
		{func(v *penstock.View) { measure(penstock.MeasureQuantile, "n")(v); v.Measures[1].Q = -0.1 }, "no quantile -0.1"},
		{func(v *penstock.View) { measure(penstock.MeasureQuantile, "n")(v); v.Measures[1].Q = math.NaN() }, "no quantile NaN"},
		{func(v *penstock.View) { measure(penstock.MeasureTop, "s")(v); v.Measures[1].K = 0 }, "no top of 0"},
		{func(v *penstock.View) { measure(penstock.MeasureTop, "s")(v); v.Measures[1].K = 10_001 }, "no top of 10001"},
		{func(v *penstock.View) { v.Measures[1].Of = field("x", "varchar", "x") }, `the type "varchar" is not known`},
		{group(field("x", "", "x")), `the type "" is not known`},
		{group(field("x", delta.Blob, "x")), `the type "blob" is not known`},
		{group(field("x", penstock.Text, "")), "x has no path, and is not id, key, time or received_at"},
		{group(field("id", penstock.Bigint, "")), "id is a text, not a bigint"},
		{group(field("x", penstock.Text, "a..b")), "an empty name"},
		{group(field("x", penstock.Decimal, "x")), "there is no decimal(0,0)"},
		{group(penstock.Field{Column: penstock.Column{Name: "x", Type: penstock.Decimal, Precision: 39, Scale: 2, Path: "x"}}), "there is no decimal(39,2)"},
		{group(penstock.Field{Column: penstock.Column{Name: "x", Type: penstock.Decimal, Precision: 3, Scale: 4, Path: "x"}}), "there is no decimal(3,4)"},
		{func(v *penstock.View) { v.Board = true }, "a leaderboard has one group, one measure and no window"},
		{func(v *penstock.View) { board(penstock.MeasureSum, "n")(v); v.Group = nil }, "a leaderboard has one group"},
		{func(v *penstock.View) { board(penstock.MeasureSum, "n")(v); v.Window = time.Minute }, "no window"},
		{board(penstock.MeasureUnique, "n"), "is a sum, max or latest, not a unique"},
		{board(penstock.MeasureLatest, "s"), "is a number, not a text"},
		{board(penstock.MeasureMax, "t"), "is a number, not a timestamp"},
	}
}

// TestCompileRefuses changes a view that is good in one way each.
func TestCompileRefuses(t *testing.T) {
	for _, c := range refusals() {
		v := penstock.View{Name: "v", Stream: "things", Window: time.Minute, Where: "n > 1", Group: []penstock.Field{named("s")}, Measures: []penstock.Measure{
			{Name: "rows", Kind: penstock.MeasureCount}, {Name: "sum", Kind: penstock.MeasureSum, Of: named("n")},
		}}
		if _, err := Compile(things(), []penstock.View{v}); err != nil {
			t.Fatal(err)
		}
		c.change(&v)
		_, err := Compile(things(), []penstock.View{v})
		var e *penstock.Error
		if !errors.As(err, &e) || e.Code != penstock.Invalid || e.Reason != "bad_view" || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "view v") {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// TestBoards takes every score that there is.
func TestBoards(t *testing.T) {
	for _, kind := range []penstock.MeasureKind{penstock.MeasureSum, penstock.MeasureMax, penstock.MeasureLatest} {
		for _, of := range []string{"n", "d", "p", "x.number"} {
			v := penstock.View{Name: "v", Stream: "things", Board: true, Group: []penstock.Field{named("s")}, Measures: []penstock.Measure{{Name: "score", Kind: kind, Of: named(of)}}}
			if _, err := Compile(things(), []penstock.View{v}); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestFieldsAreShared holds that what several views read is read once.
func TestFieldsAreShared(t *testing.T) {
	views, _ := models()
	views[0].Measures[1].Of.Name = "as the view names it"
	plan, err := Compile(things(), views)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.fields) != 15 || plan.selector.Len() != 10 {
		t.Errorf("%d fields at %d paths", len(plan.fields), plan.selector.Len())
	}
}
