package embedded

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// What rows hold is not told; what the statement says is, up to 64 bytes at once.
func TestComplaints(t *testing.T) {
	for text, want := range map[string]string{
		"Conversion Error: Could not convert string 'it's a \"secret\"\n' to INT32\n\nLINE 2: select x::int\n                ^": "Conversion Error: Could not convert string … to INT32\n\nLINE 1: select x::int\n                ^",
		"Conversion Error: Could not convert string 'secret' to DECIMAL(12,2)":                                                  "Conversion Error: Could not convert string … to DECIMAL(12,2)",
		"Invalid Input Error: Could not parse string \"secret\" according to format specifier \"%Y\"\nsecret\n^\nError: x":      "Invalid Input Error: Could not parse string …",
		"Conversion Error: Type INT64 with value 4111111111111111 can't be cast":                                                "Conversion Error: Type INT64 with value …",
		"Out of Range Error: Overflow in addition of INT64 (4111111111111111 + 1)!":                                             "Out of Range Error: Overflow in addition of INT64 …",
		"Invalid Input Error: missing ): (secret":                                                                               "Invalid Input Error: missing ) …",
		"Out of Range Error: cannot take logarithm of zero":                                                                     "Out of Range Error: cannot take logarithm of zero",
		`{"exception_type":"Conversion","exception_message":"Could not convert string 'secret' to INT32"}`:                      "Conversion Error: Could not convert string … to INT32",
		"Binder Error: Referenced column \"nope\" not found!\nCandidate bindings: \"id\", \"key\"":                              "Binder Error: Referenced column \"nope\" not found!\nCandidate bindings: \"id\", \"key\"",
		"Binder Error: no column \"" + strings.Repeat("ä", 100) + "\" here":                                                     "Binder Error: no column \"" + strings.Repeat("ä", 32) + "…\" here",
		"Binder Error: no column \"" + strings.Repeat("x", 64) + "\" here":                                                      "Binder Error: no column \"" + strings.Repeat("x", 64) + "\" here",
	} {
		if got := complaint(text); got != want {
			t.Errorf("%s\n\tgot  %q\n\twant %q", text, got, want)
		}
	}
}

func FuzzComplaint(f *testing.F) {
	f.Add("Conversion Error: Could not convert string 'x' to INT32\n\nLINE 2: select ä::int\n                ^")
	f.Add("Parser Error: '\nLINE 1: \n^")
	f.Fuzz(func(t *testing.T, text string) {
		if got := complaint(text); utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("%q became %q", text, got)
		}
	})
}

// An error that rows cause does not show them, whatever statement meets them.
func TestErrorsDoNotShowRows(t *testing.T) {
	d := openSales(t, Options{})
	failed := 0
	for _, cast := range []string{
		"%s::int", "strptime(%s, '%%Y')", "('{' || %s)::json->'x'", "%s::timestamp", "%s::date", "regexp_matches('x', '(' || %s)", "%s::int[]", "%s::uuid", "%s::boolean", "%s::interval",
		"json_extract(%s, '$.a')", "%s::struct(a int)", "url_decode('%%' || %s)", "from_hex(%s)", "make_date(2020, length(%s), 99)", "list_value(%s)::int[]",
	} {
		text := "select " + fmt.Sprintf(cast, "reverse(key || 'terces')") + " from clicks where key is not null"
		_, err := tryQuery(t, d, text)
		if strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%s: %v", text, err)
		}
		if err != nil {
			failed++
		}
	}
	if failed < 12 {
		t.Errorf("only %d statements failed", failed)
	}
}
