package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/client"
)

func newReplayCommand(p *program) *cobra.Command {
	var f letterFilter
	var r replaying
	cmd := &cobra.Command{
		Use:   "replay [PLACE…]",
		Short: "Gives open dead letters to the store once more",
		Long: "Appends open dead letters to the log once more, with their ids, and waits until the store has tried them: those at the\n" +
			"places, those that match the flags, or without either all of them. Mend what is wrong first. A letter that fails again\n" +
			"stays open, and the exit status is 3. An interrupted replay is simply repeated: no letter has its effect twice.",
		Example: "  penstock dlq replay --stream orders --reason bad_type --dry-run\n  penstock dlq replay 3-1-1201\n  penstock dlq replay --stream orders --rate 500",
		RunE: func(cmd *cobra.Command, args []string) error {
			r.ask = f.change(args)
			if r.rate < 0 || cmd.Flags().Changed("rate") && r.rate == 0 {
				return usagef("--rate %d: want 1 or more", r.rate)
			}
			return p.replayLetters(cmd.Context(), r)
		},
	}
	f.flags(cmd)
	flags := cmd.Flags()
	flags.IntVar(&r.rate, "rate", 0, "letters a second at most (default as fast as they go)")
	flags.BoolVar(&r.dry, "dry-run", false, "say what would be replayed, and replay nothing")
	flags.DurationVar(&r.timeout, "timeout", time.Minute, "how long to wait for the store once all are in the log")
	return cmd
}

// replaying is a replay as it was asked for.
type replaying struct {
	ask     client.LetterChange
	rate    int
	dry     bool
	timeout time.Duration
}

// replayedOut is what a replay did: the object of -o json.
type replayedOut struct {
	Matched  int                     `json:"matched"`
	Replayed int                     `json:"replayed"`
	Rejected int                     `json:"rejected"` // no replay can mend them
	Failed   int                     `json:"failed"`   // tried, and still no rows
	Applied  bool                    `json:"applied"`  // the store has tried all
	DryRun   bool                    `json:"dry_run"`
	Why      []client.LetterRejected `json:"why,omitempty"` // the first that were rejected
}

func (p *program) replayLetters(ctx context.Context, r replaying) error {
	notes := &noteWriter{w: p.stderr, quiet: p.quiet}
	c, err := p.client(client.Options{Trace: client.Trace{Retry: notes.retry}})
	if err != nil {
		return err
	}
	defer c.Close()
	try := r.ask
	try.DryRun = true
	would, err := c.Replay(ctx, try, nil)
	if err != nil {
		return err
	}
	if err := missingLetters(r.ask, would.Matched); err != nil {
		return err
	}
	done := replayedOut{Matched: would.Matched, Rejected: would.RejectedCount, Why: would.Rejected, DryRun: r.dry, Applied: !r.dry}
	if !r.dry && would.Matched > 0 {
		r.ask.Rate = r.rate
		if done, err = p.replay(ctx, c, r, p.lettersProgress(notes, "replayed", would.Matched)); err != nil {
			return err
		}
	}
	return p.printReplayed(done)
}

// replay appends the letters, waits until they are applied, and counts those that are still open.
func (p *program) replay(ctx context.Context, c *client.Client, r replaying, progress lettersProgress) (replayedOut, error) {
	filter := client.LetterQuery{Stream: r.ask.Stream, Reason: r.ask.Reason, ID: r.ask.ID}
	since := map[string]string{} // of each letter, before
	err := eachLetter(ctx, c, filter, func(l client.Letter) error {
		since[l.Place] = l.Since
		return nil
	})
	if err != nil {
		return replayedOut{}, err
	}
	sum, err := c.Replay(ctx, r.ask, progress.replayed)
	if progress.notes != nil {
		progress.notes.end()
	}
	if err != nil {
		return replayedOut{}, err
	}
	done := replayedOut{Matched: sum.Matched, Replayed: sum.Replayed, Rejected: sum.RejectedCount, Why: sum.Rejected, Applied: true}
	if sum.Receipt != "" {
		if done.Applied, err = waitForReceipt(ctx, c, sum.Receipt, r.timeout); err != nil {
			return done, err
		}
	}
	filter.Reason = "" // it may fail for another reason than before
	err = eachLetter(ctx, c, filter, func(l client.Letter) error {
		if before, ok := since[l.Place]; ok && before != l.Since {
			done.Failed++
		}
		return nil
	})
	return done, err
}

// waitForReceipt returns true when the events of a receipt are applied, and false when the time is up.
func waitForReceipt(ctx context.Context, c *client.Client, receipt string, timeout time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		state, err := c.Receipt(ctx, receipt)
		switch {
		case ctx.Err() != nil && context.Cause(ctx) == context.DeadlineExceeded:
			return false, nil
		case err != nil:
			return false, err
		case state.Applied:
			return true, nil
		}
		wait(ctx, pause)
	}
}

// printReplayed says what was done. What was done only in part is an error without words of its own.
func (p *program) printReplayed(done replayedOut) error {
	var err error
	switch {
	case p.wantsJSON():
		err = p.printJSON(done)
	case done.DryRun:
		_, err = fmt.Fprintf(p.stdout, "would replay %s\n", lettersText(done.Matched-done.Rejected))
	case done.Applied:
		_, err = fmt.Fprintf(p.stdout, "replayed %s, %s became rows\n", lettersText(done.Replayed), grouped(int64(max(0, done.Replayed-done.Failed))))
	default:
		_, err = fmt.Fprintf(p.stdout, "replayed %s, the store has not tried all of them yet\n", lettersText(done.Replayed))
	}
	if err != nil {
		return penstock.Wrap(penstock.Internal, "write", err)
	}
	for _, one := range done.Why {
		fmt.Fprintf(p.stderr, "penstock: %s cannot be replayed: %s (%s)\n", one.Place, one.Message, one.Code)
	}
	if done.Failed > 0 {
		fmt.Fprintf(p.stderr, "penstock: %s failed again: \"penstock dlq ls\" says why\n", lettersText(done.Failed))
	}
	if done.Rejected > 0 || done.Failed > 0 || !done.DryRun && !done.Applied {
		return &exitError{status: exitPartly}
	}
	return nil
}
