package main

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock"
	"penstock/internal/fold"
	"penstock/internal/predicate"
	"penstock/internal/sketch"
)

const viewsFile = `
streams:
  clicks:
    columns: {link: text, latency_ms: double, price: "decimal(12,2)", country: {type: text, path: geo.country}, at: timestamp, ok: boolean, doc: json, time_of_day: text}
  scores: {columns: {member: text, points: bigint}}
views:
  clicks_per_link:
    stream: clicks
    where: |
      "Country" is null or
      (country  =  'DE')
    group: [link, geo.city, userId, key]
    window: 1m
    measures: {clicks: count, visitors: unique(visitor), p95: "quantile(latency_ms, 0.95)", revenue: sum(price), last: latest(country), hot: "top(link, 100)"}
    keep: 400d
    repair: 24h
    from: now
  all_kinds:
    stream: clicks
    group: ok
    window: 7d
    measures:
      z: COUNT( * )
      y: count()
      x: " Sum ( latency_ms ) "
      w: sum(geo.price)
      v: avg(price)
      u: avg(a\.b.c)
      t: min(at)
      s: max(received_at)
      r: min(geo.city)
      q: quantile(price, 1)
      p: quantile(ms, 0)
      o: top(ok, 1)
      n: latest(doc)
      m: first(time)
      l: max(key)
      k: unique(id)
  best: {stream: scores, leaderboard: {member: member, score: max(points)}, where: "points > 0"}
  loose: {stream: scores, leaderboard: {member: player.id, score: last(player.points)}, keep: 1d, repair: 1m}
  latest: {stream: scores, leaderboard: {member: key, score: latest(points)}, from: "${FROM:start}"}
  order: {stream: scores, measures: {n: count}}
`

func loose(name, path string, kind penstock.ColumnType) penstock.Field {
	return penstock.Field{Column: penstock.Column{Name: name, Type: kind, Path: path}, Loose: true}
}

func given(name string, kind penstock.ColumnType) penstock.Field {
	return penstock.Field{Column: penstock.Column{Name: name, Type: kind}}
}

func column(name string, kind penstock.ColumnType) penstock.Field {
	return penstock.Field{Column: penstock.Column{Name: name, Type: kind, Path: name}}
}

