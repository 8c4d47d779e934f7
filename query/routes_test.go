package query

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
)

func TestStreams(t *testing.T) {
	w := start(t, Options{
		Streams: func() []penstock.Stream {
			return []penstock.Stream{
				{Name: "orders", IDField: "order.id", KeepRows: 90 * 24 * time.Hour, Durability: penstock.DurabilityMemory,
					Columns: []penstock.Column{{Name: "price", Type: penstock.Decimal, Precision: 12, Scale: 2, Path: "price"}}},
				{Name: "clicks"},
			}
		},
		Counts: func(context.Context) (map[string]StreamCounts, error) {
			return map[string]StreamCounts{"clicks": {Accepted: 5, Stored: 0, EventsPerSecond: -1}}, nil
		},
	})
	var out strings.Builder
	for _, target := range []string{"/v1/streams", "/v1/streams/clicks", "/v1/streams/none", "/v1/streams/a'b", "/v1/streams?x=1"} {
		a := w.ask("GET", target, nil, "")
		fmt.Fprintf(&out, "%s\n----\n%d %s\n", target, a.status, a.body)
	}
	golden(t, "streams.txt", out.String())
}

func TestReceipts(t *testing.T) {
	w := start(t, Options{})
	w.store.raise(penstock.Positions{1: {Epoch: 1, Offset: 10}})
	var out strings.Builder
	for _, ps := range []penstock.Positions{{1: {Epoch: 1, Offset: 10}}, {1: {Epoch: 1, Offset: 11}, 0: {Epoch: 1, Offset: 1}}, {}, {9: {Epoch: 1, Offset: 1}}} {
		a := w.ask("GET", "/v1/receipts/"+receiptOf(ps), nil, "")
		fmt.Fprintf(&out, "%v\n----\n%d %s\n", ps, a.status, a.body)
	}
	golden(t, "receipts.txt", out.String())
	w.ask("GET", "/v1/receipts/garbage", nil, "").expect(t, 400, "bad_receipt")
}

func TestLag(t *testing.T) {
	drain := 1.5
	lag := Lag{Events: 3, Seconds: 0.25, DrainSeconds: &drain, Stores: []StoreLag{
		{Store: "shard-0", Events: 3, Seconds: 0.25, Partitions: []PartitionLag{{Partition: 1, Position: 4, Next: 7}}}, {Store: "shard-1"},
	}}
	w := start(t, Options{Lag: func(context.Context) (Lag, error) { return lag, nil }})
	var out strings.Builder
	for range 2 {
		fmt.Fprint(&out, w.ask("GET", "/v1/lag", nil, "").body)
		lag = Lag{}
	}
	golden(t, "lag.txt", out.String())
}

// TestPartsThatAreMissing holds that a server of few roles says so.
func TestPartsThatAreMissing(t *testing.T) {
	w := start(t, Options{})
	w.api.o.Querier, w.api.o.Position, w.api.o.Log, w.api.o.Lag = nil, nil, nil, nil
	for _, target := range []string{ofKey, "/v1/streams/clicks/tail", "/v1/lag", "/v1/receipts/" + receiptOf(nil)} {
		w.ask("GET", target, nil, "").expect(t, 503, "unavailable")
	}
	w.sql("select", "").expect(t, 503, "unavailable")
}

func TestWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		wait := Waiter(store.position)
		want := penstock.Positions{1: {Epoch: 1, Offset: 5}, 2: {Epoch: 1, Offset: 1}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		if err := wait(ctx, want); !penstock.Is(err, penstock.Expired) || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		began = time.Now()
		go func() {
			time.Sleep(time.Second)
			store.raise(penstock.Positions{1: {Epoch: 1, Offset: 5}, 2: {Epoch: 1, Offset: 1}})
		}()
		if err := wait(t.Context(), want); err != nil || time.Since(began) > 1050*time.Millisecond {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if err := wait(t.Context(), nil); err != nil || len(want) != 2 {
			t.Errorf("%v, %v", err, want)
		}
		down := Waiter(func(context.Context, penstock.Partition) (penstock.Position, error) {
			return penstock.Position{}, errors.New("away")
		})
		if err := down(t.Context(), want); err == nil || penstock.Is(err, penstock.Expired) {
			t.Errorf("an outage became %v", err)
		}
	})
}
