package fold

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"penstock"
	"penstock/internal/jsonscan"
)

// The stream of the tests has a column of each type.
func things() penstock.Stream {
	return penstock.Stream{Name: "things", Columns: []penstock.Column{
		{Name: "s", Type: penstock.Text, Path: "s"},
		{Name: "n", Type: penstock.Bigint, Path: "in.n"},
		{Name: "d", Type: penstock.Double, Path: "d"},
		{Name: "p", Type: penstock.Decimal, Precision: 12, Scale: 2, Path: "p"},
		{Name: "w", Type: penstock.Decimal, Precision: 28, Scale: 10, Path: "w"},
		{Name: "v", Type: penstock.Decimal, Precision: 38, Scale: 0, Path: "v"},
		{Name: "b", Type: penstock.Boolean, Path: "b"},
		{Name: "t", Type: penstock.Timestamp, Path: "t"},
		{Name: "j", Type: penstock.JSON, Path: "j"},
	}}
}

// named returns the field of a name: a column, what is built in, or a path that no column declares.
func named(name string) penstock.Field {
	for _, c := range things().Columns {
		if c.Name == name {
			return penstock.Field{Column: c}
		}
	}
	switch name {
	case "id", "key":
		return penstock.Field{Column: penstock.Column{Name: name, Type: penstock.Text}}
	case "time", "received_at":
		return penstock.Field{Column: penstock.Column{Name: name, Type: penstock.Timestamp}}
	case "x.number":
		return penstock.Field{Column: penstock.Column{Name: name, Type: penstock.Double, Path: "x.l"}, Loose: true}
	}
	return penstock.Field{Column: penstock.Column{Name: name, Type: penstock.Text, Path: name}, Loose: true}
}

// thing is an event of the tests, with what its fields are known to be: nil, string, int64, float64, *big.Rat or bool.
type thing struct {
	penstock.Record
	is map[string]any
}

// literal is a JSON value and what it is as a field's.
type literal struct {
	json string // empty: no such member
	is   any
}

func rat(text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		panic(text)
	}
	return r
}

// literals generates values of a field, some of which do not fit.
func literals(t *rapid.T, name string) literal {
	none := []literal{{"", nil}, {"null", nil}, {"{}", nil}, {"[1]", nil}}
	from := func(all ...literal) literal { return rapid.SampledFrom(append(all, none...)).Draw(t, name) }
	switch name {
	case "s":
		return from(literal{`""`, ""}, literal{`"a"`, "a"}, literal{`"a"`, "a"}, literal{`"\u0061"`, "a"}, literal{`"ab"`, "ab"}, literal{`"a\u0000"`, "a\x00"},
			literal{`"a\u0000\u0001"`, "a\x00\x01"}, literal{`"grüße 😀"`, "grüße 😀"}, literal{`"\ud83d\ude00\n\""`, "😀\n\""}, literal{"5", nil}, literal{"true", nil})
	case "n":
		n := rapid.OneOf(rapid.Int64Range(-3, 12), rapid.Int64Range(-math.MaxInt64, math.MaxInt64)).Draw(t, "n")
		return from(literal{strconv.FormatInt(n, 10), n}, literal{strconv.FormatInt(n, 10), n}, literal{"9223372036854775807", int64(math.MaxInt64)},
			literal{"-0", int64(0)}, literal{"1.0", nil}, literal{"1e3", nil}, literal{`"5"`, nil}, literal{"true", nil})
	case "d":
		eighths := rapid.Int64Range(-1<<30, 1<<30).Draw(t, "eighths")
		f := float64(eighths) / 8
		return from(literal{strconv.FormatFloat(f, 'f', -1, 64), f}, literal{strconv.FormatFloat(f, 'e', -1, 64), f}, literal{"-0.0", 0.0}, literal{"0", 0.0},
			literal{"1E2", 100.0}, literal{`"1"`, nil}, literal{"false", nil})
	case "p", "w", "v":
		return decimals(t, named(name).Precision, named(name).Scale, from)
	case "b":
		return from(literal{"true", true}, literal{"false", false}, literal{"0", nil}, literal{`"true"`, nil})
	case "t":
		second := rapid.Int64Range(-3, 200).Draw(t, "second")
		return from(literal{fmt.Sprint(second), second * 1e6}, literal{fmt.Sprintf("%d.25", max(second, 0)), max(second, 0)*1e6 + 250_000},
			literal{`"1969-12-31T23:59:59.5Z"`, int64(-500_000)}, literal{`"2026-01-01T01:00:00+01:00"`, int64(1_767_225_600_000_000)},
			literal{`"yesterday"`, nil}, literal{"true", nil})
	case "j":
		return rapid.SampledFrom([]literal{{"", nil}, {"null", nil}, {`{"a": 1}`, `{"a": 1}`}, {`{"a":1}`, `{"a":1}`}, {`"x"`, `"x"`}, {"7", "7"}, {"[]", "[]"}}).Draw(t, name)
	}
	panic(name)
}

