package query

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

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
