package query

import (
	"encoding/binary"
	"math"
	"math/big"
	"time"

	"penstock"
)

// The kinds of values in a cursor. docs/format/cursor.md has the bytes.
const (
	valueNull byte = iota
	valueFalse
	valueTrue
	valueInteger
	valueDouble
	valueText
	valueNumber
	valueBig
	valueTime
	valueJSON
)

// appendValues appends a row's values as a cursor carries them. It fails with Internal if a row of a view cannot have one.
func appendValues(dst []byte, values []any) ([]byte, error) {
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			dst = append(dst, valueNull)
		case bool:
			if v {
				dst = append(dst, valueTrue)
			} else {
				dst = append(dst, valueFalse)
			}
		case int64:
			dst = binary.AppendVarint(append(dst, valueInteger), v)
		case float64:
			dst = binary.LittleEndian.AppendUint64(append(dst, valueDouble), math.Float64bits(v))
		case string:
			dst = appendText(dst, valueText, v)
		case penstock.Number:
			dst = appendText(dst, valueNumber, string(v))
		case *big.Int:
			dst = appendText(dst, valueBig, v.String())
		case time.Time:
			dst = binary.AppendVarint(append(dst, valueTime), v.UnixMicro())
		case penstock.Raw:
			dst = appendText(dst, valueJSON, string(v))
		default:
			return nil, penstock.Errorf(penstock.Internal, "make cursor", "a value of type %T", v)
		}
	}
	return dst, nil
}

func appendText(dst []byte, kind byte, text string) []byte {
	dst = binary.AppendUvarint(append(dst, kind), uint64(len(text)))
	return append(dst, text...)
}

// valuesOf reads what appendValues wrote. Values have the types that they had; times are in UTC.
func valuesOf(b []byte) ([]any, bool) {
	r := valueReader{left: b}
	n := r.length()
	values := make([]any, 0, min(n, uint64(len(b))))
	for ; n > 0 && !r.bad; n-- {
		values = append(values, r.value())
	}
	return values, !r.bad && len(r.left) == 0
}

// valueReader reads values one by one. Once bad, it returns zero values.
type valueReader struct {
	left []byte
	bad  bool
}

func (r *valueReader) value() any {
	kind := r.bytes(1)
	if r.bad {
		return nil
	}
	switch kind := kind[0]; kind {
	case valueNull:
		return nil
	case valueFalse, valueTrue:
		return kind == valueTrue
	case valueInteger:
		return r.integer()
	case valueDouble:
		if b := r.bytes(8); !r.bad {
			return math.Float64frombits(binary.LittleEndian.Uint64(b))
		}
	case valueText:
		return r.text()
	case valueNumber:
		return penstock.Number(r.text())
	case valueBig:
		if n, ok := new(big.Int).SetString(r.text(), 10); ok {
			return n
		}
	case valueTime:
		return time.UnixMicro(r.integer()).UTC()
	case valueJSON:
		return penstock.Raw(r.text())
	}
	r.bad = true
	return nil
}

func (r *valueReader) bytes(n uint64) []byte {
	if r.bad || n > uint64(len(r.left)) {
		r.bad = true
		return nil
	}
	b := r.left[:n]
	r.left = r.left[n:]
	return b
}

func (r *valueReader) text() string { return string(r.bytes(r.length())) }

func (r *valueReader) length() uint64 {
	v, n := binary.Uvarint(r.left)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.left = r.left[n:]
	return v
}

func (r *valueReader) integer() int64 {
	v, n := binary.Varint(r.left)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.left = r.left[n:]
	return v
}
