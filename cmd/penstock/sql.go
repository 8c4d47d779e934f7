package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"penstock/client"
)

type sqlFlags struct {
	after   []string
	timeout time.Duration
}

func newSQLCommand(p *program) *cobra.Command {
	var f sqlFlags
	cmd := &cobra.Command{
		Use:   "sql [QUERY]",
		Short: "Asks a question in SQL",
		Long: `Asks a question in SQL over streams, views and the tables penstock.lag, penstock.streams and penstock.shards.
Without QUERY it reads one from standard input, or is a prompt if that is a terminal.

With --after the answer contains the events of a receipt, or fails after --timeout.`,
		Example: `  penstock sql "SELECT count(*) FROM clicks"
  penstock sql "SELECT link, count(*) FROM clicks GROUP BY ALL ORDER BY 2 DESC LIMIT 10" -o csv > top.csv
  penstock sql < report.sql
  penstock sql`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.sql(cmd.Context(), args, f)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.after, "after", nil, "a receipt, or an earlier answer's as_of: the answer is not older; may repeat")
	flags.DurationVar(&f.timeout, "timeout", 0, "how long to wait for --after (default the server's)")
	return cmd
}

func (p *program) sql(ctx context.Context, args []string, f sqlFlags) error {
	c, err := p.client(client.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	q := client.Query{After: f.after, Timeout: f.timeout}
	if len(args) == 1 {
		q.SQL = args[0]
	} else if in, ok := p.stdin.(*os.File); ok && isTerminal(in) && isTerminal(p.stdout) {
		return p.promptAt(ctx, in, asker{client: c, query: q})
	} else if q.SQL, err = readStatement(p.stdin); err != nil {
		return err
	}
	if q.SQL = bareStatement(q.SQL); q.SQL == "" {
		return usagef("there is no query")
	}
	a := &resultWriter{format: p.format, out: p.stdout, notes: p.stderr, quiet: p.quiet}
	if isTerminal(p.stdout) {
		a.person, a.width = true, terminalWidth(p.stdout)
	}
	return a.write(ctx, c, q)
}

// maxStatement bounds a statement that is read: servers take less.
const maxStatement = 16 << 20

func readStatement(in io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxStatement+1))
	if len(text) > maxStatement {
		return "", usagef("the query is longer than 16 MiB")
	}
	return string(text), err
}

// bareStatement returns a statement without the white space and the semicolons around it.
func bareStatement(text string) string { return strings.Trim(text, "; \t\r\n") }

// resultWriter writes the result of a query.
type resultWriter struct {
	format     string
	out, notes io.Writer // data, and what is to be said about it
	quiet      bool
	person     bool // someone looks at it
	width      int  // of lines, 0 if any fits
}

// write asks and writes the answer as it comes; of a table the widths have to be known first.
func (a *resultWriter) write(ctx context.Context, c *client.Client, q client.Query) error {
	switch a.format {
	case "csv":
		return a.export(ctx, c, q, client.CSV)
	case "ndjson":
		return a.export(ctx, c, q, client.NDJSON)
	}
	rows, err := c.Query(ctx, q)
	if err != nil {
		return err
	}
	defer rows.Close()
	if a.format == "json" {
		err = a.writeJSON(rows)
	} else {
		err = a.writeTable(rows)
	}
	if err == nil {
		a.conclude(rows.Summary())
	}
	return err
}

// export copies what the server wrote.
func (a *resultWriter) export(ctx context.Context, c *client.Client, q client.Query, format string) error {
	result, err := c.Export(ctx, q, format)
	if err != nil {
		return err
	}
	defer result.Close()
	if _, err := io.Copy(a.out, result); err != nil {
		return fmt.Errorf("the answer was cut: %w", err)
	}
	a.conclude(result.Summary())
	return nil
}

// writeJSON writes the server's own object, row by row.
func (a *resultWriter) writeJSON(rows *client.Rows) error {
	columns, err := json.Marshal(rows.Columns())
	if err != nil {
		return err
	}
	lead := fmt.Sprintf(`{"columns":%s,"rows":[`, columns)
	for {
		row, err := rows.NextRaw()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		line, err := json.Marshal(row)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(a.out, "%s\n%s", lead, line); err != nil {
			return err
		}
		lead = ","
	}
	if lead == "," {
		lead = ""
	}
	s := rows.Summary()
	if len(s.ElapsedMS) == 0 {
		s.ElapsedMS = json.RawMessage("null")
	}
	summary, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s],\n%s\n", lead, summary[1:])
	return err
}

func (a *resultWriter) writeTable(rows *client.Rows) error {
	t := &table{}
	for _, c := range rows.Columns() {
		t.columns = append(t.columns, c.Name)
		t.right = append(t.right, isNumeric(c.Type))
	}
	for {
		row, err := rows.NextRaw()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		cells := make([]string, len(row))
		for i, raw := range row {
			cells[i] = cellText(raw)
		}
		t.rows = append(t.rows, cells)
	}
	if a.person || a.format == "table" {
		return t.writeLines(a.out, a.width)
	}
	return t.writeText(a.out)
}

// cellText returns a JSON value as a person reads it.
func cellText(raw json.RawMessage) string {
	var text string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
		return text
	}
	if string(raw) == "null" {
		return "NULL"
	}
	return string(raw)
}

// isNumeric reports whether values of a SQL type are numbers.
func isNumeric(kind string) bool {
	for _, prefix := range []string{"TINYINT", "SMALLINT", "INT", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
		"FLOAT", "REAL", "DOUBLE", "DECIMAL", "NUMERIC"} {
		if strings.HasPrefix(kind, prefix) {
			return !strings.HasPrefix(kind, "INTERVAL") && !strings.HasSuffix(kind, "]")
		}
	}
	return false
}

// conclude says what does not stand in the rows.
func (a *resultWriter) conclude(s client.Summary) {
	if s.Truncated {
		fmt.Fprintf(a.notes, "penstock: there are more rows than these %s, which is the server's limit\n", grouped(s.RowCount))
	}
	if !a.person || a.quiet || a.format == "json" {
		return
	}
	plural := "s"
	if s.RowCount == 1 {
		plural = ""
	}
	took := ""
	if len(s.ElapsedMS) > 0 {
		took = fmt.Sprintf(", %s ms", s.ElapsedMS)
	}
	fmt.Fprintf(a.notes, "(%s row%s%s)\n", grouped(s.RowCount), plural, took)
}
