package memory

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"penstock"
	"penstock/internal/jsonscan"
)

// stream is a stream with what finds its columns.
type stream struct {
	penstock.Stream
	selector *jsonscan.Selector
	values   []jsonscan.Value
}

// newStream prepares a stream. A column whose path cannot be read is not looked at: it was refused when it was declared.
func newStream(st penstock.Stream) *stream {
	var columns []penstock.Column
	var paths []jsonscan.Path
	for _, c := range st.Columns {
		if path, err := jsonscan.ParsePath(c.Path); err == nil {
			columns, paths = append(columns, c), append(paths, path)
		}
	}
	st.Columns = columns
	return &stream{st, jsonscan.NewSelector(paths...), make([]jsonscan.Value, len(paths))}
}

func (s *Store) stream(name string) *stream {
	if s.streams[name] == nil {
		s.streams[name] = newStream(penstock.Stream{Name: name})
	}
	return s.streams[name]
}

// flaw says why a record cannot be a row: "" if it can. What is first in this order counts.
func (s *Store) flaw(r *penstock.Record, c penstock.Condemned) (penstock.LetterReason, string) {
	if c.Reason != "" {
		return c.Reason, c.Detail
	}
	if r.Sum != 0 && r.Sum != s.sums.Stream(r.Tenant, r.Stream).Sum(r.Key, r.ID, r.Body) {
		return penstock.ReasonSum, "it was changed since the door took its checksum"
	}
	switch {
	case !isID(r.ID):
		return "bad_id", "not 1 to 128 printable ASCII characters"
	case !isKey(r.Key):
		return "bad_key", "not up to 256 bytes of text without NUL"
	case r.Time < firstTime || r.Time > lastTime:
		return "bad_time", "not within the years 0 to 9999"
	}
	return s.bodyFlaw(s.stream(r.Stream), r.Body)
}

// The times that can be written as RFC 3339.
const (
	firstTime penstock.Micros = -62_167_219_200_000_000
	lastTime  penstock.Micros = 253_402_300_799_999_999
)

func isID(id []byte) bool {
	odd := bytes.IndexFunc(id, func(r rune) bool { return r < ' ' || r > '~' })
	return len(id) > 0 && len(id) <= int(penstock.MaxIDLen) && odd < 0
}

func isKey(key []byte) bool {
	return len(key) <= int(penstock.MaxKeyLen) && utf8.Valid(key) && bytes.IndexByte(key, 0) < 0
}

// bodyFlaw says, in the door's words, why a body is no strict JSON object with values that fit the columns.
func (s *Store) bodyFlaw(st *stream, body []byte) (penstock.LetterReason, string) {
	n, fault := s.scanner.Scan(body, st.selector, st.values)
	broken := s.scanner.Broken() != nil
	switch {
	case !broken && bytes.TrimLeft(body, " \t\r\n")[0] != '{':
		return "bad_shape", "not an object"
	case fault != nil:
		return penstock.LetterReason(fault.Code), fault.Error()
	case len(bytes.TrimLeft(body[n:], " \t\r\n")) > 0:
		return jsonscan.BadJSON, "something behind the object"
	}
	for i, c := range st.Columns {
		if _, err := jsonscan.ParseCell(c, st.values[i]); err != nil {
			var e *penstock.Error
			errors.As(err, &e)
			return penstock.LetterReason(e.Reason), err.Error()
		}
	}
	return "", ""
}
