package query

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	"penstock"
)

// startViews starts a server with views.
func startViews(t *testing.T, v *fakeViewer, limits Limits) *world {
	t.Helper()
	board := penstock.View{Name: "best", Stream: "scores", Board: true, Group: clicksPerLink().Group[:1]}
	return start(t, Options{Viewer: v, Views: func() []penstock.View { return []penstock.View{board, clicksPerLink()} }, Limits: limits})
}

type pageOfView struct {
	View    string
	AsOf    string `json:"as_of"`
	Columns []penstock.ResultColumn
	Rows    []json.RawMessage
	Cursor  *string
}

func viewPageOf(t *testing.T, a answer) pageOfView {
	t.Helper()
	var p pageOfView
	a.expect(t, 200, "")
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return p
}

const ofView = "/v1/views/clicks_per_link?"

// walk reads page after page and returns the rows.
func walk(t *testing.T, w *world, target string, limit int) []string {
	t.Helper()
	var rows []string
	for cursor := ""; ; {
		p := viewPageOf(t, w.ask("GET", fmt.Sprintf("%s&limit=%d&cursor=%s", target, limit, cursor), nil, ""))
		if len(p.Rows) > limit || len(p.Rows) == 0 && cursor != "" || len(rows) > 1000 {
			t.Fatalf("%d rows on a page of %d", len(p.Rows), limit)
		}
		for _, row := range p.Rows {
			rows = append(rows, string(row))
		}
		if p.Cursor == nil {
			return rows
		}
		cursor = *p.Cursor
	}
}

// TestViewPageByPage holds that pages of every size and order are the same rows as one large answer, each once.
func TestViewPageByPage(t *testing.T) {
	const n = 77
	w := startViews(t, newViewer(n), Limits{})
	for _, merge := range []string{"", "every=all"} {
		for _, column := range []string{"", "time", "link", "country", "clicks", "revenue", "total", "p95", "hot", "bot"} {
			for _, down := range []string{"", "-"} {
				if column == "" && down != "" || column == "time" && merge != "" {
					continue
				}
				target := ofView + merge
				if column != "" {
					target += "&order=" + down + column
				}
				all := walk(t, w, target, 10_000)
				distinct := slices.Compact(slices.Sorted(slices.Values(all)))
				if len(distinct) != len(all) || merge == "" && len(all) != n || len(all) < n/5 {
					t.Fatalf("%s: %d rows, %d of them distinct", target, len(all), len(distinct))
				}
				for _, limit := range []int{1, 7, len(all), len(all) - 1} {
					if got := walk(t, w, target, limit); !slices.Equal(got, all) {
						t.Errorf("%s by %d: %d rows, want %d\n%s\n%s", target, limit, len(got), len(all), got, all)
					}
				}
			}
		}
	}
}

// TestViewPagesByBytes holds that a page of large rows ends early, and that nothing is missing.
func TestViewPagesByBytes(t *testing.T) {
	v := newViewer(40)
	for i := range v.rows {
		v.rows[i][7] = penstock.Raw(`"` + strings.Repeat("x", 1000) + `"`)
	}
	w := startViews(t, v, Limits{PageSize: 10_000})
	first := viewPageOf(t, w.ask("GET", ofView, nil, ""))
	if len(first.Rows) < 8 || len(first.Rows) > 10 || first.Cursor == nil {
		t.Errorf("%d rows", len(first.Rows))
	}
	if rows := walk(t, w, ofView, 100); len(rows) != 40 {
		t.Errorf("%d rows, want 40", len(rows))
	}
}

// TestViewOfLongTexts holds that a page ends where its cursor can be sent back, and says so if there is no such place.
func TestViewOfLongTexts(t *testing.T) {
	v := newViewer(30)
	for i := range v.rows {
		if i%3 != 0 {
			v.rows[i][columnLink] = strings.Repeat("x", 5000) + fmt.Sprint(i)
		}
	}
	w := startViews(t, v, Limits{})
	if rows := walk(t, w, ofView, 10); len(rows) != 30 {
		t.Errorf("%d rows, want 30", len(rows))
	}
	p := viewPageOf(t, w.ask("GET", ofView+"limit=10", nil, ""))
	if len(p.Rows) == 10 || len(p.Rows) == 0 || p.Cursor == nil || len(*p.Cursor) > maxViewCursor {
		t.Errorf("%d rows, cursor %v", len(p.Rows), p.Cursor)
	}
	for i := range v.rows {
		v.rows[i][columnLink] = strings.Repeat("x", 5000) + fmt.Sprint(i)
	}
	w.ask("GET", ofView+"limit=29", nil, "").expect(t, 422, "query_too_large")
	if rows := walk(t, w, ofView, 30); len(rows) != 30 {
		t.Errorf("%d rows, want 30", len(rows))
	}
}

