package query

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	"penstock"
)

func bigInt(text string) *big.Int {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		panic(text)
	}
	return n
}

// everything is a result with a column for each kind of value.
func everything() ([]penstock.ResultColumn, [][]any) {
	at := time.Date(2026, 1, 31, 13, 4, 5, 120_000_000, time.FixedZone("", 3600))
	table := []struct {
		name, kind    string
		first, second any
	}{
		{"b", "BOOLEAN", true, false},
		{"i", "BIGINT", int64(9007199254740993), int64(math.MinInt64)},
		{"h", "HUGEINT", bigInt("99999999999999999999999999999999999999"), int64(-1)},
		{"d", "DECIMAL(38,4)", penstock.Number("-1234567890123456789012345678901234.5600"), penstock.Number("0.1")},
		{"f", "DOUBLE", 0.1, math.NaN()},
		{"g", "FLOAT", float64(float32(0.1)), math.Inf(-1)},
		{"e", "DOUBLE", 1e300, 5e-324},
		{"n8", "TINYINT", int64(-128), int64(127)},
		{"n16", "SMALLINT", int64(-32768), int64(32767)},
		{"n32", "INTEGER", int64(-2147483648), int64(2147483647)},
		{"u8", "UTINYINT", int64(255), int64(0)},
		{"u16", "USMALLINT", int64(65535), int64(0)},
		{"u32", "UINTEGER", int64(4294967295), int64(0)},
		{"u64", "UBIGINT", bigInt("18446744073709551615"), int64(5)},
		{"t", "VARCHAR", "a,\"b\"\n<c> \u2028é", ""},
		{"x", "VARCHAR", "=cmd|' /C calc'!A0", "\tx"},
		{"y", "VARCHAR", "-2+3", "@SUM(1)"},
		{"j", "JSON", penstock.Raw("{\"n\":9007199254740993,\n\"a\":[]}"), penstock.Raw("-5")},
		{"at", "TIMESTAMP WITH TIME ZONE", at, at.Add(time.Microsecond)},
		{"then", "TIMESTAMP", "infinity", "-infinity"},
		{"date", "DATE", "0001-02-03", "9999-12-31"},
		{"day", "DATE", time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)},
		{"list", "BIGINT[]", []any{int64(1), nil, int64(9007199254740993)}, []any{}},
		{"t", "DECIMAL(4,2)[][]", []any{[]any{penstock.Number("1.5")}, nil}, []any{[]any{}}},
		{"+s", "STRUCT(a INTEGER)", penstock.Raw(`{"a":1}`), penstock.Raw(`null`)},
	}
	rows := make([][]any, 3)
	var columns []penstock.ResultColumn
	for _, c := range table {
		columns = append(columns, penstock.ResultColumn{Name: c.name, Type: c.kind})
		rows[0], rows[1], rows[2] = append(rows[0], c.first), append(rows[1], c.second), append(rows[2], nil)
	}
	return columns, rows
}

var elapsed = regexp.MustCompile(`"elapsed_ms":[0-9]+\.[0-9]{3},"as_of":"[A-Za-z0-9_-]+"`)

func TestFormats(t *testing.T) {
	w := start(t, Options{})
	columns, rows := everything()
	w.store.answers(columns, rows...)
	var out strings.Builder
	for _, accept := range []string{"*/*", "text/csv", "application/x-ndjson"} {
		a := w.sql("select", accept)
		a.expect(t, 200, "")
		body := elapsed.ReplaceAllString(strings.ReplaceAll(a.body, "\r\n", "␍\n"), `"elapsed_ms":…,"as_of":…`)
		fmt.Fprintf(&out, "Accept: %s\n----\nContent-Type: %s\n%s\n", accept, a.header.Get("Content-Type"), body)
		if accept == "*/*" && !json.Valid([]byte(a.body)) {
			t.Error("this is not JSON")
		}
	}
	golden(t, "formats.txt", out.String())
}

