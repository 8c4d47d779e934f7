package query

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"penstock"
)

// timeText returns a time as RFC 3339 in UTC, with as many digits below the second as it has, up to six.
func timeText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z07:00") }

// momentText returns what a time.Time of a column says: some types have no day, or no time of it.
func momentText(t time.Time, kind string) string {
	switch kind {
	case "DATE":
		return t.UTC().Format("2006-01-02")
	case "TIME":
		return t.UTC().Format("15:04:05.999999")
	}
	return timeText(t)
}

// elementKind returns the type of a list's elements.
func elementKind(kind string) string {
	if i := strings.LastIndexByte(kind, '['); i > 0 && strings.HasSuffix(kind, "]") {
		return kind[:i]
	}
	return ""
}

// floatText returns the shortest text that reads back as the same number of the column's type: NaN, Infinity and
// -Infinity by these words, as PostgreSQL has them.
func floatText(f float64, kind string) (text string, finite bool) {
	switch {
	case math.IsNaN(f):
		return "NaN", false
	case math.IsInf(f, 1):
		return "Infinity", false
	case math.IsInf(f, -1):
		return "-Infinity", false
	}
	bits := 64
	if kind == "FLOAT" {
		bits = 32
	}
	form := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		form = 'e'
	}
	return strconv.FormatFloat(f, form, -1, bits), true
}

// appendJSON appends a value of a column as JSON. Numbers are exact; those that JSON lacks are their words, as strings.
func appendJSON(dst []byte, v any, kind string) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case *big.Int:
		return v.Append(dst, 10), nil
	case penstock.Number:
		return appendRaw(dst, string(v))
	case penstock.Raw:
		return appendRaw(dst, string(v))
	case float64:
		text, finite := floatText(v, kind)
		if !finite {
			return appendQuoted(dst, text), nil
		}
		return append(dst, text...), nil
	case string:
		return appendQuoted(dst, v), nil
	case time.Time:
		return appendQuoted(dst, momentText(v, kind)), nil
	case []any:
		return appendList(dst, v, elementKind(kind))
	}
	return nil, penstock.Errorf(penstock.Internal, "write result", "a value of type %T", v)
}

func appendList(dst []byte, list []any, kind string) ([]byte, error) {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendJSON(dst, v, kind); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// appendRaw appends what is JSON already. Text that is none would break the whole answer.
func appendRaw(dst []byte, text string) ([]byte, error) {
	if !json.Valid([]byte(text)) {
		return nil, penstock.Errorf(penstock.Internal, "write result", "a value that is not JSON")
	}
	if strings.ContainsAny(text, "\r\n") { // as white space, which would end a line of NDJSON
		text = strings.NewReplacer("\r", " ", "\n", " ").Replace(text)
	}
	return append(dst, text...), nil
}

// appendQuoted appends text as a JSON string.
func appendQuoted(dst []byte, text string) []byte {
	plain := utf8.ValidString(text)
	for i := 0; i < len(text) && plain; i++ {
		plain = text[i] >= ' ' && text[i] != '"' && text[i] != '\\'
	}
	if plain {
		dst = append(append(dst, '"'), text...)
		return append(dst, '"')
	}
	var quoted bytes.Buffer
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // text cannot fail
	return append(dst, bytes.TrimSuffix(quoted.Bytes(), []byte{'\n'})...)
}

// plainText returns a value as text without quotes, and whether it is a number.
func plainText(v any, kind string) (text string, number bool, err error) {
	switch v := v.(type) {
	case string:
		return v, false, nil
	case time.Time:
		return momentText(v, kind), false, nil
	case float64:
		text, _ := floatText(v, kind)
		return text, true, nil
	}
	b, err := appendJSON(nil, v, kind)
	if err != nil {
		return "", false, err
	}
	return string(b), isNumber(b), nil
}

// isNumber reports whether JSON is a number.
func isNumber(b []byte) bool { return b[len(b)-1]-'0' <= 9 }