// TestViewParameters holds what the Viewer is asked for.
func TestViewParameters(t *testing.T) {
	v := newViewer(3)
	w := startViews(t, v, Limits{})
	from := penstock.Micros(1e15)
	for query, want := range map[string]penstock.ViewQuery{
		"":                                {Limit: 100},
		"limit=1":                         {Limit: 1},
		"limit=10000":                     {Limit: 10_000},
		"where.link=home&where.country=7": {Limit: 100, Where: map[string]string{"link": "home", "country": "7"}},
		"where.link=":                     {Limit: 100, Where: map[string]string{"link": ""}},
		"where." + url.QueryEscape("a.b =c") + "=%26%2B+": {Limit: 100, Where: map[string]string{"a.b =c": "&+ "}},
		"from=2001-09-09T01:46:40Z":                       {Limit: 100, From: from},
		"to=1000000000000":                                {Limit: 100, To: from},
		"from=1000000000&to=1000000001":                   {Limit: 100, From: from, To: from + 1e6},
		"every=all":                                       {Limit: 100, Whole: true},
		"every=1m":                                        {Limit: 100, Every: time.Minute},
		"every=1h30m":                                     {Limit: 100, Every: 90 * time.Minute},
		"every=1d":                                        {Limit: 100, Every: 24 * time.Hour},
		"order=clicks":                                    {Limit: 100, Order: "clicks"},
		"order=-clicks":                                   {Limit: 100, Order: "clicks", Down: true},
		"order=":                                          {Limit: 100},
	} {
		v.asked = nil
		w.ask("GET", ofView+query, nil, "").expect(t, 200, "")
		want.View = "clicks_per_link"
		want.Limit++
		if len(v.asked) != 1 || fmt.Sprintf("%#v", v.asked[0]) != fmt.Sprintf("%#v", want) {
			t.Errorf("%s asked for %#v, want %#v", query, v.asked, want)
		}
	}
}

func TestViewRefusals(t *testing.T) {
	w := startViews(t, newViewer(30), Limits{})
	cursor := *viewPageOf(t, w.ask("GET", ofView+"limit=3&where.country=0&order=-clicks", nil, "")).Cursor
	first := *viewPageOf(t, w.ask("GET", ofView+"limit=3", nil, "")).Cursor
	for _, c := range []struct {
		target string
		status int
		code   string
	}{
		{"/v1/views/nothing", 404, "unknown_view"},
		{"/v1/views/nothing?limit=0", 400, "bad_parameter"},
		{"/v1/views/nothing?cursor=" + first, 404, "unknown_view"},
		{ofView + "link=home", 400, "bad_parameter"},
		{ofView + "where=home", 400, "bad_parameter"},
		{ofView + "where.=home", 400, "bad_parameter"},
		{ofView + "Where.link=home", 400, "bad_parameter"},
		{ofView + "where.link=a&where.link=b", 400, "bad_parameter"},
		{ofView + "where.link=%ff", 400, "bad_parameter"},
		{ofView + "where.%ff=a", 400, "bad_parameter"},
		{ofView + "where.link=%zz", 400, "bad_parameter"},
		{ofView + "order=nothing", 400, "bad_query"},
		{ofView + "order=-", 400, "bad_parameter"},
		{ofView + "order=clicks&order=link", 400, "bad_parameter"},
		{ofView + "every=0s", 400, "bad_parameter"},
		{ofView + "every=-1m", 400, "bad_parameter"},
		{ofView + "every=1", 400, "bad_parameter"},
		{ofView + "every=ALL", 400, "bad_parameter"},
		{ofView + "every=d", 400, "bad_parameter"},
		{ofView + "every=0d", 400, "bad_parameter"},
		{ofView + "every=-1d", 400, "bad_parameter"},
		{ofView + "every=99999999999999999999d", 400, "bad_parameter"},
		{ofView + "every=1ns", 400, "bad_parameter"},
		{ofView + "limit=0", 400, "bad_parameter"},
		{ofView + "limit=-1", 400, "bad_parameter"},
		{ofView + "limit=x", 400, "bad_parameter"},
		{ofView + "limit=10001", 422, "query_too_large"},
		{ofView + "from=yesterday", 400, "bad_parameter"},
		{ofView + "from=2026-01-01T00:00:00Z&to=2025-01-01T00:00:00Z", 400, "bad_parameter"},
		{ofView + "to=0", 400, "bad_parameter"},
		{ofView + "from=1971-01-01T00:00:00Z&to=2200-01-01T00:00:00Z", 422, "query_too_large"},
		{ofView + "after=garbage", 400, "bad_receipt"},
		{ofView + "timeout=soon", 400, "bad_parameter"},
		{ofView + "timeout=1h", 422, "query_too_large"},
		{ofView + "cursor=garbage", 400, "bad_cursor"},
		{ofView + "cursor=" + cursor, 400, "bad_cursor"},
		{ofView + "where.country=0&order=-clicks&cursor=" + first, 400, "bad_cursor"},
		{ofView + "where.country=0&order=clicks&cursor=" + cursor, 400, "bad_cursor"},
		{ofView + "where.country=1&order=-clicks&cursor=" + cursor, 400, "bad_cursor"},
		{ofView + "where.country=0&where.link=a&order=-clicks&cursor=" + cursor, 400, "bad_cursor"},
		{ofView + "where.country=0&order=-clicks&every=all&cursor=" + cursor, 400, "bad_cursor"},
		{ofView + "where.country=0&order=-clicks&every=1h&cursor=" + cursor, 400, "bad_cursor"},
		{ofView + "where.country=0&order=-clicks&from=1&cursor=" + cursor, 400, "bad_cursor"},
		{ofView + "where.country=0&order=-clicks&cursor=" + cursor[:len(cursor)-1], 400, "bad_cursor"},
		{"/v1/views/best?limit=3&cursor=" + first, 400, "bad_cursor"},
		{"/v1/streams/clicks/events?key=k&cursor=" + first, 400, "bad_cursor"},
		{ofView + "order=-clicks&where.country=0&limit=7&cursor=" + cursor, 200, ""},
	} {
		a := w.ask("GET", c.target, nil, "")
		if a.status != c.status || a.code != c.code {
			t.Errorf("%s got %d %q %s, want %d %q", c.target, a.status, a.code, a.body, c.status, c.code)
		}
	}
	w.ask("GET", ofView, fields{"Accept": "text/html"}, "").expect(t, 406, "not_acceptable")
	w.ask("POST", ofView, nil, "x").expect(t, 405, "method_not_allowed")
	w.ask("GET", ofView, nil, "x").expect(t, 400, "bad_body")
}

