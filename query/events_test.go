package query

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
)

// key answers as a store does that holds n events of one key, a second apart.
func (s *fakeStore) key(n int) {
	s.events = func(_ context.Context, q penstock.KeyQuery) ([]penstock.Row, error) {
		rows := []penstock.Row{}
		for i := range n {
			row := penstock.Row{
				ID: fmt.Sprint(i), Key: q.Key, Time: penstock.Micros(1e15 + i*1e6), ReceivedAt: 1e15,
				Body: penstock.Raw(fmt.Sprintf(`{"n":%d}`, 9007199254740993+i)), Partition: 3, Position: penstock.Position{Epoch: 1, Offset: penstock.Offset(2 * i)},
			}
			inside := (q.From == 0 || row.Time >= q.From) && (q.To == 0 || row.Time < q.To)
			if inside && (q.After == (penstock.Position{}) || q.After.Less(row.Position)) && len(rows) < q.Limit {
				rows = append(rows, row)
			}
		}
		return rows, nil
	}
}

type page struct {
	Events []struct {
		ID   string
		Data json.RawMessage
	}
	Cursor *string
}

func pageOf(t *testing.T, a answer) page {
	t.Helper()
	var p page
	a.expect(t, 200, "")
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return p
}

const ofKey = "/v1/streams/clicks/events?key=k"

func TestEventsPageByPage(t *testing.T) {
	w := start(t, Options{})
	for n, want := range map[int]int{0: 1, 6: 2, 7: 3} { // events, and pages of three
		w.store.key(n)
		next, pages := "", 0
		for seen := 0; pages == 0 || next != ""; pages++ {
			p := pageOf(t, w.ask("GET", ofKey+"&limit=3&cursor="+next, nil, ""))
			for _, e := range p.Events {
				if e.ID != fmt.Sprint(seen) || string(e.Data) != fmt.Sprintf(`{"n":%d}`, 9007199254740993+seen) {
					t.Fatalf("event %d is %s %s", seen, e.ID, e.Data)
				}
				seen++
			}
			if next = ""; p.Cursor != nil {
				next = *p.Cursor
			} else if seen != n {
				t.Errorf("%d of %d events were shown", seen, n)
			}
		}
		if pages != want {
			t.Errorf("%d events came on %d pages, want %d", n, pages, want)
		}
	}
}

func TestEventsRefusals(t *testing.T) {
	w := start(t, Options{})
	w.store.key(10)
	cursor := *pageOf(t, w.ask("GET", ofKey+"&limit=3", nil, "")).Cursor
	for _, c := range []struct {
		target string
		status int
		code   string
	}{
		{"/v1/streams/clicks/events", 400, "bad_parameter"},
		{"/v1/streams/unknown/events?key=k", 404, "unknown_stream"},
		{"/v1/streams/clicks/events?key=%ff", 400, "bad_parameter"},
		{ofKey + "&key=l", 400, "bad_parameter"},
		{ofKey + "&order_by=ts;drop", 400, "bad_parameter"},
		{ofKey + "&order_by=ts", 400, "bad_parameter"},
		{ofKey + "&limit=0", 400, "bad_parameter"},
		{ofKey + "&limit=-1", 400, "bad_parameter"},
		{ofKey + "&limit=x", 400, "bad_parameter"},
		{ofKey + "&limit=1000000000", 422, "query_too_large"},
		{ofKey + "&limit=100000000000000000000000", 422, "query_too_large"},
		{ofKey + "&from=1971-01-01T00:00:00Z&to=2200-01-01T00:00:00Z", 422, "query_too_large"},
		{ofKey + "&from=2026-01-01T00:00:00Z&to=2025-01-01T00:00:00Z", 400, "bad_parameter"},
		{ofKey + "&to=0", 400, "bad_parameter"},
		{ofKey + "&from=yesterday", 400, "bad_parameter"},
		{ofKey + "&cursor=garbage", 400, "bad_cursor"},
		{ofKey + "&from=1&cursor=" + cursor, 400, "bad_cursor"},
		{"/v1/streams/clicks/events?key=l&cursor=" + cursor, 400, "bad_cursor"},
		{"/v1/streams/orders/events?key=k&cursor=" + cursor, 400, "bad_cursor"},
		{ofKey + "&cursor=" + cursor + "%0A", 400, "bad_cursor"},
		{ofKey + "&order=desc&cursor=" + cursor, 400, "bad_cursor"},
		{ofKey + "&order=newest", 400, "bad_parameter"},
		{ofKey + "&cursor=" + cursor, 200, ""},
		{"/v1/streams/clicks/events?key=" + url.QueryEscape(`' or 1=1; --"ʼ`), 200, ""},
	} {
		a := w.ask("GET", c.target, nil, "")
		if a.status != c.status || a.code != c.code {
			t.Errorf("%s got %d %q %s, want %d %q", c.target, a.status, a.code, a.body, c.status, c.code)
		}
	}
}

