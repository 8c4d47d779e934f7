package embedded

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"penstock"
)

// killedDir names, for a process that this test starts of itself, the directory to write to until it is killed.
const killedDir = "PENSTOCK_TEST_KILLED_DIR"

// killedOptions make everything happen often that seldom does.
func killedOptions() Options {
	return Options{
		Cluster: testCluster(4), Shards: deal(4, 2), FileRows: 70, Checkpoint: 4000,
		Streams: []penstock.Stream{clicks(), {Name: "plain"}},
	}
}

// killedLog returns the log of the first n blocks: always the same.
func killedLog(n int) (blocks []*penstock.Block, next []penstock.Positions) {
	f := newFeeder(killedOptions().Cluster)
	for i := range n {
		var events []event
		for j := range 1 + i%7 {
			events = append(events, event{id: fmt.Sprintf("%d-%d", i, j), key: fmt.Sprint(j), body: fmt.Sprintf(`{"n":%d}`, i)})
		}
		b := f.batch([]string{"clicks", "plain", "other"}[i%3], events...)
		blocks, next = append(blocks, b.Blocks...), append(next, b.Next)
	}
	return blocks, next
}

const killedBlocks = 3000

// writeUntilKilled is what the other process does.
func writeUntilKilled(t *testing.T, dir string) {
	o := killedOptions()
	d, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	blocks, next := killedLog(killedBlocks)
	for i, b := range blocks {
		batch := penstock.Batch{From: positionsOf(t, d), Next: next[i], Blocks: []*penstock.Block{b}}
		if batch.From.Reached(batch.Next) {
			continue
		}
		apply(t, d, batch)
		if i%25 == 24 {
			declare(t, d, clicks(bigint("n"), bigint(fmt.Sprint("n", i%4))), penstock.Stream{Name: fmt.Sprint("new", i)})
			retain(t, d)
		}
		fmt.Println("applied", i)
	}
}

// A process that is killed at any moment leaves rows and positions that agree.
// It holds C-ONCE.
func TestKilled(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(killedDir); dir != "" {
		writeUntilKilled(t, dir)
		return
	}
	rounds := 8
	if testing.Short() {
		rounds = 4
	}
	random := rand.New(rand.NewPCG(5, 6))
	dir := t.TempDir()
	blocks, next := killedLog(killedBlocks)
	for round := range rounds {
		last := killAfter(t, "TestKilled", dir, random.IntN(60))
		o := killedOptions()
		o.Streams = nil
		set := 0
		o.Trace.SetAside = func(string, string, error) { set++ }
		copied := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		d := openDatabase(t, copied, o)
		at := positionsOf(t, d)
		if !at.Reached(next[last]) || set > 0 {
			t.Fatalf("round %d: it stands at %v, but block %d was applied, up to %v; %d files were set aside", round, at, last, next[last], set)
		}
		p := &past{blocks: blocks}
		p.check(t, d, func(r *penstock.Record) bool { return r.Position.Less(at[r.Partition]) })
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter starts a process that writes, as a test does when it is told where, and kills it after so many more blocks. It returns the last block of which it
// said that it was applied.
func killAfter(t *testing.T, test, dir string, more int) int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+test+"$")
	c.Env = append(os.Environ(), killedDir+"="+dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	last := -1
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, err := fmt.Sscanf(lines.Text(), "applied %d", &last); err != nil {
			t.Fatalf("it said %s", strings.TrimSpace(lines.Text()))
		}
		if more--; more < 0 {
			cancel() // and read what it had said by then
		}
	}
	_ = c.Wait() // it was killed
	if last < 0 {
		t.Fatal("it applied nothing")
	}
	return last
}
