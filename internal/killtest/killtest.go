// Package killtest proves from outside that answers hold: it loads a server, kills it at a random moment, starts it
// again on the same directory, and lets internal/check judge what is stored by what was answered. Again and again.
//
// After each round the rows of its events are judged; in the end rows and log of all rounds, from the run's directory, in which the
// verdict stays. What is judged stands there; beside it the declared columns are compared with the bodies by SQL.
package killtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"text/tabwriter"
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
	Resend  bool      // send what has no answer again, with the same ids, until it has one
	Log     io.Writer // what the server says; nil: nowhere
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
	Total       int64         // of all rounds' events
	Ready       time.Duration // from the start after the kill
	Drained     time.Duration // until nothing was behind
	Problems    []string      // empty: all is as it should be
}

const (
	connections = 8
	stream      = "kill"
	partitions  = 64 // the default
	config      = "listen: 127.0.0.1:0\ndata: ./data\nstreams:\n  " + stream + ":\n    columns: {amount: bigint, country: text}\n"

	startPatience  = time.Minute
	answerPatience = time.Minute
	drainPatience  = 5 * time.Minute
	stopPatience   = time.Minute
	grace          = time.Second // after a fault, in which refusals are explained

	maxAnswer = 16 << 20
)

// batches are the sizes of requests, by turns.
var batches = [...]int{100, 1, 1000, 10, 500}

// tester is a run.
type tester struct {
	Options
	random   *rand.Rand
	recorder *check.Recorder
	total    int64 // rows so far
	pageRows int   // how many are asked for at once
	server   *child.Process
}

// Run does the rounds, hands each to done, and ends with an orderly stop and a check of everything. It fails when the
// server cannot be run; what is wrong with the data is in the rounds' Problems. It ends only processes that it started.
func Run(ctx context.Context, o Options, done func(Round)) error {
	t := &tester{Options: o, random: rand.New(rand.NewPCG(o.Seed, 0)), pageRows: 50_000}
	if err := os.WriteFile(filepath.Join(o.Dir, "penstock.yaml"), []byte(config), 0o600); err != nil {
		return penstock.Wrap(penstock.Internal, "write configuration", err)
	}
	var err error
	t.recorder, err = check.Create(filepath.Join(o.Dir, "run"), check.Config{Seed: o.Seed, Explain: true, Grace: int64(grace)})
	if err != nil {
		return err
	}
	defer t.recorder.Close()
	defer t.kill()
	if err := t.start(ctx); err != nil {
		return err
	}
	if err := t.ask().WaitReady(ctx); err != nil {
		return err
	}
	for i := range o.Rounds {
		r := Round{Number: i + 1, Batch: batches[i%len(batches)]}
		if i%3 == 2 {
			r.Again = 1 + t.random.IntN(3)
		}
		if err := t.round(ctx, &r); err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
		done(r)
	}
	last := Round{Number: o.Rounds + 1}
	if err := t.end(ctx, &last); err != nil {
		return err
	}
	done(last)
	return nil
}

