package embedded

import (
	"github.com/apache/arrow-go/v18/arrow"

	"penstock"
	"penstock/internal/jsonscan"
)

// The columns that every table of rows begins with, in this order.
const (
	streamColumn = iota
	idColumn
	keyColumn
	timeColumn
	receivedColumn
	dataColumn
	partitionColumn
	epochColumn
	offsetColumn
	logTimeColumn
	replayOfColumn
	sumColumn
	indexedColumn
	declaredColumns // the first of them
)

// baseColumn is one of the columns that every table of rows has.
type baseColumn struct{ name, sql string }

// baseColumns returns them in order. Bodies are a file's bulk: zstd makes them smaller than what DuckDB chooses by itself
// and costs less than its choosing (docs/adr/004-files.md).
func baseColumns() []baseColumn {
	return []baseColumn{
		streamColumn:    {"_stream", "INTEGER"},
		idColumn:        {"id", "VARCHAR"},
		keyColumn:       {"key", "VARCHAR"},
		timeColumn:      {"time", "TIMESTAMPTZ"},
		receivedColumn:  {"received_at", "TIMESTAMPTZ"},
		dataColumn:      {"data", "JSON USING COMPRESSION zstd"},
		partitionColumn: {"_partition", "INTEGER"},
		epochColumn:     {"_epoch", "INTEGER"},
		offsetColumn:    {"_offset", "BIGINT"},
		logTimeColumn:   {"_log_time", "TIMESTAMPTZ"},
		replayOfColumn:  {"_replay_of", "VARCHAR"},
		sumColumn:       {"_sum", "BIGINT USING COMPRESSION uncompressed"}, // nothing else is smaller, and trying costs
		indexedColumn:   {"_indexed", "BOOLEAN"},
	}
}

func baseFields() []arrow.Field {
	return []arrow.Field{
		streamColumn:    integerField("_stream"),
		idColumn:        arrowField("id", penstock.Text, 0, 0),
		keyColumn:       arrowField("key", penstock.Text, 0, 0),
		timeColumn:      arrowField("time", penstock.Timestamp, 0, 0),
		receivedColumn:  arrowField("received_at", penstock.Timestamp, 0, 0),
		dataColumn:      arrowField("data", penstock.JSON, 0, 0),
		partitionColumn: integerField("_partition"),
		epochColumn:     integerField("_epoch"),
		offsetColumn:    arrowField("_offset", penstock.Bigint, 0, 0),
		logTimeColumn:   arrowField("_log_time", penstock.Timestamp, 0, 0),
		replayOfColumn:  arrowField("_replay_of", penstock.Text, 0, 0),
		sumColumn:       arrowField("_sum", penstock.Bigint, 0, 0),
		indexedColumn:   arrowField("_indexed", penstock.Boolean, 0, 0),
	}
}

// encoder turns records into the rows of one table. It is reused from batch to batch.
type encoder struct {
	sheet
	declared []penstock.Column // in the order of the table's own columns; a removed one has no path
	selector *jsonscan.Selector
	values   []jsonscan.Value
	cells    []jsonscan.Cell
}

// newEncoder returns the encoder of a table. The columns' paths were checked when they were declared.
func newEncoder(table tableName, declared []penstock.Column) (*encoder, error) {
	e := &encoder{declared: declared, values: make([]jsonscan.Value, len(declared)), cells: make([]jsonscan.Cell, len(declared))}
	fields := baseFields()
	paths := make([]jsonscan.Path, len(declared))
	for i, c := range declared {
		fields = append(fields, arrowField(c.Name, c.Type, c.Precision, c.Scale))
		if c.Path == "" {
			continue // a removed column: an empty path is the whole value, which parse leaves out
		}
		path, err := jsonscan.ParsePath(c.Path)
		if err != nil {
			return nil, err
		}
		paths[i] = path
	}
	e.selector = jsonscan.NewSelector(paths...)
	e.sheet = newSheet(table, dataColumn, fields)
	return e, nil
}

// add encodes a record of a stream; indexed says that its identity got an ordinal. If a value does not fit its column it changes
// nothing and says why.
func (e *encoder) add(stream int32, r *penstock.Record, indexed bool) error {
	if err := e.parse(r.Body); err != nil {
		return err
	}
	c := e.row()
	c[streamColumn].int32(stream)
	c[idColumn].text(r.ID)
	if len(r.Key) > 0 {
		c[keyColumn].text(r.Key)
	} else {
		c[keyColumn].null()
	}
	c[timeColumn].int64(int64(r.Time))
	c[receivedColumn].int64(int64(r.ReceivedAt))
	c[dataColumn].text(r.Body)
	c[partitionColumn].int32(int32(r.Partition))
	c[epochColumn].int32(int32(r.Position.Epoch))
	c[offsetColumn].int64(int64(r.Position.Offset))
	c[logTimeColumn].int64(int64(r.LogTime))
	if r.ReplayOf != (penstock.Position{}) {
		c[replayOfColumn].text([]byte(r.ReplayOf.String()))
	} else {
		c[replayOfColumn].null()
	}
	c[sumColumn].int64(int64(r.Sum))
	c[indexedColumn].bool(indexed)
	for i, column := range e.declared {
		c[declaredColumns+i].cell(column.Type, e.cells[i])
	}
	return nil
}

// parse finds the values of the declared columns.
func (e *encoder) parse(body []byte) error {
	if len(e.declared) == 0 {
		return nil
	}
	e.pick(body)
	for i, column := range e.declared {
		e.cells[i] = jsonscan.Cell{Null: true}
		if column.Path == "" {
			continue
		}
		var err error
		if e.cells[i], err = jsonscan.ParseCell(column, e.values[i]); err != nil {
			return err
		}
	}
	return nil
}

// pick finds the values of the declared columns. A body that is no JSON cannot come through the door; if one is there it has
// no values, and does not end the process at each attempt to apply it.
func (e *encoder) pick(body []byte) {
	defer func() {
		if recover() != nil {
			clear(e.values)
		}
	}()
	e.selector.Select(body, e.values)
}
