package main

import (
	"encoding/json"
	"strings"
)

func queryRows() []row {
	return []row{
		{"row_89_quotes", false, rowQuotes},
		{"row_91_out_of_bounds", false, rowOutOfBounds},
		{"row_93_what_is_not_to_be_asked", false, rowForbiddenSQL},
		{"row_97_forged_cursors", false, rowForgedCursors},
		{"row_98_formulas_in_csv", false, rowFormulas},
		{"row_106_profiles", false, rowProfiles},
	}
}

// ask posts a statement.
func (r *raid) ask(what, statement string) {
	body, err := json.Marshal(map[string]string{"query": statement})
	if err != nil {
		r.t.Fatal(err)
	}
	r.note(what, r.post("POST /v1/sql", typeJSON, string(body)))
}

func rowQuotes(r *raid) {
	for _, value := range []string{"'", "%22", "--", ";", "'%20UNION%20SELECT%201--", "%CA%BC", "%EF%BC%87", "/*", "\\"} {
		r.note("key="+value, r.Send(get("/v1/streams/nothing/events?key="+value, "")))
		r.note("from="+value, r.Send(get("/v1/streams/nothing/events?key=k&from="+value, "")))
		r.note("cursor="+value, r.Send(get("/v1/streams/nothing/events?key=k&cursor="+value, "")))
	}
	r.note("an unknown parameter", r.Send(get("/v1/streams/nothing/events?key=k&order_by=ts;drop", "")))
}

func rowOutOfBounds(r *raid) {
	const events = "/v1/streams/nothing/events?key=k"
	r.note("limit", r.Send(get(events+"&limit=1000000000", "")))
	r.note("limit of 40 digits", r.Send(get(events+"&limit="+strings.Repeat("9", 40), "")))
	r.note("a range of 101 years", r.Send(get(events+"&from=1971-01-01T00:00:00Z&to=2072-01-01T00:00:00Z", "")))
	r.ask("a statement of 70 KiB", "select '"+strings.Repeat("x", 70<<10)+"'")
	r.ask("a series of a billion", "select count(*) from range(1000000000)")
	r.ask("a text of a billion", "select repeat('x', 1000000000)")
}

func rowForbiddenSQL(r *raid) {
	for _, statement := range []string{
		"attach '/tmp/x.db'", "pragma version", "load httpfs", "install httpfs", "copy nothing to '/tmp/x'", "set threads = 1",
		"select * from read_text('/etc/passwd')", "from '/etc/passwd'", "select getenv('PATH')", "select * from duckdb_settings()",
		"select * from duckdb_databases()", "insert into nothing values (1)", "drop view nothing", "select 1; select 2",
		"select 1; rollback; insert into nothing values (1)", "checkpoint", "force checkpoint", "select * from shard0_1.main.events",
		"select * from internal.events", "select * from information_schema.tables", "export database '/tmp/x'", "begin", "vacuum",
	} {
		r.ask(statement, statement)
	}
}

func rowForgedCursors(r *raid) {
	for _, c := range []string{"x", "AQAB", strings.Repeat("A", 200), strings.Repeat("A", 7000)} {
		r.note("events from "+c[:min(9, len(c))], r.Send(get("/v1/streams/nothing/events?key=k&cursor="+c, "")))
		r.note("a receipt "+c[:min(9, len(c))], r.Send(get("/v1/receipts/"+c, "")))
	}
}

func rowFormulas(r *raid) {
	body := `{"query":"select '=cmd()' as a, '+1' as b, '-1' as c, '@x' as d, chr(9) || 'x' as e, -1 as f"}`
	a := r.Send(request("POST /v1/sql", typeJSON+"Accept: text/csv\r\n", body))
	r.note("as CSV", a)
	if text := string(a.Body); !strings.Contains(text, "'=cmd(),'+1,'-1,'@x,'\tx,-1") {
		r.t.Errorf("the cells are %q", text)
	}
}

func rowProfiles(r *raid) {
	for _, path := range []string{"/debug/pprof", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars"} {
		r.note(path, r.Send(get(path, "")))
	}
}
