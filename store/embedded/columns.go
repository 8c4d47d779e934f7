package embedded

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"penstock"
	"penstock/internal/delta"
	"penstock/internal/jsonscan"
)

// RowGroup is how many rows DuckDB compresses and writes at once. A commit of a multiple of them goes straight to the file;
// what is beyond is written twice, to the log and by the next checkpoint, and a little more than one makes the checkpoint
// write even those anew (docs/adr/004-files.md). DuckDB's own choice of 122,880 takes a second to come at 100,000 a second.
const RowGroup = 20_480

// chunkRows is how many rows a record of Arrow holds: two of DuckDB's vectors, so that it has the first ones soon.
const chunkRows = 4096

// chunkBytes ends a record sooner.
const chunkBytes = 8 << 20

// column is a column of Arrow being filled, in the layout that Arrow prescribes
// (https://arrow.apache.org/docs/format/Columnar.html).
type column struct {
	field   arrow.Field
	fixed   []byte // values of fixed width; bits of booleans
	offsets []byte // of text: where each value ends in data
	data    []byte
	valid   []byte // a bit per row; nil while no value is null
	rows    int
	nulls   int
}

func (c *column) reset() {
	c.fixed, c.data, c.valid, c.rows, c.nulls = c.fixed[:0], c.data[:0], nil, 0, 0
	c.offsets = append(c.offsets[:0], 0, 0, 0, 0)
}

func (c *column) int32(v int32) {
	c.fixed = binary.LittleEndian.AppendUint32(c.fixed, uint32(v))
	c.present()
}

func (c *column) int64(v int64) {
	c.fixed = binary.LittleEndian.AppendUint64(c.fixed, uint64(v))
	c.present()
}

func (c *column) float64(v float64) { c.int64(int64(math.Float64bits(v))) }

func (c *column) decimal(hi int64, lo uint64) {
	c.fixed = binary.LittleEndian.AppendUint64(c.fixed, lo)
	c.int64(hi)
}

func (c *column) bool(v bool) {
	if c.rows%8 == 0 {
		c.fixed = append(c.fixed, 0)
	}
	if v {
		c.fixed[c.rows/8] |= 1 << (c.rows % 8)
	}
	c.present()
}

func (c *column) text(v []byte) {
	c.data = append(c.data, v...)
	c.offsets = binary.LittleEndian.AppendUint32(c.offsets, uint32(len(c.data)))
	c.present()
}

func (c *column) present() {
	if c.valid != nil {
		c.mark(true)
	}
	c.rows++
}

// null adds a value that is none; the bytes in its place mean nothing.
func (c *column) null() {
	if c.valid == nil {
		c.valid = make([]byte, (c.rows+7)/8, chunkRows/8+1)
		for i := range c.valid {
			c.valid[i] = 0xff
		}
		if c.rows%8 != 0 {
			c.valid[c.rows/8] = 1<<(c.rows%8) - 1
		}
	}
	switch t := c.field.Type.(type) {
	case *arrow.StringType, *arrow.BinaryType:
		c.offsets = binary.LittleEndian.AppendUint32(c.offsets, uint32(len(c.data)))
	case *arrow.BooleanType:
		if c.rows%8 == 0 {
			c.fixed = append(c.fixed, 0)
		}
	case arrow.FixedWidthDataType:
		c.fixed = append(c.fixed, make([]byte, t.BitWidth()/8)...)
	}
	c.mark(false)
	c.rows++
	c.nulls++
}

func (c *column) mark(valid bool) {
	if c.rows%8 == 0 {
		c.valid = append(c.valid, 0)
	}
	if valid {
		c.valid[c.rows/8] |= 1 << (c.rows % 8)
	}
}

// cell adds a value of a declared column.
func (c *column) cell(t penstock.ColumnType, v jsonscan.Cell) {
	switch {
	case v.Null:
		c.null()
	case t == penstock.Text || t == penstock.JSON || t == delta.Blob:
		c.text(v.Bytes)
	case t == penstock.Double:
		c.float64(v.Float)
	case t == penstock.Decimal:
		c.decimal(v.Hi, v.Lo)
	case t == penstock.Boolean:
		c.bool(v.Bool)
	default:
		c.int64(v.Int)
	}
}

func (c *column) array() arrow.Array {
	var valid *memory.Buffer
	if c.valid != nil {
		valid = memory.NewBufferBytes(c.valid)
	}
	buffers := []*memory.Buffer{valid, memory.NewBufferBytes(c.fixed)}
	if id := c.field.Type.ID(); id == arrow.STRING || id == arrow.BINARY {
		buffers = []*memory.Buffer{valid, memory.NewBufferBytes(c.offsets), memory.NewBufferBytes(c.data)}
	}
	data := array.NewData(c.field.Type, c.rows, buffers, nil, c.nulls, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

// chunk is a record of Arrow being filled: a column for each of a table's.
type chunk []column

func newChunk(schema *arrow.Schema) chunk {
	c := make(chunk, schema.NumFields())
	for i := range c {
		c[i].field = schema.Field(i)
		c[i].reset()
	}
	return c
}

func (c chunk) reset() {
	for i := range c {
		c[i].reset()
	}
}

// full reports whether another row would make it too large. One column holds the bulk of its bytes.
func (c chunk) full(bulk int) bool {
	return c[0].rows >= chunkRows || len(c[bulk].data) >= chunkBytes
}

// size is what the chunk's buffers hold in memory.
func (c chunk) size() int {
	n := 0
	for i := range c {
		n += cap(c[i].fixed) + cap(c[i].offsets) + cap(c[i].data) + cap(c[i].valid)
	}
	return n
}

func (c chunk) record(schema *arrow.Schema) arrow.RecordBatch {
	arrays := make([]arrow.Array, len(c))
	for i := range c {
		arrays[i] = c[i].array()
	}
	record := array.NewRecordBatch(schema, arrays, int64(c[0].rows))
	for _, a := range arrays {
		a.Release()
	}
	return record
}

var jsonMetadata = arrow.NewMetadata([]string{"ARROW:extension:name"}, []string{"arrow.json"})

// arrowField returns how a column travels. DuckDB takes the extension arrow.json over as JSON without reading it again.
func arrowField(name string, t penstock.ColumnType, precision, scale int) arrow.Field {
	f := arrow.Field{Name: name, Nullable: true}
	switch t {
	case penstock.Bigint:
		f.Type = arrow.PrimitiveTypes.Int64
	case penstock.Double:
		f.Type = arrow.PrimitiveTypes.Float64
	case penstock.Decimal:
		f.Type = &arrow.Decimal128Type{Precision: int32(precision), Scale: int32(scale)}
	case penstock.Boolean:
		f.Type = arrow.FixedWidthTypes.Boolean
	case penstock.Timestamp:
		f.Type = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	case penstock.JSON:
		f.Type, f.Metadata = arrow.BinaryTypes.String, jsonMetadata
	default:
		f.Type = arrow.BinaryTypes.String
	}
	return f
}