func TestArrow(t *testing.T) {
	w := start(t, Options{})
	columns, rows := everything()
	w.store.answers(columns, rows...)
	a := w.sql("select", formatArrow)
	a.expect(t, 200, "")
	r, err := ipc.NewReader(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	var out strings.Builder
	for _, f := range r.Schema().Fields() {
		fmt.Fprintf(&out, "%s: %s\n", f.Name, f.Type)
	}
	for r.Next() {
		text, err := r.RecordBatch().MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range bytes.SplitAfter(text, []byte("},")) {
			fmt.Fprintf(&out, "%s\n", bytes.TrimSpace(row))
		}
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	golden(t, "arrow.txt", out.String())
}

func TestArrowManyBatchesAndNone(t *testing.T) {
	w := start(t, Options{})
	for _, n := range []int{0, 1, arrowRows, arrowRows + 1, 3 * arrowRows} {
		var rows [][]any
		for i := range n {
			rows = append(rows, []any{int64(i)})
		}
		w.store.answers(column("BIGINT"), rows...)
		a := w.sql("select", formatArrow)
		a.expect(t, 200, "")
		r, err := ipc.NewReader(strings.NewReader(a.body))
		if err != nil {
			t.Fatal(n, err)
		}
		got := int64(0)
		for r.Next() {
			got += r.RecordBatch().NumRows()
		}
		if r.Err() != nil || got != int64(n) || a.trailer.Get(trailerRows) != fmt.Sprint(n) {
			t.Errorf("%d rows, want %d: %v, trailer %v", got, n, r.Err(), a.trailer)
		}
		r.Release()
	}
}

// TestArrowNeverRounds holds that what Arrow cannot hold is refused.
func TestArrowNeverRounds(t *testing.T) {
	w := start(t, Options{})
	for _, c := range []struct {
		kind   string
		value  any
		status int
		code   string
	}{
		{"HUGEINT", bigInt("100000000000000000000000000000000000000"), 400, "number_range"},
		{"HUGEINT", bigInt("-170141183460469231731687303715884105728"), 400, "number_range"},
		{"UHUGEINT", bigInt("340282366920938463463374607431768211455"), 400, "number_range"},
		{"DECIMAL(4,1)", penstock.Number("1.25"), 500, "internal"},
		{"BIGINT", "text", 500, "internal"},
		{"TINYINT", int64(128), 500, "internal"},
		{"UBIGINT", int64(-1), 500, "internal"},
		{"UBIGINT", bigInt("18446744073709551616"), 500, "internal"},
		{"DECIMAL(4,1)", "text", 500, "internal"},
		{"DATE", int64(1), 500, "internal"},
		{"DATE", "5881580-07-11", 400, "time_range"},
		{"TIMESTAMP", "yesterday", 400, "time_range"},
		{"BOOLEAN[]", true, 500, "internal"},
	} {
		w.store.answers(column(c.kind), []any{c.value})
		w.sql("select", formatArrow).expect(t, c.status, c.code)
	}
}

func TestCSVQuoting(t *testing.T) {
	w := start(t, Options{})
	for _, c := range []struct {
		value any
		want  string
	}{
		{nil, `""`}, {"", `""`}, {"a b", "a b"}, {" a", `" a"`}, {`"`, `""""`}, {"a\r\nb", "\"a\r\nb\""}, {"-5", "'-5"}, {"+1", "'+1"},
		{"=1", "'=1"}, {"@a", "'@a"}, {"\ta", "'\ta"}, {"\ra", "\"'\ra\""}, {"a=b", "a=b"}, {int64(-5), "-5"}, {-0.5, "-0.5"},
		{penstock.Number("-5.10"), "-5.10"}, {penstock.Raw(`"=1"`), `"""=1"""`}, {penstock.Raw("-5"), "-5"}, {math.Inf(-1), "-Infinity"},
		{bigInt("-99999999999999999999"), "-99999999999999999999"},
	} {
		w.store.answers(column("VARCHAR"), []any{c.value})
		a := w.sql("select", "text/csv")
		if a.body != "c\r\n"+c.want+"\r\n" {
			t.Errorf("%#v became %q, want %q", c.value, a.body, c.want)
		}
	}
}

func TestFloatsReadBack(t *testing.T) {
	for _, f := range []float64{0, math.Copysign(0, -1), 1, 0.1, 1e20, 1e21, 123456789.125, 1e-6, 9.999e-7, math.MaxFloat64, math.SmallestNonzeroFloat64} {
		b, err := appendJSON(nil, f, "DOUBLE")
		var back float64
		if err != nil || json.Unmarshal(b, &back) != nil || math.Float64bits(back) != math.Float64bits(f) {
			t.Errorf("%g became %s", f, b)
		}
	}
}

func TestTruncation(t *testing.T) {
	w := start(t, Options{Limits: Limits{Rows: 3}})
	for n, truncated := range map[int]bool{2: false, 3: false, 4: true} {
		rows := [][]any{}
		for range n {
			rows = append(rows, []any{"x"})
		}
		w.store.answers(column("VARCHAR"), rows...)
		want := fmt.Sprintf(`"row_count":%d,"truncated":%v,`, min(n, 3), truncated)
		if a := w.sql("select", ""); !strings.Contains(a.body, want) {
			t.Errorf("%d rows: %s", n, a.body)
		}
		for _, format := range []string{formatCSV, formatNDJSON, formatArrow} {
			a := w.sql("select", format)
			if a.trailer.Get(trailerTruncated) != fmt.Sprint(truncated) || a.trailer.Get(trailerRows) != fmt.Sprint(min(n, 3)) {
				t.Errorf("%d rows as %s: %v", n, format, a.trailer)
			}
		}
	}
}

func TestTruncationByBytes(t *testing.T) {
	w := start(t, Options{Limits: Limits{Bytes: 100 << 10}})
	w.store.query = func(context.Context, penstock.Query) (penstock.Rows, error) {
		return &fakeRows{columns: column("VARCHAR"), next: func() ([]any, error) { return []any{strings.Repeat("x", 1000)}, nil }}, nil
	}
	a := w.sql("select", "")
	if a.broken != nil || !strings.Contains(a.body, `"truncated":true`) || len(a.body) > 102<<10 {
		t.Errorf("%d bytes, %v", len(a.body), a.broken)
	}
}
