// Package killtest proves from outside that answers hold: it loads a server, kills it at a random moment, starts it
// again on the same directory, and lets internal/check judge what is stored by what was answered. Again and again.
//
// What has no answer is sent again with the same ids, or the same numbers of requests, until it has one. Some rounds send events that
// become dead letters when the server starts again, since columns were declared meanwhile; some are killed again while they recover.
// Three views are there from the beginning, and others come and go, which count stored rows while the server is killed.
// After each round the rows of its events are judged, and what the views say of those of all rounds; in the end rows, letters, audit, views and log of all rounds, from the run's directory,
// in which the verdict stays. What is judged stands there; beside it the declared columns are compared with the bodies by SQL.
package killtest

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"penstock"
	"penstock/internal/check"
	"penstock/internal/load/child"
	"penstock/internal/load/probe"
)

// Options says what to kill and how often.
type Options struct {
	Program string // path of the penstock executable
	Dir     string // an empty directory; configuration, data and the run (run/) lie there
	Rounds  int
	Seed    uint64
	Once    bool      // what has no answer is not sent again
	Poison  bool      // some events become dead letters
	Events  int64     // a round is killed early when so many were sent; 0: it is not
	Log     io.Writer // what the server says; nil: nowhere

	// Fail makes another fault than SIGKILL: a loss of power, for example. It also ends the server, which may have ended already. Data is
	// where it happens: an absolute path, "" for a directory below Dir.
	Fail func(ctx context.Context, server *child.Process) error
	Data string
}

// Round is what one round did and found.
type Round struct {
	Number      int
	Batch       int
	KilledAfter time.Duration // since the first answer
	Again       int           // how often it was killed again while it recovered
	Sent        int64
	Acked       int64
	Stored      int64         // of this round's events
	Dead        int64         // letters of this round's events, parked ones among them
	Total       int64         // rows of all rounds' events
	Views       int64         // rows of views that were judged
	Ready       time.Duration // from the start after the kill
	Drained     time.Duration // until nothing was behind
	Problems    []string      // empty: all is as it should be
}

const (
	startPatience  = time.Minute
	answerPatience = time.Minute
	drainPatience  = 5 * time.Minute // a consumer waits some seconds before it tries what may have ended the process
	stopPatience   = time.Minute
	grace          = time.Second // after a fault, in which refusals are explained

	configFile = "penstock.yaml"
	maxAnswer  = 16 << 20
)

// batches are the sizes of requests, by turns.
var batches = [...]int{100, 1, 1000, 10, 500}

// tester is a run.
type tester struct {
	Options
	random   *rand.Rand
	recorder *check.Recorder
	total    int64 // rows so far
	kills    int
	late     int // columns that were declared after their events had been sent
	pageRows int // how many are asked for at once
	server   *child.Process
	letters  map[string]*check.Entry // by place: those whose bodies are known

	views   []modelled // that are configured
	recount *check.Recount
	counted map[penstock.Place]struct{} // rows of the source that halts keys
	dropped bool                        // letters, since rows were counted
}

func newTester(o Options) (*tester, error) {
	recount, err := check.NewRecount(slices.Concat(models(lasting()), models(passing()))...)
	return &tester{Options: o, views: lasting(), recount: recount, counted: map[penstock.Place]struct{}{}, random: rand.New(rand.NewPCG(o.Seed, 0)), pageRows: 50_000, letters: map[string]*check.Entry{}}, err
}

// Run does the rounds, hands each to done, and ends with an orderly stop and a check of everything. It fails when the
// server cannot be run, which is no less wrong where it could before; what is wrong with the data is in the rounds' Problems. It ends only processes that it started.
func Run(ctx context.Context, o Options, done func(Round)) (Sum, error) {
	t, err := newTester(o)
	if err == nil {
		err = t.configure()
	}
	if err != nil {
		return Sum{}, err
	}
	t.recorder, err = check.Create(t.runDir(), check.Config{Seed: o.Seed, Explain: true, Grace: int64(grace), Halts: []string{halting}})
	if err != nil {
		return Sum{}, err
	}
	defer t.recorder.Close()
	defer t.kill()
	if err := t.firstStart(ctx); err != nil {
		return Sum{}, err
	}
	var sum Sum
	for i := range o.Rounds {
		r := Round{Number: i + 1, Batch: batches[i%len(batches)]}
		if i%3 == 2 {
			r.Again = 1 + t.random.IntN(3)
		}
		if err := t.round(ctx, &r); err != nil {
			return sum, fmt.Errorf("round %d: %w", i+1, err)
		}
		sum.Rounds++
		sum.Kills = t.kills
		sum.Problems += len(r.Problems)
		done(r)
	}
	last := Round{Number: o.Rounds + 1}
	if err := t.end(ctx, &last, &sum); err != nil {
		return sum, err
	}
	done(last)
	return sum, nil
}

func (t *tester) runDir() string { return filepath.Join(t.Dir, "run") }

func (t *tester) data() string {
	if t.Data != "" {
		return t.Data
	}
	return filepath.Join(t.Dir, "data")
}

// configure writes the server's configuration.
func (t *tester) configure() error {
	err := os.WriteFile(filepath.Join(t.Dir, configFile), []byte(t.configuration()), 0o600)
	return penstock.Wrap(penstock.Internal, "write configuration", err)
}

// firstStart starts the server on an empty directory; in some runs the fault meets it before it is done with that.
func (t *tester) firstStart(ctx context.Context) error {
	for range t.random.IntN(3) {
		if err := t.failWhileStarting(ctx); err != nil {
			return err
		}
	}
	if err := t.start(ctx); err != nil {
		return err
	}
	return t.ask().WaitReady(ctx)
}

// end exports everything, stops the server, and judges the whole run.
func (t *tester) end(ctx context.Context, r *Round, sum *Sum) error {
	t.recorder.Note(check.Record{Kind: check.Drained})
	if err := t.countMisread(ctx, r, "true"); err != nil {
		return err
	}
	for _, export := range [...]func(context.Context) error{t.exportRows, t.exportLetters, t.exportAudit, t.exportViews} {
		if err := export(ctx); err != nil {
			return err
		}
	}
	if err := t.server.Stop(stopPatience); err != nil {
		r.Problems = append(r.Problems, fmt.Sprintf("stop: %v", err))
	}
	t.verifyLog(ctx, r)
	if err := t.exportLog(ctx); err != nil {
		return err
	}
	if err := t.recorder.Close(); err != nil {
		return err
	}
	v, err := check.Verify(t.runDir())
	if err != nil {
		return err
	}
	r.take(v)
	if r.Total = r.Stored; r.Total != t.total {
		r.Problems = append(r.Problems, fmt.Sprintf("%d rows were exported, SQL counted %d", r.Total, t.total))
	}
	sum.take(v)
	sum.Problems += len(r.Problems)
	return nil
}

func (t *tester) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	p, err := child.Start(ctx, child.Options{
		Program: t.Program, Dir: t.Dir, Log: t.Log, Args: []string{"serve", "-c", configFile},
	})
	if err == nil {
		t.server = p
	}
	return err
}

func (t *tester) kill() {
	if t.server != nil {
		t.server.Kill()
	}
}

func (t *tester) ask() *probe.Probe { return &probe.Probe{URL: t.server.URL} }
