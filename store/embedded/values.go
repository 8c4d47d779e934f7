package embedded

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"penstock"
)

// Results come out of DuckDB as Arrow, because its other way reads JSON into floats: 9007199254740993 would be …992.

// Next implements penstock.Rows.
func (r *rows) Next() ([]any, error) {
	if r.reader == nil {
		return nil, penstock.Errorf(penstock.Unavailable, "read result", "it is closed")
	}
	for r.decode == nil || r.at == int(r.reader.RecordBatch().NumRows()) {
		if !r.reader.Next() {
			if err := r.reader.Err(); err != nil {
				return nil, queryError(r.ctx, err)
			}
			return nil, io.EOF
		}
		r.at = 0
		record := r.reader.RecordBatch()
		r.decode = make([]decoder, record.NumCols())
		for i := range r.decode {
			r.decode[i] = newDecoder(record.Schema().Field(i), record.Column(i))
		}
	}
	row := make([]any, len(r.decode))
	for i, decode := range r.decode {
		row[i] = decode(r.at)
	}
	r.at++
	return row, nil
}

// decoder returns the value of a row, as penstock.Rows has it.
type decoder func(row int) any

// newDecoder returns the decoder of a column.
func newDecoder(f arrow.Field, column arrow.Array) decoder {
	value := plainDecoder(f, column)
	return func(row int) any {
		if column.IsNull(row) {
			return nil
		}
		return value(row)
	}
}

// plainDecoder returns the decoder for values that are not null.
func plainDecoder(f arrow.Field, column arrow.Array) decoder {
	switch a := column.(type) {
	case *array.Boolean:
		return func(i int) any { return a.Value(i) }
	case *array.Int8:
		if extension(f) == "arrow.bool8" {
			return func(i int) any { return a.Value(i) != 0 }
		}
		return func(i int) any { return int64(a.Value(i)) }
	case *array.Int16:
		return func(i int) any { return int64(a.Value(i)) }
	case *array.Int32:
		return func(i int) any { return int64(a.Value(i)) }
	case *array.Int64:
		return func(i int) any { return a.Value(i) }
	case *array.Uint8:
		return func(i int) any { return int64(a.Value(i)) }
	case *array.Uint16:
		return func(i int) any { return int64(a.Value(i)) }
	case *array.Uint32:
		return func(i int) any { return int64(a.Value(i)) }
	case *array.Uint64:
		return func(i int) any { return unsigned(a.Value(i)) }
	case *array.Float32:
		return func(i int) any { return float64(a.Value(i)) }
	case *array.Float64:
		return func(i int) any { return a.Value(i) }
	case *array.Decimal128:
		return decimalDecoder(a)
	case *array.FixedSizeBinary:
		return opaqueDecoder(f, a)
	case *array.String:
		if extension(f) == "arrow.json" {
			return func(i int) any { return penstock.Raw(strings.Clone(a.Value(i))) }
		}
		return func(i int) any { return strings.Clone(a.Value(i)) }
	case *array.Binary:
		switch extension(f) {
		case "bit":
			return func(i int) any { return bitText(a.Value(i)) }
		case "bignum":
			return func(i int) any { return bignum(a.Value(i)) }
		}
		return func(i int) any { return base64.StdEncoding.EncodeToString(a.Value(i)) }
	}
	return otherDecoder(f, column)
}

// otherDecoder handles times and what is made of parts.
func otherDecoder(f arrow.Field, column arrow.Array) decoder {
	switch a := column.(type) {
	case *array.Timestamp:
		unit := a.DataType().(*arrow.TimestampType).Unit
		return func(i int) any { return moment(a.Value(i), unit) }
	case *array.Date32:
		return func(i int) any { return day(a.Value(i)) }
	case *array.Time64:
		unit := int64(a.DataType().(*arrow.Time64Type).Unit.Multiplier())
		return func(i int) any { return clock(int64(a.Value(i)) * unit) }
	case *array.MonthDayNanoInterval:
		return func(i int) any { return interval(a.Value(i)) }
	case *array.Dictionary:
		values := newDecoder(arrow.Field{Type: a.Dictionary().DataType()}, a.Dictionary())
		return func(i int) any { return values(a.GetValueIndex(i)) }
	case *array.Map:
		return mapDecoder(a)
	case array.ListLike:
		return listDecoder(a)
	case *array.Struct:
		return structDecoder(a)
	}
	return func(i int) any { return column.ValueStr(i) }
}

func listDecoder(a array.ListLike) decoder {
	field := arrow.Field{Type: a.ListValues().DataType()}
	if t, ok := a.DataType().(arrow.ListLikeType); ok {
		field = t.ElemField()
	}
	values := newDecoder(field, a.ListValues())
	return func(i int) any {
		from, to := a.ValueOffsets(i)
		list := make([]any, 0, to-from)
		for j := from; j < to; j++ {
			list = append(list, values(int(j)))
		}
		return list
	}
}

func unsigned(v uint64) any {
	if v <= math.MaxInt64 {
		return int64(v)
	}
	return new(big.Int).SetUint64(v)
}

// decimalDecoder returns whole numbers as integers.
func decimalDecoder(a *array.Decimal128) decoder {
	scale := a.DataType().(*arrow.Decimal128Type).Scale
	return func(i int) any {
		if scale == 0 {
			return a.Value(i).BigInt()
		}
		return penstock.Number(a.Value(i).ToString(scale))
	}
}

// extension names what a column is beyond its Arrow type: an extension of Arrow, or a type of DuckDB's own; "" for none.
func extension(f arrow.Field) string {
	name, _ := f.Metadata.GetValue("ARROW:extension:name")
	if name != "arrow.opaque" {
		return name
	}
	var opaque struct {
		Type string `json:"type_name"`
	}
	text, _ := f.Metadata.GetValue("ARROW:extension:metadata")
	if json.Unmarshal([]byte(text), &opaque) != nil {
		return name
	}
	return opaque.Type
}

// opaqueDecoder reads the types for which Arrow has only bytes.
func opaqueDecoder(f arrow.Field, a *array.FixedSizeBinary) decoder {
	switch kind := extension(f); kind {
	case "hugeint", "uhugeint":
		return func(i int) any { return wide(a.Value(i), kind == "hugeint") }
	case "arrow.uuid":
		return func(i int) any {
			b := a.Value(i)
			return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
		}
	case "time_tz":
		return func(i int) any { return zonedTime(binary.LittleEndian.Uint64(a.Value(i))) }
	}
	return func(i int) any { return base64.StdEncoding.EncodeToString(a.Value(i)) }
}
