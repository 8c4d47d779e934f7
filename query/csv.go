package query

import (
	"bufio"
	"strings"

	"penstock"
)

// csvEncoder writes RFC 4180 with a line of names. NULL is empty and empty text is "". Text that a spreadsheet would take for a
// formula begins with an apostrophe (https://owasp.org/www-community/attacks/CSV_Injection); numbers are left as they are.
type csvEncoder struct {
	w       *bufio.Writer
	columns []penstock.ResultColumn
	line    []byte
}

func (e *csvEncoder) begin(columns []penstock.ResultColumn) error {
	e.columns = columns
	line := []byte{}
	for i, c := range columns {
		if i > 0 {
			line = append(line, ',')
		}
		line = appendCell(line, harmless(c.Name))
	}
	_, err := e.w.Write(append(line, "\r\n"...))
	return err
}

func (e *csvEncoder) row(values []any) error {
	if err := checkWidth(e.columns, values); err != nil {
		return err
	}
	line := e.line[:0]
	for i, v := range values {
		if i > 0 {
			line = append(line, ',')
		}
		if v == nil {
			continue
		}
		text, number, err := plainText(v, e.columns[i].Type)
		if err != nil {
			return err
		}
		if !number {
			text = harmless(text)
		}
		line = appendCell(line, text)
	}
	if len(line) == 0 {
		line = append(line, `""`...) // a NULL alone: readers skip empty lines
	}
	e.line = append(line, "\r\n"...)
	_, err := e.w.Write(e.line)
	return err
}

func (e *csvEncoder) end(summary) error { return nil }

// harmless returns text with an apostrophe before it if a spreadsheet would calculate it.
func harmless(text string) string {
	if text != "" && strings.IndexByte("=+-@\t\r", text[0]) >= 0 {
		return "'" + text
	}
	return text
}

// appendCell appends a cell, quoted if it needs to be.
func appendCell(line []byte, text string) []byte {
	if text != "" && text[0] != ' ' && text[len(text)-1] != ' ' && !strings.ContainsAny(text, ",\"\r\n") {
		return append(line, text...)
	}
	line = append(line, '"')
	line = append(line, strings.ReplaceAll(text, `"`, `""`)...)
	return append(line, '"')
}