func TestViews(t *testing.T) {
	c, err := loadText(t, viewsFile, settings{})
	if err != nil {
		t.Fatal(err)
	}
	country := penstock.Field{Column: penstock.Column{Name: "country", Type: penstock.Text, Path: "geo.country"}}
	price := penstock.Field{Column: penstock.Column{Name: "price", Type: penstock.Decimal, Precision: 12, Scale: 2, Path: "price"}}
	link, latency, ok := column("link", penstock.Text), column("latency_ms", penstock.Double), column("ok", penstock.Boolean)
	want := []penstock.View{
		{Name: "all_kinds", Stream: "clicks", Group: []penstock.Field{ok}, Window: 7 * 24 * time.Hour, Measures: []penstock.Measure{
			{Name: "z", Kind: penstock.MeasureCount}, {Name: "y", Kind: penstock.MeasureCount},
			{Name: "x", Kind: penstock.MeasureSum, Of: latency}, {Name: "w", Kind: penstock.MeasureSum, Of: loose("geo.price", "geo.price", penstock.Double)},
			{Name: "v", Kind: penstock.MeasureAvg, Of: price}, {Name: "u", Kind: penstock.MeasureAvg, Of: loose(`a\.b.c`, `a\.b.c`, penstock.Double)},
			{Name: "t", Kind: penstock.MeasureMin, Of: column("at", penstock.Timestamp)}, {Name: "s", Kind: penstock.MeasureMax, Of: given("received_at", penstock.Timestamp)},
			{Name: "r", Kind: penstock.MeasureMin, Of: loose("geo.city", "geo.city", penstock.Double)},
			{Name: "q", Kind: penstock.MeasureQuantile, Of: price, Q: 1}, {Name: "p", Kind: penstock.MeasureQuantile, Of: loose("ms", "ms", penstock.Double)},
			{Name: "o", Kind: penstock.MeasureTop, Of: ok, K: 1}, {Name: "n", Kind: penstock.MeasureLatest, Of: column("doc", penstock.JSON)},
			{Name: "m", Kind: penstock.MeasureFirst, Of: given("time", penstock.Timestamp)},
			{Name: "l", Kind: penstock.MeasureMax, Of: given("key", penstock.Text)}, {Name: "k", Kind: penstock.MeasureUnique, Of: given("id", penstock.Text)},
		}},
		{Name: "best", Stream: "scores", Where: "points > 0", Board: true, Group: []penstock.Field{column("member", penstock.Text)},
			Measures: []penstock.Measure{{Name: "score", Kind: penstock.MeasureMax, Of: column("points", penstock.Bigint)}}},
		{Name: "clicks_per_link", Stream: "clicks", Where: `"Country" is null or country = 'DE'`, Window: time.Minute, Keep: 400 * 24 * time.Hour, Repair: 24 * time.Hour,
			FromNow: true, Group: []penstock.Field{link, loose("geo_city", "geo.city", penstock.Text), loose("user_id", "userId", penstock.Text), given("key", penstock.Text)},
			Measures: []penstock.Measure{
				{Name: "clicks", Kind: penstock.MeasureCount}, {Name: "visitors", Kind: penstock.MeasureUnique, Of: loose("visitor", "visitor", penstock.Text)},
				{Name: "p95", Kind: penstock.MeasureQuantile, Of: latency, Q: 0.95}, {Name: "revenue", Kind: penstock.MeasureSum, Of: price},
				{Name: "last", Kind: penstock.MeasureLatest, Of: country}, {Name: "hot", Kind: penstock.MeasureTop, Of: link, K: 100},
			}},
		{Name: "latest", Stream: "scores", Board: true, Group: []penstock.Field{given("key", penstock.Text)},
			Measures: []penstock.Measure{{Name: "score", Kind: penstock.MeasureLatest, Of: column("points", penstock.Bigint)}}},
		{Name: "loose", Stream: "scores", Board: true, Keep: 24 * time.Hour, Repair: time.Minute, Group: []penstock.Field{loose("player_id", "player.id", penstock.Text)},
			Measures: []penstock.Measure{{Name: "score", Kind: penstock.MeasureLatest, Of: loose("player.points", "player.points", penstock.Double)}}},
		{Name: "order", Stream: "scores", Measures: []penstock.Measure{{Name: "n", Kind: penstock.MeasureCount}}},
	}
	got := c.views()
	if len(got) != len(want) {
		t.Fatalf("%d views", len(got))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("got  %+v\nwant %+v", got[i], want[i])
		}
	}
	if w := c.warnings(); len(w) != 0 {
		t.Errorf("warnings %q", w)
	}
	checkFolded(t, c)
}

// checkFolded holds that a view that the configuration takes can be counted.
func checkFolded(t *testing.T, c *Config) {
	t.Helper()
	for _, s := range c.streams() {
		mine := slices.DeleteFunc(c.views(), func(v penstock.View) bool { return v.Stream != s.Name })
		if _, err := fold.Compile(s, mine); err != nil {
			t.Errorf("a store would refuse them: %v", err)
		}
	}
}

