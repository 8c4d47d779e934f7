package embedded

import (
	"encoding/json"
	"testing"

	"penstock"
)

func TestPatternsOfParameters(t *testing.T) {
	d := openSales(t, Options{})
	for _, c := range []struct {
		sql    string
		params []any
		refuse bool
	}{
		{"select key like $1 from clicks", []any{"%a%"}, false},
		{"select key like $1 from clicks", []any{"%a%b"}, true},
		{"select key like ? || '%' from clicks", []any{"a%b"}, false},
		{"select key like '%' || ? || '%' from clicks", []any{"a%b"}, true},
		{"select key ilike concat('%', $2, $1) from clicks", []any{"%", "a"}, false},
		{"select key ilike concat('%', $2, $1) from clicks", []any{"%b", "a"}, true},
		{"select key like $1::text from clicks", []any{json.Number("5")}, false},
		{"select key like $1 from clicks", []any{nil}, false},
	} {
		_, err := tryQuery(t, d, c.sql, c.params...)
		if c.refuse != (err != nil) || c.refuse && (!penstock.Is(err, penstock.Invalid) || reasonOf(err) != "query_too_large") {
			t.Errorf("%s with %v: %v", c.sql, c.params, err)
		}
	}
}

func TestSearches(t *testing.T) {
	for text, want := range map[string]int{"": 0, "%": 0, "%%": 0, "a%": 0, "%a": 1, "%a%": 1, "%%a%%": 1, "%a%b": 2, "a%b%%c%": 2} {
		if got := searches(text, '%'); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
