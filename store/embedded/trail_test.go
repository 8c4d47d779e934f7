package embedded

import (
	"math/rand/v2"
	"testing"

	"penstock"
)

// A mark never claims more than the rows say, and near the end there is always one close by.
func TestTrail(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		tr := trail{}
		var rows []mark
		next, now := penstock.Position{Epoch: 1}, penstock.Micros(1)
		for range 400 {
			if random.IntN(100) == 0 {
				next = penstock.Position{Epoch: next.Epoch + 1, Offset: next.Offset / 2}
			}
			now += penstock.Micros(random.IntN(3))
			rows = append(rows, mark{next, now})
			next.Offset += penstock.Offset(1 + random.IntN(3*markStep))
			tr.note(3, mark{next, now})
		}
		if n := len(tr[3]); n > markCount {
			t.Fatalf("%d marks", n)
		}
		for i, row := range rows {
			bound := tr.since(3, row.at)
			if bound > row.logTime { // rows beyond are younger still
				t.Fatalf("row %d at %s of %d: bound %d", i, row.at, row.logTime, bound)
			}
			if i > len(rows)-markCount/8 && bound < rows[i-8].logTime {
				t.Fatalf("row %d at %s of %d: only bound %d", i, row.at, row.logTime, bound)
			}
		}
		if tr.since(2, next) != 0 || tr.since(3, penstock.Position{}) != 0 {
			t.Fatal("a bound out of nowhere")
		}
	}
}
