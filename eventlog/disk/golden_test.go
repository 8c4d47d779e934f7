package disk

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
	"penstock/internal/checksum"
	"penstock/internal/vfs"
)

var makeGolden = flag.Bool("rewrite", false, "make the golden log, if there is none")

// goldenDir is a log as version 1 of the format wrote it, by a process that was killed. It is never made anew: a later
// version gets one of its own.
const goldenDir = "testdata/golden-v1"

func goldenOptions() Options {
	o := testOptions()
	o.SegmentSize, o.Reserve, o.HighWater = 4096, -1, -1
	o.Now = func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	return o
}

// goldenBlocks are those of the golden log: one that compresses well, some that do not, of two streams; with checksums, one of them
// of a producer, and one record that is a replay.
func goldenBlocks() []*penstock.Block {
	builder := penstock.NewBlockBuilder(penstock.NewPartitioner(goldenOptions().Cluster))
	hasher := checksum.NewHasher(goldenOptions().Cluster)
	var blocks []*penstock.Block
	for i, n := range []int{100, 1, 3, 60} {
		stream := []string{"clicks", "orders"}[i%2]
		builder.Reset(penstock.DefaultTenant, stream, penstock.Micros(1000+i), 0)
		if i == 1 {
			builder.Produced(penstock.Producer{Name: "till-7", Seq: 12})
		}
		for j := range n {
			e := penstock.Event{ID: fmt.Appendf(nil, "%d-%d", i, j), Time: penstock.Micros(10*i + j), Body: fmt.Appendf(nil, `{"n":%d,"text":"ü"}`, j)}
			if j%2 == 0 {
				e.Key = fmt.Appendf(nil, "k%d", j%5)
			}
			if j%3 == 0 {
				e.Flags = penstock.ServerID
			}
			if i == 2 && j == 1 {
				e.ReplayOf = penstock.Position{Epoch: 1, Offset: 3}
			}
			e.Sum = hasher.Stream(penstock.DefaultTenant, stream).Sum(e.Key, e.ID, e.Body)
			builder.Add(e)
		}
		blocks = append(blocks, builder.Take())
	}
	return blocks
}

// goldenRecord spells all that a record has.
func goldenRecord(r *penstock.Record) string {
	return fmt.Sprintf("%s %s %d %s %s %q %d %s %d %016x %s %q %d %d %d\n", r.Tenant, r.Stream, r.Partition, r.Position, r.ID, r.Key, r.Time, r.Body,
		r.Flags, r.Sum, r.ReplayOf, r.Producer.Name, r.Producer.Seq, r.ReceivedAt, r.LogTime)
}

// What version 1 wrote is read by every later one, and goes on.
func TestGolden(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	unpackGolden(t, dir)
	want, err := os.ReadFile(filepath.Join(goldenDir, "records.txt"))
	if err != nil {
		t.Fatal(err)
	}
	o := goldenOptions()
	o.Trace.Damaged = func(d Damage) { t.Errorf("damaged: %v", d) }
	blocks := goldenBlocks()
	for round := range 2 { // the first one finds a killed process's log, the second its own
		l, err := Open(vfs.OS(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if got := goldenText(t, l, strings.Count(string(want), "\n")); got != string(want) {
			t.Fatalf("round %d: it has\n%s\nwant\n%s", round, got, want)
		}
		block := testBlock(fmt.Sprint("new", round), 1)
		if err := l.Append(t.Context(), block); err != nil || block.Epoch != 1 || block.Groups[0].First == 0 {
			t.Fatalf("%+v, %v", block, err)
		}
		blocks = append(blocks, block)
		wantTotals(t, l, blocks)
		mustClose(t, l)
	}
	r, err := Verify(vfs.OS(), dir, VerifyOptions{Cluster: &o.Cluster})
	if err != nil || len(r.Damages) > 0 {
		t.Fatalf("Verify: %+v, %v", r, err)
	}
}

// wantTotals fails unless the log accounts for the blocks.
func wantTotals(t *testing.T, l *Log, blocks []*penstock.Block) {
	t.Helper()
	accepted, _, err := l.Accepted(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got, want penstock.Total
	for _, total := range accepted {
		got = got.Plus(total)
	}
	for _, b := range blocks {
		for r := range b.Records() {
			if r.ReplayOf == (penstock.Position{}) {
				want.Add(r.Sum)
			}
		}
	}
	if got != want {
		t.Fatalf("accepted %+v, want %+v", got, want)
	}
}

// goldenText returns the first n records, spelt.
func goldenText(t *testing.T, l *Log, n int) string {
	t.Helper()
	c, err := l.Open(t.Context(), from0(l))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var out strings.Builder
	for read := 0; read < n; {
		b, err := c.Next(t.Context(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for r := range b.Records() {
			if read++; read <= n {
				out.WriteString(goldenRecord(r))
			}
		}
	}
	return out.String()
}

// The records that are written today are those of the golden log; with -rewrite and without one, this makes it.
func TestGoldenIsWrittenToday(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l, err := Open(vfs.OS(), dir, goldenOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var records strings.Builder
	for _, b := range goldenBlocks() {
		if err := l.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		for r := range b.Records() {
			records.WriteString(goldenRecord(r))
		}
	}
	want, err := os.ReadFile(filepath.Join(goldenDir, "records.txt"))
	if errors.Is(err, os.ErrNotExist) && *makeGolden {
		packGolden(t, dir, records.String())
		return
	}
	if err != nil || withoutLogTime(records.String()) != withoutLogTime(string(want)) {
		t.Fatalf("%v; today's are\n%s", err, records.String())
	}
}

// withoutLogTime cuts the last field, which follows the monotonic clock.
func withoutLogTime(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(line[:strings.LastIndexByte(line, ' ')] + "\n")
	}
	return out.String()
}

func unpackGolden(t *testing.T, dir string) {
	t.Helper()
	packed, err := filepath.Glob(filepath.Join(goldenDir, "*.gz"))
	if err != nil || len(packed) < 3 {
		t.Fatal(packed, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
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
		if err := errors.Join(err, os.WriteFile(filepath.Join(dir, name), whole, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

func packGolden(t *testing.T, dir, records string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, filepath.Join(dir, manifestName))
	if err := os.MkdirAll(goldenDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		_, err = z.Write(raw)
		if err := errors.Join(err, z.Close(), os.WriteFile(filepath.Join(goldenDir, filepath.Base(path)+".gz"), packed.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(goldenDir, "records.txt"), []byte(records), 0o644); err != nil {
		t.Fatal(err)
	}
}
