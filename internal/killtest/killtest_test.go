package killtest

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var (
	rounds  = flag.Int("rounds", 3, "how often the server is killed")
	seed    = flag.Uint64("seed", 1, "of the moments at which it is killed")
	program = flag.String("program", "", "the penstock executable; it is built if none is named")
	resend  = flag.Bool("resend", true, "send what has no answer again")
	poison  = flag.Bool("poison", true, "some events become dead letters")
	dir     = flag.String("dir", "", "where the data lies; a temporary directory if none is named")
)

// TestAnswersSurviveKill runs a few rounds; the record is made with go test ./internal/killtest -v -rounds 50.
func TestAnswersSurviveKill(t *testing.T) {
	o := Options{Program: *program, Dir: *dir, Rounds: *rounds, Seed: *seed, Once: !*resend, Poison: *poison}
	if o.Program == "" {
		o.Program = build(t)
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	var all []Round
	sum, err := Run(t.Context(), o, func(r Round) {
		all = append(all, r)
		for _, p := range r.Problems {
			t.Errorf("round %d: %s", r.Number, p)
		}
	})
	var table strings.Builder
	if printing := Table(&table, all); printing != nil {
		t.Fatal(printing)
	}
	t.Logf("seed %d\n%s", o.Seed, table.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(sum.Torture("kill"))
	if len(all) != o.Rounds+1 {
		t.Fatalf("%d rounds of %d and the last check", len(all), o.Rounds)
	}
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
