package embedded

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"penstock"
)

// boardViews are leaderboards of all kinds and types of score.
func boardViews() []penstock.View {
	key := penstock.Field{Column: penstock.Column{Name: "key", Type: penstock.Text}}
	price := declared("price", penstock.Decimal)
	price.Precision, price.Scale = 12, 2
	var all []penstock.View
	for _, of := range []penstock.Field{declared("n", penstock.Bigint), declared("f", penstock.Double), price} {
		for _, kind := range []penstock.MeasureKind{penstock.MeasureMax, penstock.MeasureSum, penstock.MeasureLatest} {
			all = append(all, penstock.View{
				Name: fmt.Sprintf("%s_%s", of.Name, kind), Stream: "clicks", Group: []penstock.Field{key}, Board: true,
				Measures: []penstock.Measure{{Name: "score", Kind: kind, Of: of}},
			})
		}
	}
	return all
}

// A leaderboard that is held in memory says what SQL says, whenever it was read, and whatever came meanwhile.
func TestHeldBoardsAreTheRows(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	o := clickOptions(2)
	price := declared("price", penstock.Decimal).Column
	price.Precision, price.Scale = 12, 2
	o.Streams[0].Columns = append(o.Streams[0].Columns, declared("f", penstock.Double).Column, price)
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	scores := func() {
		events := make([]event, 60)
		for i := range events {
			events[i] = event{id: fmt.Sprint(random.Int64()), key: fmt.Sprint("u", random.IntN(40)), time: f.logTime - penstock.Micros(random.IntN(9_000_000))}
			events[i].body = fmt.Sprintf(`{"n":%d,"f":%d.5,"price":%d.%02d}`, random.IntN(60)-30, random.IntN(60)-30, random.IntN(60)-30, random.IntN(100))
			if random.IntN(9) == 0 {
				events[i].body = `{}`
			}
		}
		f.logTime += 1_000_000
		apply(t, d, f.batch("clicks", events...))
	}
	for range 3 {
		scores()
	}
	if err := d.DeclareViews(t.Context(), boardViews()); err != nil {
		t.Fatal(err)
	}
	scores()
	tend(t, d)
	if len(d.boards.all) != len(boardViews()) {
		t.Fatalf("%d boards are held", len(d.boards.all))
	}
	for range 12 {
		scores()
		for _, v := range boardViews() {
			compareRanks(t, d, v.Name, fmt.Sprint("u", random.IntN(40)))
		}
	}
	views := boardViews()
	for _, keep := range []time.Duration{2 * time.Hour, 0} { // it is not held meanwhile, and does not hear of batches
		views[1].Keep = keep
		if err := d.DeclareViews(t.Context(), views); err != nil {
			t.Fatal(err)
		}
		scores()
		compareRanks(t, d, views[1].Name, "u7")
	}
	tend(t, d)
	compareRanks(t, d, views[1].Name, "u7")
	if _, err := d.Rank(t.Context(), "n_max", "nobody", 1); !penstock.Is(err, penstock.NotFound) {
		t.Fatalf("nobody: %v", err)
	}
}

// compareRanks asks once what is in memory, and once in SQL.
func compareRanks(t *testing.T, d *Database, view, member string) {
	t.Helper()
	held, err := d.Rank(t.Context(), view, member, 3)
	if err != nil {
		t.Fatal(err)
	}
	m, err := d.shownModel(view)
	if err != nil {
		t.Fatal(err)
	}
	d.boards.mu.Lock()
	kept := d.boards.all[m.ID]
	delete(d.boards.all, m.ID)
	d.boards.mu.Unlock()
	counted, err := d.Rank(t.Context(), view, member, 3)
	if err != nil {
		t.Fatal(err)
	}
	if kept != nil {
		d.boards.mu.Lock()
		d.boards.all[m.ID] = kept
		d.boards.mu.Unlock()
	}
	if len(held) != len(counted) {
		t.Fatalf("%s of %s: %v, want %v", member, view, held, counted)
	}
	for i := range held {
		a, b := held[i], counted[i]
		if a.Rank != b.Rank || a.Member != b.Member || fmt.Sprint(a.Score) != fmt.Sprint(b.Score) || reflect.TypeOf(a.Score) != reflect.TypeOf(b.Score) {
			t.Fatalf("%s of %s: %v (%T), want %v (%T)", member, view, a, a.Score, b, b.Score)
		}
	}
}
