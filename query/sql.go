package query

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"time"

	"penstock"
)

// serveSQL answers POST /v1/sql. docs/sql.md has its formats.
func (a *API) serveSQL(w http.ResponseWriter, r *http.Request) error {
	if a.o.Querier == nil || a.o.Position == nil {
		return missing("store")
	}
	q, err := a.readAsk(w, r)
	if err != nil {
		return err
	}
	ctx, cancel := a.lifetime(r)
	defer cancel()
	unhurried(w)
	if err := a.await(ctx, q.want, q.patience); err != nil {
		return goneOr(ctx, err)
	}
	t := &turn{api: a, ask: q, w: w, began: time.Now()}
	err = t.take(ctx)
	a.traceStatement(ctx, t, err)
	if err != nil && t.out != nil && t.out.begun {
		panic(http.ErrAbortHandler) // so that the reader does not take what came for the whole
	}
	return goneOr(ctx, err)
}

// traceStatement reports how a statement ended.
func (a *API) traceStatement(ctx context.Context, t *turn, err error) {
	if a.o.Trace.Statement == nil {
		return
	}
	if err == errReader || ctx.Err() != nil { // nobody is left to be told
		err = nil
	}
	a.o.Trace.Statement(Statement{Elapsed: time.Since(t.began), Waited: t.waited, Rows: t.rows, Err: err})
}

// turn is a statement from its wait for a turn to the end of its answer.
type turn struct {
	api    *API
	ask    ask
	w      http.ResponseWriter
	out    *output // nil until the statement runs
	began  time.Time
	waited time.Duration
	rows   int
}

// take waits for the turn, and runs the statement.
func (t *turn) take(ctx context.Context) error {
	a := t.api
	ctx, cancel := context.WithTimeout(ctx, a.o.Limits.Timeout)
	defer cancel()
	if err := a.turns.enter(ctx); err != nil {
		return err
	}
	defer a.turns.leave()
	t.waited = time.Since(t.began)
	return a.limitReached(ctx, t.run(ctx))
}

// run asks, and writes what comes.
func (t *turn) run(ctx context.Context) error {
	asOf, err := t.api.asOf(ctx) // before the statement begins: it sees at least that
	if err != nil {
		return err
	}
	rows, err := t.api.o.Querier.Query(ctx, t.ask.query)
	if err != nil {
		return err
	}
	defer rows.Close()
	t.out = t.api.output(t.w, headOf(t.ask.format, asOf))
	buffer := bufio.NewWriterSize(t.out, piece)
	e := newEncoder(t.ask.format, buffer)
	truncated, err := t.copy(rows, e, buffer)
	if err != nil {
		return err
	}
	s := summary{rows: t.rows, truncated: truncated, elapsed: time.Since(t.began) - t.waited, asOf: asOf}
	if err := e.end(s); err != nil {
		return err
	}
	if err := buffer.Flush(); err != nil {
		return err
	}
	if !t.out.begun { // NDJSON without rows is empty
		_, err = t.out.Write(nil)
	}
	if t.ask.format != formatJSON {
		setTrailers(t.w.Header(), s)
	}
	t.out.finish()
	return err
}

// copy writes rows until they end, or a limit of the answer leaves the rest out.
func (t *turn) copy(rows penstock.Rows, e encoder, buffer *bufio.Writer) (truncated bool, err error) {
	limits := t.api.o.Limits
	if err := e.begin(rows.Columns()); err != nil {
		return false, err
	}
	for {
		values, err := rows.Next()
		switch {
		case err == io.EOF:
			return false, nil
		case err != nil:
			return false, err
		case t.rows == limits.Rows, t.out.written+penstock.Bytes(buffer.Buffered()) >= limits.Bytes:
			return true, nil
		}
		if err := e.row(values); err != nil {
			return false, err
		}
		t.rows++
	}
}
