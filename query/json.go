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

// objects makes an object of each row.
type objects struct {
	columns []penstock.ResultColumn
	names   [][]byte // quoted, with the colon
	line    []byte
}

func (o *objects) begin(columns []penstock.ResultColumn) {
	o.columns = columns
	for _, name := range distinct(columns) {
		o.names = append(o.names, append(appendQuoted(nil, name), ':'))
	}
}

// object returns a row as an object, with its members in the order of the columns. The bytes hold until the next call.
func (o *objects) object(values []any) ([]byte, error) {
	if err := checkWidth(o.columns, values); err != nil {
		return nil, err
	}
	line := append(o.line[:0], '{')
	for i, v := range values {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(line, o.names[i]...)
		var err error
		if line, err = appendJSON(line, v, o.columns[i].Type); err != nil {
			return nil, err
		}
	}
	o.line = append(line, '}')
	return o.line, nil
}

// ndjsonEncoder writes an object for each row.
type ndjsonEncoder struct {
	w *bufio.Writer
	objects
}

func (e *ndjsonEncoder) begin(columns []penstock.ResultColumn) error {
	e.objects.begin(columns)
	return nil
}

func (e *ndjsonEncoder) row(values []any) error {
	line, err := e.object(values)
	if err != nil {
		return err
	}
	_, _ = e.w.Write(line) // the next Write fails as well
	return e.w.WriteByte('\n')
}

func (e *ndjsonEncoder) end(summary) error { return nil }

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
