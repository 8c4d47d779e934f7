package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	pretty "github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// table is a result as rows of text.
type table struct {
	columns []string
	right   []bool // columns of numbers; nil: none
	rows    [][]string
	widths  []int // of the columns of a table that is written in parts, by its first part
}

// add appends a row; each value is shown as fmt does.
func (t *table) add(values ...any) {
	row := make([]string, len(values))
	for i, v := range values {
		row[i] = fmt.Sprint(v)
	}
	t.rows = append(t.rows, row)
}

// printTable writes a table with lines at a terminal, aligned text elsewhere, or CSV if that was asked for.
func (p *program) printTable(t *table) error {
	switch {
	case p.format == "csv":
		return t.writeCSV(p.stdout)
	case p.format == "table" || isTerminal(p.stdout):
		return t.writeLines(p.stdout, terminalWidth(p.stdout))
	}
	return t.writeText(p.stdout)
}

// printPart writes the next part of a long table and forgets it. A part without rows is written only if it is the first. With lines each
// part is a table of its own; otherwise the columns are named once, and are as wide as in the first part.
func (p *program) printPart(t *table) error {
	if t.widths != nil && len(t.rows) == 0 {
		return nil
	}
	err := p.printTable(t)
	t.rows = nil
	if t.widths == nil {
		t.widths = make([]int, len(t.columns))
	}
	return err
}

// wantsJSON reports whether -o asks for JSON; what is one object is the same in both forms.
func (p *program) wantsJSON() bool { return p.format == "json" || p.format == "ndjson" }

// printJSON writes v as one line.
func (p *program) printJSON(v any) error {
	to := json.NewEncoder(p.stdout)
	to.SetEscapeHTML(false)
	return to.Encode(v)
}

// terminalWidth returns how many characters fit on a line of w, 0 if that is not known.
func terminalWidth(w any) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return width
		}
	}
	return 0
}

// writeLines draws the table. Lines longer than width, if that is not 0, are cut and end in a mark.
func (t *table) writeLines(w io.Writer, width int) error {
	draw := pretty.NewWriter()
	style := pretty.StyleLight
	style.Format.Header = text.FormatDefault
	style.Size.WidthMax = width
	draw.SetStyle(style)
	header := make(pretty.Row, len(t.columns))
	configs := make([]pretty.ColumnConfig, len(t.columns))
	for i, c := range t.columns {
		header[i] = shown(c)
		configs[i].Number = i + 1
		if t.right != nil && t.right[i] {
			configs[i].Align, configs[i].AlignHeader = text.AlignRight, text.AlignRight
		}
	}
	draw.AppendHeader(header)
	draw.SetColumnConfigs(configs)
	for _, row := range t.rows {
		cells := make(pretty.Row, len(row))
		for i, cell := range row {
			cells[i] = shown(cell)
		}
		draw.AppendRow(cells)
	}
	_, err := fmt.Fprintln(w, draw.Render())
	return err
}

// writeText writes the table as columns of text, two spaces apart.
func (t *table) writeText(w io.Writer) error {
	lines := t.lines()
	if t.widths == nil {
		t.widths = make([]int, len(t.columns))
		for _, row := range lines {
			for i, cell := range row {
				t.widths[i] = max(t.widths[i], utf8.RuneCountInString(shown(cell)))
			}
		}
	}
	to := bufio.NewWriter(w)
	for _, row := range lines {
		for i, cell := range row[:len(row)-1] {
			fmt.Fprintf(to, "%-*s  ", t.widths[i], shown(cell))
		}
		fmt.Fprintln(to, shown(row[len(row)-1]))
	}
	return to.Flush()
}

// lines returns the rows that are to be written, before the first of all the names of the columns.
func (t *table) lines() [][]string {
	if t.widths != nil {
		return t.rows
	}
	return append([][]string{t.columns}, t.rows...)
}

func (t *table) writeCSV(w io.Writer) error {
	to := csv.NewWriter(w)
	for _, row := range t.lines() {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = harmless(cell)
		}
		if err := to.Write(cells); err != nil {
			return err
		}
	}
	to.Flush()
	return to.Error()
}

// harmless returns text with an apostrophe before it if a spreadsheet would calculate it. Numbers stay.
func harmless(cell string) string {
	if cell == "" || strings.IndexByte("=+-@\t\r", cell[0]) < 0 || json.Valid([]byte(cell)) {
		return cell
	}
	return "'" + cell
}

// shown returns text as one line without control characters: what senders wrote must not steer a terminal.
func shown(cell string) string {
	if strings.IndexFunc(cell, unicode.IsControl) < 0 {
		return cell
	}
	var b strings.Builder
	for _, r := range cell {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsControl(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// grouped returns a number with its digits in groups of three.
func grouped(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
