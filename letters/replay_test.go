package letters

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
	"penstock/client"
	store "penstock/store/memory"
)

func newRequest(t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	return httptest.NewRequestWithContext(t.Context(), method, "http://localhost"+target, reader)
}

// replay replays a page.
func (w *world) replay(body string) replayed {
	w.t.Helper()
	var page replayed
	w.ask("POST", "/v1/dlq/replay", body).into(w.t, &page)
	return page
}

func TestReplay(t *testing.T) {
	w := start(t, Options{})
	w.broken(120)
	w.mend()
	page := w.replay(`{}`)
	if page.Matched != 120 || page.Replayed != 120 || page.RejectedCount != 0 || page.Next != nil || page.Receipt == nil {
		t.Errorf("%+v", page)
	}
	r, err := penstock.ParseReceipt(*page.Receipt, testCluster().ID)
	_, end, _ := w.log.Bounds(t.Context())
	if err != nil || !r.Positions.Reached(end) && len(r.Positions) == 4 || r.Durability != penstock.DurabilityMemory {
		t.Errorf("receipt %+v, %v, the log ends at %v", r, err, end)
	}
	w.apply()
	w.checkOnce(120)
	for _, row := range w.store.Records() {
		if row.ReplayOf == (penstock.Position{}) || row.Sum == 0 {
			t.Errorf("row %+v", row)
		}
	}
	if page := w.replay(`{}`); page.Matched != 0 || page.Receipt != nil || page.Next != nil {
		t.Errorf("what was replayed is not open: %+v", page)
	}
	want := Change{Kind: "replay", Matched: 120, Done: 120}
	if got := w.heard[0]; got.Elapsed < 0 || got.Kind != want.Kind || got.Matched != want.Matched || got.Done != want.Done || got.Err != nil {
		t.Errorf("heard %+v", got)
	}
}

func TestReplayPages(t *testing.T) {
	w := start(t, Options{})
	w.broken(103)
	w.mend()
	next, receipt, matched, pages := "", "", 0, 0
	for more := true; more; pages++ {
		body := `{"limit":10`
		if next != "" {
			body += fmt.Sprintf(`,"cursor":%q,"receipt":%q`, next, receipt)
		}
		page := w.replay(body + "}")
		matched += page.Matched
		receipt = *page.Receipt
		if more = page.Next != nil; more {
			next = *page.Next
		}
	}
	r, err := penstock.ParseReceipt(receipt, testCluster().ID)
	w.apply()
	if err != nil || matched != 103 || pages != 11 {
		t.Errorf("%d letters on %d pages, %v", matched, pages, err)
	}
	for p, at := range r.Positions {
		if now, err := w.store.Position(t.Context(), p); err != nil || now != at {
			t.Errorf("partition %d: the last receipt says %v, the store is at %v", p, at, now)
		}
	}
	w.checkOnce(103)
}

func TestReplayOfSome(t *testing.T) {
	for filter, want := range map[string]int{
		`"id":"id0003"`: 1, `"stream":"clicks"`: 1, `"reason":"bad_type"`: 20, `"reason":"bad_type","stream":"clicks"`: 0,
		`"places":[]`: 0, `"places":["PLACE0","PLACE1","PLACE0","3-1-99999"]`: 2, `"places":["PLACE0","PLACE1"],"id":"id9999"`: 0,
		`"cursor":"PLACE19"`: 1, `"places":["PLACE20","PLACE3"],"cursor":"PLACE3"`: 1, `"stream":"nothing"`: 0,
	} {
		w := start(t, Options{})
		w.broken(20)
		w.write(event{"clicks", "c1", "", "x"})
		for i, l := range w.letters("") {
			filter = strings.ReplaceAll(filter, fmt.Sprintf("PLACE%d\"", i), placeText(placeOf(l))+`"`)
		}
		dry := w.replay("{" + filter + `,"dry_run":true}`)
		if dry.Matched != want || dry.Replayed != 0 || dry.Receipt != nil || w.log.calls != 0 {
			t.Errorf("%s, tried: %+v", filter, dry)
		}
		if page := w.replay("{" + filter + "}"); page.Matched != want || page.Replayed != want || w.log.records != want {
			t.Errorf("%s: %+v, %d records", filter, page, w.log.records)
		}
	}
}

