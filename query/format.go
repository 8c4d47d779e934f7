package query

import (
	"bufio"
	"fmt"
	"net/http"
	"time"

	"penstock"
)

// The media types of a result.
const (
	formatJSON   = "application/json"
	formatCSV    = "text/csv"
	formatNDJSON = "application/x-ndjson"
	formatArrow  = "application/vnd.apache.arrow.stream"
)

// Where formats that have no place for them carry what JSON says around its rows.
const (
	headerAsOf       = "Penstock-As-Of"
	headerCursor     = "Penstock-Cursor" // of what follows; missing behind the last row
	trailerRows      = "Penstock-Row-Count"
	trailerTruncated = "Penstock-Truncated"
)

// encoder writes a result in one format. After an error the result is broken.
type encoder interface {
	begin(columns []penstock.ResultColumn) error
	row(values []any) error
	end(s summary) error
}

// summary is what is known of a result when its last row was written.
type summary struct {
	rows      int
	truncated bool // there are more rows
	elapsed   time.Duration
	asOf      string
}

// newEncoder returns the encoder of a format.
func newEncoder(format string, w *bufio.Writer) encoder {
	switch format {
	case formatCSV:
		return &csvEncoder{w: w}
	case formatNDJSON:
		return &ndjsonEncoder{w: w}
	case formatArrow:
		return &arrowEncoder{w: w}
	}
	return &jsonEncoder{w: w}
}

// headOf returns what sets the headers of a result.
func headOf(format, asOf string) func(http.Header) {
	return func(h http.Header) {
		setContentType(h, format)
		if format == formatJSON {
			return
		}
		h.Set(headerAsOf, asOf)
		h.Set("Trailer", trailerRows+", "+trailerTruncated)
	}
}

func setContentType(h http.Header, format string) {
	if format == formatCSV {
		format += "; charset=utf-8; header=present"
	}
	h.Set("Content-Type", format)
}

// formatsFor returns the media types that a request can be answered in, the usual one first.
func formatsFor(r *http.Request) []string {
	offers := []string{formatJSON, formatCSV, formatNDJSON, formatArrow}
	if !r.ProtoAtLeast(1, 1) {
		offers = offers[:1] // the others do not end in themselves: one that was cut would look whole
	}
	return offers
}

// setTrailers says how the result ended. The trailer was announced by headOf.
func setTrailers(h http.Header, s summary) {
	h.Set(trailerRows, fmt.Sprint(s.rows))
	h.Set(trailerTruncated, fmt.Sprint(s.truncated))
}

// checkWidth fails when a row does not match the columns.
func checkWidth(columns []penstock.ResultColumn, values []any) error {
	if len(values) != len(columns) {
		return penstock.Errorf(penstock.Internal, "write result", "a row of %d values for %d columns", len(values), len(columns))
	}
	return nil
}
