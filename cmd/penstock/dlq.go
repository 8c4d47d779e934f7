package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/client"
)

func newLettersCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dlq ls|show|replay|drop",
		Short: "Shows events that were accepted and could not be stored, and replays or drops them",
		Long: "Shows dead letters: events that were accepted and cannot be rows, with their bytes and the reason. When the reason is\n" +
			"mended they are replayed, with their ids; or they are given up for ever. docs/dlq.md tells more.",
	}
	cmd.AddCommand(newLettersListCommand(p), newLetterCommand(p), newReplayCommand(p), newDropCommand(p))
	return cmd
}

// letterFilter is what letters are chosen by; "" is any.
type letterFilter struct{ stream, reason, id string }

func (f *letterFilter) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.stream, "stream", "", "only letters of this stream")
	cmd.Flags().StringVar(&f.reason, "reason", "", "only letters with this reason, such as bad_type")
	cmd.Flags().StringVar(&f.id, "id", "", "only letters of events with this id")
}

func newLettersListCommand(p *program) *cobra.Command {
	var f letterFilter
	var state string
	cmd := &cobra.Command{
		Use:     "ls",
		Short:   "Lists dead letters in the order of the log",
		Example: "  penstock dlq ls\n  penstock dlq ls --stream orders --reason bad_type -o ndjson",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client(client.Options{})
			if err != nil {
				return err
			}
			return p.listLetters(cmd.Context(), c, client.LetterQuery{Stream: f.stream, Reason: f.reason, ID: f.id, State: state})
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&state, "state", "open", "open, parked, replayed, dropped or all")
	return cmd
}

// lettersPerPage is how many letters the commands ask for at once.
const lettersPerPage = 1000

// eachPage calls f for each page of the letters that q asks for; if there are none, for one that is empty.
func eachPage(ctx context.Context, c *client.Client, q client.LetterQuery, f func([]client.Letter) error) error {
	q.Limit = lettersPerPage
	for {
		page, err := c.Letters(ctx, q)
		if err != nil {
			return err
		}
		if err := f(page.Letters); err != nil {
			return err
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return nil
		}
	}
}

// eachLetter calls f for each letter that q asks for.
func eachLetter(ctx context.Context, c *client.Client, q client.LetterQuery, f func(client.Letter) error) error {
	return eachPage(ctx, c, q, func(page []client.Letter) error {
		for _, l := range page {
			if err := f(l); err != nil {
				return err
			}
		}
		return nil
	})
}

// letterOut is a letter as the API shows it.
type letterOut struct {
	client.Letter
	Key        *string         `json:"key"`
	Body       json.RawMessage `json:"body,omitempty"`
	BodyBase64 []byte          `json:"body_base64,omitempty"`
}

func letterOutOf(l client.Letter) letterOut {
	out := letterOut{Letter: l, Body: l.Body, BodyBase64: l.BodyBase64}
	if l.Key != "" {
		out.Key = &l.Key
	}
	return out
}

func newLetterCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:     "show PLACE",
		Short:   "Shows one dead letter with its event",
		Example: "  penstock dlq show 3-1-1201\n  penstock dlq show 3-1-1201 -o json | jq .body",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client(client.Options{})
			if err != nil {
				return err
			}
			l, err := c.Letter(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return p.printLetter(l)
		},
	}
}

func (p *program) printLetter(l client.Letter) error {
	if p.wantsJSON() {
		return p.printJSON(letterOutOf(l))
	}
	body := string(l.Body)
	if l.Body == nil {
		body = fmt.Sprintf("%q", l.BodyBase64)
	}
	t := &table{columns: []string{"place", l.Place}}
	for _, line := range [][2]string{
		{"stream", l.Stream}, {"id", l.ID}, {"key", l.Key}, {"time", l.Time}, {"received at", l.ReceivedAt}, {"reason", string(l.Reason)},
		{"detail", l.Detail}, {"state", string(l.State)}, {"since", l.Since}, {"size", fmt.Sprint(l.Size)}, {"event", body},
	} {
		t.add(line[0], line[1])
	}
	return p.printTable(t)
}

