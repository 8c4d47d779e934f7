package penstock

import "time"

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
	Name             string     `json:"name"`
	Type             ColumnType `json:"type"`
	Precision, Scale int        `json:",omitzero"` // of a decimal: 1 to 38 digits, 0 to Precision after the point
	Path             string     `json:"path"`      // members joined by dots; a dot inside a name is written \.
}

// Stream is what is known about a stream: how to read its events and how to keep their rows.
type Stream struct {
	Name                         string
	IDField, KeyField, TimeField string // paths into the event; empty: the members id, key, time
	Columns                      []Column
	KeepRows                     time.Duration // by log time; 0: for ever
	Durability                   Durability    // "" or DurabilityMemory
}

// Streams is a directory of streams. It is replaced as a whole when the configuration changes.
type Streams interface {
	// Stream returns the stream of that name; NotFound if it is unknown and may not be made by its first use; Invalid if
	// the name is not legal; Overloaded if there are too many. It may be called concurrently.
	Stream(tenant, name string) (*Stream, error)
}
