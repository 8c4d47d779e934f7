package viewcheck

import (
	"testing"
	"time"

	"penstock"
)

// views are what is asked: of both streams, with and without groups, windows and conditions, and each measure.
func views() []penstock.View {
	return []penstock.View{
		{Name: "per_key", Stream: "clicks", Group: []penstock.Field{key()}, Window: time.Minute, Measures: []penstock.Measure{
			{Name: "events", Kind: penstock.MeasureCount}, {Name: "total", Kind: penstock.MeasureSum, Of: x()}, {Name: "least", Kind: penstock.MeasureMin, Of: x()},
			{Name: "most", Kind: penstock.MeasureMax, Of: x()}, {Name: "mean", Kind: penstock.MeasureAvg, Of: x()},
		}},
		{Name: "everything", Stream: "clicks", Where: "x >= 0", Measures: []penstock.Measure{
			{Name: "events", Kind: penstock.MeasureCount}, {Name: "last", Kind: penstock.MeasureLatest, Of: x()}, {Name: "begin", Kind: penstock.MeasureFirst, Of: place()},
			{Name: "keys", Kind: penstock.MeasureUnique, Of: key()}, {Name: "median", Kind: penstock.MeasureQuantile, Of: x(), Q: 0.5},
			{Name: "hot", Kind: penstock.MeasureTop, Of: place(), K: 3},
		}},
		{Name: "board", Stream: "scores", Group: []penstock.Field{key()}, Board: true, Measures: []penstock.Measure{{Name: "score", Kind: penstock.MeasureSum, Of: x()}}},
	}
}

// late is declared when there are rows: it counts what is stored.
func late() penstock.View {
	return penstock.View{Name: "late", Stream: "clicks", Group: []penstock.Field{place(), x()}, Measures: []penstock.Measure{
		{Name: "events", Kind: penstock.MeasureCount}, {Name: "total", Kind: penstock.MeasureSum, Of: x()},
	}}
}

// content fails unless the judge has found nothing, in views that have something.
func (r *rig) content(when string) {
	r.t.Helper()
	v := r.judge()
	if !v.OK || v.Counts.ViewRows < 30 {
		r.t.Fatalf("%s: %s", when, v.Table())
	}
}

// TestViewsCountEachRowOnce holds C-VIEW for batches with repeats, letters and replays, whole and cut in two.
func TestViewsCountEachRowOnce(t *testing.T) {
	r := newRig(t, 1)
	r.declare(views()...)
	for range 6 {
		r.apply(8)
		r.content("after batches")
	}
	r.tend()
	r.content("merged")
	r.kill()
	r.content("after an end of the process")
}

// TestMergesKeepWhatComesMeanwhile holds C-VIEW for merges beside batches.
func TestMergesKeepWhatComesMeanwhile(t *testing.T) {
	r := newRig(t, 2)
	r.must(r.db.Close())
	r.o.MergeRows = 10
	r.open()
	r.declare(views()...)
	r.most = 5 // small batches, many of which are committed while a merge goes on
	for range 3 {
		r.beside(func() { r.apply(40) })
		r.content("after merges beside batches")
	}
	r.kill()
	r.content("after an end of the process")
}

// TestBuildsCountEachStretchOnce holds C-VIEW for a view that counts what was stored before it, in steps between which batches come and
// the process ends.
func TestBuildsCountEachStretchOnce(t *testing.T) {
	r := newRig(t, 3)
	r.declare(views()...)
	r.apply(60) // several files of each shard
	r.declare(append(views(), late())...)
	for range 4 {
		if _, err := r.db.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.apply(2)
		r.kill()
	}
	r.beside(func() { r.apply(10) })
	r.tend()
	r.content("built")
	r.declare(views()...) // and gone again
	r.tend()
	r.apply(2)
	r.content("without it")
}

// TestRebuildsCountEachRowOnce holds C-VIEW for versions that are built beside the ones that answer, while batches come and the process ends.
func TestRebuildsCountEachRowOnce(t *testing.T) {
	r := newRig(t, 4)
	r.declare(views()...)
	r.apply(30)
	r.tend()
	for _, v := range views() {
		r.must(r.db.Rebuild(t.Context(), v.Name))
		r.content("being rebuilt")
		if _, err := r.db.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.apply(2)
		r.kill()
		r.beside(func() { r.apply(5) })
		r.tend()
		r.content("rebuilt")
	}
}
