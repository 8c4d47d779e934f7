package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"penstock/internal/killtest"
	"penstock/internal/vfs"
)

// prover is the command that proves on the user's own disk that answers hold.
type prover struct {
	*program
	data   string
	rounds int
	events int64
	seed   uint64
	server bool // show what the server says
}

func newProveCommand(p *program) *cobra.Command {
	v := &prover{program: p}
	c := &cobra.Command{
		Use:   "prove",
		Short: "Kills a loaded server on this disk, again and again, and compares answers with rows",
		Long: `Starts a server of its own in a temporary directory, loads it, ends it as SIGKILL does at a random moment, starts it again, and compares
what was answered with what is stored; in the end also with the log and with the server's own audit. What has no answer is sent
again with the same ids, as clients should. No other server and no data is touched.

It says what was found in one line. Unless every event that was answered is stored exactly once, the exit status is 1, and the directory
stays, with the history of all requests and the verdict in run/.`,
		Example: "  penstock prove\n  penstock prove --data /var/lib/penstock --rounds 20 -o json",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return v.run(c) },
	}
	fs := c.Flags()
	fs.StringVar(&v.data, "data", "", "where the temporary directory is made: an existing one on the disk in question (default the current one)")
	fs.IntVar(&v.rounds, "rounds", 5, "how often the server is loaded and killed")
	fs.Int64Var(&v.events, "events", 40_000, "events of a round, at most")
	fs.Uint64Var(&v.seed, "seed", 0, "of the moments at which it is killed (default a random one)")
	fs.BoolVar(&v.server, "server-log", false, "show what the server writes to its standard error")
	return c
}

// proof is the object of -o json.
type proof struct {
	OK bool `json:"ok"`
	killtest.Sum
	Seed    uint64  `json:"seed"`
	Seconds float64 `json:"seconds"`
	Dir     string  `json:"dir,omitempty"` // what is kept, if something is wrong
}

func (v *prover) run(c *cobra.Command) error {
	dir, err := v.workDir()
	if err != nil {
		return err
	}
	if v.seed == 0 {
		v.seed = rand.Uint64() >> 11 // any JSON reader keeps it whole
	}
	began := time.Now()
	sum, err := v.kill(c, dir)
	if c.Context().Err() != nil {
		return removeAfter(dir, c.Context().Err())
	}
	result := proof{Sum: sum, Seed: v.seed, Seconds: time.Since(began).Seconds()}
	result.OK = err == nil && sum.Problems == 0 && sum.Answered == sum.Stored+sum.Dead
	if result.OK {
		return removeAfter(dir, v.printProof(result, nil))
	}
	result.Dir = dir
	return v.printProof(result, err)
}

// workDir makes the directory of the run, where there is room for it.
func (v *prover) workDir() (string, error) {
	if v.rounds < 1 || v.events < 1 {
		return "", usagef("--rounds and --events are at least 1")
	}
	where := v.data
	if where == "" {
		where = filepath.Dir(defaultConfig().Data)
	}
	const (
		floor    = 2 << 30 // what a server wants to be free, and its first files
		perEvent = 2 << 10 // in the log, in the store, and in the history
	)
	free, _, err := vfs.OS().Free(where)
	if err != nil {
		return "", fmt.Errorf("look at %s: %w", where, err)
	}
	if need := floor + perEvent*v.events*int64(v.rounds); int64(free) < need {
		return "", fmt.Errorf("%s has %d MiB free, and %d rounds of %d events may take %d MiB", where, free>>20, v.rounds, v.events, need>>20)
	}
	dir, err := os.MkdirTemp(where, "penstock-prove-")
	if err != nil {
		return "", fmt.Errorf("make temporary directory: %w", err)
	}
	return filepath.Abs(dir)
}

// kill does the rounds.
func (v *prover) kill(c *cobra.Command, dir string) (killtest.Sum, error) {
	self, err := os.Executable()
	if err != nil {
		return killtest.Sum{}, fmt.Errorf("find this program: %w", err)
	}
	o := killtest.Options{Program: self, Dir: dir, Rounds: v.rounds, Seed: v.seed, Events: v.events}
	if v.server {
		o.Log = v.stderr
	}
	return killtest.Run(c.Context(), o, func(r killtest.Round) {
		switch {
		case v.quiet:
		case r.Number > v.rounds:
			fmt.Fprintln(v.stderr, "log, rows and audit compared with every answer")
		default:
			fmt.Fprintf(v.stderr, "round %d of %d: %s answered, killed after %v, ready again in %v, all stored in %v\n", r.Number, v.rounds, grouped(r.Acked),
				r.KilledAfter.Round(time.Millisecond), r.Ready.Round(time.Millisecond), r.Drained.Round(time.Millisecond))
		}
		for _, p := range r.Problems {
			fmt.Fprintf(v.stderr, "round %d: %s\n", r.Number, p)
		}
	})
}

// printProof says in one line what was found, and what is wrong.
func (v *prover) printProof(r proof, err error) error {
	if v.format == "json" || v.format == "ndjson" {
		if printing := v.printJSON(r); printing != nil {
			return printing
		}
	} else if err == nil {
		fmt.Fprintln(v.stdout, r.sentence())
	}
	switch {
	case r.OK:
		return nil
	case err != nil:
		return &exitError{exitFailed, fmt.Errorf("%w\nEverything is kept in %s (seed %d)", err, r.Dir, r.Seed)}
	}
	return &exitError{exitFailed, fmt.Errorf("%d problems: everything is kept in %s, the verdict in run/verdict.json (seed %d)", r.Problems, r.Dir, r.Seed)}
}

func (r proof) sentence() string {
	equals := "="
	if r.Answered != r.Stored {
		equals = "≠"
	}
	return fmt.Sprintf("%s answered %s %s stored, %s twice, %s missing in %d kills",
		grouped(r.Answered), equals, grouped(r.Stored), grouped(r.Doubled), grouped(r.Lost), r.Kills)
}

// removeAfter removes the directory of a run and returns the error that there was before, if any.
func removeAfter(dir string, err error) error {
	if removing := os.RemoveAll(dir); err == nil && removing != nil {
		return fmt.Errorf("remove temporary directory: %w", removing)
	}
	return err
}
