package main

import (
	"testing"
	"time"
)

func TestSQLiteCountsWhatItWasTold(t *testing.T) {
	for _, clients := range []int{1, 8} {
		r, err := sqliteWay(clients)(t.Context(), options{dir: t.TempDir(), events: 200, patience: time.Minute})
		if err != nil || r.Events != 200 || r.Seconds <= 0 || r.Version == "" {
			t.Errorf("%d clients: %+v, %v", clients, r, err)
		}
	}
}

func TestRatiosAreOfMedians(t *testing.T) {
	var runs []run
	add := func(store, how string, clients int, rates ...float64) {
		for i, rate := range rates {
			runs = append(runs, run{Store: store, How: how, Clients: clients, Turn: i + 1, PerSecond: rate})
		}
	}
	add("penstock", howBatches, 64, 100_000, 300_000, 200_000)
	add("penstock", howSingles, 64, 20_000, 10_000, 90_000)
	add("penstock", howSingles, 1, 1, 1, 1)
	add("sqlite", howUpdate, 1, 1000, 2000, 3000)
	add("postgresql", howUpdate, 64, 500, 500, 500)
	got := ratios(runs)
	want := []ratio{{"sqlite", 1, 100, 10, 2000, 200_000}, {"postgresql", 64, 400, 40, 500, 200_000}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v", got)
	}
}
