package jsonscan

import (
	"fmt"
	"strings"
	"testing"
)

// scanOne scans with fresh limits and returns "n" or "code@offset".
func scanOne(s *Scanner, data string) string {
	n, fault := s.Scan([]byte(data), nil, nil)
	if fault != nil {
		return fmt.Sprintf("%s@%d", fault.Code, fault.Offset)
	}
	return fmt.Sprint(n)
}

func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func text(n int) string { return `"` + strings.Repeat("x", n) + `"` }

func members(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"m%d":1`, i)
	}
	return "{" + b.String()[1:] + "}"
}

// scanCases begin with the number of the bad input that they belong to, where it has one in the list of abuses.
var scanCases = []struct{ name, data, want string }{
	{"object", `{"a":1,"b":[true,false,null,"x"]} `, "33"},
	{"space", " \t\r\n{ \"a\" : 1 , \"b\" : [ ] } x", "27"},
	{"scalar", `5`, "1"},
	{"empty object", `{}`, "2"},
	{"empty name", `{"":1}`, "6"},
	{"41 truncated", `{"a":1`, "bad_json@6"},
	{"41 truncated name", `{"a`, "bad_json@3"},
	{"41 truncated escape", `"\`, "bad_json@2"},
	{"41 truncated unicode escape", `"\u12`, "bad_json@5"},
	{"41 truncated literal", `tru`, "bad_json@3"},
	{"41 trailing comma", `{"a":1,}`, "bad_json@7"},
	{"41 trailing comma in array", `[1,]`, "bad_json@3"},
	{"41 comment", `{"a":1/**/}`, "bad_json@6"},
	{"41 single quotes", `{'a':1}`, "bad_json@1"},
	{"41 NaN", `{"a":NaN}`, "bad_json@5"},
	{"41 Infinity", `-Infinity`, "bad_json@1"},
	{"41 no colon", `{"a" 1}`, "bad_json@5"},
	{"41 bracket mismatch", `[1}`, "bad_json@2"},
	{"41 leading zero", `01`, "bad_json@1"},
	{"41 point without digits", `1.`, "bad_json@2"},
	{"41 exponent without digits", `1e+}`, "bad_json@3"},
	{"41 plus", `+1`, "bad_json@0"},
	{"41 escape", `"\x41"`, "bad_json@1"},
	{"41 control character", "\"a\nb\"", "bad_json@2"},
	{"43 depth 32", deep(32), "64"},
	{"43 depth 33", deep(33), "too_deep@32"},
	{"43 depth 100,000", strings.Repeat("[", 100_000), "too_deep@32"},
	{"44 duplicate", `{"id":1,"id":2}`, "duplicate_member@8"},
	{"44 escaped duplicate", `{"id":1,"\u0069d":2}`, "duplicate_member@8"},
	{"44 long duplicate", `{"12345678":1,"12345678":2}`, "duplicate_member@14"},
	{"44 deep duplicate", `{"a":[{"b":{"c":1,"d":2,"c":3}}]}`, "duplicate_member@24"},
	{"44 same name at other levels", `{"a":{"a":{"a":1}},"b":{"a":1}}`, "31"},
	{"44 duplicate of an outer name after a child", `{"a":{"b":1},"b":{"x":1},"a":1}`, "duplicate_member@25"},
	{"44 twentieth member", strings.TrimSuffix(members(20), "}") + `,"m19":1}`, "duplicate_member@151"},
	{"44 twentieth member of the first ones", strings.TrimSuffix(members(20), "}") + `,"m3":1}`, "duplicate_member@151"},
	{"45 case", `{"id":1,"ID":2}`, "15"},
	{"46 invalid", "{\"a\":\"\xff\"}", "bad_utf8@6"},
	{"46 overlong", "\"\xc0\xaf\"", "bad_utf8@1"},
	{"46 surrogate as bytes", "\"\xed\xa0\x80\"", "bad_utf8@1"},
	{"46 beyond U+10FFFF", "\"\xf4\x90\x80\x80\"", "bad_utf8@1"},
	{"46 cut", "\"abc\xe2\x82\"", "bad_utf8@4"},
	{"46 in a name", "{\"\xff\":1}", "bad_utf8@2"},
	{"46 lone high surrogate", `"\ud800"`, "bad_utf8@1"},
	{"46 lone low surrogate", `"\udc00"`, "bad_utf8@1"},
	{"46 two high surrogates", `"\ud800\ud800"`, "bad_utf8@1"},
	{"46 pair", `"\ud83d\ude00 😀 é"`, "22"},
	{"47 byte order mark", "\xef\xbb\xbf{}", "bad_json@0"},
	{"48 NUL in a value", `{"a":"\u0000"}`, "nul_not_allowed@6"},
	{"48 NUL in a name", `{"\u0000":1}`, "nul_not_allowed@2"},
	{"48 NUL as a byte", "\"\x00\"", "bad_json@1"},
	{"49 4,095 members", members(4095), "39841"},
	{"49 4,096 members", members(4096), "too_many_members@39849"},
	{"49 10,000 members", members(10_000), "too_many_members@39849"},
	{"50 name of 128", `{` + text(128) + `:1}`, "134"},
	{"50 name of 129", `{` + text(129) + `:1}`, "name_too_long@1"},
	{"50 name of 100 KiB", `{` + text(100<<10) + `:1}`, "name_too_long@1"},
	{"50 name of 128, escaped", `{"` + strings.Repeat(`\u0061`, 128) + `":1}`, "774"},
	{"51 string of 64 KiB", text(64 << 10), "65538"},
	{"51 string of 64 KiB + 1", text(64<<10 + 1), "string_too_long@0"},
	{"51 string of 64 KiB + 1, escaped", `"\n` + text(64 << 10)[1:], "string_too_long@0"},
	{"51 bad bytes before the end", "\"\xff" + text(64 << 10)[1:], "bad_utf8@1"},
	{"52 overflow", `1e400`, "number_range@0"},
	{"52 underflow", `[1e-400]`, "number_range@1"},
	{"52 zero with an exponent", `0e-400`, "6"},
	{"52 smallest", `5e-324`, "6"},
	{"52 minus zero", `-0`, "2"},
	{"52 100 KiB of digits", strings.Repeat("1", 100<<10), "number_range@0"},
	{"52 100 KiB of digits after the point", "1." + strings.Repeat("1", 100<<10), "number_range@0"},
	{"53", `9007199254740993`, "16"},
	{"53 largest", `9223372036854775807`, "19"},
	{"53 smallest", `-9223372036854775807`, "20"},
	{"53 one more", `9223372036854775808`, "number_range@0"},
	{"53 one less", `-9223372036854775808`, "number_range@0"},
	{"53 2^64", `18446744073709551616`, "number_range@0"},
	{"56", `{"__proto__":"; DROP TABLE","{{7*7}}":"${jndi:x}"}`, "50"},
	{"first fault in byte order", `{"a":1,"a":1e400,"b":"\ud800"}`, "duplicate_member@7"},
	{"content before structure", `{"a":1e400,"b":`, "number_range@5"},
	{"empty", ``, "bad_json@0"},
}

func TestScan(t *testing.T) {
	for _, c := range scanCases {
		t.Run(c.name, func(t *testing.T) {
			var s Scanner
			if got := scanOne(&s, c.data); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if got := scanOne(&s, c.data); got != c.want {
				t.Errorf("a second time: got %s, want %s", got, c.want)
			}
		})
	}
}

func TestScanReachesTheEndBehindContentFaults(t *testing.T) {
	var s Scanner
	sel := NewSelector(Path{"id"})
	out := make([]Value, 1)
	const data = `{"a":1e400,"a":"\ud800","id":"x"}`
	n, fault := s.Scan([]byte(data+",{}"), sel, out)
	if n != len(data) || fault == nil || s.Broken() != nil {
		t.Errorf("n %d, fault %v, broken %v", n, fault, s.Broken())
	}
	if string(out[0].Raw) != `"x"` || out[0].At != 29 {
		t.Errorf("id is %s at %d", out[0].Raw, out[0].At)
	}
	n, fault = s.Scan([]byte(`{"a":1e400,"b":]`), sel, out)
	if n != 0 || fault.Code != NumberRange || s.Broken() == nil || s.Broken().Offset != 15 {
		t.Errorf("n %d, fault %v, broken %v", n, fault, s.Broken())
	}
}
