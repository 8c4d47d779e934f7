package embedded

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"penstock"
)

// killedViews is a database whose files come and go quickly, beside views that are merged and rebuilt all the time.
func killedViews() Options {
	o := clickOptions(2)
	o.FileRows, o.Period, o.Streams[0].KeepRows, o.Checkpoint, o.MergeRows = 150, time.Hour, 2*time.Hour, 20_000, 60
	return o
}

// killedClicks returns the log of the first n blocks: always the same.
func killedClicks(n int) (blocks []*penstock.Block, next []penstock.Positions) {
	f, random := newFeeder(killedViews().Cluster), rand.New(rand.NewPCG(7, 8))
	for range n {
		f.logTime += hour / 10
		b := someClicks(f, random, 20)
		blocks, next = append(blocks, b.Blocks...), append(next, b.Next)
	}
	return blocks, next
}

// countUntilKilled is what the other process does.
func countUntilKilled(t *testing.T, dir string) {
	d, err := Open(t.Context(), dir, killedViews())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.DeclareViews(t.Context(), clickViews()); err != nil {
		t.Fatal(err)
	}
	tended := make(chan error, 1)
	go func() {
		for {
			if _, err := d.Tend(t.Context()); err != nil {
				tended <- err
				return
			}
		}
	}()
	blocks, next := killedClicks(killedBlocks)
	for i, b := range blocks {
		batch := penstock.Batch{From: positionsOf(t, d), Next: next[i], Blocks: []*penstock.Block{b}}
		if batch.From.Reached(batch.Next) {
			continue
		}
		apply(t, d, batch)
		if i%4 == 3 {
			retain(t, d)
			name := clickViews()[i/4%3].Name
			if err := d.Rebuild(t.Context(), name); err != nil && reasonOf(err) != "view_building" {
				t.Fatal(err)
			}
		}
		select {
		case err := <-tended:
			t.Fatal(err)
		default:
		}
		fmt.Println("applied", i)
	}
}

// A process that is killed at any moment leaves views that say what the rows up to its position say, also of rows that are gone.
func TestViewsKilled(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(killedDir); dir != "" {
		countUntilKilled(t, dir)
		return
	}
	rounds := 10
	if testing.Short() {
		rounds = 4
	}
	random := rand.New(rand.NewPCG(9, 10))
	dir := t.TempDir()
	blocks, _ := killedClicks(killedBlocks)
	for round := range rounds {
		killAfter(t, "TestViewsKilled", dir, random.IntN(50))
		copied := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		o := killedViews()
		o.Streams = nil
		d := openDatabase(t, copied, o)
		at := positionsOf(t, d)
		stored := slices.DeleteFunc(slices.Clone(blocks), func(b *penstock.Block) bool { return !reached(at, b) })
		if err := d.DeclareViews(t.Context(), clickViews()); err != nil {
			t.Fatal(err)
		}
		if round == 0 { // it may have been killed before the views had counted anything
			tend(t, d)
		}
		checkStored(t, d, blocks, at)
		tend(t, d)
		checkStored(t, d, blocks, at)
		t.Logf("round %d: %d blocks, files %v, %d models", round, len(stored), numbersOf(t, d, 0), len(d.allModels()))
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// reached reports whether all of a block lies before positions.
func reached(at penstock.Positions, b *penstock.Block) bool {
	for r := range b.Records() {
		if !r.Position.Less(at[r.Partition]) {
			return false
		}
	}
	return true
}

// checkStored checks the views against the records of blocks that lie before positions.
func checkStored(t *testing.T, d *Database, blocks []*penstock.Block, at penstock.Positions) {
	t.Helper()
	var all []click
	for _, b := range blocks {
		i := 0
		of := clicksOf(t, []*penstock.Block{b})
		for r := range b.Records() {
			if r.Position.Less(at[r.Partition]) {
				all = append(all, of[i])
			}
			i++
		}
	}
	sameLines(t, "per_link", linesOf(t, d, perLinkNow), perLink(all))
	sameLines(t, "board", linesOf(t, d, boardNow), board(all))
}
