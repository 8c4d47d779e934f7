package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"penstock/internal/edge/edgetest"
)

func queryRows() []row {
	return []row{
		{"row_89_quotes", false, rowQuotes},
		{"row_90_unknown_names", false, rowUnknownNames},
		{"row_91_out_of_bounds", false, rowOutOfBounds},
		{"row_92_patterns_and_repetitions", false, rowPatterns},
		{"row_92_memory", false, rowMemory},
		{"row_93_what_is_not_to_be_asked", false, rowForbiddenSQL},
		{"row_94_foreign_objects", false, rowForeignObjects},
		{"row_95_many_heavy_queries", false, rowHeavyQueries},
		{"row_97_forged_cursors", false, rowForgedCursors},
		{"row_98_formulas_in_csv", false, rowFormulas},
		{"row_92_cross_join", true, rowCrossJoin},
		{"row_92_endless_recursion", true, rowEndlessRecursion},
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
	for _, value := range []string{"'", "%22", "--", ";", "'%20UNION%20SELECT%201--", "%CA%BC", "%EF%BC%87", "/*", "\\", "%00", "%ff"} {
		for _, path := range []string{"nothing/events?key=", "nothing/events?key=k&from=", "nothing/events?key=k&to=", "nothing/events?key=k&limit=", "nothing/events?key=k&cursor=",
			"nothing/events?key=k&after=", "nothing/events?key=k&timeout=", "nothing/tail?from="} {
			r.note(path+value, r.Send(get("/v1/streams/"+path+value, "")))
		}
	}
	r.await(r.post(toClicks, typeJSON, `{"id":"quoted","key":"' OR ''='"}`))
	for _, key := range []string{"' OR ''='", "'", "x' UNION SELECT 1--", "\u2019 OR 1=1", "$1", "%"} {
		ask, err := json.Marshal(map[string]any{"query": "select count(*) from clicks where key = $1", "params": []string{key}})
		if err != nil {
			r.t.Fatal(err)
		}
		a := r.post("POST /v1/sql", typeJSON, string(ask))
		var answer struct{ Rows [][]int }
		if err := json.Unmarshal([]byte(a.Body), &answer); err != nil {
			r.t.Fatal(err)
		}
		r.say("a parameter %s: %d %v", key, a.Status, answer.Rows)
	}
}

func rowUnknownNames(r *raid) {
	const events = "/v1/streams/nothing/events?key=k&"
	for _, query := range []string{"order_by=ts;drop", "order_by=ts%3Bdrop", "order=-id", "offset=1000000000", "where.key=x", "columns=secret", "limit=1&limit=2", "key=l"} {
		r.note(query, r.Send(get(events+query, "")))
	}
	for _, statement := range []string{`select * from clicks order by "ts;drop"`, "select nope from clicks", "select count(*) from clicks group by nope", "select * from nope", `select * from "clicks; drop"`, "select * from clicks order by 99", "select nope(id) from clicks"} {
		r.ask(statement, statement)
	}
	r.note("a view", r.Send(get("/v1/views/clicks?order=-drop", "")))
}

func rowOutOfBounds(r *raid) {
	const events = "/v1/streams/nothing/events?key=k"
	r.note("limit", r.Send(get(events+"&limit=1000000000", "")))
	r.note("limit of 40 digits", r.Send(get(events+"&limit="+strings.Repeat("9", 40), "")))
	r.note("a range of 101 years", r.Send(get(events+"&from=1971-01-01T00:00:00Z&to=2072-01-01T00:00:00Z", "")))
	r.ask("a statement of 70 KiB", "select '"+strings.Repeat("x", 70<<10)+"'")
	r.ask("a series of a billion", "select count(*) from range(1000000000)")
	r.ask("a text of a billion", "select repeat('x', 1000000000)")
	r.ask("10,000 conditions", "select count(*) from clicks where id = 'x'"+strings.Repeat(" or id='x'", 6000))
	r.ask("2,000 nested conditions", "select count(*) from clicks where "+strings.Repeat("not(", 2000)+"true"+strings.Repeat(")", 2000))
	r.note("a request of 300 KiB", r.post("POST /v1/sql", "Content-Type: text/plain\r\n", "select '"+strings.Repeat("x", 300<<10)+"'"))
	r.note("a timeout of a year", r.post("POST /v1/sql", typeJSON, `{"query":"select 1","timeout":"8760h"}`))
	r.note("65 receipts", r.Send(get(events+strings.Repeat("&after=x", 65), "")))
	r.note("a million groups", r.truncated("select range, count(*) from range(1000000) group by range"))
	r.note("a million rows", r.truncated("select * from range(1000000)"))
}

func rowForbiddenSQL(r *raid) {
	for _, statement := range []string{
		"attach '/tmp/x.db'", "pragma version", "load httpfs", "install httpfs", "copy nothing to '/tmp/x'", "set threads = 1",
		"select * from read_text('/etc/passwd')", "from '/etc/passwd'", "select getenv('PATH')", "select * from duckdb_settings()",
		"select * from duckdb_databases()", "insert into nothing values (1)", "drop view nothing", "select 1; select 2",
		"select 1; rollback; insert into nothing values (1)", "checkpoint", "force checkpoint", "select * from shard0_1.main.events",
		"select * from internal.events", "select * from information_schema.tables", "export database '/tmp/x'", "begin", "vacuum",
		"select load_extension('x')", "select readfile('/etc/passwd')", "select pg_read_file('/etc/passwd')", "copy nothing to program 'sh'", "select * from dblink('x', 'y')",
		"set role = admin", "select pg_sleep(10)", "select * from url('http://x')", "select * from file('x')", "select * from s3('x')", "select * from remote('x')", "select * from executable('x')",
		"select * from system.tables", "select * from sqlite_master", "select * from pg_catalog.pg_shadow", "call pragma_version()", "explain select 1", "describe nothing.x", "use shard0_1",
	} {
		r.ask(statement, statement)
	}
}

// rowForeignObjects asks for what is not there, or is another cluster's: there is one tenant, and no way to name another.
func rowForeignObjects(r *raid) {
	for _, path := range []string{"/v1/streams/foreign", "/v1/streams/foreign/events?key=k", "/v1/streams/foreign/tail", "/v1/streams/clicks/events?key=k&tenant=other", "/v1/streams?tenant=other",
		"/v1/lag?tenant=other", "/v1/views/foreign", "/v1/tenants/other/streams"} {
		r.note(path, r.Send(get(path, "X-Tenant: other\r\n")))
	}
	r.ask("a column that is not shown", "select _tenant from clicks")
	foreign := receiptIn(r.t, r.guarded.Send(request(toClicks, keyWrite+typeJSON, `{"a":1}`)))
	r.note("a receipt of another cluster", r.Send(get("/v1/receipts/"+foreign, "")))
	r.note("SQL after it", r.post("POST /v1/sql", typeJSON, `{"query":"select 1","after":"`+foreign+`"}`))
	r.note("events after it", r.Send(get("/v1/streams/clicks/events?key=k&after="+foreign, "")))
}

// rowForgedCursors forges whole ones, too: of another key, stream, period and cluster, with a letter changed.
func rowForgedCursors(r *raid) {
	for _, c := range []string{"x", "AQAB", strings.Repeat("A", 200), strings.Repeat("A", 7000)} {
		name := fmt.Sprintf("%.9s (%d)", c, len(c))
		r.note("events from "+name, r.Send(get("/v1/streams/nothing/events?key=k&cursor="+c, "")))
		r.note("a receipt "+name, r.Send(get("/v1/receipts/"+c, "")))
		r.note("a tail behind "+name, r.Send(get("/v1/streams/nothing/tail", "Last-Event-ID: "+c+"\r\n")))
	}
	own, other := r.cursor(r.Server), r.cursor(r.guarded)
	page := func(query string) string { return get("/v1/streams/clicks/events?limit=1&"+query, "") }
	r.note("one's own", r.Send(page("key=page&cursor="+own)))
	r.note("for another key", r.Send(page("key=pagf&cursor="+own)))
	r.note("for another period", r.Send(page("key=page&from=1&cursor="+own)))
	r.note("for another stream", r.Send(get("/v1/streams/typed/events?limit=1&key=page&cursor="+own, "")))
	r.note("as an id of a tail", r.Send(get("/v1/streams/clicks/tail?key=page", "Last-Event-ID: "+own+"\r\n")))
	r.note("of another cluster", r.Send(page("key=page&cursor="+other)))
	for i := range own {
		letter := byte('A')
		if own[i] == letter {
			letter = 'B'
		}
		a := r.Send(page("key=page&cursor=" + own[:i] + string(letter) + own[i+1:]))
		r.Expect(a, http.StatusBadRequest, "bad_cursor")
	}
	r.note("with its end cut", r.Send(page("key=page&cursor="+own[:len(own)-1])))
}

// cursor makes a key of two events and returns the cursor behind the first.
func (r *raid) cursor(to *edgetest.Server) string {
	r.t.Helper()
	receipt := receiptIn(r.t, to.Send(request(toClicks, keyWrite+typeJSON, `[{"key":"page"},{"key":"page"}]`)))
	a := to.Send(get("/v1/streams/clicks/events?key=page&limit=1&timeout=20s&after="+receipt, keyRead))
	var answer struct{ Cursor string }
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil || answer.Cursor == "" {
		r.t.Fatalf("no cursor: %d %s", a.Status, a.Body)
	}
	return answer.Cursor
}

func rowFormulas(r *raid) {
	body := `{"query":"select '=cmd()' as a, '+1' as b, '-1' as c, '@x' as d, chr(9) || 'x' as e, -1 as f"}`
	a := r.Send(request("POST /v1/sql", typeJSON+"Accept: text/csv\r\n", body))
	r.note("as CSV", a)
	if text := string(a.Body); !strings.Contains(text, "'=cmd(),'+1,'-1,'@x,'\tx,-1") {
		r.t.Errorf("the cells are %q", text)
	}
	r.await(r.post(toClicks, typeJSON, `{"id":"=HYPERLINK(1)","key":"@formula"}`))
	a = r.post("POST /v1/sql", typeJSON+"Accept: text/csv\r\n", `{"query":"select id as \"=a\", key from clicks where key = '@formula'"}`)
	r.note("of rows", a)
	if want := "'=a,key\r\n'=HYPERLINK(1),'@formula\r\n"; a.Body != want {
		r.t.Errorf("got %q, want %q", a.Body, want)
	}
}
