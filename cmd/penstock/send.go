package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/client"
	"penstock/internal/jsonscan"
)

type sendFlags struct {
	file                         string
	fresh                        bool
	idField, keyField, timeField string
	batch, connections           int
	retry                        time.Duration
}

// maxBody is how many bytes of lines go into a request, half of what a server takes by default.
const maxBody = 4 << 20

func newSendCommand(p *program) *cobra.Command {
	var f sendFlags
	cmd := &cobra.Command{
		Use:   "send STREAM [-f FILE]",
		Short: "Sends lines of JSON to a stream",
		Long: `Sends lines of JSON, each an event, from a file or from standard input, and returns when the server has every one of
them durable. Requests are repeated, with the same ids, while the server is away or busy.

An event without an id gets one from its line's number and content, as the first member of its object. The same file sent again
has the same ids, by which a stream that drops repeats knows them; with --fresh the ids are new in every run. The events
of a key keep their order; --connections 1 keeps the order of all lines.

Exit status 3 says that the server rejected some of the lines; they are listed.`,
		Example: `  penstock send clicks -f clicks.ndjson
  tail -F access.json | penstock send requests --fresh
  penstock send orders -f orders.ndjson --id-field order_id --key-field customer.id -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.send(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.file, "file", "f", "-", "file with a JSON object per line, - for standard input")
	flags.BoolVar(&f.fresh, "fresh", false, "give ids that are new in every run")
	flags.StringVar(&f.idField, "id-field", "", "path of the id, such as meta.id (default the stream's)")
	flags.StringVar(&f.keyField, "key-field", "", "path of the key (default the stream's)")
	flags.StringVar(&f.timeField, "time-field", "", "path of the time (default the stream's)")
	flags.IntVar(&f.batch, "batch", 5000, "events a request, at most")
	flags.IntVar(&f.connections, "connections", 4, "requests in flight")
	flags.DurationVar(&f.retry, "retry", time.Minute, "how long to go on while the server does not answer")
	return cmd
}

// check finds mistakes in the flags.
func (f sendFlags) check() error {
	if f.batch < 1 || f.connections < 1 || f.connections > 64 {
		return usagef("want --batch of 1 or more and --connections from 1 to 64")
	}
	for name, path := range map[string]string{"id": f.idField, "key": f.keyField, "time": f.timeField} {
		if path != "" && !isPath(path) {
			return usagef(`--%s-field %q is not a path such as user.id (a dot inside a name is \.)`, name, path)
		}
	}
	return nil
}

// sendReport is the outcome of a run: the object of -o json.
type sendReport struct {
	Sent       int64               `json:"sent"`
	Accepted   int64               `json:"accepted"`
	Rejected   int64               `json:"rejected"`
	Seconds    float64             `json:"seconds"`
	Durability penstock.Durability `json:"durability,omitempty"` // of what was accepted
}

func (p *program) send(ctx context.Context, stream string, f sendFlags) error {
	if err := penstock.CheckStreamName(stream); err != nil {
		return usagef("%s: %w", stream, cause(err))
	}
	if err := f.check(); err != nil {
		return err
	}
	in, size, err := p.openInput(f.file)
	if err != nil {
		return err
	}
	defer in.Close()
	s, err := p.newSending(ctx, stream, f)
	if err != nil {
		return err
	}
	defer s.client.Close()
	began := time.Now()
	stop := s.watch(size)
	err = s.run(ctx, in)
	stop()
	report := s.tally.report(time.Since(began))
	s.listRest(report)
	if err != nil {
		s.confess(report)
	}
	if printErr := p.printSend(report, err); err == nil {
		err = printErr
	}
	if err == nil && report.Rejected > 0 {
		err = &exitError{status: exitPartly}
	}
	return err
}

// openInput returns the file, or standard input for "-", and its size if that is known.
func (p *program) openInput(name string) (io.ReadCloser, int64, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, 0, err
		}
		return f, sizeOf(f), nil
	}
	if isTerminal(p.stdin) && !p.quiet {
		fmt.Fprintln(p.stderr, "penstock: reading lines of JSON from the terminal; Ctrl-D ends")
	}
	return io.NopCloser(p.stdin), sizeOf(p.stdin), nil
}

func sizeOf(r any) int64 {
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return info.Size()
		}
	}
	return 0
}

// newSending learns where the stream has its ids and keys, and prepares the run.
func (p *program) newSending(ctx context.Context, stream string, f sendFlags) (*sending, error) {
	s := &sending{stream: stream, f: f, notes: &noteWriter{w: p.stderr, quiet: p.quiet}}
	s.live = isTerminal(p.stderr) && !p.quiet
	var err error
	s.client, err = p.client(client.Options{Patience: patienceOf(f.retry), Trace: client.Trace{Retry: s.notes.retry}})
	if err != nil {
		return nil, err
	}
	known, err := s.learnFields(ctx)
	if err != nil {
		return nil, err
	}
	id, err := jsonscan.ParsePath(cmp.Or(s.fields.IDField, "id"))
	key, keyErr := jsonscan.ParsePath(cmp.Or(s.fields.KeyField, "key"))
	if err := errors.Join(err, keyErr); err != nil {
		return nil, err
	}
	var salt []byte
	if f.fresh {
		salt = make([]byte, 16)
		rand.Read(salt)
	}
	s.ids = newIdentifier(id, key, salt)
	lanes := f.connections
	if !known && f.keyField == "" {
		lanes = 1 // which events belong together cannot be told
	}
	s.openLanes(lanes)
	return s, nil
}

// learnFields sets the paths that hold for the lines: those of the flags, then the stream's. It reports whether the stream's
// are known. A stream that does not exist yet has the default ones. With a token that may only write, and on a server
// that answers no queries, they are not known.
func (s *sending) learnFields(ctx context.Context) (known bool, err error) {
	infos, err := s.client.Streams(ctx)
	var refusal *client.Refusal
	if errors.As(err, &refusal) && (refusal.Status == http.StatusForbidden || refusal.Status == http.StatusNotFound) {
		if s.f.idField == "" && !s.notes.quiet {
			s.notes.note(`penstock: the stream's settings cannot be read (%v): events without a member "id" get one; --id-field names another`, cause(err))
		}
	} else if err != nil {
		return false, err
	} else {
		known = true
	}
	for _, info := range infos {
		if info.Name == s.stream {
			s.fields = info
		}
	}
	s.fields.IDField = cmp.Or(s.f.idField, s.fields.IDField)
	s.fields.KeyField = cmp.Or(s.f.keyField, s.fields.KeyField)
	return known, nil
}

// printSend writes the outcome. Of a run that failed only JSON tells it: people read it in the error.
func (p *program) printSend(r sendReport, failed error) error {
	switch {
	case p.wantsJSON():
		return p.printJSON(r)
	case failed != nil:
		return nil
	case p.format == "":
		if p.quiet {
			return nil
		}
		rate := float64(r.Sent) / max(r.Seconds, 1e-6)
		_, err := fmt.Fprintf(p.stdout, "%s sent, %s accepted%s, %s rejected, in %.2fs (%s/s)\n", grouped(r.Sent), grouped(r.Accepted),
			durabilityText(r.Durability), grouped(r.Rejected), r.Seconds, grouped(int64(rate)))
		return err
	}
	t := &table{columns: []string{"sent", "accepted", "rejected", "seconds"}, right: []bool{true, true, true, true}}
	t.add(r.Sent, r.Accepted, r.Rejected, fmt.Sprintf("%.3f", r.Seconds))
	return p.printTable(t)
}

func durabilityText(d penstock.Durability) string {
	if d == "" {
		return ""
	}
	return " (" + string(d) + ")"
}