// TestViewCursorsOfOtherDefinitions holds that a cursor of before a view was changed is refused.
func TestViewCursorsOfOtherDefinitions(t *testing.T) {
	view := clicksPerLink()
	w := start(t, Options{Viewer: newViewer(30), Views: func() []penstock.View { return []penstock.View{view} }})
	cursor := *viewPageOf(t, w.ask("GET", ofView+"limit=3", nil, "")).Cursor
	viewPageOf(t, w.ask("GET", ofView+"cursor="+cursor, nil, ""))
	view.Group = slices.Clone(view.Group)
	view.Group[0].Type = penstock.Bigint
	w.ask("GET", ofView+"cursor="+cursor, nil, "").expect(t, 400, "bad_cursor")
	view.Group[0].Name = "else"
	w.ask("GET", ofView+"limit=3", nil, "").expect(t, 503, "unavailable")
}

func TestViewFormats(t *testing.T) {
	v := newViewer(26)
	w := startViews(t, v, Limits{})
	w.store.raise(penstock.Positions{1: {Epoch: 1, Offset: 10}})
	var out strings.Builder
	for _, c := range []struct{ query, accept string }{
		{"limit=5", ""}, {"limit=5", formatNDJSON}, {"limit=6", formatCSV}, {"every=all&order=-clicks&limit=2", "application/*"},
		{"where.link=nothing", ""}, {"where.link=nothing", formatNDJSON}, {"where.link=nothing", formatCSV},
	} {
		a := w.ask("GET", ofView+c.query, fields{"Accept": c.accept}, "")
		fmt.Fprintf(&out, "%s %s\n----\n%d %s\n", c.query, c.accept, a.status, a.header.Get("Content-Type"))
		for _, name := range []string{headerAsOf, headerCursor} {
			if value := a.header.Get(name); value != "" {
				fmt.Fprintf(&out, "%s: %s\n", name, value)
			}
		}
		fmt.Fprintln(&out, strings.ReplaceAll(a.body, "\r\n", "␍\n"))
	}
	golden(t, "view.txt", out.String())

	a := w.ask("GET", ofView+"limit=6", fields{"Accept": formatArrow}, "")
	a.expect(t, 200, "")
	r, err := ipc.NewReader(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if !r.Next() || r.RecordBatch().NumRows() != 6 || r.Schema().NumFields() != len(viewColumns) || r.Next() || r.Err() != nil || a.header.Get(headerCursor) == "" {
		t.Errorf("%v, %v, %v", r.Schema(), r.Err(), a.header)
	}
	next := w.ask("GET", ofView+"limit=6&cursor="+a.header.Get(headerCursor), fields{"Accept": formatCSV}, "")
	if next.status != 200 || strings.Count(next.body, "\r\n") != 7 {
		t.Errorf("the cursor of another format: %d %s", next.status, next.body)
	}
}
