package letters

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
	"penstock/client"
	store "penstock/store/memory"
)

func (w *world) drop(body string) dropped {
	w.t.Helper()
	var page dropped
	w.ask("POST", "/v1/dlq/drop", body).into(w.t, &page)
	return page
}

func TestDrop(t *testing.T) {
	w := start(t, Options{})
	w.broken(40)
	if page := w.drop(`{"dry_run":true}`); page.Matched != 40 || page.Dropped != 0 || len(w.letters(penstock.LetterOpen)) != 40 {
		t.Errorf("%+v", page)
	}
	if page := w.drop(`{"id":"id0007","stream":"orders","reason":"bad_type"}`); page.Matched != 1 || page.Dropped != 1 {
		t.Errorf("%+v", page)
	}
	gone := w.letters(penstock.LetterDropped)
	if len(gone) != 1 || gone[0].ID != "id0007" {
		t.Fatalf("%+v", gone)
	}
	if page := w.drop(fmt.Sprintf(`{"places":[%q,"0-1-99999"]}`, placeText(placeOf(gone[0])))); page.Matched != 0 || page.Dropped != 0 {
		t.Errorf("what was dropped is not open: %+v", page)
	}
	matched, pages := 0, 0
	for next := ""; pages == 0 || next != ""; pages++ {
		body := `{"limit":10}`
		if next != "" {
			body = fmt.Sprintf(`{"limit":10,"cursor":%q}`, next)
		}
		page := w.drop(body)
		matched += page.Dropped
		if next = ""; page.Next != nil {
			next = *page.Next
		}
	}
	if matched != 39 || pages != 4 || len(w.letters(penstock.LetterDropped)) != 40 {
		t.Errorf("%d dropped on %d pages", matched, pages)
	}
	w.mend()
	if page := w.replay(`{}`); page.Matched != 0 || w.log.calls != 0 || len(w.store.Records()) != 0 {
		t.Errorf("%+v", page)
	}
}

func TestDropReleasesWhatIsParked(t *testing.T) {
	stream := strict()
	stream.HaltKey = true
	w := startWith(t, Options{}, store.Options{Streams: []penstock.Stream{stream}})
	w.write(event{"orders", "1", "k", `{}x`}, event{"orders", "2", "k", `{"n":2}`}, event{"orders", "3", "k", `{"n":3}`}, event{"orders", "4", "k", `x`})
	if page := w.drop(`{"id":"4"}`); page.Matched != 0 {
		t.Errorf("a parked letter was dropped: %+v", page)
	}
	if page := w.drop(`{"id":"1"}`); page.Dropped != 1 {
		t.Errorf("%+v", page)
	}
	rows, open := w.store.Records(), w.letters(penstock.LetterOpen)
	if len(rows) != 2 || string(rows[0].ID) != "2" || len(open) != 1 || open[0].ID != "4" {
		t.Errorf("%d rows, open %+v", len(rows), open)
	}
}

func TestClientChanges(t *testing.T) {
	w := start(t, Options{})
	w.broken(25)
	w.mend()
	c := w.client(w)
	tried, err := c.Drop(t.Context(), client.LetterChange{DryRun: true}, nil)
	if err != nil || tried.Matched != 25 || tried.Dropped != 0 {
		t.Errorf("%+v, %v", tried, err)
	}
	gone, err := c.Drop(t.Context(), client.LetterChange{ID: "id0004"}, nil)
	if err != nil || gone.Dropped != 1 || gone.Next != "" {
		t.Errorf("%+v, %v", gone, err)
	}
	if none, err := c.Replay(t.Context(), client.LetterChange{Places: []string{}}, nil); err != nil || none.Matched != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	some, err := c.Replay(t.Context(), client.LetterChange{Places: []string{placeText(placeOf(w.letters(penstock.LetterOpen)[3]))}}, nil)
	if err != nil || some.Replayed != 1 || some.Receipt == "" {
		t.Errorf("%+v, %v", some, err)
	}
	w.apply()
	rest, err := c.Replay(t.Context(), client.LetterChange{Stream: "orders", Reason: "bad_type"}, nil)
	if err != nil || rest.Replayed != 23 || rest.Next != "" {
		t.Errorf("%+v, %v", rest, err)
	}
	w.apply()
	if len(w.store.Records()) != 24 {
		t.Errorf("%d rows", len(w.store.Records()))
	}
	if _, err := c.Drop(t.Context(), client.LetterChange{Rate: 5}, nil); !penstock.Is(err, penstock.Invalid) {
		t.Error(err)
	}
}

