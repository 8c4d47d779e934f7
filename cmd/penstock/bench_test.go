package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"penstock/internal/load"
)

// TestBenchConfigIsAccepted reads the files that measurements write for their servers.
func TestBenchConfigIsAccepted(t *testing.T) {
	for _, f := range []benchFlags{{}, {wholeLog: true}, {columns: true}, {queries: 20, wholeLog: true}, {limits: tightLimits, wholeLog: true}} {
		f.stream = "bench"
		c, err := loadText(t, f.config(), settings{})
		if err != nil {
			t.Errorf("%s: %v", f.config(), err)
			continue
		}
		if got := len(c.Streams["bench"].Columns); (got == 5) != (f.columns || f.queries > 0) {
			t.Errorf("%s: %d columns", f.config(), got)
		}
	}
}

func TestBenchReportHasTheFieldsThatScriptsRead(t *testing.T) {
	l := load.NewLatency()
	l.Record(3 * time.Millisecond)
	f := &benchFlags{batch: 10, connections: 2, shape: load.Shape{Size: 250}}
	r := f.reportOf("accept", &load.Result{Events: 10, Bytes: 2500, Elapsed: 2 * time.Second, Latency: l})
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"kind":"accept"`, `"durability":`, `"events":10`, `"seconds":2`, `"events_per_second":5`, `"bytes_per_second":1250`,
		`"batch":10`, `"size":250`, `"connections":2`, `"latency_ms":{"p50":3`, `"p999":3`, `"errors":0`,
	} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s lacks %s", raw, want)
		}
	}
}

func TestEndToEndFailsWhenSQLCountsOtherwise(t *testing.T) {
	for _, c := range []struct {
		accepted, unknown, stored int64
		ok                        bool
	}{{10, 0, 10, true}, {10, 0, 9, false}, {10, 0, 11, false}, {10, 2, 12, true}, {10, 2, 13, false}} {
		r := &benchReport{Events: c.accepted, unknown: c.unknown, Stored: &c.stored}
		if err := r.check(); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestTextIn(t *testing.T) {
	body := []byte(`{"accepted":1,"durability":"disk","receipt":"AbC"}`)
	if got := textIn(body, `"receipt":"`) + textIn(body, `"durability":"`) + textIn(body, `"none":"`); got != "AbCdisk" {
		t.Errorf("%q", got)
	}
}
