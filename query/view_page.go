package query

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"penstock"
)

// viewPage is a part of a view's rows. It is read as a whole before it is written, so that its reader, however slow, keeps no turn.
type viewPage struct {
	view    string
	asOf    string
	columns []penstock.ResultColumn
	rows    [][]any
	cursor  string // of what follows; "" behind the last row
}

// maxViewCursor is how many characters a cursor of a view has: it is sent back in a URL.
const maxViewCursor = 4000

// readViewPage asks the Viewer and takes what it says. One row more than asked for tells whether there is a next page.
func (a *API) readViewPage(ctx context.Context, q viewAsk, page *viewPage) error {
	query := q.query
	query.Limit++
	rows, err := a.o.Viewer.View(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	page.columns = rows.Columns()
	more, err := page.take(rows, q.query.Limit, a.o.Limits.PageSize)
	if err != nil || !more {
		return err
	}
	return a.endPage(q, page)
}

// take reads rows until they end, or the page is full, and reports whether there are more.
func (p *viewPage) take(rows penstock.Rows, limit int, size penstock.Bytes) (more bool, err error) {
	taken := penstock.Bytes(0)
	for {
		values, err := rows.Next()
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, err
		case len(p.rows) == limit, taken >= size:
			return true, nil
		}
		if err := checkWidth(p.columns, values); err != nil {
			return false, err
		}
		p.rows = append(p.rows, values)
		taken += sizeOf(values)
	}
}

// sizeOf returns about how many bytes a row takes.
func sizeOf(values []any) penstock.Bytes {
	size := penstock.Bytes(0)
	for _, v := range values {
		size += 16
		switch v := v.(type) {
		case string:
			size += penstock.Bytes(len(v))
		case penstock.Raw:
			size += penstock.Bytes(len(v))
		case penstock.Number:
			size += penstock.Bytes(len(v))
		}
	}
	return size
}

// endPage makes the cursor of what follows a page. Rows whose values do not fit into one are left to the next page.
func (a *API) endPage(q viewAsk, page *viewPage) error {
	places := make([]int, len(q.keys))
	for i, key := range q.keys {
		places[i] = slices.IndexFunc(page.columns, func(c penstock.ResultColumn) bool { return c.Name == key })
		if places[i] < 0 { // it was replaced by another version between the two looks at it
			return penstock.Errorf(penstock.Unavailable, "make cursor", "the answer of view %s has no column %s", page.view, key)
		}
	}
	for n := len(page.rows); n > 0; n-- {
		token, err := a.signRow(q, page.rows[n-1], places)
		if err != nil {
			return err
		}
		if len(token) <= maxViewCursor {
			page.rows, page.cursor = page.rows[:n], token
			return nil
		}
	}
	return penstock.Refusef("query_too_large", "make cursor", "the texts in these rows are too long for a cursor: choose fewer rows with where, from and to")
}

func (a *API) signRow(q viewAsk, row []any, places []int) (string, error) {
	values := make([]any, len(places))
	for i, place := range places {
		values[i] = row[place]
	}
	body, err := appendValues(nil, values)
	if err != nil {
		return "", err
	}
	return a.tokens.seal(q.question, body), nil
}

// openRow returns the values that a cursor carries: those of the row behind which the answer goes on.
func (a *API) openRow(q viewAsk, token string) ([]any, error) {
	body, err := a.tokens.unseal(q.question, token)
	if err != nil {
		return nil, err
	}
	values, ok := valuesOf(body)
	if !ok || len(values) != len(q.keys) {
		return nil, badCursor()
	}
	return values, nil
}

// writeViewPage answers with a page.
func (a *API) writeViewPage(w http.ResponseWriter, format string, page viewPage) error {
	out := a.output(w, page.head(format))
	buffer := bufio.NewWriterSize(out, piece)
	err := page.encode(newViewEncoder(format, buffer, page))
	if err == nil {
		err = buffer.Flush()
	}
	if err == nil && !out.begun { // NDJSON without rows is empty
		_, err = out.Write(nil)
	}
	if err != nil && out.begun {
		panic(http.ErrAbortHandler) // so that the reader does not take what came for the whole
	}
	out.finish()
	return err
}

// head returns what sets the headers of a page.
func (p viewPage) head(format string) func(http.Header) {
	return func(h http.Header) {
		setContentType(h, format)
		if format == formatJSON {
			return
		}
		h.Set(headerAsOf, p.asOf)
		if p.cursor != "" {
			h.Set(headerCursor, p.cursor)
		}
	}
}

func (p viewPage) encode(e encoder) error {
	if err := e.begin(p.columns); err != nil {
		return err
	}
	for _, row := range p.rows {
		if err := e.row(row); err != nil {
			return err
		}
	}
	return e.end(summary{})
}

// newViewEncoder returns the encoder of a page. As JSON it is an object, and so are its rows.
func newViewEncoder(format string, w *bufio.Writer, page viewPage) encoder {
	if format == formatJSON {
		return &viewEncoder{w: w, page: page}
	}
	return newEncoder(format, w)
}

// viewEncoder writes one object. What is known before the rows stands before them.
type viewEncoder struct {
	w    *bufio.Writer
	page viewPage
	objects
	rows int
}

func (e *viewEncoder) begin(columns []penstock.ResultColumn) error {
	e.objects.begin(columns)
	names, err := json.Marshal(append([]penstock.ResultColumn{}, columns...))
	if err != nil {
		return penstock.Wrap(penstock.Internal, "write result", err)
	}
	_, err = fmt.Fprintf(e.w, `{"view":%s,"as_of":%q,"columns":%s,"rows":[`, appendQuoted(nil, e.page.view), e.page.asOf, names)
	return err
}

func (e *viewEncoder) row(values []any) error {
	line, err := e.object(values)
	if err != nil {
		return err
	}
	if e.rows++; e.rows > 1 {
		_ = e.w.WriteByte(',') // the next Write fails as well
	}
	_ = e.w.WriteByte('\n')
	_, err = e.w.Write(line)
	return err
}

func (e *viewEncoder) end(summary) error {
	cursor := "null"
	if e.page.cursor != "" {
		cursor = fmt.Sprintf("%q", e.page.cursor)
	}
	_, err := fmt.Fprintf(e.w, "],\n\"cursor\":%s}\n", cursor)
	return err
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
