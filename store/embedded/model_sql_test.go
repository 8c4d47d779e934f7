package embedded

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock"
)

// pricedView has a group column and measures of every type.
func pricedView() penstock.View {
	price := penstock.Field{Column: penstock.Column{Name: "price", Type: penstock.Decimal, Precision: 12, Scale: 2, Path: "price"}}
	whole := penstock.Field{Column: penstock.Column{Name: "whole", Type: penstock.Decimal, Precision: 20, Path: "whole"}}
	ratio, seen := declared("ratio", penstock.Double), declared("seen", penstock.Timestamp)
	n, ok, doc, link := declared("n", penstock.Bigint), declared("ok", penstock.Boolean), declared("doc", penstock.JSON), declared("link", penstock.Text)
	return penstock.View{
		Name: "priced", Stream: "sales", Window: time.Minute, Group: []penstock.Field{price, whole, ratio, seen, n, ok, doc, link},
		Measures: []penstock.Measure{
			{Name: "count", Kind: penstock.MeasureCount}, {Name: "sum", Kind: penstock.MeasureSum, Of: price}, {Name: "sums", Kind: penstock.MeasureSum, Of: n},
			{Name: "total", Kind: penstock.MeasureSum, Of: whole}, {Name: "ratios", Kind: penstock.MeasureSum, Of: ratio}, {Name: "mean", Kind: penstock.MeasureAvg, Of: price},
			{Name: "low", Kind: penstock.MeasureMin, Of: price}, {Name: "last", Kind: penstock.MeasureLatest, Of: seen}, {Name: "begin", Kind: penstock.MeasureFirst, Of: doc},
			{Name: "truth", Kind: penstock.MeasureLatest, Of: ok}, {Name: "users", Kind: penstock.MeasureUnique, Of: link}, {Name: "p50", Kind: penstock.MeasureQuantile, Of: price, Q: 0.5},
			{Name: "hot", Kind: penstock.MeasureTop, Of: link, K: 2},
		},
	}
}

func pricedDatabase(t *testing.T) *Database {
	t.Helper()
	v := pricedView()
	stream := penstock.Stream{Name: "sales"}
	for _, g := range v.Group {
		stream.Columns = append(stream.Columns, g.Column)
	}
	o := clickOptions(2)
	o.Streams = []penstock.Stream{stream}
	d := openDatabase(t, t.TempDir(), o)
	if err := d.DeclareViews(t.Context(), []penstock.View{v}); err != nil {
		t.Fatal(err)
	}
	f := newFeeder(o.Cluster)
	var events []event
	for i := range 40 {
		body := fmt.Sprintf(`{"price":%d.%02d,"whole":1234567890123456%d,"ratio":%v,"seen":"2026-01-0%dT00:00:00.000001Z","n":%d,"ok":%t,"doc":{"a": %d},"link":"l%d \"q\" é"}`,
			i%3-1, i%5*10, i%4, float64(i%3)/3, 1+i%3, int64(9007199254740993)-int64(i%2), i%2 == 0, i%3, i%4)
		if i%7 == 0 {
			body = "{}"
		}
		events = append(events, event{id: fmt.Sprint(i), key: fmt.Sprint(i), body: body, time: f.logTime - penstock.Micros(i%3)*60_000_000})
	}
	apply(t, d, f.batch("sales", events...))
	return d
}

// A view read page by page has each row once, by whatever column it is ordered, in both directions.
func TestViewPages(t *testing.T) {
	d := pricedDatabase(t)
	whole := answer(t, d, penstock.ViewQuery{View: "priced", Limit: 1000})
	if len(whole) < 20 {
		t.Fatalf("%d rows", len(whole))
	}
	var want []string
	for _, row := range whole {
		want = append(want, fmt.Sprint(row))
	}
	slices.Sort(want)
	rows, err := d.View(t.Context(), penstock.ViewQuery{View: "priced", Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range rows.Columns() {
		names = append(names, c.Name)
	}
	drain(t, rows)
	v := pricedView()
	keys := []string{penstock.TimeColumn}
	for _, g := range v.Group {
		keys = append(keys, g.Name)
	}
	for _, order := range append([]string{""}, names...) {
		for _, down := range []bool{false, true} {
			q := penstock.ViewQuery{View: "priced", Order: order, Down: down && order != "", Limit: 7}
			by := keys
			if order != "" {
				by = append([]string{order}, slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k == order })...)
			}
			var got []string
			for {
				page := answer(t, d, q)
				for _, row := range page {
					got = append(got, fmt.Sprint(row))
				}
				if len(page) < q.Limit {
					break
				}
				q.After = nil
				for _, name := range by {
					q.After = append(q.After, page[len(page)-1][slices.Index(names, name)])
				}
			}
			slices.Sort(got)
			sameLines(t, fmt.Sprintf("order by %s, down %t", order, down), got, want)
		}
	}
}