func newDropCommand(p *program) *cobra.Command {
	var f letterFilter
	var dry bool
	cmd := &cobra.Command{
		Use:   "drop [PLACE…]",
		Short: "Gives open dead letters up, for ever",
		Long: "Gives open dead letters up, for ever: those at the places, those that match the flags, or without either all of them.\n" +
			"The audit counts them as dropped. It asks before.",
		Example: "  penstock dlq drop --stream orders --reason bad_type --dry-run\n  penstock dlq drop 3-1-1201 --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.dropLetters(cmd.Context(), f.change(args), dry)
		},
	}
	f.flags(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would be dropped, and drop nothing")
	return cmd
}

// change returns the request for the letters that match. No places: any.
func (f letterFilter) change(places []string) client.LetterChange {
	q := client.LetterChange{Stream: f.stream, Reason: f.reason, ID: f.id}
	if len(places) > 0 {
		q.Places = places
	}
	return q
}

// droppedOut is what a drop did: the object of -o json.
type droppedOut struct {
	Matched int  `json:"matched"`
	Dropped int  `json:"dropped"`
	DryRun  bool `json:"dry_run"`
}

func (p *program) dropLetters(ctx context.Context, q client.LetterChange, dry bool) error {
	notes := &noteWriter{w: p.stderr, quiet: p.quiet}
	c, err := p.client(client.Options{Trace: client.Trace{Retry: notes.retry}})
	if err != nil {
		return err
	}
	defer c.Close()
	try := q
	try.DryRun = true
	would, err := c.Drop(ctx, try, nil)
	if err != nil {
		return err
	}
	if err := missingLetters(q, would.Matched); err != nil {
		return err
	}
	done := droppedOut{Matched: would.Matched, DryRun: dry}
	if !dry && would.Matched > 0 {
		if err := p.confirm(fmt.Sprintf("drop %s for ever", lettersText(would.Matched))); err != nil {
			return err
		}
		sum, err := c.Drop(ctx, q, p.lettersProgress(notes, "dropped", would.Matched).dropped)
		notes.end()
		if err != nil {
			return err
		}
		done.Matched, done.Dropped = sum.Matched, sum.Dropped
	}
	if p.wantsJSON() {
		return p.printJSON(done)
	}
	verb, n := "dropped", done.Dropped
	if dry {
		verb, n = "would drop", done.Matched
	}
	_, err = fmt.Fprintf(p.stdout, "%s %s\n", verb, lettersText(n))
	return err
}

// missingLetters fails with NotFound if places were named and none of them has an open letter.
func missingLetters(q client.LetterChange, matched int) error {
	if len(q.Places) == 0 || matched > 0 {
		return nil
	}
	return penstock.Errorf(penstock.NotFound, "find letters", "there is no open letter at %s", q.Places[0])
}

func lettersText(n int) string {
	if n == 1 {
		return "1 letter"
	}
	return grouped(int64(n)) + " letters"
}

// lettersProgress draws how far a change has come, at a terminal.
type lettersProgress struct {
	notes *noteWriter // nil: silence
	verb  string
	total int
	began time.Time
}

func (p *program) lettersProgress(notes *noteWriter, verb string, total int) lettersProgress {
	if p.quiet || !isTerminal(p.stderr) {
		notes = nil
	}
	return lettersProgress{notes, verb, total, time.Now()}
}

func (l lettersProgress) dropped(d client.Dropped)   { l.draw(d.Matched) }
func (l lettersProgress) replayed(r client.Replayed) { l.draw(r.Matched) }

func (l lettersProgress) draw(n int) {
	if l.notes == nil {
		return
	}
	text := fmt.Sprintf("%s of %s %s, %s/s", grouped(int64(n)), grouped(int64(l.total)), l.verb, grouped(int64(float64(n)/time.Since(l.began).Seconds())))
	l.notes.draw(text)
}