func TestReplayOfWhatIsStillWrong(t *testing.T) {
	w := start(t, Options{})
	w.broken(30)
	before := w.letters("")
	w.began = w.began.Add(time.Minute)
	if page := w.replay(`{}`); page.Matched != 30 || page.Replayed != 30 || page.Next != nil {
		t.Errorf("%+v", page)
	}
	w.apply()
	for i, l := range w.letters(penstock.LetterOpen) {
		if placeOf(l) != placeOf(before[i]) || l.Since <= before[i].Since || l.Sum != before[i].Sum || l.Body != before[i].Body {
			t.Errorf("%+v became %+v", before[i], l)
		}
	}
	w.mend()
	w.replay(`{}`)
	w.apply()
	w.checkOnce(30)
}

func TestReplayRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct{ n, rate int }{{1, 1}, {25, 1}, {30, 7}, {100, 50}, {600, 100}, {2000, 20_000}} {
			w := start(t, Options{})
			w.broken(c.n)
			w.mend()
			began, pages := time.Now(), 0
			w.log.appended = func([]*penstock.Block) {
				if most := time.Since(began).Seconds() * float64(c.rate); float64(w.log.records) > most+1e-6 {
					t.Errorf("rate %d: %d letters after %s", c.rate, w.log.records, time.Since(began))
				}
			}
			sum, err := w.client(w).Replay(t.Context(), client.LetterChange{Rate: c.rate}, func(client.Replayed) { pages++ })
			took := time.Since(began)
			if want := time.Duration(c.n) * time.Second / time.Duration(c.rate); err != nil || sum.Replayed != c.n || took < want-time.Millisecond || took > want*11/10 {
				t.Errorf("%d letters at %d a second took %s: %+v, %v", c.n, c.rate, took, sum, err)
			}
			if most := int(took/(9*time.Second)) + (c.n+defaultLimit-1)/defaultLimit; pages > most {
				t.Errorf("%d pages in %s", pages, took)
			}
			w.apply()
			w.checkOnce(c.n)
		}
	})
}

// TestReplayDoesNotBurst holds that time lost on a slow log is not made up for.
func TestReplayDoesNotBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		w.broken(100)
		var last time.Time
		w.log.appended = func([]*penstock.Block) {
			if w.log.records > 20 && time.Since(last) < 90*time.Millisecond {
				t.Errorf("%s after the portion before", time.Since(last))
			}
			if last = time.Now(); w.log.records == 20 {
				<-time.After(5 * time.Second)
			}
		}
		if page := w.replay(`{"rate":100}`); page.Replayed != 100 {
			t.Errorf("%+v", page)
		}
	})
}

// TestReplayOfDamage holds that what is not what was accepted stays a letter, and holds up nobody.
func TestReplayOfDamage(t *testing.T) {
	w := start(t, Options{})
	w.broken(10)
	builder := penstock.NewBlockBuilder(penstock.NewPartitioner(testCluster()))
	builder.Reset(penstock.DefaultTenant, "orders", 1, 0)
	builder.Add(penstock.Event{ID: []byte("damaged"), Key: []byte("k1"), Time: 1, Body: []byte(`{"n":1}`), Sum: 5})
	other := testCluster()
	other.Key[0] = 9
	stray := penstock.NewBlockBuilder(penstock.NewPartitioner(other))
	stray.Reset(penstock.DefaultTenant, "orders", 1, 0)
	ours := penstock.NewPartitioner(testCluster())
	for i := range 100 { // some of which are where they belong
		id := fmt.Appendf(nil, "stray%d", i)
		if theirs := penstock.NewPartitioner(other); theirs.Of(penstock.DefaultTenant, "orders", nil, id) != ours.Of(penstock.DefaultTenant, "orders", nil, id) {
			stray.Add(penstock.Event{ID: id, Time: 1, Body: []byte("x")})
		}
	}
	strays := stray.Len()
	stray.Add(penstock.Event{ID: nil, Key: []byte("k1"), Time: 1, Body: []byte("x")})
	if err := w.log.Log.Append(t.Context(), builder.Take(), stray.Take()); err != nil {
		t.Fatal(err)
	}
	w.apply()
	w.mend()
	dry := w.replay(`{"dry_run":true}`)
	page := w.replay(`{}`)
	if page.Matched != 12+strays || page.Replayed != 10 || page.RejectedCount != 2+strays || len(page.Rejected) != maxRejected || dry.RejectedCount != page.RejectedCount {
		t.Errorf("%+v", page)
	}
	codes := map[string]int{}
	for _, r := range page.Rejected {
		codes[r.Code]++
	}
	w.apply()
	if only := w.replay(`{"reason":"bad_checksum"}`); only.Rejected[0].Code != "bad_checksum" || only.Matched != 1 {
		t.Errorf("%+v", only)
	}
	if rows := w.store.Records(); len(rows) != 10 || codes["conflict"] == 0 {
		t.Errorf("%d rows, rejected for %v", len(rows), codes)
	}
}

