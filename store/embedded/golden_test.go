package embedded

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"penstock"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expected results in testdata")

// goldenDir is a shard as version 1 of the format wrote it. It is never made anew: a later version gets one of its own.
const goldenDir = "testdata/golden-v1"

func goldenOptions() Options {
	return Options{Cluster: testCluster(4), Shards: deal(4, 1), Period: time.Hour, Streams: []penstock.Stream{
		{Name: "clicks", KeyField: "link", Columns: []penstock.Column{bigint("n"), textual("gone")}}, {Name: "plain", KeepRows: 1000 * time.Hour, Dedup: penstock.Dedup{Window: 24 * time.Hour, MaxIDs: 1000}},
	}}
}

// goldenFeed stores what the golden shard holds: a sealed file, a newest one, and a write-ahead log.
func goldenFeed(t *testing.T, d *Database) {
	t.Helper()
	f := newFeeder(d.o.Cluster)
	apply(t, d, f.batch("clicks", event{id: "1", key: "a", body: `{"n":-7,"gone":"x"}`}, event{id: "2", body: `{"n":9007199254740993}`}))
	f.logTime += hour
	apply(t, d, f.batch("plain", event{id: "3", key: "ü", body: `{"text":"☃","list":[1,{"b":null}]}`, time: 1_234_567_890_123_456}))
	columns := []penstock.Column{
		bigint("n"), {Name: "price", Type: penstock.Decimal, Precision: 38, Scale: 2, Path: "price"}, {Name: "yes", Type: penstock.Boolean, Path: `a.b\.c`},
		{Name: "at", Type: penstock.Timestamp, Path: "at"}, {Name: "ratio", Type: penstock.Double, Path: "ratio"}, {Name: "more", Type: penstock.JSON, Path: "more"},
	}
	declare(t, d, penstock.Stream{Name: "clicks", KeyField: "link", Columns: columns})
	apply(t, d, f.batch("clicks", event{id: "4", key: "a", body: `{"n":1,"price":123456789012345678901234567890.12,"a":{"b.c":true},"at":"2026-03-01T00:00:00Z","ratio":0.1,"more":{"x":[1]}}`}))
	apply(t, d, f.batch("undeclared", event{id: "5"}, event{id: "6", key: "b"}))
	apply(t, d, f.batch("plain", event{id: "3", key: "ü"}, event{id: "7"}))
	apply(t, d, f.batch("clicks", event{id: "8", body: `{"n":"x"}`}))
}

// goldenState tells all that a reader of the shard gets out of it.
func goldenState(t *testing.T, d *Database) string {
	t.Helper()
	var out strings.Builder
	for _, q := range []string{
		"SELECT * FROM clicks ORDER BY id", "SELECT * FROM plain ORDER BY id", "SELECT * FROM undeclared ORDER BY id",
		"SELECT shard, partitions, files, rows FROM penstock.shards",
	} {
		fmt.Fprintf(&out, "%s\n", q)
		for _, row := range query(t, d, q) {
			fmt.Fprintf(&out, "  %v\n", row)
		}
	}
	shard := d.Shards()[0]
	letters, err := shard.(penstock.DeadLetters).Letters(t.Context(), penstock.LetterQuery{Limit: 10})
	fmt.Fprintf(&out, "letters\n  %+v %v\n", letters, err)
	tallies, _, err := shard.(penstock.Auditor).Tallies(t.Context())
	fmt.Fprintf(&out, "tallies\n  %v %v\n", tallies, err)
	at := positionsOf(t, d)
	for _, p := range at.Partitions() {
		fmt.Fprintf(&out, "partition %d at %s\n", p, at[p])
	}
	return out.String()
}

// What version 1 wrote is read by every later one, and goes on.
func TestGolden(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shards")
	unpackGolden(t, dir)
	o := goldenOptions()
	o.Streams = nil
	set := 0
	o.Trace.SetAside = func(string, string, error) { set++ }
	d := openDatabase(t, dir, o)
	want, err := os.ReadFile(filepath.Join(goldenDir, "state.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if got := goldenState(t, d); got != string(want) || set > 0 {
		t.Fatalf("%d files were set aside; it has\n%s\nwant\n%s", set, got, want)
	}
	streams := map[string]penstock.Stream{}
	for _, s := range d.Streams() {
		streams[s.Name] = s
	}
	if s := streams["clicks"]; len(streams) != 3 || s.KeyField != "link" || len(s.Columns) != 6 || s.Columns[2].Path != `a.b\.c` || streams["plain"].KeepRows != 1000*time.Hour {
		t.Fatalf("%+v", streams)
	}
	f := newFeeder(o.Cluster)
	f.next = positionsOf(t, d)
	apply(t, d, f.batch("clicks", event{id: "new", key: "a", body: `{"n":5}`}))
	d = reopen(t, d)
	expect(t, d, "SELECT count(*), sum(n) FROM clicks", "[[4 9007199254740992]]")
}

// unpackGolden makes the shard's directory.
func unpackGolden(t *testing.T, dir string) {
	t.Helper()
	packed, err := filepath.Glob(filepath.Join(goldenDir, "shard-0", "*.gz"))
	if err != nil || len(packed) != 4 {
		t.Fatal(packed, err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "shard-0"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range packed {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		whole, err := io.ReadAll(z)
		name := strings.TrimSuffix(filepath.Base(path), ".gz")
		if err := errors.Join(err, os.WriteFile(filepath.Join(dir, "shard-0", name), whole, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// What is written today is what the golden shard holds; with -rewrite and without a golden shard, this makes one.
func TestGoldenIsWrittenToday(t *testing.T) {
	dir := t.TempDir()
	d := openDatabase(t, dir, goldenOptions())
	goldenFeed(t, d)
	state := goldenState(t, d)
	want, err := os.ReadFile(filepath.Join(goldenDir, "state.txt"))
	if errors.Is(err, os.ErrNotExist) && *rewrite {
		packGolden(t, dir, state)
		return
	}
	if err != nil || state != string(want) {
		t.Fatalf("%v; today's is\n%s", err, state)
	}
}

func packGolden(t *testing.T, dir, state string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(goldenDir, "shard-0"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range filesOf(t, dir) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		_, err = z.Write(raw)
		to := filepath.Join(goldenDir, "shard-0", filepath.Base(path)+".gz")
		if err := errors.Join(err, z.Close(), os.WriteFile(to, packed.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(goldenDir, "state.txt"), []byte(state), 0o644); err != nil {
		t.Fatal(err)
	}
}
