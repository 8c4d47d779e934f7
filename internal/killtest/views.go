package killtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strings"
	"time"

	"penstock"
	"penstock/internal/check"
)

// modelled is a view, as the configuration has it and as the judge counts it.
type modelled struct {
	penstock.View
	settings []string
}

// The columns that all sources declare, and what is built in.
func amount() penstock.Field {
	return penstock.Field{Column: penstock.Column{Name: "amount", Type: penstock.Bigint, Path: "amount"}}
}

func country() penstock.Field {
	return penstock.Field{Column: penstock.Column{Name: "country", Type: penstock.Text, Path: "country"}}
}

func builtIn(name string) penstock.Field {
	return penstock.Field{Column: penstock.Column{Name: name, Type: penstock.Text}}
}

// lasting are the views that are there from the beginning: one of each source.
func lasting() []modelled {
	return []modelled{
		{penstock.View{Name: "per_key", Stream: sources[0].stream, Group: []penstock.Field{builtIn("key")}, Window: time.Minute, Measures: []penstock.Measure{
			{Name: "events", Kind: penstock.MeasureCount},
			{Name: "total", Kind: penstock.MeasureSum, Of: amount()},
			{Name: "least", Kind: penstock.MeasureMin, Of: amount()},
			{Name: "mean", Kind: penstock.MeasureAvg, Of: amount()},
		}}, []string{"group: key", "window: 1m", "measures: {events: count, total: sum(amount), least: min(amount), mean: avg(amount)}"}},
		{penstock.View{Name: "everything", Stream: sources[1].stream, Measures: []penstock.Measure{
			{Name: "events", Kind: penstock.MeasureCount},
			{Name: "newest", Kind: penstock.MeasureLatest, Of: amount()},
			{Name: "oldest", Kind: penstock.MeasureFirst, Of: country()},
			{Name: "ids", Kind: penstock.MeasureUnique, Of: builtIn("id")},
			{Name: "keys", Kind: penstock.MeasureUnique, Of: builtIn("key")},
			{Name: "hot", Kind: penstock.MeasureTop, Of: builtIn("key"), K: 10},
		}}, []string{`measures: {events: count, newest: latest(amount), oldest: first(country), ids: unique(id), keys: unique(key), hot: "top(key, 10)"}`}},
		{penstock.View{Name: "board", Stream: sources[2].stream, Group: []penstock.Field{builtIn("key")}, Board: true, Measures: []penstock.Measure{
			{Name: "score", Kind: penstock.MeasureSum, Of: amount()},
		}}, []string{"leaderboard: {member: key, score: sum(amount)}"}},
	}
}

// passing are the views that are added while there are rows already, and taken away again: one at a time.
func passing() []modelled {
	return []modelled{
		{penstock.View{Name: "passing_0", Stream: sources[0].stream, Where: "amount >= 50000", Group: []penstock.Field{country()}, Window: time.Hour, Measures: []penstock.Measure{
			{Name: "events", Kind: penstock.MeasureCount},
			{Name: "p95", Kind: penstock.MeasureQuantile, Of: amount(), Q: 0.95},
			{Name: "keys", Kind: penstock.MeasureUnique, Of: builtIn("key")},
		}}, []string{`where: "amount >= 50000"`, "group: [country]", "window: 1h", `measures: {events: count, p95: "quantile(amount, 0.95)", keys: unique(key)}`}},
		{penstock.View{Name: "passing_1", Stream: sources[1].stream, Group: []penstock.Field{country()}, Measures: []penstock.Measure{
			{Name: "events", Kind: penstock.MeasureCount},
			{Name: "total", Kind: penstock.MeasureSum, Of: amount()},
		}}, []string{"group: [country]", "measures: {events: count, total: sum(amount)}"}},
		{penstock.View{Name: "passing_2", Stream: sources[2].stream, Where: "country <> 'US'", Group: []penstock.Field{builtIn("key")}, Measures: []penstock.Measure{
			{Name: "events", Kind: penstock.MeasureCount},
			{Name: "most", Kind: penstock.MeasureMax, Of: amount()},
			{Name: "newest", Kind: penstock.MeasureLatest, Of: country()},
		}}, []string{`where: "country <> 'US'"`, "group: [key]", "measures: {events: count, most: max(amount), newest: latest(country)}"}},
	}
}

// configureViews is the part of the server's file that declares views.
func configureViews(all []modelled) string {
	var b strings.Builder
	if len(all) > 0 {
		b.WriteString("views:\n")
	}
	for _, v := range all {
		fmt.Fprintf(&b, "  %s:\n    stream: %s\n", v.Name, v.Stream)
		for _, line := range v.settings {
			fmt.Fprintf(&b, "    %s\n", line)
		}
	}
	return b.String()
}

// models returns the views that the server should have now.
func (t *tester) models() []penstock.View {
	return models(t.views)
}

func models(of []modelled) []penstock.View {
	var all []penstock.View
	for _, v := range of {
		all = append(all, v.View)
	}
	return all
}

// changeViews exchanges, in every fourth round from the second on, the view that passes, and reports whether it did: the new one counts
// what is stored.
func (t *tester) changeViews(r *Round) bool {
	if r.Number%4 != 2 {
		return false
	}
	all := passing()
	t.views = append(lasting(), all[r.Number/4%len(all)])
	return true
}