// TestReplayFindsWhatTheLogRefuses holds that a letter that the log does not take holds up nobody.
func TestReplayFindsWhatTheLogRefuses(t *testing.T) {
	w := start(t, Options{})
	w.broken(100)
	w.mend()
	w.log.fault = func(blocks []*penstock.Block) (before, after error) {
		for _, b := range blocks {
			for r := range b.Records() {
				if string(r.ID) == "id0013" || string(r.ID) == "id0077" {
					return penstock.Refusef("too_large", "append", "of path /data/secret"), nil
				}
			}
		}
		return nil, nil
	}
	page := w.replay(`{}`)
	if page.Matched != 100 || page.Replayed != 98 || page.RejectedCount != 2 || page.Next != nil {
		t.Errorf("%+v", page)
	}
	for _, r := range page.Rejected {
		if r.Code != "too_large" || strings.Contains(r.Message, "/") {
			t.Errorf("%+v", r)
		}
	}
	w.apply()
	open := w.letters(penstock.LetterOpen)
	if rows := w.store.Records(); len(rows) != 98 || len(open) != 2 || placeText(placeOf(open[0])) != page.Rejected[0].Place {
		t.Errorf("%d rows, open %+v", len(rows), open)
	}
}

func TestReplayKeepsWhatTheEventWas(t *testing.T) {
	w := start(t, Options{})
	builder := penstock.NewBlockBuilder(penstock.NewPartitioner(testCluster()))
	builder.Reset(penstock.DefaultTenant, "orders", 77, 0)
	in := penstock.Event{ID: []byte("given"), Time: 5, Body: []byte(" {\"n\" : \"no\"} "), Flags: penstock.ServerID}
	builder.Add(in)
	block := builder.Take()
	block.Producer = penstock.Producer{Name: "p", Seq: 3}
	if err := w.log.Log.Append(t.Context(), block); err != nil {
		t.Fatal(err)
	}
	w.apply()
	w.mend()
	if page := w.replay(`{}`); page.Replayed != 1 {
		t.Fatalf("%+v", page)
	}
	w.apply()
	rows := w.store.Records()
	if len(rows) != 1 {
		t.Fatalf("%d rows", len(rows))
	}
	r := rows[0]
	if string(r.ID) != "given" || len(r.Key) != 0 || r.Time != 5 || string(r.Body) != string(in.Body) || r.Flags != penstock.ServerID || r.ReceivedAt != 77 || r.Producer.Name != "" {
		t.Errorf("%+v", r)
	}
}

func TestReplayWhileOthersAreParked(t *testing.T) {
	stream := strict()
	stream.HaltKey = true
	w := startWith(t, Options{}, store.Options{Streams: []penstock.Stream{stream}})
	w.broken(10)
	if open, parked := w.letters(penstock.LetterOpen), w.letters(penstock.LetterParked); len(open) != 5 || len(parked) != 5 {
		t.Fatalf("%d open, %d parked", len(open), len(parked))
	}
	w.mend()
	if page := w.replay(`{}`); page.Matched != 5 || page.Replayed != 5 {
		t.Errorf("%+v", page)
	}
	w.apply()
	w.checkOnce(10)
}

func TestLargeLettersAreSentInSmallPortions(t *testing.T) {
	w := start(t, Options{})
	body := strings.Repeat("x", 400<<10)
	for i := range 7 {
		w.write(event{"orders", fmt.Sprint(i), "k", body})
	}
	w.write(event{"orders", "huge", "k", strings.Repeat(body, 4)})
	w.log.appended = func(blocks []*penstock.Block) {
		var size penstock.Bytes
		for _, b := range blocks {
			size += b.Size()
		}
		if size > maxPortionBytes && len(blocks) > 1 {
			t.Errorf("%d blocks of %d bytes", len(blocks), size)
		}
	}
	if page := w.replay(`{}`); page.Replayed != 8 {
		t.Errorf("%+v", page)
	}
}
