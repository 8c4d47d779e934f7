package failpoint_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"penstock/internal/failpoint"
)

// program may name an executable with the points in it; else it is built.
var program = flag.String("program", "", "the penstock executable, built with -tags duckdb_arrow,failpoints")

// scene is what has to go on for a point to be come by.
type scene struct {
	fresh   bool // an empty directory; else one that was stopped in order once and killed once
	stopped bool // stopped in order once more, beforehand
	brief   bool // rows that are kept for a second
	ended   bool // stopped in order, which comes by the point
	letters bool // dead letters, which are replayed
	most    int  // times that the point is come by for sure
}

// scenes are those of points that come by only under circumstances; the others come by often in any loaded server.
func scenes() map[string]scene {
	return map[string]scene{
		"roll.written": {most: 3}, "roll.synced": {most: 3}, "roll.named": {most: 3}, "roll.done": {most: 3},
		"store.before-checkpoint": {most: 2}, "store.checkpointed": {most: 2},
		"file.made": {fresh: true, most: 2}, "file.dir-synced": {most: 1}, "file.viewed": {most: 1},
		"ids.written": {ended: true, most: 1}, "ids.named": {ended: true, most: 1}, "ids.merged": {stopped: true, most: 1},
		"retain.pointed": {most: 1}, "retain.removed": {most: 1},
		"expire.brought-forward": {fresh: true, brief: true, most: 1},
		"expire.pointed":         {fresh: true, brief: true, most: 1},
		"expire.removed":         {fresh: true, brief: true, most: 1},
		"recover.before-rewrite": {most: 1}, "recover.rewritten": {most: 1},
		"replay.appended": {fresh: true, letters: true, most: 1},
	}
}

// TestKilledAtEachPoint lets a loaded server kill itself at each point, starts it again, and counts: what was answered is there once, and
// nothing else is. A third of the points has one round; with PENSTOCK_TORTURE_MINUTES each has three, the last of which kills the server again
// while it recovers. PENSTOCK_TORTURE_SEED chooses how often a point is come by first.
func TestKilledAtEachPoint(t *testing.T) {
	minutes, err := strconv.ParseFloat(os.Getenv("PENSTOCK_TORTURE_MINUTES"), 64)
	long := err == nil && minutes > 0
	rounds, every := 1, 3
	switch {
	case long:
		rounds, every = 3, 1
	case testing.Short():
		every = 10
	}
	seed, err := strconv.ParseUint(os.Getenv("PENSTOCK_TORTURE_SEED"), 10, 64)
	if err != nil {
		seed = 1
	}
	k := &killer{T: t, random: rand.New(rand.NewPCG(seed, 0)), program: *program, counts: &counts{}}
	if k.program == "" {
		k.program = build(t)
	}
	k.prepare()
	for i, name := range failpoint.Points() {
		s, special := scenes()[name]
		if !special {
			s.most = 12
		}
		if i%every != 0 || s.brief && !long { // rows expire every ten seconds
			continue
		}
		t.Run(name, func(t *testing.T) {
			k := k.in(t)
			for i := range rounds {
				k.twice = i == 2
				k.round(name, s)
			}
		})
	}
	t.Run("a commit fails", func(t *testing.T) { k.in(t).failCommit() })
	fmt.Printf("torture: kind=failpoints rounds=%d lost=%d doubled=%d problems=%d\n", k.rounds, k.lost, k.doubled, k.problems)
}

// build makes the program with the points in it.
func build(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "penstock")
	c := exec.CommandContext(t.Context(), "go", "build", "-tags", "duckdb_arrow,failpoints", "-o", path, "penstock/cmd/penstock")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// killer does the rounds.
type killer struct {
	*testing.T
	random  *rand.Rand
	program string
	before  *server // whose directory rounds begin with
	twice   bool    // kill it again while it recovers
	*counts
}

// counts are of all points together.
type counts struct{ rounds, lost, doubled, problems int }

// in returns the same killer for a test within the test.
func (k *killer) in(t *testing.T) *killer {
	within := *k
	within.T = t
	return &within
}

// prepare makes the directory that rounds begin with.
func (k *killer) prepare() {
	k.before = newServer(k.T, k.program)
	k.must(k.before.start(""))
	k.must(k.before.load(kept, 20))
	k.must(k.before.stop())
	k.must(k.before.start(""))
	k.must(k.before.load(kept, 20))
	k.before.process.Kill()
}

func (k *killer) must(err error) {
	k.Helper()
	if err != nil {
		k.Fatal(err)
	}
}

// round lets the server kill itself at a point, and judges what it shows after that.
func (k *killer) round(name string, s scene) {
	k.rounds++
	began := time.Now()
	setting := fmt.Sprintf("%s=kill@%d", name, 1+k.random.IntN(s.most))
	found := newServer(k.T, k.program)
	if !s.fresh {
		k.must(found.copyFrom(k.before))
	}
	if err := k.play(found, name, setting, s); err != nil {
		k.problems++
		k.Errorf("%s: %v", setting, err)
		return
	}
	k.Logf("%s, twice %v: %v", setting, k.twice, time.Since(began).Round(time.Millisecond))
	k.judge(found, setting)
}

// failCommit lets a transaction of the store fail, which ends nothing.
func (k *killer) failCommit() {
	k.rounds++
	found := newServer(k.T, k.program)
	k.must(found.copyFrom(k.before))
	setting := "store.before-commit=error@1"
	k.must(found.start(setting))
	k.must(found.load(kept, 20))
	k.judge(found, setting)
	if !strings.Contains(found.said.String(), "failpoint: store.before-commit") {
		k.Errorf("%s: nobody was told: %s", setting, found.said)
	}
}

// judge counts what a server shows that has had its fault, ends it, and reads its log.
func (k *killer) judge(s *server, setting string) {
	lost, doubled, err := s.judge()
	k.lost, k.doubled = k.lost+lost, k.doubled+doubled
	if err == nil {
		err = s.stop()
	}
	if err == nil {
		err = s.verifyLog()
	}
	if err != nil {
		k.problems++
	}
	if lost != 0 || doubled != 0 || err != nil {
		k.Errorf("%s: %d lost, %d doubled: %v", setting, lost, doubled, err)
	}
	if !k.Failed() {
		_ = os.RemoveAll(s.dir) // the test's own end does it, too
	}
}

// play does what leads to the point, until the server is dead, and starts it again.
func (k *killer) play(s *server, name, setting string, how scene) error {
	if err := how.begin(s); err != nil {
		return err
	}
	if err := s.start(setting); err == nil { // it may be dead already
		switch {
		case how.letters:
			_ = s.replay() // it dies of it
		case how.ended:
			_ = s.load(kept, 20)
		case how.brief:
			s.loadUntilDead(brief)
		default:
			s.loadUntilDead(kept)
		}
	}
	if !s.died(name) {
		return errors.New("the point was not come by")
	}
	if k.twice {
		_ = s.start(name + "=kill@1") // at the point, or soon after
		if s.process != nil {
			s.process.Kill()
		}
	}
	err := s.start("")
	if err == nil && how.letters {
		err = s.replay()
	}
	return err
}

// begin does what has to be before the point is set.
func (how scene) begin(s *server) error {
	switch {
	case how.stopped:
		return errors.Join(s.start(""), s.load(kept, 20), s.stop())
	case how.letters:
		return s.makeLetters()
	case how.brief:
		s.configure(briefToo)
	}
	return nil
}