// end exports everything, stops the server, and judges the whole run.
func (t *tester) end(ctx context.Context, r *Round) error {
	t.recorder.Note(check.Record{Kind: check.Drained})
	if err := t.countMisread(ctx, r, "true"); err != nil {
		return err
	}
	if err := t.exportRows(ctx); err != nil {
		return err
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
	v, err := check.Verify(string(t.recorder.Dir()))
	if err != nil {
		return err
	}
	r.take(v)
	if r.Total = r.Stored; r.Total != t.total {
		r.Problems = append(r.Problems, fmt.Sprintf("%d rows were exported, SQL counted %d", r.Total, t.total))
	}
	return nil
}

func (t *tester) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	p, err := child.Start(ctx, child.Options{
		Program: t.Program, Dir: t.Dir, Log: t.Log, Args: []string{"serve", "-c", "penstock.yaml"},
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

// round loads and kills, in some rounds again while the server recovers, and checks what a new start shows.
func (t *tester) round(ctx context.Context, r *Round) error {
	writers := make([]*writer, connections)
	for i := range writers {
		writers[i] = t.newWriter(uint32(r.Number*connections+i), r.Batch)
	}
	healed, err := t.loadAndKill(ctx, r, writers)
	defer healed()
	if err != nil {
		return err
	}
	for range r.Again {
		if err := t.killWhileStarting(ctx); err != nil {
			return err
		}
	}
	t.verifyLog(ctx, r)
	began := time.Now()
	if err := t.start(ctx); err != nil {
		return err
	}
	if err := t.ask().WaitReady(ctx); err != nil {
		return err
	}
	healed()
	r.Ready = time.Since(began)
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	if t.Resend {
		if err := t.resolveAll(ctx, writers); err != nil {
			return err
		}
	}
	if err := t.ask().WaitDrained(ctx); err != nil {
		return err
	}
	r.Drained = time.Since(began)
	r.count(writers)
	return t.judgeRound(ctx, r, writers)
}

// count adds up what the writers did.
func (r *Round) count(writers []*writer) {
	for _, w := range writers {
		r.Sent += w.sent
		r.Acked += w.acked
	}
}

// killWhileStarting starts the server and kills it soon: before it listens, while it recovers, or while it catches up.
func (t *tester) killWhileStarting(ctx context.Context) error {
	soon, cancel := context.WithTimeout(ctx, t.between(time.Millisecond, 400*time.Millisecond))
	defer cancel()
	err := t.start(soon)
	if soon.Err() == nil {
		if err != nil {
			return err
		}
		<-soon.Done()
		t.kill()
	}
	return ctx.Err()
}

// between returns a random duration.
func (t *tester) between(low, high time.Duration) time.Duration {
	return low + time.Duration(t.random.Int64N(int64(high-low)))
}

// loadAndKill lets the writers post until the server is dead. What it returns says that the fault is over.
func (t *tester) loadAndKill(ctx context.Context, r *Round, writers []*writer) (healed func(), err error) {
	r.KilledAfter = t.between(20*time.Millisecond, 800*time.Millisecond)
	loading, stop := context.WithTimeout(ctx, startPatience)
	defer stop()
	healed = func() {}
	first := make(chan struct{}, 1)
	var working sync.WaitGroup
	for _, w := range writers {
		working.Go(func() {
			w.work(loading, t.server.URL, func() {
				select {
				case first <- struct{}{}:
				default:
				}
			})
		})
	}
	select {
	case <-first:
		wait(loading, r.KilledAfter)
	case <-loading.Done():
		err = errors.New("nothing was answered")
	}
	healed = t.recorder.Fault("kill")
	t.kill()
	stop()
	working.Wait()
	return healed, errors.Join(err, ctx.Err())
}

// verifyLog lets the offline command read the log that the dead server left.
func (t *tester) verifyLog(ctx context.Context, r *Round) {
	c := exec.CommandContext(ctx, t.Program, "log", "verify", filepath.Join(t.Dir, "data"))
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Run(); err != nil {
		r.Problems = append(r.Problems, fmt.Sprintf("log verify: %v: %s", err, bytes.TrimSpace(said.Bytes())))
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// Table writes rounds in columns, for people.
func Table(w io.Writer, rounds []Round) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(columns, "round\tbatch\tkilled after\tagain\tsent\tanswered\tstored\twithout answer, stored\tall rows\tready\tapplied\tproblems\t")
	for _, r := range rounds {
		fmt.Fprintf(columns, "%d\t%d\t%v\t%d\t%d\t%d\t%d\t%d\t%d\t%v\t%v\t%d\t\n", r.Number, r.Batch, r.KilledAfter.Round(time.Millisecond),
			r.Again, r.Sent, r.Acked, r.Stored, r.Stored-r.Acked, r.Total, r.Ready.Round(time.Millisecond), r.Drained.Round(time.Millisecond), len(r.Problems))
	}
	if err := columns.Flush(); err != nil {
		return err
	}
	for _, r := range rounds {
		for _, p := range r.Problems {
			if _, err := fmt.Fprintf(w, "round %d: %s\n", r.Number, p); err != nil {
				return err
			}
		}
	}
	return nil
}
