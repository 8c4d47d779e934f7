package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/client"
)

// viewRowsPerPage is how many rows of a view are asked for at once.
const viewRowsPerPage = 1000

func newViewShowCommand(p *program) *cobra.Command {
	var q client.ViewQuery
	var where []string
	var limit int
	cmd := &cobra.Command{
		Use:   "show VIEW",
		Short: "Shows rows of a view",
		Long: "Shows rows of a view, in the order of time and group, or of --order. With --every the windows of the view are merged\n" +
			"to longer ones, or to one: sums and counts are added, uniques, quantiles and tops are merged as well.\n\n" +
			"With --after the answer contains the events of a receipt, or fails after --timeout.",
		Example: "  penstock view show clicks_per_link --where link=home --from 2026-01-31T00:00:00Z --every 1h\n" +
			"  penstock view show clicks_per_link --every all --order -clicks --limit 10\n" +
			"  penstock view show clicks_per_link --limit 0 -o csv > all.csv",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 0 {
				return usagef("--limit %d: want 0 or more", limit)
			}
			var err error
			if q.Where, err = parseWhere(where); err != nil {
				return err
			}
			c, err := p.client(client.Options{})
			if err != nil {
				return err
			}
			defer c.Close()
			q.View = args[0]
			return p.showView(cmd.Context(), c, q, limit)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&where, "where", nil, "only groups whose column has this value, as COLUMN=VALUE; may repeat")
	flags.StringVar(&q.From, "from", "", "only windows that begin then or later, as 2026-01-31T12:00:00Z or a Unix number")
	flags.StringVar(&q.To, "to", "", "only windows that begin before")
	flags.StringVar(&q.Every, "every", "", "merge windows to steps of this length, as 1h or 1d; all: to one")
	flags.StringVar(&q.Order, "order", "", "order by this column; -COLUMN: the largest first")
	flags.IntVar(&limit, "limit", 100, "how many rows to show (0: all)")
	waitFlags(cmd, &q.After, &q.Timeout)
	return cmd
}

// waitFlags adds the flags that say what an answer has to contain.
func waitFlags(cmd *cobra.Command, after *[]string, timeout *time.Duration) {
	cmd.Flags().StringArrayVar(after, "after", nil, "a receipt, or an earlier answer's as_of: the answer is not older; may repeat")
	cmd.Flags().DurationVar(timeout, "timeout", 0, "how long to wait for --after (default the server's)")
}

// parseWhere reads the values of --where.
func parseWhere(conditions []string) (map[string]string, error) {
	where := map[string]string{}
	for _, condition := range conditions {
		column, value, ok := strings.Cut(condition, "=")
		if !ok || column == "" {
			return nil, usagef("--where %s: want COLUMN=VALUE", condition)
		}
		if _, twice := where[column]; twice {
			return nil, usagef("--where %s: %s is there twice", condition, column)
		}
		where[column] = value
	}
	return where, nil
}

// showView writes up to limit rows of a view, page by page; 0 is all.
func (p *program) showView(ctx context.Context, c *client.Client, q client.ViewQuery, limit int) error {
	out := viewWriter{p: p, view: q.View}
	left := limit
	if q.Limit = viewRowsPerPage; limit > 0 {
		q.Limit = min(limit, viewRowsPerPage)
	}
	for page, err := range c.ViewPages(ctx, q) {
		if err != nil {
			return err
		}
		more := page.Cursor != ""
		if limit > 0 && len(page.Rows) >= left {
			more = more || len(page.Rows) > left
			page.Rows = page.Rows[:left]
		}
		left -= len(page.Rows)
		if err := out.write(page); err != nil {
			return err
		}
		if limit > 0 && left == 0 {
			return out.end(more)
		}
	}
	return out.end(false)
}

// viewWriter writes the rows of a view as they come. JSON that was not ended is none.
type viewWriter struct {
	p     *program
	view  string
	table *table // nil before the first page
	rows  int
}

func (w *viewWriter) write(page client.ViewPage) error {
	first := w.table == nil
	if first {
		w.table = tableOf(page.Columns)
	}
	switch w.p.format {
	case "json":
		return w.writeJSON(page, first)
	case "ndjson":
		return w.writeLines(page.Rows, "", "\n")
	}
	for _, row := range page.Rows {
		cells, err := w.cells(page.Columns, row)
		if err != nil {
			return err
		}
		w.table.rows = append(w.table.rows, cells)
	}
	return w.p.printPart(w.table)
}

// writeJSON writes the next rows of the one object.
func (w *viewWriter) writeJSON(page client.ViewPage, first bool) error {
	if !first {
		return w.writeLines(page.Rows, ",\n", "")
	}
	head, err := json.Marshal(struct {
		View    string                  `json:"view"`
		AsOf    string                  `json:"as_of"` // of the first page: the others are not older
		Columns []penstock.ResultColumn `json:"columns"`
	}{w.view, page.AsOf, append([]penstock.ResultColumn{}, page.Columns...)})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w.p.stdout, "%s,\"rows\":[", head[:len(head)-1]); err != nil {
		return err
	}
	return w.writeLines(page.Rows, ",\n", "")
}

// writeLines writes rows as the server wrote them, with before between all that were written so far.
func (w *viewWriter) writeLines(rows []json.RawMessage, before, behind string) error {
	var b strings.Builder
	for _, row := range rows {
		if w.rows > 0 {
			b.WriteString(before)
		}
		w.rows++
		b.Write(row)
		b.WriteString(behind)
	}
	_, err := io.WriteString(w.p.stdout, b.String())
	return err
}

// cells returns a row's values as text. NULL is nothing in CSV.
func (w *viewWriter) cells(columns []penstock.ResultColumn, row json.RawMessage) ([]string, error) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(row, &values); err != nil {
		return nil, err
	}
	cells := make([]string, len(columns))
	for i, c := range columns {
		if string(values[c.Name]) != "null" || w.p.format != "csv" {
			cells[i] = cellText(values[c.Name])
		}
	}
	return cells, nil
}

// end writes what follows the last row, and says whether there are more.
func (w *viewWriter) end(more bool) error {
	if w.p.format == "json" {
		_, err := fmt.Fprintf(w.p.stdout, "],\"truncated\":%t}\n", more)
		return err
	}
	if more && !w.p.quiet {
		fmt.Fprintln(w.p.stderr, "penstock: there are more rows: --limit shows more of them, --limit 0 all")
	}
	return nil
}

// tableOf returns an empty table of a result's columns, numbers at the right.
func tableOf(columns []penstock.ResultColumn) *table {
	t := &table{}
	for _, c := range columns {
		t.columns = append(t.columns, c.Name)
		t.right = append(t.right, isNumeric(c.Type))
	}
	return t
}
