package query

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
)

// TestViewsReadYourWrites holds that an answer contains what receipts name, and is a receipt itself.
func TestViewsReadYourWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newViewer(1)
		v.board = []penstock.Standing{{Rank: 1, Member: "ada", Score: int64(7)}}
		w := startViews(t, v, Limits{})
		one := receiptOf(penstock.Positions{1: {Epoch: 1, Offset: 10}})
		other := receiptOf(penstock.Positions{2: {Epoch: 1, Offset: 5}})
		for _, target := range []string{ofView, "/v1/views/best/rank?member=ada&"} {
			w.store.at = nil
			both := target + "timeout=2s&after=" + one + "&after=" + other
			began := time.Now()
			w.ask("GET", both, nil, "").expect(t, 504, "not_visible_yet")
			if took := time.Since(began); took != 2*time.Second {
				t.Errorf("%s: after %s", target, took)
			}
			w.store.raise(penstock.Positions{1: {Epoch: 1, Offset: 10}})
			w.ask("GET", both, nil, "").expect(t, 504, "not_visible_yet")
			go func() {
				time.Sleep(time.Second)
				w.store.raise(penstock.Positions{2: {Epoch: 1, Offset: 6}})
			}()
			a := w.ask("GET", both, nil, "")
			a.expect(t, 200, "")
			var answer struct {
				AsOf string `json:"as_of"`
			}
			if err := json.Unmarshal([]byte(a.body), &answer); err != nil {
				t.Fatal(err)
			}
			receipt, err := penstock.ParseReceipt(answer.AsOf, testCluster().ID)
			if want := (penstock.Position{Epoch: 1, Offset: 6}); err != nil || receipt.Positions[2] != want {
				t.Errorf("%s: as of %v, %v", target, receipt, err)
			}
			w.ask("GET", target+"after="+answer.AsOf, nil, "").expect(t, 200, "")
		}
	})
}

// TestViewsThatFail holds that a failure is never taken for an answer.
func TestViewsThatFail(t *testing.T) {
	w := startViews(t, newViewer(0), Limits{})
	rows := &fakeRows{columns: viewColumns[:], rows: newViewer(3).rows, next: func() ([]any, error) {
		return nil, penstock.Errorf(penstock.Internal, "read rows", "the disk is gone")
	}}
	closed := false
	rows.closed = func() { closed = true }
	w.api.o.Viewer = viewerOf{rows}
	w.ask("GET", ofView, nil, "").expect(t, 500, "internal")
	rows.rows, rows.next = [][]any{{int64(1)}}, nil
	w.ask("GET", ofView, nil, "").expect(t, 500, "internal")
	rows.rows, rows.next = nil, func() ([]any, error) { return nil, penstock.Errorf(penstock.Expired, "read rows", "its time is up") }
	w.ask("GET", ofView, nil, "").expect(t, 422, "query_limit")
	rows.next = func() ([]any, error) { return nil, fmt.Errorf("end: %w", io.EOF) }
	viewPageOf(t, w.ask("GET", ofView, nil, ""))
	if !closed {
		t.Error("rows were not closed")
	}
	w.api.o.Viewer = &fakeViewer{fail: errors.New("something")}
	w.ask("GET", ofView, nil, "").expect(t, 500, "internal")
	w.api.o.Position = nil
	w.ask("GET", ofView, nil, "").expect(t, 503, "unavailable")
}

// TestViewsWaitTheirTurn holds that questions to views are bounded, and end with their time.
func TestViewsWaitTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startViews(t, newViewer(0), Limits{Running: 1, Waiting: 1})
		enough := make(chan struct{})
		w.api.o.Viewer = viewerOf{&fakeRows{columns: viewColumns[:], next: func() ([]any, error) { <-enough; return nil, io.EOF }}}
		got := make(chan int, 7)
		for range cap(got) { // two run, four wait
			go func() { got <- w.ask("GET", ofView, nil, "").status }()
		}
		if status := <-got; status != 429 {
			t.Errorf("the seventh got %d", status)
		}
		close(enough)
		for range cap(got) - 1 {
			if status := <-got; status != 200 {
				t.Errorf("got %d", status)
			}
		}
	})
}
