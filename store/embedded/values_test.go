package embedded

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock"
)

func number128(text string) *big.Int {
	v, _ := new(big.Int).SetString(text, 10)
	return v
}

func utc(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

const (
	maxHuge = "170141183460469231731687303715884105727"
	minHuge = "-170141183460469231731687303715884105728"
)

// valueCase is an expression, the name of its type and what it comes out as.
type valueCase struct {
	sql, kind string
	want      any
}

func integerValues() []valueCase {
	return []valueCase{
		{"true", "BOOLEAN", true},
		{"1 > 2", "BOOLEAN", false},
		{"[true, null, false]", "BOOLEAN[]", []any{true, nil, false}},
		{"{'b': true}", "STRUCT", penstock.Raw(`{"b":true}`)},
		{"(-128)::tinyint", "TINYINT", int64(-128)},
		{"(-32768)::smallint", "SMALLINT", int64(-32768)},
		{"(-2147483648)::int", "INTEGER", int64(-2147483648)},
		{"(-9223372036854775808)::bigint", "BIGINT", int64(math.MinInt64)},
		{"255::utinyint", "UTINYINT", int64(255)},
		{"65535::usmallint", "USMALLINT", int64(65535)},
		{"4294967295::uinteger", "UINTEGER", int64(4294967295)},
		{"9223372036854775807::ubigint", "UBIGINT", int64(math.MaxInt64)},
		{"18446744073709551615::ubigint", "UBIGINT", number128("18446744073709551615")},
		{maxHuge + "::hugeint", "HUGEINT", number128(maxHuge)},
		{"(" + minHuge + ")::hugeint", "HUGEINT", number128(minHuge)},
		{"(-1)::hugeint", "HUGEINT", big.NewInt(-1)},
		{"340282366920938463463374607431768211455::uhugeint", "UHUGEINT", number128("340282366920938463463374607431768211455")},
		{"0::uhugeint", "UHUGEINT", big.NewInt(0)},
		{"0::bignum", "BIGNUM", big.NewInt(0)},
		{"'1" + strings.Repeat("0", 60) + "7'::bignum", "BIGNUM", number128("1" + strings.Repeat("0", 60) + "7")},
		{"'-1" + strings.Repeat("0", 60) + "7'::bignum", "BIGNUM", number128("-1" + strings.Repeat("0", 60) + "7")},
		{"sum(9223372036854775807) from range(3)", "HUGEINT", number128("27670116110564327421")},
	}
}

func decimalValues() []valueCase {
	return []valueCase{
		{"1.50::decimal(4,2)", "DECIMAL(4,2)", penstock.Number("1.50")},
		{"(-0.05)::decimal(4,2)", "DECIMAL(4,2)", penstock.Number("-0.05")},
		{"0::decimal(4,2)", "DECIMAL(4,2)", penstock.Number("0.00")},
		{"'0.00000000000000000000000000000000000001'::decimal(38,38)", "DECIMAL(38,38)", penstock.Number("0.00000000000000000000000000000000000001")},
		{"'-0.99999999999999999999999999999999999999'::decimal(38,38)", "DECIMAL(38,38)", penstock.Number("-0.99999999999999999999999999999999999999")},
		{"'12345678901234567890123456789012345.678'::decimal(38,3)", "DECIMAL(38,3)", penstock.Number("12345678901234567890123456789012345.678")},
		{"'-99999999999999999999999999999999999999'::decimal(38,0)", "DECIMAL(38,0)", number128("-" + strings.Repeat("9", 38))},
	}
}

func doubleValues() []valueCase {
	return []valueCase{
		{"0.1::float", "FLOAT", float64(float32(0.1))},
		{"0.1::double", "DOUBLE", 0.1},
		{"1e-300", "DOUBLE", 1e-300},
		{"'nan'::double", "DOUBLE", math.NaN()},
		{"'inf'::double", "DOUBLE", math.Inf(1)},
		{"'-inf'::float", "FLOAT", math.Inf(-1)},
	}
}

func textValues() []valueCase {
	return []valueCase{
		{"''", "VARCHAR", ""},
		{"'ünï ☃' || chr(0) || '🜁'", "VARCHAR", "ünï ☃\x00🜁"},
		{`'\xAA\x00'::blob`, "BLOB", "qgA="},
		{"'0101'::bit", "BIT", "0101"},
		{"'010101010101'::bit", "BIT", "010101010101"},
		{"'123e4567-e89b-12d3-a456-426614174000'::uuid", "UUID", "123e4567-e89b-12d3-a456-426614174000"},
		{"'{\"n\": 9007199254740993}'::json", "JSON", penstock.Raw(`{"n": 9007199254740993}`)},
		{"'{\"n\":9007199254740993}'::json->'n'", "JSON", penstock.Raw("9007199254740993")},
		{"'null'::json", "JSON", penstock.Raw("null")},
	}
}

func timeValues() []valueCase {
	return []valueCase{
		{"date '2026-02-28'", "DATE", "2026-02-28"},
		{"'0044-03-15 (BC)'::date", "DATE", "-0043-03-15"},
		{"'12345-01-01'::date", "DATE", "12345-01-01"},
		{"'infinity'::date", "DATE", "infinity"},
		{"'-infinity'::date", "DATE", "-infinity"},
		{"time '12:34:56.000001'", "TIME", "12:34:56.000001"},
		{"time '24:00:00'", "TIME", "24:00:00"},
		{"'12:34:56.123456789'::time_ns", "TIME", "12:34:56.123456789"},
		{"'12:34:56.789+02:30'::timetz", "TIMETZ", "12:34:56.789+02:30"},
		{"'12:34:56-05:30:15'::timetz", "TIMETZ", "12:34:56-05:30:15"},
		{"timestamptz '2026-01-01 00:00:00.000001+02'", "TIMESTAMP WITH TIME ZONE", utc("2025-12-31T22:00:00.000001Z")},
		{"timestamp '2026-01-01 00:00:00'", "TIMESTAMP", utc("2026-01-01T00:00:00Z")},
		{"'2026-01-01 00:00:00'::timestamp_s", "TIMESTAMP", utc("2026-01-01T00:00:00Z")},
		{"'2026-01-01 00:00:00.123'::timestamp_ms", "TIMESTAMP", utc("2026-01-01T00:00:00.123Z")},
		{"'2026-01-01 00:00:00.123456789'::timestamp_ns", "TIMESTAMP", utc("2026-01-01T00:00:00.123456789Z")},
		{"'1500-06-01 00:00:00.5'::timestamp", "TIMESTAMP", utc("1500-06-01T00:00:00.5Z")},
		{"'infinity'::timestamptz", "TIMESTAMP WITH TIME ZONE", "infinity"},
		{"'-infinity'::timestamp", "TIMESTAMP", "-infinity"},
		{"'infinity'::timestamp_ns", "TIMESTAMP", "infinity"},
		{"interval '1 year 2 months 3 days 04:05:06.007'", "INTERVAL", "1 year 2 months 3 days 04:05:06.007"},
		{"interval '-13 months'", "INTERVAL", "-1 year -1 month"},
		{"interval '0'", "INTERVAL", "00:00:00"},
		{"interval '-00:00:01.5'", "INTERVAL", "-00:00:01.5"},
		{"interval '1000000 hours'", "INTERVAL", "1000000:00:00"},
	}
}

func nestedValues() []valueCase {
	return []valueCase{
		{"[1, null, 3]", "INTEGER[]", []any{int64(1), nil, int64(3)}},
		{"[[1], [2, null], [], null]", "INTEGER[][]", []any{[]any{int64(1)}, []any{int64(2), nil}, []any{}, nil}},
		{"[1, 2]::int[2]", "INTEGER[]", []any{int64(1), int64(2)}},
		{"[" + maxHuge + "]", "HUGEINT[]", []any{number128(maxHuge)}},
		{"['01'::bit, null]", "BIT[]", []any{"01", nil}},
		{"['{\"n\":9007199254740993}'::json]", "JSON[]", []any{penstock.Raw(`{"n":9007199254740993}`)}},
		{"[1.5, 2.25]", "DECIMAL(3,2)[]", []any{penstock.Number("1.50"), penstock.Number("2.25")}},
		{"[{'a': 1}]", "STRUCT[]", []any{penstock.Raw(`{"a":1}`)}},
		{"{'a': 1, 'b<': 'x\"<y', 'c': null, 'd': " + maxHuge + "}", "STRUCT", penstock.Raw(`{"a":1,"b<":"x\"<y","c":null,"d":` + maxHuge + `}`)},
		{"{'l': [1, 2], 's': {'t': timestamptz '2026-01-01 00:00:00Z'}}", "STRUCT", penstock.Raw(`{"l":[1,2],"s":{"t":"2026-01-01T00:00:00Z"}}`)},
		{"{'t': timestamp '12345-01-01', 'd': 1.10, 'f': 0.1::float, 'n': 'nan'::double, 'i': 'inf'::float}", "STRUCT",
			penstock.Raw(`{"t":"12345-01-01T00:00:00Z","d":1.10,"f":0.1,"n":"NaN","i":"Infinity"}`)},
		{"{'j': '{\"n\":9007199254740993}'::json, 'u': '123e4567-e89b-12d3-a456-426614174000'::uuid}", "STRUCT",
			penstock.Raw(`{"j":{"n":9007199254740993},"u":"123e4567-e89b-12d3-a456-426614174000"}`)},
		{"row(1, 'x')", "STRUCT", penstock.Raw(`[1,"x"]`)},
		{"map {'a': 1, 'b': null}", "MAP(VARCHAR, INTEGER)", penstock.Raw(`{"a":1,"b":null}`)},
		{"map {1: 'x', 2: 'y'}", "MAP(INTEGER, VARCHAR)", penstock.Raw(`{"1":"x","2":"y"}`)},
		{"map {'2026-01-01'::date: [1]}", "MAP(DATE, INTEGER[])", penstock.Raw(`{"2026-01-01":[1]}`)},
		{"map {}", "MAP(INTEGER, INTEGER)", penstock.Raw(`{}`)},
		{"null", "INTEGER", nil},
		{"null::hugeint", "HUGEINT", nil},
		{"null::json", "JSON", nil},
		{"null::struct(a int)", "STRUCT", nil},
		{"case when false then [1] end", "INTEGER[]", nil},
	}
}

// What each type of DuckDB becomes: its name, and its values without loss.
func TestValues(t *testing.T) {
	d := openDatabase(t, t.TempDir(), Options{Cluster: testCluster(4), Shards: deal(4, 1)})
	for _, c := range slices.Concat(integerValues(), decimalValues(), doubleValues(), textValues(), timeValues(), nestedValues()) {
		rows, err := d.Query(t.Context(), penstock.Query{SQL: "select " + c.sql})
		if err != nil {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		got, err := rows.Next()
		if err != nil || len(got) != 1 || !same(got[0], c.want) || rows.Columns()[0].Type != c.kind {
			t.Errorf("%s: %s %T(%v), %v; want %s %T(%v)", c.sql, rows.Columns()[0].Type, got[0], got, err, c.kind, c.want, c.want)
		}
		if _, err := rows.Next(); err != io.EOF {
			t.Errorf("%s: after its row: %v", c.sql, err)
		}
		if raw, ok := c.want.(penstock.Raw); ok && !json.Valid([]byte(raw)) {
			t.Errorf("%s: %s is not JSON", c.sql, raw)
		}
		if err := rows.Close(); err != nil {
			t.Errorf("%s: %v", c.sql, err)
		}
	}
}

func same(a, b any) bool {
	if x, ok := a.(*big.Int); ok {
		y, ok := b.(*big.Int)
		return ok && x.Cmp(y) == 0
	}
	if x, ok := a.(float64); ok && math.IsNaN(x) {
		y, ok := b.(float64)
		return ok && math.IsNaN(y)
	}
	if x, ok := a.([]any); ok {
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !same(x[i], y[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

// Decimals of any precision and scale come out digit by digit.
func TestDecimals(t *testing.T) {
	d := openDatabase(t, t.TempDir(), Options{Cluster: testCluster(4), Shards: deal(4, 1)})
	random := rand.New(rand.NewPCG(1, 2))
	var list, want []string
	for range 300 {
		precision := 1 + random.IntN(38)
		scale := random.IntN(precision + 1)
		text := decimalText(random, precision, scale)
		list = append(list, fmt.Sprintf("'%s'::decimal(%d,%d)", text, precision, scale))
		want = append(want, text)
	}
	row := query(t, d, "select "+strings.Join(list, ", "))[0]
	for i, v := range row {
		if got := fmt.Sprint(v); got != want[i] {
			t.Errorf("%s: %s", list[i], got)
		}
	}
}

func decimalText(random *rand.Rand, precision, scale int) string {
	digits := make([]byte, precision)
	for i := range digits {
		digits[i] = '0' + byte(random.IntN(10))
	}
	whole := strings.TrimLeft(string(digits[:precision-scale]), "0")
	if whole == "" {
		whole = "0"
	}
	if scale > 0 {
		whole += "." + string(digits[precision-scale:])
	}
	if random.IntN(2) == 0 && strings.ContainsAny(whole, "123456789") {
		whole = "-" + whole
	}
	return whole
}

// Results span the chunks of 2,048 rows that DuckDB hands out, nulls and nested values in each.
func TestManyRows(t *testing.T) {
	d := openDatabase(t, t.TempDir(), Options{Cluster: testCluster(4), Shards: deal(4, 1)})
	rows := query(t, d, `select i, case when i % 3 = 0 then null else i::varchar end, [i, null, i + 1], {'n': i, 'l': [i]},
		(i * 1.5)::decimal(12,1), case when i % 7 = 0 then null else i::hugeint end from range(5000) t(i) order by i`)
	if len(rows) != 5000 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, row := range rows {
		n := int64(i)
		want := []any{n, any(fmt.Sprint(i)), []any{n, nil, n + 1}, penstock.Raw(fmt.Sprintf(`{"n":%d,"l":[%d]}`, i, i)),
			penstock.Number(fmt.Sprintf("%.1f", float64(i)*1.5)), any(big.NewInt(n))}
		if i%3 == 0 {
			want[1] = nil
		}
		if i%7 == 0 {
			want[5] = nil
		}
		if !same(row, want) {
			t.Fatalf("row %d: %v, want %v", i, row, want)
		}
	}
}

// A result without rows has its columns; what it is asked after Close is answered, too.
func TestNoRows(t *testing.T) {
	d := openDatabase(t, t.TempDir(), Options{Cluster: testCluster(4), Shards: deal(4, 1), Streams: []penstock.Stream{{Name: "clicks"}}})
	rows, err := d.Query(t.Context(), penstock.Query{SQL: "select id, data, 1 as a, 2 as a from clicks where key = 'x'"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rows.Next(); err != io.EOF {
		t.Fatalf("Next: %v", err)
	}
	for range 2 {
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	want := []penstock.ResultColumn{{Name: "id", Type: "VARCHAR"}, {Name: "data", Type: "JSON"}, {Name: "a", Type: "INTEGER"}, {Name: "a_1", Type: "INTEGER"}}
	if got := rows.Columns(); !reflect.DeepEqual(got, want) {
		t.Fatalf("columns %v", got)
	}
	if _, err := rows.Next(); !penstock.Is(err, penstock.Unavailable) {
		t.Fatalf("Next after Close: %v", err)
	}
}