func TestChangeRefusals(t *testing.T) {
	w := start(t, Options{})
	w.broken(3)
	many := strings.Repeat(`"0-1-1",`, 10_000)
	for _, c := range []struct {
		body   string
		status int
		code   string
	}{
		{``, 400, "bad_json"},
		{`{`, 400, "bad_json"},
		{`{}{}`, 400, "bad_json"},
		{`[]`, 400, "bad_shape"},
		{`null`, 400, "bad_shape"},
		{`{"stream":"a","stream":"b"}`, 400, "duplicate_member"},
		{`{"steam":"a"}`, 400, "bad_shape"},
		{`{"Stream":"a"}`, 400, "bad_shape"},
		{`{"state":"open"}`, 400, "bad_shape"},
		{`{"stream":""}`, 400, "bad_shape"},
		{`{"stream":null}`, 400, "bad_shape"},
		{`{"reason":""}`, 400, "bad_shape"},
		{`{"id":null}`, 400, "bad_shape"},
		{`{"id":5}`, 400, "bad_shape"},
		{`{"places":null}`, 400, "bad_shape"},
		{`{"places":"0-1-1"}`, 400, "bad_shape"},
		{`{"places":[""]}`, 400, "bad_place"},
		{`{"places":[null]}`, 400, "bad_place"},
		{`{"places":["4-1-0"]}`, 400, "bad_place"},
		{`{"places":["0-1-1; drop table"]}`, 400, "bad_place"},
		{`{"places":[` + many + `"0-1-1"]}`, 422, "query_too_large"},
		{`{"limit":0}`, 400, "bad_parameter"},
		{`{"limit":"5"}`, 400, "bad_shape"},
		{`{"limit":1.5}`, 400, "bad_shape"},
		{`{"limit":1000000000}`, 422, "query_too_large"},
		{`{"dry_run":"true"}`, 400, "bad_shape"},
		{`{"dry_run":null}`, 400, "bad_shape"},
		{`{"cursor":"x"}`, 400, "bad_cursor"},
		{`{"stream":"Orders"}`, 400, "bad_stream"},
		{`{"id":"` + strings.Repeat("x", 129) + `"}`, 400, "bad_parameter"},
		{`{"id":"` + strings.Repeat("x", 512<<10) + `"}`, 413, "body_too_large"},
	} {
		for _, target := range []string{"/v1/dlq/replay", "/v1/dlq/drop"} {
			a := w.ask("POST", target, c.body)
			if a.status != c.status || a.code != c.code {
				t.Errorf("%s %.60s got %d %q %s, want %d %q", target, c.body, a.status, a.code, a.body, c.status, c.code)
			}
		}
	}
	for body, want := range map[string]string{`{"rate":0}`: "bad_parameter", `{"rate":-5}`: "bad_parameter", `{"rate":1000001}`: "query_too_large", `{"receipt":"x"}`: "bad_receipt"} {
		if a := w.ask("POST", "/v1/dlq/replay", body); a.code != want {
			t.Errorf("%s got %d %q, want %q", body, a.status, a.code, want)
		}
		w.ask("POST", "/v1/dlq/drop", body).expect(t, 400, "bad_shape")
	}
	w.ask("POST", "/v1/dlq/replay?stream=orders", "{}").expect(t, 400, "bad_parameter")
	for name, value := range map[string]string{"Content-Type": "text/plain", "Content-Encoding": "gzip"} {
		r := newRequest(t, "POST", "/v1/dlq/drop", "{}")
		r.Header.Set(name, value)
		if a := w.send(r); a.status != 415 {
			t.Errorf("%s %s got %d", name, value, a.status)
		}
	}
	if len(w.letters(penstock.LetterOpen)) != 3 || w.log.calls != 0 {
		t.Error("something took effect")
	}
}

// slow is a store that takes its time.
type slow struct {
	penstock.DeadLetters
	pause time.Duration
}

func (s slow) Letters(ctx context.Context, q penstock.LetterQuery) ([]penstock.Letter, error) {
	if err := wait(ctx, s.pause); err != nil {
		return nil, err
	}
	return s.DeadLetters.Letters(ctx, q)
}

func TestTimeLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		w.broken(500)
		ask := func(pause time.Duration, method, target, body string) answer {
			o := w.api.o
			o.Letters = slow{w.store, pause}
			v := start(t, o)
			return v.ask(method, target, body)
		}
		ask(time.Hour, "GET", "/v1/dlq", "").expect(t, 504, "expired")
		ask(time.Hour, "POST", "/v1/dlq/replay", "{}").expect(t, 504, "expired")
		var page replayed
		began := time.Now()
		ask(time.Second, "POST", "/v1/dlq/replay", `{"rate":500}`).into(t, &page)
		if took := time.Since(began); page.Next == nil || page.Matched != 450 || took < 10*time.Second || took > 11*time.Second {
			t.Errorf("%d letters in %s", page.Matched, took)
		}
	})
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		w.broken(100)
		w.log.appended = func([]*penstock.Block) {
			if w.log.records == 5 {
				w.api.Close()
			}
		}
		page := w.replay(`{"rate":1}`)
		if page.Replayed != 5 || page.Next == nil {
			t.Errorf("%+v", page)
		}
		w.ask("POST", "/v1/dlq/replay", `{"rate":1}`).expect(t, 503, "shutting_down")
	})
}

func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		w.broken(3)
		o := w.api.o
		o.Letters = slow{w.store, time.Second}
		w = start(t, o)
		answers := make(chan answer)
		for range 2 {
			go func() { answers <- w.ask("POST", "/v1/dlq/replay", `{"dry_run":true}`) }()
		}
		synctest.Wait()
		w.ask("POST", "/v1/dlq/replay", "{}").expect(t, 429, "too_many_queries")
		w.ask("POST", "/v1/dlq/drop", "{}").expect(t, 429, "too_many_queries")
		w.ask("GET", "/v1/dlq", "").expect(t, 200, "")
		for range 2 {
			(<-answers).expect(t, 200, "")
		}
		w.ask("POST", "/v1/dlq/replay", "{}").expect(t, 200, "")
	})
}

func TestMissingParts(t *testing.T) {
	w := start(t, Options{})
	api := New(Options{Cluster: testCluster(), Letters: w.store})
	defer api.Close()
	w.guard = newGuard(api)
	w.ask("GET", "/v1/dlq", "").expect(t, 200, "")
	w.ask("POST", "/v1/dlq/replay", "{}").expect(t, 503, "unavailable")
	none := New(Options{Cluster: testCluster()})
	defer none.Close()
	w.guard = newGuard(none)
	w.ask("GET", "/v1/dlq", "").expect(t, 503, "unavailable")
	w.ask("POST", "/v1/dlq/drop", "{}").expect(t, 503, "unavailable")
}
