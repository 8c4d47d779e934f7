package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock"
	"penstock/internal/fold"
)

// declared is a declared column of the streams that views are tested with.
func declared(name string, t penstock.ColumnType) penstock.Field {
	return penstock.Field{Column: penstock.Column{Name: name, Type: t, Path: name}}
}

func clickViews() []penstock.View {
	link, n := declared("link", penstock.Text), declared("n", penstock.Bigint)
	key := penstock.Field{Column: penstock.Column{Name: "key", Type: penstock.Text}}
	return []penstock.View{
		{Name: "per_link", Stream: "clicks", Group: []penstock.Field{link}, Window: time.Minute, Measures: []penstock.Measure{
			{Name: "clicks", Kind: penstock.MeasureCount}, {Name: "total", Kind: penstock.MeasureSum, Of: n}, {Name: "low", Kind: penstock.MeasureMin, Of: n},
			{Name: "high", Kind: penstock.MeasureMax, Of: n}, {Name: "mean", Kind: penstock.MeasureAvg, Of: n}, {Name: "users", Kind: penstock.MeasureUnique, Of: key},
		}},
		{Name: "everything", Stream: "clicks", Where: "n > 50", Measures: []penstock.Measure{
			{Name: "clicks", Kind: penstock.MeasureCount}, {Name: "last", Kind: penstock.MeasureLatest, Of: n}, {Name: "begin", Kind: penstock.MeasureFirst, Of: n},
			{Name: "median", Kind: penstock.MeasureQuantile, Of: n, Q: 0.5}, {Name: "hot", Kind: penstock.MeasureTop, Of: link, K: 3},
		}},
		{Name: "board", Stream: "clicks", Group: []penstock.Field{key}, Board: true, Measures: []penstock.Measure{{Name: "score", Kind: penstock.MeasureMax, Of: n}}},
	}
}

// recounts are statements by which DuckDB counts the rows of the stream itself, and the columns of the view that must be the same.
var recounts = map[string][2]string{
	"per_link": {
		"SELECT epoch_us(time), link, clicks, total, low, high, mean, users FROM per_link",
		"SELECT (epoch_us(time) // 60000000) * 60000000, link, count(*), sum(n), min(n), max(n), avg(n), count(DISTINCT key) FROM clicks GROUP BY ALL",
	},
	"everything": {
		"SELECT clicks, last, begin, hot FROM everything",
		"SELECT count(*), arg_max(n, (epoch_us(time), epoch_us(received_at), _partition, _epoch, _offset)), arg_min(n, (epoch_us(time), epoch_us(received_at), _partition, _epoch, _offset)), " +
			"(SELECT to_json(list(struct_pack(value := link, count := c))) FROM (SELECT link, count(*) AS c FROM clicks WHERE n > 50 GROUP BY link ORDER BY c DESC, link LIMIT 3)) FROM clicks WHERE n > 50",
	},
	"board": {"SELECT key, score FROM board", "SELECT key, max(n) FROM clicks GROUP BY ALL"},
}

// recount checks all views against the rows that are stored.
func recount(t *testing.T, d *Database) {
	t.Helper()
	for view, statements := range recounts {
		var texts [2]string
		for i, statement := range statements {
			var lines []string
			for _, row := range internalRows(t, d, statement) {
				lines = append(lines, fmt.Sprint(row))
			}
			slices.Sort(lines)
			texts[i] = strings.Join(lines, "\n")
		}
		got, want := strings.Split(texts[0], "\n"), strings.Split(texts[1], "\n")
		if texts[0] != texts[1] || texts[0] == "" {
			more := slices.DeleteFunc(slices.Clone(got), func(line string) bool { return slices.Contains(want, line) })
			less := slices.DeleteFunc(slices.Clone(want), func(line string) bool { return slices.Contains(got, line) })
			t.Fatalf("%s has %d rows, want %d; only it has\n%.1500s\nit lacks\n%.1500s", view, len(got), len(want), strings.Join(more, "\n"), strings.Join(less, "\n"))
		}
	}
}

// internalRows asks past the sandbox.
func internalRows(t *testing.T, d *Database, statement string) [][]any {
	t.Helper()
	result, err := d.ask(t.Context(), func(ctx context.Context, r *rows) error {
		if err := r.begin(ctx, d.engine); err != nil {
			return err
		}
		return r.run(ctx, statement, nil)
	})
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return drain(t, result)
}

func drain(t *testing.T, result penstock.Rows) [][]any {
	t.Helper()
	defer result.Close()
	var all [][]any
	for {
		row, err := result.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
}

// someClicks is a batch of events, some of them late, some without a value.
func someClicks(f *feeder, random *rand.Rand, count int) penstock.Batch {
	events := make([]event, count)
	for i := range events {
		e := event{id: fmt.Sprint(random.Int64()), key: fmt.Sprint("u", random.IntN(20)), body: fmt.Sprintf(`{"link":"l%d","n":%d}`, random.IntN(7), random.IntN(100))}
		if random.IntN(9) == 0 {
			e.body = `{"link":null}`
		}
		e.time = f.logTime - penstock.Micros(random.IntN(300_000_000))
		events[i] = e
	}
	f.logTime += 1_000_000
	return f.batch("clicks", events...)
}

func clickOptions(shards int) Options {
	columns := []penstock.Column{declared("link", penstock.Text).Column, declared("n", penstock.Bigint).Column}
	return Options{Cluster: testCluster(8), Shards: deal(8, shards), FileRows: 400, MergeRows: 100, Fold: fold.Folder, Streams: []penstock.Stream{{Name: "clicks", Columns: columns}}}
}

// tend does all that views need.
func tend(t *testing.T, d *Database) {
	t.Helper()
	for {
		more, err := d.Tend(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return
		}
	}
}

// Views say what the rows say, whether they were there before or after them, in several shards and files, merged or not, and after a start.
func TestViewsAreTheRows(t *testing.T) {
	for _, shards := range []int{1, 2} {
		t.Run(fmt.Sprint(shards), func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, uint64(shards)))
			o, dir := clickOptions(shards), t.TempDir()
			d := openDatabase(t, dir, o)
			f := newFeeder(o.Cluster)
			for range 8 {
				apply(t, d, someClicks(f, random, 90))
			}
			if err := d.DeclareViews(t.Context(), clickViews()); err != nil {
				t.Fatal(err)
			}
			if _, err := d.View(t.Context(), penstock.ViewQuery{View: "per_link", Limit: 1}); !penstock.Is(err, penstock.Unavailable) {
				t.Fatalf("a view that is being built: %v", err)
			}
			apply(t, d, someClicks(f, random, 90))
			tend(t, d)
			recount(t, d)
			for i := range 20 {
				apply(t, d, someClicks(f, random, 90))
				if i%5 == 4 {
					tend(t, d)
					recount(t, d)
				}
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			d = openDatabase(t, dir, o)
			if err := d.DeclareViews(t.Context(), clickViews()); err != nil {
				t.Fatal(err)
			}
			recount(t, d)
			apply(t, d, someClicks(f, random, 90))
			recount(t, d)
		})
	}
}
