package embedded

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"penstock"
	"penstock/internal/jsonscan"
)

// figureType returns the SQL type of a measure in an answer.
func figureType(m penstock.Measure) string {
	switch m.Kind {
	case penstock.MeasureCount, penstock.MeasureUnique:
		return "BIGINT"
	case penstock.MeasureAvg, penstock.MeasureQuantile:
		return "DOUBLE"
	case penstock.MeasureTop:
		return "JSON"
	case penstock.MeasureSum:
		switch m.Of.Type {
		case penstock.Bigint:
			return "HUGEINT"
		case penstock.Decimal:
			return fmt.Sprintf("DECIMAL(38,%d)", m.Of.Scale)
		}
	}
	return sqlType(m.Of.Column)
}

// parameter is where a statement takes a value to compare the column with.
func (o orderedBy) parameter() string {
	if o.sql == "TIMESTAMPTZ" {
		return "make_timestamptz(CAST(? AS BIGINT))"
	}
	return "CAST(? AS " + o.sql + ")"
}

// argument returns a value of an answer as the driver takes it for parameter.
func argument(v any) any {
	switch v := v.(type) {
	case penstock.Number:
		return string(v)
	case penstock.Raw:
		return string(v)
	case *big.Int:
		return v.String()
	case time.Time:
		return v.UnixMicro()
	}
	return v
}

// valueOf returns a text as a value of a column's type, as the driver takes it. It fails with Invalid if it is none: what a column takes is what
// the door takes for it, without the quotes of strings.
func valueOf(c penstock.Column, text string) (any, error) {
	raw := []byte(text)
	switch isNumber := len(raw) > 0 && (raw[0] == '-' || raw[0]-'0' <= 9) && json.Valid(raw) && len(bytes.TrimSpace(raw)) == len(raw); {
	case !utf8.Valid(raw):
	case c.Type == penstock.Text, c.Type == penstock.JSON && json.Valid(raw):
		return text, nil
	case c.Type == penstock.Boolean && (text == "true" || text == "false"):
		return text == "true", nil
	case c.Type == penstock.Bigint && isNumber:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
	case c.Type == penstock.Double && isNumber:
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f + 0, nil // −0 is 0
		}
	case c.Type == penstock.Decimal && isNumber:
		if cell, err := jsonscan.ParseCell(c, jsonscan.Value{Raw: raw, Kind: jsonscan.Number}); err == nil {
			return decimal128.New(cell.Hi, cell.Lo).ToString(int32(c.Scale)), nil
		}
	case c.Type == penstock.Timestamp:
		v := jsonscan.Value{Raw: raw, Kind: jsonscan.Number}
		if !isNumber {
			v.Raw, v.Kind = strconv.AppendQuote(nil, text), jsonscan.String // one that quoting changes is no time
		}
		if at, err := jsonscan.ParseTime(v); err == nil {
			return at.Time(), nil
		}
	}
	return nil, refuseView(fmt.Sprintf("where.%s: not a %s: %.64q", c.Name, c.Type, text))
}