// A condition finds the rows that have the value, and one that is no value of the column is refused without a word of the store's own.
func TestViewWhere(t *testing.T) {
	d := pricedDatabase(t)
	v := pricedView()
	whole := answer(t, d, penstock.ViewQuery{View: "priced", Limit: 1000})
	row := whole[slices.IndexFunc(whole, func(row []any) bool { return !slices.Contains(row[1:9], nil) })]
	where := map[string]string{}
	for i, g := range v.Group {
		text := fmt.Sprint(row[1+i])
		if at, ok := row[1+i].(time.Time); ok {
			text = at.Format(time.RFC3339Nano)
		}
		where[g.Name] = text
		found := answer(t, d, penstock.ViewQuery{View: "priced", Where: map[string]string{g.Name: text}, Limit: 1000})
		n := 0
		for _, other := range whole {
			if fmt.Sprint(other[1+i]) == fmt.Sprint(row[1+i]) {
				n++
			}
		}
		if len(found) != n || n == 0 {
			t.Errorf("where %s = %s: %d rows, want %d", g.Name, text, len(found), n)
		}
	}
	if found := answer(t, d, penstock.ViewQuery{View: "priced", Where: where, Limit: 1000}); len(found) == 0 {
		t.Error("all at once find nothing")
	}
	for name, texts := range map[string][]string{
		"price": {"", "x", "1.234", "12345678901.00", "0x1", "NaN", "1 ", "--1"}, "whole": {"1.5", "123456789012345678901"}, "ratio": {"", "inf", "1e999", "a"},
		"seen": {"", "yesterday", "2026-13-01T00:00:00Z", "2026-01-01", "2026\"", "\x00"}, "n": {"", "1.5", "1e3", "9223372036854775808", "+1", "'"},
		"ok": {"", "1", "TRUE", "yes"}, "doc": {"", "{", "a"}, "link": {"\xff"},
	} {
		for _, text := range texts {
			_, err := d.View(t.Context(), penstock.ViewQuery{View: "priced", Where: map[string]string{name: text}, Limit: 1})
			if !penstock.Is(err, penstock.Invalid) || reasonOf(err) != "bad_query" || strings.Contains(err.Error(), "SELECT") || strings.Contains(err.Error(), "LINE") {
				t.Errorf("where %s = %q: %v", name, text, err)
			}
		}
	}
	// So is a cursor with values of other types.
	_, err := d.View(t.Context(), penstock.ViewQuery{View: "priced", Order: "n", Limit: 1, After: []any{"x", "y", nil, nil, nil, nil, nil, nil, nil}})
	if !penstock.Is(err, penstock.Invalid) || strings.Contains(err.Error(), "SELECT") || strings.Contains(err.Error(), "LINE") {
		t.Error(err)
	}
}

// Who asks for a member or a view that is not there is told so.
func TestRankOfNobody(t *testing.T) {
	l := newLife(t, 1, nil)
	l.tend()
	l.apply(0)
	if _, err := l.d.Rank(t.Context(), "board", "nobody", 1); !penstock.Is(err, penstock.NotFound) || reasonOf(err) != "unknown_member" {
		t.Error(err)
	}
	if _, err := l.d.Rank(t.Context(), "nothing", "u1", 1); !penstock.Is(err, penstock.NotFound) || reasonOf(err) != "unknown_view" {
		t.Error(err)
	}
	if _, err := l.d.Rank(t.Context(), "per_link", "u1", 1); !penstock.Is(err, penstock.Invalid) {
		t.Error(err)
	}
}
