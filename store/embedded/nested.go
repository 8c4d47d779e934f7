package embedded

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"penstock"
)

// structDecoder returns structures as JSON objects, or as arrays if their members have no names.
func structDecoder(a *array.Struct) decoder {
	fields := a.DataType().(*arrow.StructType).Fields()
	members := make([]decoder, len(fields))
	names := make([][]byte, len(fields))
	for i, f := range fields {
		members[i] = memberDecoder(f, a.Field(i))
		names[i] = append(appendJSON(nil, f.Name), ':')
	}
	if len(fields) > 0 && fields[0].Name == "" {
		return func(row int) any {
			list := make([]any, len(members))
			for i, m := range members {
				list[i] = m(row)
			}
			return penstock.Raw(appendJSON(nil, list))
		}
	}
	return func(row int) any {
		out := []byte{'{'}
		for i, m := range members {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendJSON(append(out, names[i]...), m(row))
		}
		return penstock.Raw(append(out, '}'))
	}
}

// mapDecoder returns maps as JSON objects. A key that is no text is its JSON, as text.
func mapDecoder(a *array.Map) decoder {
	t := a.DataType().(*arrow.MapType)
	keys, items := memberDecoder(t.KeyField(), a.Keys()), memberDecoder(t.ItemField(), a.Items())
	return func(row int) any {
		out := []byte{'{'}
		from, to := a.ValueOffsets(row)
		for i := int(from); i < int(to); i++ {
			if i > int(from) {
				out = append(out, ',')
			}
			name := appendJSON(nil, keys(i))
			if name[0] != '"' {
				name = appendJSON(nil, string(name))
			}
			out = appendJSON(append(append(out, name...), ':'), items(i))
		}
		return penstock.Raw(append(out, '}'))
	}
}

// memberDecoder returns the decoder of what stands within a structure. There nothing tells a FLOAT from a DOUBLE any more.
func memberDecoder(f arrow.Field, column arrow.Array) decoder {
	value := newDecoder(f, column)
	if column.DataType().ID() != arrow.FLOAT32 {
		return value
	}
	return func(row int) any {
		if v, ok := value(row).(float64); ok {
			return float32(v)
		}
		return nil
	}
}

// appendJSON writes a decoded value as JSON.
func appendJSON(out []byte, v any) []byte {
	switch v := v.(type) {
	case penstock.Raw:
		return append(out, v...)
	case penstock.Number:
		return append(out, v...)
	case float32:
		return appendFloat(out, float64(v), 32)
	case float64:
		return appendFloat(out, v, 64)
	case time.Time:
		return append(append(append(out, '"'), v.Format(time.RFC3339Nano)...), '"')
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
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // text, integers, true, false and null cannot fail
	return append(out, bytes.TrimSuffix(text.Bytes(), []byte{'\n'})...)
}

// appendFloat writes what JSON has no number for as its word, since null would hide it.
func appendFloat(out []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(out, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(out, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(out, `"-Infinity"`...)
	}
	form := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		form = 'e'
	}
	return strconv.AppendFloat(out, v, form, -1, bits)
}
