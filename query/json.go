package query

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"penstock"
)

// jsonEncoder writes one object. What is known before the rows stands before them, so that a reader need not hold them.
type jsonEncoder struct {
	w       *bufio.Writer
	columns []penstock.ResultColumn
	line    []byte
	rows    int
}

func (e *jsonEncoder) begin(columns []penstock.ResultColumn) error {
	if columns == nil {
		columns = []penstock.ResultColumn{}
	}
	e.columns = columns
	names, err := json.Marshal(columns)
	if err != nil {
		return penstock.Wrap(penstock.Internal, "write result", err)
	}
	_, err = fmt.Fprintf(e.w, `{"columns":%s,"rows":[`, names)
	return err
}

func (e *jsonEncoder) row(values []any) error {
	if err := checkWidth(e.columns, values); err != nil {
		return err
	}
	line := e.line[:0]
	if e.rows > 0 {
		line = append(line, ',')
	}
	e.rows++
	line = append(line, "\n["...)
	for i, v := range values {
		if i > 0 {
			line = append(line, ',')
		}
		var err error
		if line, err = appendJSON(line, v, e.columns[i].Type); err != nil {
			return err
		}
	}
	e.line = append(line, ']')
	_, err := e.w.Write(e.line)
	return err
}

func (e *jsonEncoder) end(s summary) error {
	milliseconds := strconv.FormatFloat(float64(s.elapsed)/float64(time.Millisecond), 'f', 3, 64)
	_, err := fmt.Fprintf(e.w, "],\n\"row_count\":%d,\"truncated\":%t,\"elapsed_ms\":%s,\"as_of\":%q}\n",
		s.rows, s.truncated, milliseconds, s.asOf)
	return err
}

// ndjsonEncoder writes an object for each row.
type ndjsonEncoder struct {
	w       *bufio.Writer
	columns []penstock.ResultColumn
	names   [][]byte // quoted, with the colon
	line    []byte
}

func (e *ndjsonEncoder) begin(columns []penstock.ResultColumn) error {
	e.columns = columns
	for _, name := range distinct(columns) {
		e.names = append(e.names, append(appendQuoted(nil, name), ':'))
	}
	return nil
}

// distinct returns the columns' names; one that an earlier column has gets a number, as a table of the result would have it.
func distinct(columns []penstock.ResultColumn) []string {
	taken := map[string]bool{}
	for _, c := range columns {
		taken[c.Name] = true
	}
	seen := map[string]bool{}
	names := make([]string, len(columns))
	for i, c := range columns {
		name := c.Name
		for n := 1; seen[name]; n++ {
			if other := fmt.Sprintf("%s_%d", c.Name, n); !taken[other] {
				name = other
			}
		}
		seen[name], taken[name] = true, true
		names[i] = name
	}
	return names
}

func (e *ndjsonEncoder) row(values []any) error {
	if err := checkWidth(e.columns, values); err != nil {
		return err
	}
	line := append(e.line[:0], '{')
	for i, v := range values {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(line, e.names[i]...)
		var err error
		if line, err = appendJSON(line, v, e.columns[i].Type); err != nil {
			return err
		}
	}
	e.line = append(line, "}\n"...)
	_, err := e.w.Write(e.line)
	return err
}

func (e *ndjsonEncoder) end(summary) error { return nil }
