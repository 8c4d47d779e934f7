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
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"penstock"
)

// Results come out of DuckDB as Arrow, because its other way reads JSON into floats: 9007199254740993 would be …992.

// Next implements penstock.Rows.
func (r *rows) Next() ([]any, error) {
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
		if extension(f) == "bit" {
			return func(i int) any { return bitText(a.Value(i)) }
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
		return func(i int) any { return a.Value(i).ToTime().Format(time.DateOnly) }
	case *array.Time64:
		return func(i int) any { return a.Value(i).ToTime(arrow.Microsecond).Format("15:04:05.999999") }
	case *array.MonthDayNanoInterval:
		return func(i int) any { return interval(a.Value(i)) }
	case *array.Dictionary:
		values := newDecoder(arrow.Field{Type: a.Dictionary().DataType()}, a.Dictionary())
		return func(i int) any { return values(a.GetValueIndex(i)) }
	case *array.Map:
		return func(i int) any { return penstock.Raw(jsonOf(a, i)) }
	case array.ListLike:
		return listDecoder(a)
	case *array.Struct:
		return func(i int) any { return penstock.Raw(jsonOf(a, i)) }
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

// moment returns a time that RFC 3339 can write; DuckDB's own bounds lie beyond.
func moment(v arrow.Timestamp, unit arrow.TimeUnit) any {
	switch v {
	case math.MaxInt64:
		return "infinity"
	case -math.MaxInt64:
		return "-infinity"
	}
	return v.ToTime(unit).UTC()
}

// interval spells an interval as DuckDB does.
func interval(v arrow.MonthDayNanoInterval) string {
	var parts []string
	part := func(n int32, unit string) {
		if n == 0 {
			return
		}
		if n != 1 && n != -1 {
			unit += "s"
		}
		parts = append(parts, fmt.Sprintf("%d %s", n, unit))
	}
	part(v.Months/12, "year")
	part(v.Months%12, "month")
	part(v.Days, "day")
	if v.Nanoseconds != 0 || len(parts) == 0 {
		parts = append(parts, clock(v.Nanoseconds/1000))
	}
	return strings.Join(parts, " ")
}

func clock(micros int64) string {
	sign := ""
	if micros < 0 {
		sign, micros = "-", -micros
	}
	text := fmt.Sprintf("%s%02d:%02d:%02d", sign, micros/3_600_000_000, micros/60_000_000%60, micros/1_000_000%60)
	if rest := micros % 1_000_000; rest != 0 {
		text += strings.TrimRight(fmt.Sprintf(".%06d", rest), "0")
	}
	return text
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

// wide returns a 128-bit integer, whose bytes are little-endian, in two's complement if signed.
func wide(b []byte, signed bool) *big.Int {
	low, high := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	v := new(big.Int).SetUint64(high)
	if signed {
		v.SetInt64(int64(high))
	}
	return v.Add(v.Lsh(v, 64), new(big.Int).SetUint64(low))
}

// zonedTime reads a TIMETZ: microseconds in the upper 40 bits, below them how far the offset lies under 15:59:59.
func zonedTime(bits uint64) string {
	const latest = 16*3600 - 1
	offset := int64(latest) - int64(bits&(1<<24-1))
	sign := "+"
	if offset < 0 {
		sign, offset = "-", -offset
	}
	return fmt.Sprintf("%s%s%02d:%02d", clock(int64(bits>>24)), sign, offset/3600, offset/60%60)
}

// bitText reads a BIT: a byte with the number of padding bits, then the bits, padding first.
func bitText(b []byte) string {
	var text strings.Builder
	for i := int(b[0]); i < 8*(len(b)-1); i++ {
		text.WriteByte('0' + b[1+i/8]>>(7-i%8)&1)
	}
	return text.String()
}

// jsonOf returns a structure, or a map, as a JSON object.
func jsonOf(column arrow.Array, row int) []byte {
	out := []byte{'{'}
	member := func(name string, value any) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(appendJSON(out, name), ':')
		out = appendJSON(out, value)
	}
	switch a := column.(type) {
	case *array.Struct:
		for i, f := range a.DataType().(*arrow.StructType).Fields() {
			member(f.Name, newDecoder(f, a.Field(i))(row))
		}
	case *array.Map:
		t := a.DataType().(*arrow.MapType)
		keys, items := newDecoder(t.KeyField(), a.Keys()), newDecoder(t.ItemField(), a.Items())
		from, to := a.ValueOffsets(row)
		for i := from; i < to; i++ {
			member(fmt.Sprint(keys(int(i))), items(int(i)))
		}
	}
	return append(out, '}')
}

// appendJSON writes a decoded value as JSON.
func appendJSON(out []byte, v any) []byte {
	switch v := v.(type) {
	case penstock.Raw:
		return append(out, v...)
	case penstock.Number:
		return append(out, v...)
	case []any:
		out = append(out, '[')
		for i, e := range v {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendJSON(out, e)
		}
		return append(out, ']')
	}
	text, err := json.Marshal(v)
	if err != nil { // NaN and infinities, which JSON does not have
		return append(out, "null"...)
	}
	return append(out, text...)
}
