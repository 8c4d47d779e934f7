// Package killtest proves from outside that answers hold: it loads a server, kills it at a random moment, starts it
// again on the same directory, and compares by SQL what is stored with what was answered. Again and again.
//
// Every event is sent once, with an id of its own, and ends with a checksum of itself. So after each round
//   - every event that was answered is stored, exactly once;
//   - an event without an answer is stored once or not at all, and if so whole;
//   - nothing is stored that was never sent, and no place of the log is stored twice.
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
	"penstock/internal/load"
	"penstock/internal/load/child"
	"penstock/internal/load/probe"
)

// Options says what to kill and how often.
type Options struct {
	Program string // path of the penstock executable
	Dir     string // an empty directory; configuration and data lie there
	Rounds  int
	Seed    uint64
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
	eventSize   = 250
	config      = "listen: 127.0.0.1:0\ndata: ./data\nstreams:\n  " + stream + ":\n    columns: {amount: bigint, country: text}\n"

	startPatience = time.Minute
	drainPatience = 5 * time.Minute
	stopPatience  = time.Minute
)

// batches are the sizes of requests, by turns.
var batches = [...]int{100, 1, 1000, 10, 500}

// tester is a run.
type tester struct {
	Options
	random *rand.Rand
	acked  []load.Acked // of all rounds
	total  int64
	server *child.Process
}

// Run does the rounds, hands each to done, and ends with a check of everything and an orderly stop. It fails when the
// server cannot be run; what is wrong with the data is in the rounds' Problems. It ends only processes that it started.
func Run(ctx context.Context, o Options, done func(Round)) error {
	t := &tester{Options: o, random: rand.New(rand.NewPCG(o.Seed, 0))}
	if err := os.WriteFile(filepath.Join(o.Dir, "penstock.yaml"), []byte(config), 0o600); err != nil {
		return penstock.Wrap(penstock.Internal, "write configuration", err)
	}
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
	last := Round{Number: o.Rounds + 1, Total: t.total}
	if err := t.checkAll(ctx, &last); err != nil {
		return err
	}
	if err := t.server.Stop(stopPatience); err != nil {
		last.Problems = append(last.Problems, fmt.Sprintf("stop: %v", err))
	}
	t.verifyLog(ctx, &last)
	done(last)
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
	acked, err := t.loadAndKill(ctx, r)
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
	r.Ready = time.Since(began)
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	if err := t.ask().WaitDrained(ctx); err != nil {
		return err
	}
	r.Drained = time.Since(began)
	return t.check(ctx, r, acked)
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

// loadAndKill sends events of new clients until the server is dead.
func (t *tester) loadAndKill(ctx context.Context, r *Round) ([]load.Acked, error) {
	r.KilledAfter = t.between(20*time.Millisecond, 800*time.Millisecond)
	loading, stop := context.WithCancel(ctx)
	first := make(chan struct{}, 1)
	var killing sync.WaitGroup
	defer killing.Wait()
	defer stop()
	killing.Go(func() {
		defer stop()
		select {
		case <-first:
			wait(ctx, r.KilledAfter)
		case <-loading.Done():
		}
		t.kill()
	})
	result, err := load.Run(loading, load.Options{
		URL: t.server.URL, Stream: stream, Batch: r.Batch, Connections: connections, FirstClient: r.Number * connections,
		Duration: startPatience, Shape: load.Shape{Size: eventSize, Checksum: true, Skew: "hot:0.3", Keys: 1000},
		Trace: load.Trace{Answered: func(load.Answer) {
			select {
			case first <- struct{}{}:
			default:
			}
		}},
	})
	if err != nil {
		return nil, err
	}
	if result.Events == 0 {
		return nil, errors.New("nothing was accepted: " + result.Problem)
	}
	r.Sent, r.Acked = result.Sent, result.Events
	t.acked = append(t.acked, result.Acked...)
	return result.Acked, nil
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
