package query

import (
	"bufio"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"penstock"
)

// A record batch is written when it has so many rows, or about so many bytes.
const (
	arrowRows  = 8192
	arrowBytes = 1 << 20
)

// arrowEncoder writes the streaming format of Arrow (https://arrow.apache.org/docs/format/Columnar.html).
type arrowEncoder struct {
	w       *bufio.Writer
	columns []penstock.ResultColumn
	builder *array.RecordBuilder
	out     *ipc.Writer
	rows    int // in the batch that is being built
	bytes   int
}

func (e *arrowEncoder) begin(columns []penstock.ResultColumn) error {
	e.columns = columns
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.Name, Type: arrowType(c.Type), Nullable: true}
	}
	schema := arrow.NewSchema(fields, nil)
	e.builder = array.NewRecordBuilder(memory.DefaultAllocator, schema)
	e.out = ipc.NewWriter(e.w, ipc.WithSchema(schema))
	return nil
}

func (e *arrowEncoder) row(values []any) error {
	if err := checkWidth(e.columns, values); err != nil {
		return err
	}
	for i, v := range values {
		size, err := appendArrow(e.builder.Field(i), v, e.columns[i].Type)
		if err != nil {
			return err
		}
		e.bytes += size
	}
	e.rows++
	if e.rows < arrowRows && e.bytes < arrowBytes {
		return nil
	}
	return e.flush()
}

func (e *arrowEncoder) flush() error {
	if e.rows == 0 {
		return nil
	}
	batch := e.builder.NewRecordBatch()
	defer batch.Release()
	e.rows, e.bytes = 0, 0
	return e.out.Write(batch)
}

func (e *arrowEncoder) end(summary) error {
	defer e.builder.Release()
	if err := e.flush(); err != nil {
		return err
	}
	return e.out.Close()
}

// hugeint is how integers beyond 64 bits travel: Arrow has none, and this is what DuckDB makes of them.
var hugeint = &arrow.Decimal128Type{Precision: 38}

// arrowType returns the type for a column, given the store's name of its type. What Arrow has no type for is text.
func arrowType(kind string) arrow.DataType {
	if element := elementKind(kind); element != "" {
		return arrow.ListOf(arrowType(element))
	}
	if precision, scale, ok := decimalOf(kind); ok {
		return &arrow.Decimal128Type{Precision: precision, Scale: scale}
	}
	switch kind {
	case "BOOLEAN":
		return arrow.FixedWidthTypes.Boolean
	case "HUGEINT", "UHUGEINT":
		return hugeint
	case "DATE":
		return arrow.FixedWidthTypes.Date32
	case "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS":
		return &arrow.TimestampType{Unit: arrow.Microsecond}
	case "TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ":
		return arrow.FixedWidthTypes.Timestamp_us
	}
	if number := arrowNumber(kind); number != nil {
		return number
	}
	return arrow.BinaryTypes.String
}

func arrowNumber(kind string) arrow.DataType {
	switch kind {
	case "TINYINT":
		return arrow.PrimitiveTypes.Int8
	case "SMALLINT":
		return arrow.PrimitiveTypes.Int16
	case "INTEGER":
		return arrow.PrimitiveTypes.Int32
	case "BIGINT":
		return arrow.PrimitiveTypes.Int64
	case "UTINYINT":
		return arrow.PrimitiveTypes.Uint8
	case "USMALLINT":
		return arrow.PrimitiveTypes.Uint16
	case "UINTEGER":
		return arrow.PrimitiveTypes.Uint32
	case "UBIGINT":
		return arrow.PrimitiveTypes.Uint64
	case "FLOAT":
		return arrow.PrimitiveTypes.Float32
	case "DOUBLE":
		return arrow.PrimitiveTypes.Float64
	}
	return nil
}

// decimalOf reads DECIMAL(precision,scale).
func decimalOf(kind string) (precision, scale int32, ok bool) {
	inner, ok := strings.CutPrefix(kind, "DECIMAL(")
	if !ok {
		return 0, 0, false
	}
	inner, _ = strings.CutSuffix(inner, ")")
	first, second, _ := strings.Cut(inner, ",")
	p, err := strconv.ParseInt(strings.TrimSpace(first), 10, 32)
	s, err2 := strconv.ParseInt(strings.TrimSpace(second), 10, 32)
	return int32(p), int32(s), err == nil && err2 == nil && p >= 1 && p <= 38 && s >= 0 && s <= p
}