func decimals(t *rapid.T, precision, scale int, from func(...literal) literal) literal {
	digits := rapid.StringMatching(fmt.Sprintf("-?[1-9][0-9]{0,%d}", precision-1)).Draw(t, "digits")
	unscaled := rat(digits)
	value := unscaled.Quo(unscaled, rat("1"+strings.Repeat("0", scale)))
	text := value.FloatString(scale)
	return from(literal{text, value}, literal{text, value}, literal{text, value}, literal{"1", rat("1")}, literal{"10e-1", rat("1")}, literal{"-0", rat("0")},
		literal{"0.00000000001", nil}, literal{"1" + strings.Repeat("0", precision), nil}, literal{`"1"`, nil}, literal{"true", nil})
}

// drawThing generates the event with an offset.
func drawThing(t *rapid.T, offset int) *thing {
	e := &thing{is: map[string]any{}}
	var members, inner []string
	for _, c := range things().Columns {
		l := literals(t, c.Name)
		e.is[c.Name] = l.is
		if l.json == "" {
			continue
		}
		if c.Name == "n" {
			inner = append(inner, `"n":`+l.json)
		} else {
			members = append(members, `"`+c.Name+`":`+l.json)
		}
	}
	loose := rapid.SampledFrom([]struct {
		json         string
		text, number any
	}{{"null", nil, nil}, {`"a"`, "a", nil}, {`"1"`, "1", nil}, {"1", "1", 1.0}, {"1.0", "1.0", 1.0}, {"-0.0", "-0.0", 0.0}, {"true", "true", nil}, {"{}", nil, nil}, {"[]", nil, nil}}).Draw(t, "loose")
	e.is["x.l"], e.is["x.number"] = loose.text, loose.number
	members = append(members, `"in":{`+strings.Join(inner, ",")+`}`, `"x" : { "l" : `+loose.json+` }`)
	e.Body = []byte("{" + strings.Join(members, ", ") + "}")
	e.Stream, e.ID = "things", fmt.Appendf(nil, "e-%d", offset)
	e.Key = []byte(rapid.SampledFrom([]string{"", "k", "k\x00", "k\x00\x01", "l"}).Draw(t, "key"))
	e.is["id"], e.is["key"] = string(e.ID), any(string(e.Key))
	if len(e.Key) == 0 {
		e.is["key"] = nil
	}
	minute := penstock.Micros(time.Minute / time.Microsecond)
	e.Time = rapid.SampledFrom([]penstock.Micros{-minute - 1, -minute, 1 - minute, -1, 0, 1, minute - 1, minute, 1e15, 1e15 + 1}).Draw(t, "time")
	e.ReceivedAt = penstock.Micros(rapid.IntRange(-1, 2).Draw(t, "received"))
	e.is["time"], e.is["received_at"] = int64(e.Time), int64(e.ReceivedAt)
	e.Partition = penstock.Partition(rapid.IntRange(0, 2).Draw(t, "partition"))
	e.Position = penstock.Position{Epoch: penstock.Epoch(rapid.IntRange(1, 2).Draw(t, "epoch")), Offset: penstock.Offset(offset)}
	e.LogTime = penstock.Micros(rapid.IntRange(1, 1000).Draw(t, "log time"))
	return e
}

// valueOf returns what a cell is, as a thing's fields are.
func valueOf(c penstock.Column, cell jsonscan.Cell) any {
	if cell.Null {
		return nil
	}
	switch c.Type {
	case penstock.Bigint, penstock.Timestamp:
		return cell.Int
	case penstock.Double:
		return cell.Float
	case penstock.Boolean:
		return cell.Bool
	case penstock.Decimal:
		n := new(big.Int).Lsh(big.NewInt(cell.Hi), 64)
		n.Add(n, new(big.Int).SetUint64(cell.Lo))
		return new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.Scale)), nil))
	}
	return string(cell.Bytes)
}

// written returns values as text, different for different ones.
func written(values []any) string {
	var b strings.Builder
	for _, v := range values {
		if r, ok := v.(*big.Rat); ok {
			v = "decimal " + r.RatString()
		}
		fmt.Fprintf(&b, "%T %#v; ", v, v)
	}
	return b.String()
}
