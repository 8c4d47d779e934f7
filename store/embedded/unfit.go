package embedded

import (
	"bytes"
	"unicode/utf8"

	"penstock"
	"penstock/internal/jsonscan"
)

// unfit returns why a record that no door of this version checked cannot be a row: Invalid, with the reason that the door would
// give. DuckDB would take some of it and fail on it later, when it is read.
func unfit(r *penstock.Record) error {
	const op = "check record"
	switch {
	case len(r.ID) == 0 || len(r.ID) > int(penstock.MaxIDLen) || bytes.ContainsFunc(r.ID, func(c rune) bool { return c < ' ' || c > '~' }):
		return penstock.Refusef("bad_id", op, "its id is not 1 to %d printable ASCII characters", penstock.MaxIDLen)
	case len(r.Key) > int(penstock.MaxKeyLen) || !utf8.Valid(r.Key) || bytes.IndexByte(r.Key, 0) >= 0:
		return penstock.Refusef("bad_key", op, "its key is not up to %d bytes of text", penstock.MaxKeyLen)
	case r.Time < yearZero || r.Time >= yearTenThousand:
		return penstock.Refusef("bad_time", op, "its time is not within the years 0 to 9999")
	}
	var scanner jsonscan.Scanner
	n, fault := scanner.Scan(r.Body, nil, nil)
	switch {
	case fault != nil:
		return penstock.Refusef(fault.Code, op, "its body: %v", fault)
	case len(bytes.TrimLeft(r.Body[n:], " \t\r\n")) > 0:
		return penstock.Refusef(jsonscan.BadJSON, op, "its body goes on after the object")
	case bytes.TrimLeft(r.Body, " \t\r\n")[0] != '{':
		return penstock.Refusef("bad_shape", op, "its body is no JSON object")
	}
	return nil
}

// The moments between which RFC 3339 has words.
const (
	yearZero        penstock.Micros = -62_167_219_200_000_000
	yearTenThousand penstock.Micros = 253_402_300_800_000_000
)
