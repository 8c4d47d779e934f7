package penstock

import (
	"strings"
	"time"
)

// ColumnType is the type of a declared column.
type ColumnType string

// The column types. Decimal carries precision and scale beside it.
const (
	Text      ColumnType = "text"
	Bigint    ColumnType = "bigint"
	Double    ColumnType = "double"
	Decimal   ColumnType = "decimal"
	Boolean   ColumnType = "boolean"
	Timestamp ColumnType = "timestamp"
	JSON      ColumnType = "json"
)

// Column is a typed column that a stream declares; its value is read from Path within the event.
type Column struct {
	Name      string     `json:"name"`
	Type      ColumnType `json:"type"`
	Precision int        `json:"precision,omitzero"` // of a decimal: 1 to 38 digits
	Scale     int        `json:"scale,omitzero"`     // of a decimal: 0 to Precision digits after the point
	Path      string     `json:"path"`               // members joined by dots; a dot inside a name is written \.
}

// Stream is what is known about a stream: how to read its events and how to keep their rows.
type Stream struct {
	Name                         string
	IDField, KeyField, TimeField string // paths into the event; empty: the members id, key, time
	Columns                      []Column
	KeepRows                     time.Duration // by log time; 0: for ever
	Durability                   Durability    // "" or DurabilityMemory
	Dedup                        Dedup
	HaltKey                      bool // a dead letter parks the later events of its key
}

// Streams is a directory of streams. It is replaced as a whole when the configuration changes.
type Streams interface {
	// Stream returns the stream of that name, which may be one that is not there before its first use; NotFound if it is unknown
	// and may not be made; Invalid if the name is not legal; Overloaded if there are too many. It may be called concurrently.
	Stream(tenant, name string) (*Stream, error)
	// Use makes a stream that Stream returned, if it is not there yet: an event for it is about to be appended. On an error it is not
	// made: Overloaded if there are too many by now, Unavailable if the store cannot make it. It may be called concurrently.
	Use(tenant string, s *Stream) error
}

// MaxStreams bounds the streams of a tenant.
const MaxStreams = 1000

// CheckStreamName returns nil for a legal name, [a-z][a-z0-9_]{0,62} and not reserved, and otherwise Invalid with reason
// bad_stream.
func CheckStreamName(name string) error {
	bad := func(why string) error { return Refusef("bad_stream", "check stream name", "%s", why) }
	if len(name) == 0 || len(name) > 63 || name[0] < 'a' || name[0] > 'z' {
		return bad("a stream's name is a lower-case letter and up to 62 letters, digits or _")
	}
	for _, c := range []byte(name) {
		if c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return bad("a stream's name has only lower-case letters, digits and _")
		}
	}
	if name == "penstock" || strings.HasPrefix(name, "pg_") || strings.HasPrefix(name, "duckdb_") {
		return bad("penstock, pg_… and duckdb_… are reserved")
	}
	return nil
}
