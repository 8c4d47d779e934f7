package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/client"
)

type tailFlags struct {
	key, from, after string
	count            int64
	patience         time.Duration
}

func newTailCommand(p *program) *cobra.Command {
	var f tailFlags
	cmd := &cobra.Command{
		Use:   "tail STREAM",
		Short: "Shows the events of a stream as they come",
		Long: "Shows the events of a stream as they come, a JSON object per line, in order per key. It reads the log: repeats of\n" +
			"an event are shown too. When the connection breaks it goes on behind the last event that it showed.",
		Example: "  penstock tail clicks\n" +
			"  penstock tail clicks --key user-7 --from start -n 10\n" +
			"  penstock tail clicks -o table",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.tail(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.key, "key", "", "only the events of this key")
	flags.StringVar(&f.from, "from", "now", "where to begin: now, or start for the oldest event that the log holds")
	flags.StringVar(&f.after, "after", "", "a cursor of an earlier event: begin behind it")
	flags.Int64VarP(&f.count, "count", "n", 0, "end after so many events (0: never)")
	flags.DurationVar(&f.patience, "retry", time.Minute, "how long to go on while the server does not answer")
	return cmd
}

// errEnough ends a tail that has shown what was asked for.
var errEnough = errors.New("enough events")

func (p *program) tail(ctx context.Context, stream string, f tailFlags) error {
	if err := penstock.CheckStreamName(stream); err != nil {
		return usagef("%s: %w", stream, cause(err))
	}
	if f.from != "now" && f.from != "start" {
		return usagef("--from %s: want now or start", f.from)
	}
	if f.count < 0 {
		return usagef("-n %d: want 0 or more", f.count)
	}
	notes := &noteWriter{w: p.stderr, quiet: p.quiet}
	c, err := p.client(client.Options{Patience: patienceOf(f.patience), Trace: client.Trace{Retry: notes.retry}})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Streams(ctx); client.IsUnreachable(err) {
		return err // patience is for a server that was there
	}
	print := p.eventPrinter()
	shown := int64(0)
	q := client.TailQuery{Stream: stream, Key: f.key, From: f.from, After: f.after}
	err = c.Tail(ctx, q, func(e client.TailEvent) error {
		notes.clear()
		if err := print(e.Data); err != nil {
			return err
		}
		if shown++; shown == f.count {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// patienceOf returns the client's patience for the value of --retry, where 0 means a single attempt.
func patienceOf(retry time.Duration) time.Duration {
	if retry <= 0 {
		return -1
	}
	return retry
}

// eventPrinter returns what writes an event in the form that -o asks for. JSON is the default: a live table has no widths.
func (p *program) eventPrinter() func(json.RawMessage) error {
	switch p.format {
	case "table":
		first := true
		return func(data json.RawMessage) error {
			e := readTailed(data)
			if first {
				fmt.Fprintf(p.stdout, tailRow, "time", "key", "id", "data")
			}
			first = false
			_, err := fmt.Fprintf(p.stdout, tailRow, e.Time, shown(e.Key), shown(e.ID), shown(string(e.Data)))
			return err
		}
	case "csv":
		header := []string{"time", "key", "id", "data"}
		return func(data json.RawMessage) error {
			e := readTailed(data)
			t := &table{columns: []string{e.Time, e.Key, e.ID, string(e.Data)}}
			if header != nil {
				t = &table{columns: header, rows: [][]string{t.columns}}
			}
			header = nil
			return t.writeCSV(p.stdout)
		}
	}
	return func(data json.RawMessage) error {
		_, err := p.stdout.Write(append(bytes.TrimSpace(data), '\n'))
		return err
	}
}

const tailRow = "%-27s  %-20s  %-36s  %s\n"

// tailed is what people look at of an event.
type tailed struct {
	ID   string          `json:"id"`
	Key  string          `json:"key"`
	Time string          `json:"time"`
	Data json.RawMessage `json:"data"`
}

// readTailed reads an event of a tail; of one that is not understood it shows the bytes.
func readTailed(data json.RawMessage) tailed {
	var e tailed
	if json.Unmarshal(data, &e) != nil {
		return tailed{Data: data}
	}
	return e
}
