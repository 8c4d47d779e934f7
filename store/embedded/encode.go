package embedded

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

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
	}
}

func baseFields() []arrow.Field {
	integer := func(name string) arrow.Field { return arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int32} }
	return []arrow.Field{
		streamColumn:    integer("_stream"),
		idColumn:        arrowField("id", penstock.Text, 0, 0),
		keyColumn:       arrowField("key", penstock.Text, 0, 0),
		timeColumn:      arrowField("time", penstock.Timestamp, 0, 0),
		receivedColumn:  arrowField("received_at", penstock.Timestamp, 0, 0),
		dataColumn:      arrowField("data", penstock.JSON, 0, 0),
		partitionColumn: integer("_partition"),
		epochColumn:     integer("_epoch"),
		offsetColumn:    arrowField("_offset", penstock.Bigint, 0, 0),
		logTimeColumn:   arrowField("_log_time", penstock.Timestamp, 0, 0),
	}
}

// encoder turns records into the rows of one table. It is reused from batch to batch.
type encoder struct {
	table    tableName
	declared []penstock.Column // in the order of the table's own columns; a removed one has no path
	selector *jsonscan.Selector
	values   []jsonscan.Value
	schema   *arrow.Schema
	names    string  // of the schema's columns, as SQL writes them
	chunks   []chunk // the first used are filled
	used     int
}

// newEncoder returns the encoder of a table. The columns' paths were checked when they were declared.
func newEncoder(table tableName, declared []penstock.Column) (*encoder, error) {
	e := &encoder{table: table, declared: declared, values: make([]jsonscan.Value, len(declared))}
	fields := baseFields()
	paths := make([]jsonscan.Path, len(declared))
	for i, c := range declared {
		fields = append(fields, arrowField(c.Name, c.Type, c.Precision, c.Scale))
		if c.Path == "" {
			continue // a removed column: an empty path is the whole value, which put leaves out
		}
		path, err := jsonscan.ParsePath(c.Path)
		if err != nil {
			return nil, err
		}
		paths[i] = path
	}
	e.selector = jsonscan.NewSelector(paths...)
	e.schema = arrow.NewSchema(fields, nil)
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = ident(f.Name)
	}
	e.names = strings.Join(names, ", ")
	return e, nil
}

// add encodes a record of a stream.
func (e *encoder) add(stream int32, r *penstock.Record) {
	if e.used == 0 || e.chunks[e.used-1].full() {
		e.grow()
	}
	c := e.chunks[e.used-1]
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
	if len(e.declared) > 0 {
		e.addDeclared(c[declaredColumns:], r.Body)
	}
}

// addDeclared encodes the declared columns. A value that does not fit its column was accepted before the column was
// declared, since the door checks: it is NULL, as in all rows from before, and still stands in data.
func (e *encoder) addDeclared(c chunk, body []byte) {
	e.pick(body)
	for i, column := range e.declared {
		if column.Path == "" {
			c[i].null()
			continue
		}
		cell, err := jsonscan.ParseCell(column, e.values[i])
		if err != nil {
			cell = jsonscan.Cell{Null: true}
		}
		c[i].cell(column.Type, cell)
	}
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

// grow begins a chunk.
func (e *encoder) grow() {
	if e.used == len(e.chunks) {
		e.chunks = append(e.chunks, newChunk(e.schema))
	} else {
		e.chunks[e.used].reset()
	}
	e.used++
}

// reader returns the encoded rows. They are valid until the next reset.
func (e *encoder) reader() (array.RecordReader, error) {
	records := make([]arrow.RecordBatch, e.used)
	for i := range records {
		records[i] = e.chunks[i].record(e.schema)
	}
	reader, err := array.NewRecordReader(e.schema, records)
	for _, r := range records {
		r.Release()
	}
	return reader, err
}

// keptBuffers is how much an encoder keeps between batches: a batch of the usual size, encoded.
const keptBuffers = 96 << 20

// reset forgets the rows and keeps their buffers, unless they are out of proportion.
func (e *encoder) reset() {
	e.used = 0
	size := 0
	for i, c := range e.chunks {
		if size += c.size(); size > keptBuffers {
			clear(e.chunks[i:])
			e.chunks = e.chunks[:i]
			break
		}
	}
}
