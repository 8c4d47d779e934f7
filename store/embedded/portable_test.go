package embedded

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"penstock"
)

// The corpus in testdata/portable is the part of SQL that docs/sql.md promises of every store: streams.json and events.ndjson
// are what is stored; the other files are statements, a line of dashes, and the rows that they return. Nothing in them
// belongs to DuckDB.
const portableDir = "testdata/portable"

// openPortable stores the corpus' events, spread over two shards.
func openPortable(t *testing.T) *Database {
	t.Helper()
	o := Options{Cluster: testCluster(8), Shards: deal(8, 2), FileRows: 4}
	if err := json.Unmarshal(readFile(t, "streams.json"), &o.Streams); err != nil {
		t.Fatal(err)
	}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	for line := range bytes.Lines(readFile(t, "events.ndjson")) {
		var e struct {
			Stream, Key string
			Time        time.Time
			Event       json.RawMessage
		}
		var named struct{ ID string }
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(e.Event, &named); err != nil {
			t.Fatal(err)
		}
		apply(t, d, f.batch(e.Stream, event{id: named.ID, key: e.Key, body: string(e.Event), time: penstock.MicrosOf(e.Time)}))
	}
	return d
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(portableDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestPortable(t *testing.T) {
	d := openPortable(t)
	paths, err := filepath.Glob(filepath.Join(portableDir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, path := range paths {
		raw := readFile(t, filepath.Base(path))
		cases := strings.Split(strings.TrimRight(string(raw), "\n"), "\n\n")
		total += len(cases)
		for i, c := range cases {
			statement, want, found := strings.Cut(c+"\n", "\n----\n")
			if !found {
				t.Fatalf("%s: no dashes below %s", path, c)
			}
			got := portableRows(t, d, statement)
			if got != want && !*rewrite {
				t.Errorf("%s: %s\n%swant\n%s", filepath.Base(path), statement, got, want)
			}
			cases[i] = statement + "\n----\n" + got
		}
		if *rewrite {
			if err := os.WriteFile(path, []byte(strings.Join(cases, "\n")), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if total < 60 {
		t.Fatalf("the corpus has %d statements", total)
	}
}

// portableRows returns the rows of a statement, a line each.
func portableRows(t *testing.T, d *Database, statement string) string {
	t.Helper()
	rows, err := tryQuery(t, d, statement)
	if err != nil {
		t.Errorf("%s: %v", statement, err)
		return ""
	}
	var out strings.Builder
	for _, row := range rows {
		for i, v := range row {
			if i > 0 {
				out.WriteString(" | ")
			}
			out.WriteString(portableValue(t, v))
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// portableValue spells a value without what stores do differently: how JSON is spaced.
func portableValue(t *testing.T, v any) string {
	t.Helper()
	switch v := v.(type) {
	case nil:
		return "NULL"
	case string:
		if v == "" || v == "NULL" || strings.TrimSpace(v) != v || strings.ContainsAny(v, "\n|\"") {
			return strconv.Quote(v)
		}
		return v
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return map[bool]string{true: "NaN"}[math.IsNaN(v)] + map[bool]string{true: "Infinity"}[v > 0] + map[bool]string{true: "-Infinity"}[v < 0]
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case penstock.Raw:
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(v)); err != nil {
			t.Error(err)
		}
		return compact.String()
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, portableValue(t, e))
		}
		return "[" + strings.Join(parts, " ") + "]"
	}
	return fmt.Sprint(v)
}