func TestEventsFromTheNewest(t *testing.T) {
	w := start(t, Options{})
	var asked []penstock.KeyQuery
	w.store.events = func(_ context.Context, q penstock.KeyQuery) ([]penstock.Row, error) {
		asked = append(asked, q)
		at := penstock.Position{Epoch: 1, Offset: 9}
		if q.After != (penstock.Position{}) {
			at = q.After
		}
		var rows []penstock.Row
		for range q.Limit {
			at.Offset--
			rows = append(rows, penstock.Row{Key: q.Key, Body: penstock.Raw("{}"), Partition: 3, Position: at})
		}
		return rows, nil
	}
	first := pageOf(t, w.ask("GET", ofKey+"&order=desc&limit=2", nil, ""))
	pageOf(t, w.ask("GET", ofKey+"&order=desc&limit=2&cursor="+*first.Cursor, nil, ""))
	pageOf(t, w.ask("GET", ofKey+"&order=asc&limit=2", nil, ""))
	if len(asked) != 3 || !asked[0].Newest || asked[1].After.Offset != 7 || !asked[1].Newest || asked[2].Newest {
		t.Errorf("asked for %+v", asked)
	}
}

func TestEventsMoments(t *testing.T) {
	w := start(t, Options{})
	w.store.key(10)
	at := time.UnixMicro(1e15).UTC()
	for text, want := range map[string]int{
		at.Add(3 * time.Second).Format(time.RFC3339): 7, "1000000003": 7, "1000000003000": 7, "1000000003000000": 7,
		"1000000003000000000": 7, "2001-09-09T03:46:43.000001+02:00": 6,
	} {
		if p := pageOf(t, w.ask("GET", ofKey+"&from="+url.QueryEscape(text), nil, "")); len(p.Events) != want {
			t.Errorf("from %s: %d events, want %d", text, len(p.Events), want)
		}
	}
}

func TestEventsWaitAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		w.store.key(1)
		receipt := receiptOf(penstock.Positions{1: {Epoch: 1, Offset: 10}})
		w.ask("GET", ofKey+"&timeout=1s&after="+receipt, nil, "").expect(t, 504, "not_visible_yet")
		w.store.raise(penstock.Positions{1: {Epoch: 1, Offset: 10}})
		pageOf(t, w.ask("GET", ofKey+"&timeout=1s&after="+receipt, nil, ""))
		ended := make(chan error, 1)
		w.store.events = func(ctx context.Context, _ penstock.KeyQuery) ([]penstock.Row, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		}
		began := time.Now()
		w.ask("GET", ofKey, nil, "").expect(t, 422, "query_limit")
		if took := time.Since(began); took != 30*time.Second || <-ended == nil {
			t.Errorf("after %s", took)
		}
		conn := w.send("GET " + ofKey + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
		synctest.Wait()
		left := time.Now()
		conn.Close()
		<-ended
		if took := time.Since(left); took > time.Second {
			t.Errorf("it ran on for %s", took)
		}
	})
}
