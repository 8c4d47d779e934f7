package main

import (
	"fmt"
	"strings"
)

func batchRows() []row {
	return []row{
		{"row_57_too_many_items", false, rowTooManyItems},
		{"row_58_one_bad_item", false, rowOneBadItem},
		{"row_61_bad_ids", false, rowBadIDs},
		{"row_66_large_events", false, rowLargeEvents},
		{"row_74_stream_names", false, rowStreamNames},
	}
}

func rowTooManyItems(r *raid) {
	items := func(n int) string { return "[" + strings.Repeat(`{"a":1},`, n-1) + `{"a":1}]` }
	r.note("5,001", r.post(toNothing, typeJSON, items(5001)))
	r.note("5,001 lines", r.post(toNothing, typeNDJSON, strings.Repeat("{\"a\":1}\n", 5001)))
	r.note("5,001 bad ones", r.post(toNothing, typeNDJSON, strings.Repeat("x\n", 5001)))
	r.note("2 million empty ones", r.post(toNothing, typeJSON, "["+strings.Repeat("{},", 2<<20)+"{}]"))
	r.note("5,000", r.post(toClicks, typeJSON, items(5000)))
}

func rowOneBadItem(r *raid) {
	good, bad := `{"a":1}`, `{"a":1,"time":"yesterday"}`
	items := strings.Repeat(good+",", 17) + bad + strings.Repeat(","+good, 982)
	lines := strings.ReplaceAll(items, "},{", "}\n{")
	r.note("17th of 1,000 items", r.post(toClicks, typeJSON, "["+items+"]"))
	r.note("17th of 1,000 lines", r.post(toClicks, typeNDJSON, lines))
	r.note("all or none", r.post(toNothing+"?partial=false", typeNDJSON, lines))
	r.note("all of them bad", r.post(toNothing, typeJSON, "["+bad+","+bad+"]"))
}

func rowBadIDs(r *raid) {
	for _, c := range [][2]string{
		{"empty", `""`}, {"129 bytes", `"` + strings.Repeat("i", 129) + `"`}, {"a line end", `"a\nb"`}, {"emoji", `"😀"`}, {"right to left", `"a\u202eb"`}, {"DEL", `"a\u007fb"`},
		{"escaped letters", `"\u0069\u0064-escaped"`}, {"a fraction", "1.5"}, {"an exponent", "1e3"}, {"an object", "{}"}, {"a list", `["a"]`}, {"true", "true"}, {"beyond 64 bits", "9223372036854775808"},
		{"128 bytes", `"` + strings.Repeat("i", 128) + `"`}, {"an integer", "61"}, {"null", "null"},
	} {
		r.everywhere(c[0], `{"id":`+c[1]+`}`)
	}
}

func rowLargeEvents(r *raid) {
	event := func(size int) string {
		var b strings.Builder
		for i := 0; b.Len() < size-70_000; i++ {
			fmt.Fprintf(&b, `"s%d":"%s",`, i, strings.Repeat("x", 60_000))
		}
		return `{` + b.String() + `"z":"` + strings.Repeat("x", size-b.Len()-len(`{"z":""}`)) + `"}`
	}
	const limit = 256 << 10
	for _, size := range []int{limit, limit + 1} {
		if n := len(event(size)); n != size {
			r.t.Fatalf("%d bytes instead of %d", n, size)
		}
		r.everywhere(fmt.Sprintf("%d bytes", size), event(size))
	}
}

func rowStreamNames(r *raid) {
	for _, name := range []string{"..%2fetc", "../etc", "a'b", "a%22b", "a;b", "A", "1a", "a-b", "a%20b", "a%00", "%ff", "ä", "pg_class", "duckdb_x", "penstock", strings.Repeat("a", 65), strings.Repeat("a", 64)} {
		r.note(name, r.post("POST /v1/streams/"+name+"/events", typeJSON, "{}"))
	}
	r.note("a legal one that nobody has", r.post("POST /v1/streams/"+strings.Repeat("a", 63)+"/events", typeJSON, "{}"))
	r.note("a SQL word that nobody has", r.post("POST /v1/streams/select/events", typeJSON, "{}"))
	for _, path := range []string{"/v1/streams/a'b", "/v1/streams/..%2fetc/events?key=k", "/v1/streams/a'b/tail"} {
		r.note("reading "+path, r.Send(get(path, "")))
	}
}