// TestBoundsOfViews holds the numbers; testdata/view_mistakes.txt has what else is refused.
func TestBoundsOfViews(t *testing.T) {
	const stream = "streams: {s: {columns: {a: text, d28: \"decimal(28,3)\", d29: \"decimal(29,3)\"}}}\nviews:\n"
	view := func(rest string) string { return stream + "  v: {stream: s, " + rest + "}" }
	list := func(n int, format string) string {
		var all []string
		for i := range n {
			all = append(all, strings.ReplaceAll(format, "#", fmt.Sprint(i)))
		}
		return strings.Join(all, ", ")
	}
	views := func(n int) string {
		return stream + "  " + strings.ReplaceAll(list(n, "v#: {stream: s, measures: {n: count}}"), ", v", "\n  v")
	}
	for _, c := range []struct{ good, bad, why string }{
		{view("measures: {" + list(maxMeasures, "m#: count") + "}"), view("measures: {" + list(maxMeasures+1, "m#: count") + "}"),
			"p.yaml:3: views.v.measures: 65 measures, at most 64 may be"},
		{view("measures: {n: count}, group: [" + list(maxGroup, "g#") + "]"), view("measures: {n: count}, group: [" + list(maxGroup+1, "g#") + "]"),
			"p.yaml:3: views.v.group: 17 fields, at most 16 may be"},
		{views(maxViews), views(maxViews + 1), "p.yaml:3: views: 1001 views, at most 1000 may be"},
		{view(fmt.Sprintf(`measures: {n: "top(a, %d)"}`, sketch.MaxTop)), view(fmt.Sprintf(`measures: {n: "top(a, %d)"}`, sketch.MaxTop+1)),
			fmt.Sprintf(`p.yaml:3: views.v.measures.n: "%d" is not a whole number from 1 to %d`, sketch.MaxTop+1, sketch.MaxTop)},
		{view(`measures: {n: "top(a, 1)"}`), view(`measures: {n: "top(a, 0)"}`), fmt.Sprintf(`p.yaml:3: views.v.measures.n: "0" is not a whole number from 1 to %d`, sketch.MaxTop)},
		{view(`measures: {n: sum(d28)}`), view(`measures: {n: sum(d29)}`),
			"p.yaml:3: views.v.measures.n: d29 is decimal(29,3): a sum of it could not be held, which has 38 digits; want at most decimal(28,s)"},
		{view(`measures: {n: max(d29), q: "quantile(d29, 0.5)"}`), view(`measures: {n: avg(d29)}`),
			"p.yaml:3: views.v.measures.n: d29 is decimal(29,3): a sum of it could not be held, which has 38 digits; want at most decimal(28,s)"},
		{view("measures: {n: count}, repair: 1m, window: 1s, keep: 1s"), view("measures: {n: count}, repair: 59s"),
			"p.yaml:3: views.v.repair: 59s: want at least 1m, or 0, only when asked"},
		{view("measures: {n: count}, repair: 0s, keep: 0s, window: 24h"), view("measures: {n: count}, window: 24h, keep: 23h"),
			"p.yaml:3: views.v.keep: 23h: want at least 24h, or 0, for ever"},
		{view("measures: {n: count}, window: 1d"), view("measures: {n: count}, window: 0s"),
			"p.yaml:3: views.v.window: 0s: want at least 1s, a part of a day such as 1m, 15m or 1h, or whole days"},
		{view(`measures: {n: "quantile(x, 1.0)"}`), view(`measures: {n: "quantile(x, 1.01)"}`),
			"p.yaml:3: views.v.measures.n: 1.01 is not within 0 to 1; did you mean 0.0101?"},
	} {
		if _, err := loadText(t, c.good, settings{}); err != nil {
			t.Errorf("%.200s\n%v", c.good, err)
		}
		if _, err := loadText(t, c.bad, settings{}); err == nil || cause(err).Error() != c.why {
			t.Errorf("%.200s\ngot  %v\nwant %s", c.bad, err, c.why)
		}
	}
}

// TestWhereThatGrows has a condition that is short as it stands and too long as it is written out.
func TestWhereThatGrows(t *testing.T) {
	_, err := loadText(t, "streams: {s: }\nviews:\n  v:\n    stream: s\n    measures: {n: count}\n    where: \"a in ("+strings.Repeat("1,", 4000)+"1)\"", settings{})
	if err == nil || !strings.HasPrefix(cause(err).Error(), "p.yaml:6: views.v.where: at column ") {
		t.Errorf("%v", err)
	}
}

