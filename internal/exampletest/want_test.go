package exampletest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestWants holds that what is wanted passes, and that what differs a little more than it may does not.
func TestWants(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for _, c := range []struct {
		name         string
		want         Want
		right, wrong string // separated by spaces
	}{
		{"whole", Whole(12), `12`, `13 12.0 "12" null`},
		{"null", Null(), `null`, `0 "" "null"`},
		{"text", Text("a<b"), `"a<b" "a\u003cb"`, `"a" null 1`},
		{"empty text", Text(""), `""`, `null "0"`},
		{"time", Time(time.Date(2026, 3, 2, 1, 0, 0, 1000, time.UTC)), `"2026-03-02T01:00:00.000001Z"`, `"2026-03-02T01:00:00Z" null`},
		{"decimal", Fixed(-1250, 2), `-12.50`, `-12.5 12.50 -12.51`},
		{"small decimal", Fixed(-5, 2), `-0.05`, `-0.5 0.05`},
		{"same", Same(0.1), `0.1 0.10`, `0.10000000000000002 null`},
		{"rounded", Rounded(3), `3.0000000000001`, `3.00000001 "NaN"`},
		{"few different", Unique(3072), `3072`, `3071 3073`},
		{"many different", Unique(10000), `10000 10320 9680`, `10330 9670`},
		{"quantile", Quantile(hundred, 0.99), `99 98.02 99.98`, `98 100 null`},
		{"least", Quantile(hundred, 0), `1`, `2`},
		{"zero", Quantile([]float64{0, 0, 5}, 0.5), `0`, `0.01`},
	} {
		for _, got := range strings.Fields(c.right) {
			if err := c.want([]byte(got)); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		for _, got := range strings.Fields(c.wrong) {
			if c.want([]byte(got)) == nil {
				t.Errorf("%s: %s passed", c.name, got)
			}
		}
	}
}

func TestTop(t *testing.T) {
	few := strings.Split("a a a b b c c d", " ")
	want := Top(few, 3)
	for _, got := range []string{
		`[{"value":"a","count":3},{"value":"b","count":2},{"value":"c","count":2}]`,
		`[{"value":"a","count":3},{"value":"c","count":2},{"value":"b","count":2}]`,
	} {
		if err := want([]byte(got)); err != nil {
			t.Error(err)
		}
	}
	for _, got := range []string{
		`null`, `[]`,
		`[{"value":"a","count":3},{"value":"b","count":2}]`,
		`[{"value":"a","count":3},{"value":"b","count":2},{"value":"d","count":1}]`,
		`[{"value":"a","count":3},{"value":"b","count":2},{"value":"b","count":2}]`,
		`[{"value":"a","count":2},{"value":"b","count":2},{"value":"c","count":2}]`,
		`[{"value":"b","count":2},{"value":"a","count":3},{"value":"c","count":2}]`,
		`[{"value":"a","count":4},{"value":"b","count":2},{"value":"c","count":2}]`,
	} {
		if want([]byte(got)) == nil {
			t.Errorf("%s passed", got)
		}
	}
	if err := Top(few, 100)([]byte(`[{"value":"a","count":3},{"value":"b","count":2},{"value":"c","count":2},{"value":"d","count":1}]`)); err != nil {
		t.Error(err)
	}
}

// TestTopOfMany holds that counts may be off by what is stated once there are more values than counters.
func TestTopOfMany(t *testing.T) {
	values := slices.Repeat([]string{"a", "b"}, 1000)
	for i := range 2000 {
		values = append(values, fmt.Sprint(i))
	}
	want := Top(values, 2) // 1,000 counters for 2,002 values and 4,000 events: off by 4 at most
	for got, right := range map[string]bool{
		`[{"value":"a","count":1000},{"value":"b","count":996}]`:  true,
		`[{"value":"a","count":1000},{"value":"b","count":995}]`:  false,
		`[{"value":"a","count":1001},{"value":"b","count":1000}]`: false,
		`[{"value":"a","count":1000},{"value":"7","count":1}]`:    false,
	} {
		if err := want([]byte(got)); (err == nil) != right {
			t.Errorf("%s: %v", got, err)
		}
	}
}

func TestCompare(t *testing.T) {
	want := []Row{{"a": Whole(1)}, {"a": Whole(2)}}
	raw := func(rows ...string) (all []json.RawMessage) {
		for _, r := range rows {
			all = append(all, json.RawMessage(r))
		}
		return all
	}
	if err := Compare(raw(`{"a":1}`, `{"a":2}`), want); err != nil {
		t.Error(err)
	}
	for _, got := range [][]json.RawMessage{
		raw(), raw(`{"a":1}`), raw(`{"a":2}`, `{"a":1}`), raw(`{"a":1}`, `{"a":2}`, `{"a":3}`), raw(`{"a":1}`, `{"a":2,"b":1}`), raw(`{"a":1}`, `{"b":2}`), raw(`{"a":1}`, `[]`),
	} {
		if Compare(got, want) == nil {
			t.Errorf("%s passed", got)
		}
	}
	if Compare(nil, nil) == nil {
		t.Error("nothing was compared, and it passed")
	}
}

func TestTable(t *testing.T) {
	hour := Day()
	events := []Cell{{hour.Add(time.Hour), "b"}, {hour, "b"}, {hour, "a"}, {hour, "b"}}
	table := Table[Cell]{Group: "g", Cell: func(c Cell) Cell { return c }, Row: func(of []Cell) Row { return Row{"n": Whole(len(of))} }}
	got := []json.RawMessage{
		[]byte(`{"time":"2026-03-02T00:00:00Z","g":"a","n":1}`), []byte(`{"time":"2026-03-02T00:00:00Z","g":"b","n":2}`), []byte(`{"time":"2026-03-02T01:00:00Z","g":"b","n":1}`),
	}
	if err := Compare(got, table.Rows(events)); err != nil {
		t.Error(err)
	}
	table.Order = func(of []Cell) float64 { return float64(len(of)) }
	got[0], got[1] = got[1], got[0]
	if err := Compare(got, table.Rows(events)); err != nil {
		t.Error(err)
	}
	all := Table[Cell]{Row: table.Row}
	if err := Compare([]json.RawMessage{[]byte(`{"n":4}`)}, all.Rows(events)); err != nil {
		t.Error(err)
	}
}
