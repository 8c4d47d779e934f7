package penstock

import "context"

// Query is one read-only statement of a user.
type Query struct {
	SQL    string
	Params []any // strings, json.Number, bool or nil
}

// ResultColumn names and types a column of a result.
type ResultColumn struct {
	Name string `json:"name"`
	Type string `json:"type"` // the store's own spelling, upper case
}

// Rows is a result being read. It is used by one goroutine.
type Rows interface {
	// Columns returns the columns; it may be called at any time.
	Columns() []ResultColumn
	// Next returns the next row, or io.EOF after the last. The values are nil, bool, int64, *big.Int, float64, Number (an
	// exact decimal), string, Raw (JSON text), time.Time or []any. The slice is the caller's. It fails with Expired when
	// the query's time is up, with Invalid, reason query_limit, when it exceeds a limit of memory.
	Next() ([]any, error)
	// Close ends the query, finished or not.
	Close() error
}

// Raw is a JSON value, as text.
type Raw string

// Number is an exact decimal number, as text.
type Number string

// Querier answers SQL over all shards as one table per stream.
type Querier interface {
	// Query starts a statement: exactly one SELECT, over streams, views and the penstock.* tables, with functions of an
	// allow-list; anything else is Forbidden, an error in the statement is Invalid. It sees everything whose Apply had
	// returned when it was called. When ctx ends the statement is cancelled.
	Query(ctx context.Context, q Query) (Rows, error)
	// Events returns up to limit records of one key after the position from, in order (or, with descending, before it, newest
	// first). It asks the one shard that holds the key.
	Events(ctx context.Context, q KeyQuery) ([]Row, error)
}

// KeyQuery asks for the events of one key.
type KeyQuery struct {
	Stream, Key string
	From, To    Micros   // event time, To excluded; zero: open
	After       Position // only records past it, or before it if Newest; zero: all
	Newest      bool     // the newest first
	Limit       int
}

// Row is a stored record as queries show it.
type Row struct {
	ID         string
	Key        string
	Time       Micros
	ReceivedAt Micros
	Body       Raw
	Partition  Partition
	Position   Position
	ReplayOf   Position // of the dead letter that it was; zero: it never was one
}