func TestWarningsOfViews(t *testing.T) {
	c, err := loadText(t, "streams: {s: {columns: {latency_ms: double, city: text}}}\n"+
		"views: {v: {stream: s, group: [citi, key, geo.city], measures: {n: count, m: max(latncy_ms), o: min(latncy_ms), p: avg(price)}}}", settings{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`views.v: citi is no column of s, so it is read as a path; did you mean "city"?`,
		`views.v: latncy_ms is no column of s, so it is read as a path; did you mean "latency_ms"?`,
	}
	if got := c.warnings(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestDocumentedViews reads what docs/views.md shows.
func TestDocumentedViews(t *testing.T) {
	raw, err := os.ReadFile("../../docs/views.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	_, block, _ := strings.Cut(text, "```yaml\n")
	block, _, _ = strings.Cut(block, "```")
	c, err := loadText(t, block, settings{})
	if err != nil || len(c.views()) != 2 || len(c.warnings()) != 0 {
		t.Fatalf("the example: %v, %+v", err, c)
	}
	_, wheres, _ := strings.Cut(text, "## Where")
	_, wheres, _ = strings.Cut(wheres, "```\n")
	wheres, _, _ = strings.Cut(wheres, "```")
	columns := streamOf("clicks", c.Streams["clicks"]).Columns
	for where := range strings.Lines(wheres) {
		if _, err := predicate.Parse(where, columns); err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
	for _, number := range []string{
		"k from 1 to " + grouped(sketch.MaxTop), fmt.Sprintf("decimal of at most %d digits", maxSummed), fmt.Sprintf("%d fields in a group", maxGroup),
		fmt.Sprintf("%d measures", maxMeasures), grouped(maxViews) + " views", "condition of " + grouped(predicate.MaxText) + " bytes",
		fmt.Sprintf("%d deep", predicate.MaxDepth), fmt.Sprintf("patterns of %d bytes", predicate.MaxPattern),
	} {
		if !strings.Contains(text, number) {
			t.Errorf("docs/views.md does not say %q", number)
		}
	}
	for _, form := range measureForms {
		if !strings.Contains(text, "`"+string(form.kind)+"`") && !strings.Contains(text, "`"+string(form.kind)+"(x") {
			t.Errorf("docs/views.md does not have %s", form.kind)
		}
	}
	for _, name := range groupNames {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/views.md does not have the name %s", name)
		}
	}
}

// TestViewIsAnother changes one thing of a view at a time.
func TestViewIsAnother(t *testing.T) {
	const base = `
streams: {s: {columns: {a: text, n: bigint}}, z: {}}
views:
  v: {stream: s, where: "b = 'x'", group: [a, c], window: 1m, measures: {rows: count, sum: sum(n)}, keep: 90d, repair: 1h}
  w: {stream: s, leaderboard: {member: a, score: max(n)}}
`
	present, err := loadText(t, base, settings{})
	if err != nil {
		t.Fatal(err)
	}
	const built = ": a new version, which is built beside the old one"
	for _, c := range []struct{ old, new, want string }{
		{"1m", "60s", ""},
		{"b = 'x'", "(b  =  'x')", ""},
		{"b = 'x'", "b = 'y'", "views.v: where" + built},
		{"stream: s, where", "stream: z, where", "views.v: stream, group, measures" + built},
		{"group: [a, c]", "group: [c, a]", "views.v: group" + built},
		{"1m", "1h", "views.v: window" + built},
		{"rows: count, sum: sum(n)", "sum: sum(n), rows: count", "views.v: measures" + built},
		{"sum: sum(n)", "sum: avg(n)", "views.v: measures" + built},
		{"a: text, n", "a: text, b: text, n", "streams.s.columns.b: a new column, text; NULL in the rows that are there\nviews.v: where" + built},
		{"a: text, n", "a: text, c: text, n", "streams.s.columns.c: a new column, text; NULL in the rows that are there\nviews.v: group" + built},
		{"keep: 90d", "keep: 30d", "views.v.keep: 30d (was 90d): what is older is removed"},
		{"keep: 90d", "keep: 0s", "views.v.keep: for ever (was 90d)"},
		{"repair: 1h", "from: now", "views.v.repair: only when asked (was every 1h)\nviews.v.from: of no effect: the view is there"},
		{"max(n)", "sum(n)", "views.w: leaderboard" + built},
		{"leaderboard: {member: a, score: max(n)}", "measures: {n: count}", "views.w: leaderboard" + built},
		{"  w: {stream: s, leaderboard: {member: a, score: max(n)}}", "", "views.w: removed, with what it counted"},
		{"  w: {", "  x: {stream: z, from: now, measures: {n: count}}\n  w: {", "views.x: a new view, of z: it counts what comes from then on"},
		{"  w: {", "  x: {stream: z, measures: {n: count}}\n  w: {", "views.x: a new view, of z: it first counts what is stored"},
	} {
		next, err := loadText(t, strings.Replace(base, c.old, c.new, 1), settings{})
		if err != nil {
			t.Fatalf("%s: %v", c.new, err)
		}
		pl := &plan{file: next}
		pl.withFile("old.yaml", present)
		var got []string
		for _, change := range pl.changes {
			if change.Effect != atOnce {
				t.Errorf("%s: %+v", c.new, change)
			}
			got = append(got, change.Setting+": "+change.What)
		}
		if text := strings.Join(got, "\n"); text != c.want {
			t.Errorf("%s → %s\ngot  %s\nwant %s", c.old, c.new, text, c.want)
		}
	}
}
