package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"penstock"
)

// Query is one SELECT over streams, views and the penstock.* tables.
type Query struct {
	SQL     string
	Params  []any
	After   []string      // receipts: the answer contains their events, or is Expired
	Timeout time.Duration // how long to wait for them, 0: the server's default
}

// The formats in which the server writes a result by itself.
const (
	CSV    = "text/csv"
	NDJSON = "application/x-ndjson"
	Arrow  = "application/vnd.apache.arrow.stream"
)

// Query starts a query and returns its rows as they come. It fails with Invalid if the statement is wrong or exceeds a
// limit, with Forbidden if it may not be asked, with Expired if the receipts are not visible in time.
func (c *Client) Query(ctx context.Context, q Query) (*Rows, error) {
	body, err := c.Export(ctx, q, "application/json")
	if err != nil {
		return nil, err
	}
	rows := &Rows{body: body, json: json.NewDecoder(body)}
	rows.json.UseNumber()
	if err := rows.begin(); err != nil {
		body.Close()
		return nil, unreachable(ctx, "read result", err)
	}
	return rows, nil
}

// Export starts a query and returns the result's bytes in a format. The caller closes it. A result that ends with an
// error before its end was cut: the server's side of the query failed.
func (c *Client) Export(ctx context.Context, q Query, format string) (*Export, error) {
	ask := struct {
		Query   string   `json:"query"`
		Params  []any    `json:"params,omitempty"`
		After   []string `json:"after,omitempty"`
		Timeout string   `json:"timeout,omitempty"`
	}{q.SQL, q.Params, q.After, ""}
	if q.Timeout > 0 {
		ask.Timeout = q.Timeout.String()
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return nil, penstock.Wrap(penstock.Invalid, "encode query", err)
	}
	answer, err := c.do(ctx, request{
		method: http.MethodPost, path: "/v1/sql", body: body,
		header: http.Header{"Content-Type": {"application/json"}, "Accept": {format}},
	})
	if err != nil {
		return nil, err
	}
	return &Export{answer.Body, answer}, nil
}

// Export is a result as the server wrote it, read by one goroutine.
type Export struct {
	io.ReadCloser
	answer *http.Response
}

// Summary returns what CSV, NDJSON and Arrow have no place for and the server says beside them. It is whole after Read
// returned io.EOF; of JSON, which says it itself, it is empty.
func (e *Export) Summary() Summary {
	s := Summary{AsOf: e.answer.Header.Get("Penstock-As-Of")}
	s.RowCount, _ = strconv.ParseInt(e.answer.Trailer.Get("Penstock-Row-Count"), 10, 64)
	s.Truncated = e.answer.Trailer.Get("Penstock-Truncated") == "true"
	return s
}

// Rows is a result that is being read, by one goroutine.
type Rows struct {
	body    io.ReadCloser
	json    *json.Decoder
	columns []penstock.ResultColumn
	summary Summary
	inRows  bool
}

// Summary is what the server says about a result as a whole.
type Summary struct {
	RowCount  int64           `json:"row_count"`
	Truncated bool            `json:"truncated"` // there are more rows than the server gives
	ElapsedMS json.RawMessage `json:"elapsed_ms"`
	AsOf      string          `json:"as_of"` // a receipt: an answer after it is not older than this one
}

// Columns returns names and types.
func (r *Rows) Columns() []penstock.ResultColumn { return r.columns }

// Next returns the next row, or io.EOF after the last. The values are nil, bool, json.Number, string, []any or
// map[string]any. The slice is the caller's. An answer that ends before its end is Unknown.
func (r *Rows) Next() ([]any, error) {
	var row []any
	err := r.next(&row)
	return row, err
}

// NextRaw is Next with the values as the server wrote them.
func (r *Rows) NextRaw() ([]json.RawMessage, error) {
	var row []json.RawMessage
	err := r.next(&row)
	return row, err
}

func (r *Rows) next(row any) error {
	if !r.inRows {
		return io.EOF
	}
	if r.json.More() {
		if err := r.json.Decode(row); err != nil {
			return cut(err)
		}
		return nil
	}
	r.inRows = false
	if _, err := r.json.Token(); err != nil { // ]
		return cut(err)
	}
	if err := r.members(); err != nil {
		return cut(err)
	}
	return io.EOF
}

// Summary returns what came behind the rows; it is whole after Next returned io.EOF.
func (r *Rows) Summary() Summary { return r.summary }

// Close ends the query, read to its end or not.
func (r *Rows) Close() error { return r.body.Close() }

// cut is the error of a result that the server did not finish.
func cut(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return &penstock.Error{Code: penstock.Unknown, Op: "read result", Err: err, Reason: Unreachable}
}

// begin reads up to the first row. Columns stand before the rows.
func (r *Rows) begin() error {
	t, err := r.json.Token()
	if err == nil && t != json.Delim('{') {
		err = fmt.Errorf("the answer begins with %v", t)
	}
	if err != nil {
		return err
	}
	return r.members()
}

// members reads the members of the answer up to the first row, or to the end.
func (r *Rows) members() error {
	for r.json.More() {
		name, err := r.json.Token()
		if err != nil {
			return err
		}
		switch name {
		case "rows":
			_, err := r.json.Token() // [
			r.inRows = err == nil
			return err
		case "columns":
			err = r.json.Decode(&r.columns)
		case "row_count":
			err = r.json.Decode(&r.summary.RowCount)
		case "truncated":
			err = r.json.Decode(&r.summary.Truncated)
		case "elapsed_ms":
			err = r.json.Decode(&r.summary.ElapsedMS)
		case "as_of":
			err = r.json.Decode(&r.summary.AsOf)
		default:
			var skip json.RawMessage
			err = r.json.Decode(&skip)
		}
		if err != nil {
			return err
		}
	}
	_, err := r.json.Token() // }
	return err
}