// failWhileBuilding starts the server and makes the fault soon after it is ready: while it counts for a new view what is stored.
func (t *tester) failWhileBuilding(ctx context.Context) error {
	if err := t.start(ctx); err != nil {
		return err
	}
	if err := t.ask().WaitReady(ctx); err != nil {
		return err
	}
	wait(ctx, t.between(time.Millisecond, 700*time.Millisecond))
	return t.fail(ctx)
}

// waitViews waits until the server answers for all views, and for no others.
func (t *tester) waitViews(ctx context.Context) error {
	for {
		var list struct {
			Views []penstock.ViewStatus
		}
		if err := t.ask().Ask(ctx, "/v1/views", nil, &list); err != nil {
			return err
		}
		ready := len(list.Views) == len(t.views)
		for _, v := range list.Views {
			known := slices.ContainsFunc(t.views, func(m modelled) bool { return m.Name == v.Name })
			ready = ready && known && v.State == penstock.ViewReady && !v.Rebuilds
		}
		if ready {
			return nil
		}
		if wait(ctx, 20*time.Millisecond); ctx.Err() != nil {
			return fmt.Errorf("wait for views: %w: %+v", ctx.Err(), list.Views)
		}
	}
}

// viewRows yields the rows of all views, each view after the receipts that were given to the writers.
func (t *tester) viewRows(ctx context.Context, writers []*writer) iter.Seq2[*check.ViewRow, error] {
	return func(yield func(*check.ViewRow, error) bool) {
		for _, v := range t.views {
			after := ""
			for _, w := range writers {
				if w.source.stream == v.Stream && w.receipt != "" {
					after += "&after=" + url.QueryEscape(w.receipt)
				}
			}
			for row, err := range t.pages(ctx, v.Name, after) {
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	}
}

// pages yields the rows of a view, page by page, each page after the one before.
func (t *tester) pages(ctx context.Context, view, after string) iter.Seq2[*check.ViewRow, error] {
	return func(yield func(*check.ViewRow, error) bool) {
		path := fmt.Sprintf("/v1/views/%s?limit=%d", view, 500+t.random.IntN(5000))
		for {
			var page viewPage
			if err := t.ask().Ask(ctx, path+after, nil, &page); err != nil {
				yield(nil, err)
				return
			}
			for _, row := range page.Rows {
				if !yield(&check.ViewRow{View: view, Row: row}, nil) {
					return
				}
			}
			if page.Cursor == "" {
				return
			}
			after = "&cursor=" + url.QueryEscape(page.Cursor) + "&after=" + url.QueryEscape(page.AsOf)
		}
	}
}

// judgeRanks compares where some members of a leaderboard stand with how many have a higher score.
func (t *tester) judgeRanks(ctx context.Context, r *Round) error {
	scores := map[string]int64{}
	for row, err := range t.pages(ctx, "board", "") {
		if err != nil {
			return err
		}
		var member string
		var score int64
		if err := errors.Join(json.Unmarshal(row.Row["key"], &member), json.Unmarshal(row.Row["score"], &score)); err != nil {
			return err
		}
		scores[member] = score
	}
	for _, member := range []string{hotKey, fmt.Sprintf("k%03d", t.random.IntN(1000)), fmt.Sprintf("k%03d", t.random.IntN(1000))} {
		score, known := scores[member]
		if !known {
			continue
		}
		want := int64(1)
		for _, other := range scores {
			if other > score {
				want++
			}
		}
		var said struct{ Rank, Score int64 }
		if err := t.ask().Ask(ctx, "/v1/views/board/rank?around=0&member="+member, nil, &said); err != nil {
			return err
		}
		if said.Rank != want || said.Score != score {
			r.Problems = append(r.Problems, fmt.Sprintf("board: %s has rank %d and score %d, want %d and %d", member, said.Rank, said.Score, want, score))
		}
	}
	return nil
}

// viewPage is a page of a view.
type viewPage struct {
	AsOf   string `json:"as_of"`
	Rows   []map[string]json.RawMessage
	Cursor string
}

// recountReleased counts rows of earlier rounds that were not rows then: they had waited behind a dead letter that was dropped.
func (t *tester) recountReleased(ctx context.Context, before uint32) error {
	if !t.dropped {
		return nil
	}
	t.dropped = false
	where := fmt.Sprintf("stream = '%s' and %s", halting, ofClients(0, before-1))
	for row, err := range t.rows(ctx, where) {
		if err != nil {
			return err
		}
		if _, known := t.counted[row.Place()]; !known {
			t.counted[row.Place()] = struct{}{}
			t.recount.Add(row)
		}
	}
	return nil
}

// noting notes which rows of the source that halts keys have been counted.
func (t *tester) noting(rows iter.Seq2[*check.Entry, error]) iter.Seq2[*check.Entry, error] {
	return func(yield func(*check.Entry, error) bool) {
		for row, err := range rows {
			if err == nil && row.Stream == halting {
				t.counted[row.Place()] = struct{}{}
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// exportViews writes the definitions of all views, and what they say, into the run's directory.
func (t *tester) exportViews(ctx context.Context) error {
	if err := exportAll(t, check.ModelsExport, func(yield func(penstock.View, error) bool) {
		for _, v := range t.models() {
			if !yield(v, nil) {
				return
			}
		}
	}); err != nil {
		return err
	}
	return exportAll(t, check.ViewsExport, t.viewRows(ctx, nil))
}
