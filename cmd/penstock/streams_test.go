package main

import (
	"context"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"penstock"
)

func TestTrafficRates(t *testing.T) {
	tr := newTraffic(newMetrics(func(string) string { return "other" }))
	for range 60 {
		tr.accept("clicks", 500, 100_000)
		tr.accept("orders", 1, 300)
		tr.sample(500 * time.Millisecond)
	}
	near := func(got, want float64) bool { return math.Abs(got-want) < want/50 }
	if m := tr.of("clicks"); m.total.Load() != 30_000 || !near(m.perSecond(), 1000) {
		t.Errorf("clicks: %d, %v/s", m.total.Load(), m.perSecond())
	}
	if got := tr.bytes.perSecond(); !near(got, 200_600) {
		t.Errorf("%v bytes/s", got)
	}
	for range 60 {
		tr.sample(time.Second)
	}
	if got := tr.of("clicks").perSecond(); got > 1 {
		t.Errorf("%v/s after a minute of silence", got)
	}
}

func TestTrafficLabelsFollowTheConfiguration(t *testing.T) {
	d := newDirectory([]penstock.Stream{stream("clicks")}, true, nil)
	m := newMetrics(d.label)
	tr := newTraffic(m)
	tr.accept("clicks", 1, 1)
	tr.accept("orders", 2, 1)
	if err := d.set([]penstock.Stream{stream("orders")}); err != nil {
		t.Fatal(err)
	}
	tr.relabel()
	tr.accept("clicks", 4, 1)
	tr.accept("orders", 8, 1)
	got := scrape(m, "penstock_events_accepted_total{")
	want := `penstock_events_accepted_total{stream="clicks"} 1
penstock_events_accepted_total{stream="orders"} 8
penstock_events_accepted_total{stream="other"} 6
`
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

// scrape returns the lines that begin with a prefix.
func scrape(m *metrics, prefix string) string {
	w := httptest.NewRecorder()
	m.handler(func(context.Context) {}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text := ""
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, prefix) {
			text += line
		}
	}
	return text
}
