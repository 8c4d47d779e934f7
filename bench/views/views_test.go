package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const measured = `{"id":"machine","cores":2}
{"id":"views-e2e-0-1","result":{"kind":"e2e","events_per_second":300000}}
{"id":"views-e2e-3-1","result":{"kind":"e2e","events_per_second":240000,"views":3}}
{"id":"P3","result":{"kind":"e2e","events_per_second":1}}
{"id":"views-e2e-3-2","failed":1}
{"id":"views-naive","result":{"kind":"naive","runs":[
{"store":"penstock","how":"requests of 1,000 events","clients":64,"events_per_second":300000},
{"store":"sqlite","how":"UPDATE of a row, a transaction for each event","clients":1,"events_per_second":2000}]}}
{"id":"views-asked","result":{"kind":"views","groups":10000000,"members":1000000,"queries":[{"name":"one <group>","latency_ms":{"p50":4,"p99":8.5}}]}}
`

// whole returns the lines of what was measured, of which one was broken in two to be read.
func whole() []byte {
	text := strings.ReplaceAll(measured, "[\n", "[")
	return []byte(strings.ReplaceAll(text, "},\n", "},"))
}

func TestPlotsSayWhatWasMeasured(t *testing.T) {
	var r results
	if err := r.read(whole()); err != nil {
		t.Fatal(err)
	}
	charts := r.charts()
	if len(charts) != 3 {
		t.Fatalf("%d plots", len(charts))
	}
	for i, want := range [][]string{
		{"Penstock, requests of 1,000 events, 64 clients", "300 K", "SQLite, UPDATE, 1 client", "2 K  ·  150 times"},
		{"0 views", "300 K", "3 views", "240 K  ·  0.80", `class="line"`},
		{"one &lt;group&gt;, p99", "8.5 ms", "a group of 10 M", "1 M members"},
	} {
		picture := charts[i].svg()
		for _, text := range want {
			if !bytes.Contains(picture, []byte(text)) {
				t.Errorf("%s lacks %q:\n%s", charts[i].file, text, picture)
			}
		}
		for d := xml.NewDecoder(bytes.NewReader(picture)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s is no XML: %v", charts[i].file, err)
			}
		}
	}
}

func TestPlotWritesFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "1-views.jsonl")
	if err := os.WriteFile(path, whole(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := plot(dir, []string{path}); err != nil {
		t.Fatal(err)
	}
	if found, err := filepath.Glob(filepath.Join(dir, "*.svg")); len(found) != 3 || err != nil {
		t.Errorf("%v, %v", found, err)
	}
	if err := plot(dir, nil); err == nil {
		t.Error("plots of nothing")
	}
}
