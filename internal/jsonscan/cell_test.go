package jsonscan

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"penstock"
)

// value scans text as one value.
func value(t testing.TB, text string) Value {
	t.Helper()
	var s Scanner
	out := make([]Value, 1)
	if n, fault := s.Scan([]byte(text), NewSelector(Path{}), out); fault != nil || n != len(text) {
		t.Fatalf("%s: %v", text, fault)
	}
	return out[0]
}

func TestParseCell(t *testing.T) {
	decimal := penstock.Column{Name: "c", Type: penstock.Decimal, Precision: 5, Scale: 2}
	widest := penstock.Column{Name: "c", Type: penstock.Decimal, Precision: 38, Scale: 19}
	of := func(typ penstock.ColumnType) penstock.Column { return penstock.Column{Name: "c", Type: typ} }
	for _, c := range []struct {
		column penstock.Column
		text   string
		want   string // %+v of the fields that count, or "bad"
	}{
		{of(penstock.Text), `"a\u00e9\n"`, "aé\n"},
		{of(penstock.Text), `"plain"`, "plain"},
		{of(penstock.Text), `5`, "bad"},
		{of(penstock.Bigint), `9223372036854775807`, "9223372036854775807"},
		{of(penstock.Bigint), `-9223372036854775807`, "-9223372036854775807"},
		{of(penstock.Bigint), `-0`, "0"},
		{of(penstock.Bigint), `1.0`, "bad"},
		{of(penstock.Bigint), `1e0`, "bad"},
		{of(penstock.Bigint), `"5"`, "bad"},
		{of(penstock.Double), `-0.0`, "-0"},
		{of(penstock.Double), `9007199254740993`, "9.007199254740992e+15"},
		{of(penstock.Double), `true`, "bad"},
		{of(penstock.Boolean), `false`, "false"},
		{of(penstock.Boolean), `0`, "bad"},
		{of(penstock.Timestamp), `"2026-05-01T10:00:00+02:00"`, "1777622400000000"},
		{of(penstock.Timestamp), `1777622400`, "1777622400000000"},
		{of(penstock.Timestamp), `{}`, "bad"},
		{of(penstock.JSON), `{"a": [1]}`, `{"a": [1]}`},
		{of(penstock.JSON), `"\u0041"`, `"\u0041"`},
		{of("uuid"), `1`, "bad"},
		{decimal, `123.45`, "12345"},
		{decimal, `-123.45`, "-12345"},
		{decimal, `0.01`, "1"},
		{decimal, `-0`, "0"},
		{decimal, `1.50000`, "150"},
		{decimal, `12e1`, "12000"},
		{decimal, `12345e-2`, "12345"},
		{decimal, `0e99`, "0"},
		{decimal, `1000`, "bad"},
		{decimal, `999.99`, "99999"},
		{decimal, `0.001`, "bad"},
		{decimal, `1e-300`, "bad"},
		{decimal, `1e300`, "bad"},
		{widest, `9223372036854775807.9999999999999999999`, "92233720368547758079999999999999999999"},
		{widest, `-9223372036854775807.0000000000000000001`, "-92233720368547758070000000000000000001"},
	} {
		t.Run(string(c.column.Type)+" "+c.text, func(t *testing.T) {
			cell, err := ParseCell(c.column, value(t, c.text))
			got := show(c.column, cell)
			if err != nil {
				got = "bad"
				if !strings.HasPrefix(err.Error(), "column c: ") || !penstock.Is(err, penstock.Invalid) {
					t.Errorf("error %v", err)
				}
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	for _, v := range []Value{{}, value(t, "null")} {
		if cell, err := ParseCell(decimal, v); err != nil || !cell.Null {
			t.Errorf("%v is %+v, %v", v.Kind, cell, err)
		}
	}
}

func show(c penstock.Column, cell Cell) string {
	switch c.Type {
	case penstock.Text, penstock.JSON:
		return string(cell.Bytes)
	case penstock.Bigint, penstock.Timestamp:
		return fmt.Sprint(cell.Int)
	case penstock.Double:
		return fmt.Sprint(cell.Float)
	case penstock.Boolean:
		return fmt.Sprint(cell.Bool)
	}
	return unscaled(cell).String()
}

// unscaled returns Hi·2^64 + Lo.
func unscaled(c Cell) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(c.Hi), 64)
	return n.Add(n, new(big.Int).SetUint64(c.Lo))
}

// checkCells makes cells of all types of a value, and checks decimals against exact arithmetic.
func checkCells(t *testing.T, v Value, precision, scale int) {
	scale = min(scale, precision)
	for _, typ := range []penstock.ColumnType{penstock.Text, penstock.Bigint, penstock.Double, penstock.Boolean, penstock.Timestamp, penstock.JSON} {
		if cell, err := ParseCell(penstock.Column{Type: typ}, v); err == nil && typ == penstock.Timestamp && !cell.Null {
			if y := penstock.Micros(cell.Int).Time().Year(); y < 0 || y > 9999 {
				t.Fatalf("%s is in the year %d", v.Raw, y)
			}
		}
	}
	if v.Kind != Number || len(v.Raw) > 50 {
		return
	}
	exact, ok := new(big.Rat).SetString(string(v.Raw))
	if !ok {
		t.Fatalf("%s is no number", v.Raw)
	}
	exact.Mul(exact, new(big.Rat).SetInt(power(scale)))
	fits := exact.IsInt() && new(big.Int).Abs(exact.Num()).Cmp(power(precision)) < 0
	cell, err := ParseCell(penstock.Column{Type: penstock.Decimal, Precision: precision, Scale: scale}, v)
	if fits != (err == nil) {
		t.Fatalf("decimal(%d,%d) of %s: %v", precision, scale, v.Raw, err)
	}
	if fits && unscaled(cell).Cmp(exact.Num()) != 0 {
		t.Fatalf("decimal(%d,%d) of %s is %v, want %v", precision, scale, v.Raw, unscaled(cell), exact.Num())
	}
}

func power(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// TestParseTimeAgainstTheLibrary compares every day of 800 years, with other fields that change with it, with time.Parse.
func TestParseTimeAgainstTheLibrary(t *testing.T) {
	zones := []string{"Z", "+00:00", "-23:59", "+05:45", "-00:30"}
	day := time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := 0; day.Year() < 2400; i, day = i+1, day.AddDate(0, 0, 1) {
		text := day.Format("2006-01-02") + fmt.Sprintf("T%02d:%02d:%02d", i%24, i%60, i*7%60)
		if i%3 > 0 {
			text += fmt.Sprintf(".%d", i*7919)
		}
		text += zones[i%len(zones)]
		want, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseTime(value(t, `"`+text+`"`))
		if err != nil || got != penstock.MicrosOf(want) {
			t.Fatalf("%s is %v, %v; want %v", text, got.Time(), err, want)
		}
	}
}

func TestParseTimeNumbers(t *testing.T) {
	for _, c := range []struct {
		text string
		want penstock.Micros
	}{
		{"0", 0}, {"-0", 0}, {"-1", -1_000_000}, {"-1.5", -1_500_000}, {"0.0000009", 0}, {"1780000000.123456", 1780000000123456},
		{"1780000000.1234569", 1780000000123456}, {"99999999999", 99999999999_000000}, {"100000000000", 100000000000_000},
		{"99999999999999", 99999999999999_000}, {"100000000000000", 100000000000000}, {"99999999999999999", 99999999999999999},
		{"100000000000000000", 100000000000000}, {"9223372036854775807", 9223372036854775}, {"1.78e9", 1780000000_000000},
		{"1.78e12", 1780000000_000000}, {"17800000000000000e-7", 1780000000_000000},
	} {
		if got, err := ParseTime(value(t, c.text)); err != nil || got != c.want {
			t.Errorf("%s is %d, %v; want %d", c.text, got, err, c.want)
		}
	}
	for _, text := range []string{"1e21", "-99999999999", "1e300", "true", "null", "[0]"} {
		if got, err := ParseTime(value(t, text)); err == nil {
			t.Errorf("%s is %d", text, got)
		}
	}
}