// appendArrow appends a value to a column, and returns about how many bytes it takes there.
func appendArrow(b array.Builder, v any, kind string) (int, error) {
	if v == nil {
		b.AppendNull()
		return 1, nil
	}
	switch b := b.(type) {
	case *array.Decimal128Builder:
		return 16, appendDecimal(b, v)
	case *array.ListBuilder:
		return appendArrowList(b, v, kind)
	case *array.StringBuilder:
		text, _, err := plainText(v, kind)
		b.Append(text)
		return 4 + len(text), err
	}
	if text, ok := v.(string); ok && (kind == "DATE" || strings.HasPrefix(kind, "TIMESTAMP")) {
		return 8, appendTimeText(b, text)
	}
	if !appendScalar(b, v) {
		return 0, penstock.Errorf(penstock.Internal, "write result", "a value of type %T in a column of type %s", v, kind)
	}
	return 8, nil
}

// appendScalar appends a value of fixed size, and reports whether the column has room for it.
func appendScalar(b array.Builder, v any) bool {
	switch b := b.(type) {
	case *array.Int8Builder:
		return appendInt(b, v)
	case *array.Int16Builder:
		return appendInt(b, v)
	case *array.Int32Builder:
		return appendInt(b, v)
	case *array.Int64Builder:
		return appendInt(b, v)
	case *array.Uint8Builder:
		return appendInt(b, v)
	case *array.Uint16Builder:
		return appendInt(b, v)
	case *array.Uint32Builder:
		return appendInt(b, v)
	case *array.Uint64Builder:
		if n, ok := v.(*big.Int); ok {
			b.Append(n.Uint64())
			return n.IsUint64()
		}
		return appendInt(b, v)
	}
	switch v := v.(type) {
	case bool:
		return appendTo(b, v)
	case float64:
		return appendTo(b, v) || appendTo(b, float32(v))
	case time.Time:
		return appendTo(b, arrow.Timestamp(v.UnixMicro())) || appendTo(b, arrow.Date32FromTime(v.UTC()))
	}
	return false
}

// appendTimeText appends a day, or a moment beyond all others, as stores have only text for.
func appendTimeText(b array.Builder, text string) error {
	if day, err := time.Parse(time.DateOnly, text); err == nil && appendTo(b, arrow.Date32FromTime(day)) {
		return nil
	}
	switch {
	case text == "infinity" && appendTo(b, arrow.Timestamp(math.MaxInt64)), text == "-infinity" && appendTo(b, arrow.Timestamp(-math.MaxInt64)):
		return nil
	}
	return penstock.Refusef("time_range", "write result", "Arrow has no such time as %.40q: cast it to text, or ask for another format", text)
}

// appendTo appends a value if the column is of its type.
func appendTo[T any](b array.Builder, v T) bool {
	to, ok := b.(interface{ Append(T) })
	if ok {
		to.Append(v)
	}
	return ok
}

// appendInt appends an integer if it fits.
func appendInt[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](b interface{ Append(T) }, v any) bool {
	n, ok := v.(int64)
	b.Append(T(n))
	return ok && int64(T(n)) == n && (n >= 0) == (T(n) >= 0)
}

func appendArrowList(b *array.ListBuilder, v any, kind string) (int, error) {
	list, ok := v.([]any)
	if !ok {
		return 0, penstock.Errorf(penstock.Internal, "write result", "a value of type %T in a column of type %s", v, kind)
	}
	b.Append(true)
	total := 4
	for _, element := range list {
		size, err := appendArrow(b.ValueBuilder(), element, elementKind(kind))
		if err != nil {
			return 0, err
		}
		total += size
	}
	return total, nil
}

// appendDecimal appends an exact number. One with more digits than the type has is refused, never rounded.
func appendDecimal(b *array.Decimal128Builder, v any) error {
	t := b.Type().(*arrow.Decimal128Type)
	n, ok := scaled(v, int(t.Scale))
	if !ok {
		return penstock.Errorf(penstock.Internal, "write result", "a value of type %T in a column of type %s", v, t)
	}
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.Precision)), nil)
	if n.CmpAbs(limit) >= 0 {
		return penstock.Refusef("number_range", "write result", "Arrow has no numbers of more than %d digits: cast it to text, or ask for another format", t.Precision)
	}
	b.Append(decimal128.FromBigInt(n))
	return nil
}

// scaled returns a number times a power of ten, if that is an integer.
func scaled(v any, scale int) (*big.Int, bool) {
	var text string
	switch v := v.(type) {
	case int64:
		text = strconv.FormatInt(v, 10)
	case *big.Int:
		text = v.String()
	case penstock.Number:
		text = string(v)
	default:
		return nil, false
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) > scale {
		return nil, false
	}
	return new(big.Int).SetString(whole+fraction+strings.Repeat("0", scale-len(fraction)), 10)
}
