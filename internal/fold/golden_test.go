package fold

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"penstock"
	"penstock/internal/delta"
	"penstock/internal/jsonscan"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expected output of testdata")

// goldenViews have each kind of measure, and values of each type.
func goldenViews() []penstock.View {
	all := penstock.View{Name: "all", Stream: "things", Measures: []penstock.Measure{
		{Name: "rows", Kind: penstock.MeasureCount},
		{Name: "sum_n", Kind: penstock.MeasureSum, Of: named("n")}, {Name: "sum_d", Kind: penstock.MeasureSum, Of: named("d")},
		{Name: "avg_p", Kind: penstock.MeasureAvg, Of: named("p")}, {Name: "avg_l", Kind: penstock.MeasureAvg, Of: named("x.number")},
		{Name: "min_s", Kind: penstock.MeasureMin, Of: named("s")}, {Name: "max_t", Kind: penstock.MeasureMax, Of: named("t")},
		{Name: "max_w", Kind: penstock.MeasureMax, Of: named("w")},
		{Name: "unique_p", Kind: penstock.MeasureUnique, Of: named("p")}, {Name: "p95", Kind: penstock.MeasureQuantile, Of: named("p"), Q: 0.95},
		{Name: "top_l", Kind: penstock.MeasureTop, Of: named("x.l"), K: 5},
		{Name: "latest_b", Kind: penstock.MeasureLatest, Of: named("b")}, {Name: "first_j", Kind: penstock.MeasureFirst, Of: named("j")},
	}}
	grouped := penstock.View{
		Name: "grouped", Stream: "things", Where: "s is not null", Window: time.Minute, Group: []penstock.Field{named("key"), named("n"), named("d"), named("p"), named("b"), named("t")},
		Measures: []penstock.Measure{{Name: "rows", Kind: penstock.MeasureCount}, {Name: "id", Kind: penstock.MeasureLatest, Of: named("id")}},
	}
	return []penstock.View{all, grouped}
}

// TestGolden folds the events above the dashes of testdata/golden.txt; the states below are what stores have written, and may not
// change. "-rewrite" writes what there is.
func TestGolden(t *testing.T) {
	const name = "testdata/golden.txt"
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	events, want, _ := strings.Cut(string(content), "----\n")
	views := goldenViews()
	f := compile(t, things(), views...).Begin()
	for line := range strings.Lines(events) {
		var r penstock.Record
		if _, err := fmt.Sscanf(line, "%d %d:%d time=%d received=%d log=%d id=%s key=%q", &r.Partition, &r.Position.Epoch, &r.Position.Offset, &r.Time,
			&r.ReceivedAt, &r.LogTime, &r.ID, &r.Key); err != nil {
			t.Fatal(line, err)
		}
		r.Body = []byte(line[strings.IndexByte(line, '{') : len(line)-1])
		f.Add(&r)
	}
	got := ""
	for i := range views {
		got += dump(&views[i], f, i)
	}
	if *rewrite {
		if err := os.WriteFile(name, []byte(events+"----\n"+got), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// dump writes a view's columns and deltas.
func dump(v *penstock.View, f *Fold, view int) string {
	var b strings.Builder
	columns := delta.Columns(v)
	fmt.Fprintf(&b, "== %s\n", v.Name)
	for _, c := range columns {
		fmt.Fprintf(&b, "%s of %s: %s", c.Name, v.Measures[c.Measure].Name, c.Type)
		if c.Type == penstock.Decimal {
			fmt.Fprintf(&b, "(%d,%d)", c.Precision, c.Scale)
		}
		fmt.Fprintln(&b, ",", c.Merge, c.By)
	}
	for d := range f.Deltas(view) {
		fmt.Fprintf(&b, "partition %d, window %d, changed %d\n", d.Partition, d.Window, d.Changed)
		for i, c := range d.Group {
			fmt.Fprintf(&b, "  %s = %s\n", v.Group[i].Name, cellText(v.Group[i].Column, c))
		}
		for i, c := range d.State {
			fmt.Fprintf(&b, "  %s = %s\n", columns[i].Name, cellText(columns[i].Column, c))
		}
	}
	return strings.ReplaceAll(b.String(), " \n", "\n")
}

func cellText(c penstock.Column, cell jsonscan.Cell) string {
	switch {
	case cell.Null:
		return "NULL"
	case c.Type == delta.Blob:
		return fmt.Sprintf("%x", cell.Bytes)
	case c.Type == penstock.Text || c.Type == penstock.JSON:
		return fmt.Sprintf("%q", cell.Bytes)
	}
	return string(appendText(nil, &c, &cell))
}
