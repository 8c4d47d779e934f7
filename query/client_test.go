package query

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
	"penstock/client"
	"penstock/eventlog/memory"
)

// TestClientTails joins the two sides: connections break again and again, and each event is shown once.
func TestClientTails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(memory.Options{})
		w := start(t, Options{Log: j})
		c, err := client.New(client.Options{URL: "http://localhost", HTTP: w.client})
		if err != nil {
			t.Fatal(err)
		}
		const n = 500
		written := make(chan struct{})
		defer func() { <-written }()
		go func() {
			defer close(written)
			for i := 0; i < n; i += 10 {
				j.write(t, "clicks", i, 10)
				time.Sleep(100 * time.Millisecond)
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var got []int
		enough := errors.New("enough")
		err = c.Tail(ctx, client.TailQuery{Stream: "clicks", From: "start"}, func(e client.TailEvent) error {
			var body struct{ Data struct{ N int } }
			if err := json.Unmarshal(e.Data, &body); err != nil {
				return err
			}
			if got = append(got, body.Data.N); len(got)%7 == 0 {
				w.cut()
			}
			if len(got) == n {
				return enough
			}
			return nil
		})
		if err != enough {
			t.Fatal(err)
		}
		for i := range got {
			if got[i] != i {
				t.Fatalf("shown %v", got)
			}
		}
	})
}

// TestClientQueries joins the two sides.
func TestClientQueries(t *testing.T) {
	w := start(t, Options{})
	columns, rows := everything()
	w.store.answers(columns, rows...)
	c, err := client.New(client.Options{URL: "http://localhost", HTTP: w.client})
	if err != nil {
		t.Fatal(err)
	}
	result, err := c.Query(t.Context(), client.Query{SQL: "select"})
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	n := 0
	for {
		row, err := result.Next()
		if err == io.EOF {
			break
		}
		if err != nil || len(row) != len(columns) {
			t.Fatal(row, err)
		}
		if n == 0 && row[1] != json.Number("9007199254740993") {
			t.Errorf("read %v", row[1])
		}
		n++
	}
	if s := result.Summary(); n != 3 || s.RowCount != 3 || s.Truncated || s.AsOf == "" || len(result.Columns()) != len(columns) {
		t.Errorf("%d rows, %+v", n, s)
	}
}

// TestClientViews joins the two sides.
func TestClientViews(t *testing.T) {
	v := newViewer(77)
	v.board = []penstock.Standing{{Rank: 1, Member: "ada", Score: bigInt("9007199254740993")}, {Rank: 2, Member: "bob/é", Score: penstock.Number("1.20")}}
	w := startViews(t, v, Limits{})
	w.api.o.ViewStates = func(context.Context) ([]penstock.ViewStatus, error) {
		return []penstock.ViewStatus{{Name: "best", State: penstock.ViewBuilding, Eta: 1.5}}, nil
	}
	c, err := client.New(client.Options{URL: "http://localhost", HTTP: w.client})
	if err != nil {
		t.Fatal(err)
	}
	states, err := c.Views(t.Context())
	if err != nil || len(states) != 1 || states[0].Name != "best" || states[0].Eta != 1.5 {
		t.Errorf("%v, %v", states, err)
	}
	for _, order := range []string{"", "clicks", "-clicks"} {
		all := walk(t, w, ofView+"order="+order, 1000)
		var got []string
		pages := c.ViewPages(t.Context(), client.ViewQuery{View: "clicks_per_link", Order: order, Limit: 10})
		for page, err := range pages {
			if err != nil || len(page.Columns) != len(viewColumns) || page.AsOf == "" {
				t.Fatalf("%+v, %v", page, err)
			}
			for _, row := range page.Rows {
				got = append(got, string(row))
			}
		}
		if !slices.Equal(got, all) {
			t.Errorf("by %q: %d rows, want %d", order, len(got), len(all))
		}
	}
	where := client.ViewQuery{View: "clicks_per_link", Where: map[string]string{"link": "ä b/&\"\n'", "country": "0"}, From: "1000000000", To: "2001-09-09T01:47:40Z", Every: "all"}
	if page, err := c.View(t.Context(), where); err != nil || len(page.Rows) != 1 || page.Cursor != "" {
		t.Errorf("%+v, %v", page, err)
	}
	r, err := c.Rank(t.Context(), client.RankQuery{View: "best", Member: "bob/é", Around: 1})
	if err != nil || r.Rank != 2 || len(r.Rows) != 2 || string(r.Rows[0].Score) != "9007199254740993" || string(r.Score) != "1.20" || r.AsOf == "" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := c.Rank(t.Context(), client.RankQuery{View: "best", Member: "eve"}); !penstock.Is(err, penstock.NotFound) {
		t.Error(err)
	}
	v.fail = penstock.Errorf(penstock.Unavailable, "ask view", "it is being built")
	if _, err := c.View(t.Context(), client.ViewQuery{View: "best"}); !penstock.Is(err, penstock.Unavailable) {
		t.Error(err)
	}
}
