package killtest

import (
	"context"
	"flag"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	rounds  = flag.Int("rounds", 3, "how often the server is killed, in each pass")
	seed    = flag.Uint64("seed", 1, "of the moments at which it is killed, in the first pass")
	program = flag.String("program", "", "the penstock executable; it is built if none is named")
	resend  = flag.Bool("resend", true, "send what has no answer again")
	poison  = flag.Bool("poison", true, "some events become dead letters")
)

// TestAnswersSurviveKill makes one pass; with PENSTOCK_TORTURE_MINUTES as many as that time holds.
// It holds C-202, C-CRASH, C-ORD, C-DUP, C-POISON and C-VIEW under kills.
func TestAnswersSurviveKill(t *testing.T) {
	o := Options{Program: *program, Rounds: *rounds, Once: !*resend, Poison: *poison}
	if o.Program == "" {
		o.Program = build(t)
	}
	var all Sum
	for seed := range passes() {
		o.Dir, o.Seed = newDir(t), seed
		sum, err := report(t, o)
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			sum.Problems++
		}
		all.Add(sum)
		if t.Failed() {
			break
		}
	}
	fmt.Println(all.Torture("kill"))
}

// report does a run and tells what it did. Of a program that has a fault it ends with the round that shows it.
func report(t *testing.T, o Options) (Sum, error) {
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var done []Round
	sum, err := Run(ctx, o, func(r Round) {
		done = append(done, r)
		if *mutant != "" && len(r.Problems) > 0 {
			end()
		}
		for _, p := range r.Problems {
			if *mutant == "" {
				t.Errorf("seed %d, round %d: %s", o.Seed, r.Number, p)
			}
		}
	})
	var table strings.Builder
	if printing := Table(&table, done); printing != nil {
		t.Error(printing)
	}
	t.Logf("seed %d, %d kills, %d rows and answers of views\n%s", o.Seed, sum.Kills, sum.Views, table.String())
	if err == nil && len(done) != o.Rounds+1 {
		t.Errorf("%d rounds of %d and the last check", len(done), o.Rounds)
	}
	return sum, err
}

// passes yields the seeds of passes: one, or as many as the time holds that a torture has.
func passes() iter.Seq[uint64] {
	first := *seed
	if given, err := strconv.ParseUint(os.Getenv("PENSTOCK_TORTURE_SEED"), 10, 64); err == nil {
		first = given
	}
	minutes, err := strconv.ParseFloat(os.Getenv("PENSTOCK_TORTURE_MINUTES"), 64)
	end := time.Now().Add(time.Duration(minutes * float64(time.Minute)))
	return func(yield func(uint64) bool) {
		for yield(first) && err == nil && time.Now().Before(end) {
			first++
		}
	}
}

// newDir returns a directory that stays if the test fails.
func newDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "penstock-killtest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("kept: %s", dir)
		} else if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// build makes the program that is to be killed.
func build(t *testing.T, tags ...string) string {
	path := filepath.Join(t.TempDir(), "penstock")
	c := exec.CommandContext(t.Context(), "go", "build", "-tags", strings.Join(append(tags, "duckdb_arrow"), ","), "-o", path, "penstock/cmd/penstock")
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		t.Fatalf("build: %v", err)
	}
	return path
}

// TestBudgetEndsWhenItIsSpent counts what is answered.
func TestBudgetEndsWhenItIsSpent(t *testing.T) {
	is := func(c chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	b := newBudget(10)
	if is(b.begun) || is(b.spent) {
		t.Error("it begins before anything was answered")
	}
	if b.spend(6); !is(b.begun) || is(b.spent) {
		t.Error("six of ten")
	}
	b.spend(6)
	b.spend(6)
	if !is(b.spent) {
		t.Error("eighteen of ten")
	}
	b = newBudget(0)
	if b.spend(1 << 40); is(b.spent) {
		t.Error("without a bound")
	}
}

// TestRunNeedsAServer names a program that is none.
func TestRunNeedsAServer(t *testing.T) {
	if _, err := Run(context.Background(), Options{Program: "/none", Dir: t.TempDir(), Rounds: 1}, func(Round) { t.Error("a round") }); err == nil {
		t.Error("no error")
	}
}
