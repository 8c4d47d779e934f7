package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock"
)

// count returns how many statements run.
func (q *queries) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.all)
}

// openSales returns a database with what the corpus of queries reads, over two shards.
func openSales(t *testing.T, o Options) *Database {
	t.Helper()
	o.Cluster, o.Shards = testCluster(4), deal(4, 2)
	o.Streams = []penstock.Stream{
		{Name: "clicks", Columns: []penstock.Column{{Name: "n", Type: penstock.Bigint, Path: "n"}}},
		{Name: "sales", Columns: []penstock.Column{{Name: "price", Type: penstock.Decimal, Precision: 12, Scale: 2, Path: "price"}}},
		{Name: "order"},
		{Name: "user", Columns: []penstock.Column{{Name: "user", Type: penstock.Text, Path: "user"}}},
	}
	o.Tables = map[string]SystemTable{"lag": {
		Columns: []penstock.ResultColumn{{Name: "store", Type: "VARCHAR"}, {Name: "events", Type: "BIGINT"}},
		Rows:    func(context.Context) ([][]any, error) { return [][]any{{"shard-0", int64(7)}}, nil },
	}}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	apply(t, d, f.batch("clicks", event{id: "1", key: "a", body: `{"x":"y","n":5,"l":[1,2],"a":{"b":1}}`}, event{id: "2", body: `{"n":7}`}))
	apply(t, d, f.batch("sales", event{id: "3", key: "a", body: `{"price":1.50}`}))
	return d
}

// What the sandbox allows also runs within the statement that limits it.
func TestQueriesOfTheSandboxRun(t *testing.T) {
	d := openSales(t, Options{})
	for _, text := range corpusLines(t, "testdata/sandbox_queries.txt") {
		var params []any
		switch {
		case strings.Contains(text, "$key"):
			if _, err := tryQuery(t, d, text, "a"); !penstock.Is(err, penstock.Invalid) {
				t.Errorf("%s\n\t%v", text, err)
			}
			continue
		case strings.Contains(text, "$2"):
			params = []any{"a", json.Number("1")}
		case strings.Contains(text, "?"):
			params = []any{"a"}
		}
		if _, err := tryQuery(t, d, text, params...); err != nil {
			t.Errorf("%s\n\t%v", text, err)
		}
	}
}

// Whatever may follow a statement, it is the statement that runs.
func TestEndsOfStatements(t *testing.T) {
	d := openSales(t, Options{})
	for _, text := range []string{
		"select 42", "select 42;", "select 42 ; ", "select 42;;;", "select 42; -- done; really", "select 42 -- ; no end",
		"select 42 /* ; */ ;", "select 42;/* a /* nested ; */ comment */", "/* ; */ select 42", "-- ;\nselect 42\n;\n",
		"select 42 where ';' = ';';", `select ";" from (select 42 as ";");`, "select case when $$;$$ = ';' then 42 end;",
		"select case when $x$;$y$;$x$ = ';$y$;' then 42 end; -- $x$", `select case when E'\';' = ''';' then 42 end;`,
		"select case when 'a''--;' = 'a''--;' then 42 end;", "with a as (select 42 as x) from a;", "from (values (42)) t(x);",
		"values (42);", "(select 42);", "table x;", "select 42 limit 1;", "select 42 order by 1 limit 1 offset 0;",
	} {
		if text == "table x;" {
			text = "with x as (select 42) table x;"
		}
		if got := fmt.Sprint(only(t, d, text)); got != "42" {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestOrderAndLimit(t *testing.T) {
	d := openSales(t, Options{QueryRows: 4000})
	const shuffled = "select i from range(20000) t(i) order by hash(i)"
	rows := query(t, d, shuffled)
	if len(rows) != 4000 {
		t.Fatalf("%d rows", len(rows))
	}
	want := query(t, d, "select list(i order by hash(i)) from range(20000) t(i)")[0][0].([]any)
	for i, row := range rows {
		if row[0] != want[i] {
			t.Fatalf("row %d: %v, want %v", i, row[0], want[i])
		}
	}
	if rows := query(t, d, shuffled+" limit 3 offset 1"); len(rows) != 3 || rows[0][0] != want[1] || rows[2][0] != want[3] {
		t.Fatalf("%v, want %v", rows, want[1:4])
	}
	if rows := query(t, d, "(select 2 as x union all select 1) order by x"); fmt.Sprint(rows) != "[[1] [2]]" {
		t.Fatalf("%v", rows)
	}
}

func TestParameters(t *testing.T) {
	d := openSales(t, Options{})
	for _, c := range []struct {
		sql    string
		params []any
		want   string
	}{
		{"select $1", []any{"a'b;--"}, "a'b;--"},
		{"select ?::varchar || ?", []any{"a", "b"}, "ab"},
		{"select $2 || $1 || $2", []any{"a", "b"}, "bab"},
		{"select $1 + 1", []any{json.Number("9007199254740993")}, "9007199254740994"},
		{"select $1", []any{json.Number("-9223372036854775808")}, "-9223372036854775808"},
		{"select $1", []any{json.Number("0.1")}, "0.1"},
		{"select $1", []any{json.Number("1e3")}, "1000"},
		{"select $1", []any{json.Number("0e99999999")}, "0"},
		{"select $1::decimal(20,2)", []any{json.Number("1.10")}, "1.10"},
		{"select $1 and $2", []any{true, false}, "false"},
		{"select $1 is null", []any{nil}, "true"},
		{"select n from clicks where key = $1", []any{"a"}, "5"},
		{"select data->>$1 from clicks where id = '1'", []any{"x"}, "y"},
		{"select count(*) from clicks where data->>'n' = $1 and _partition = penstock_partition('clicks', $2)", []any{"5", "a"}, "1"},
		{"select $1::hugeint", []any{"170141183460469231731687303715884105727"}, "170141183460469231731687303715884105727"},
		{"select x from (values (1), (2), (3)) t(x) order by x limit $1 offset $2", []any{json.Number("1"), json.Number("1")}, "2"},
	} {
		if got := fmt.Sprint(only(t, d, c.sql, c.params...)); got != c.want {
			t.Errorf("%s with %v: %s, want %s", c.sql, c.params, got, c.want)
		}
	}
	for _, c := range []struct {
		sql    string
		params []any
	}{
		{"select $1", nil},
		{"select $3", []any{"a", "b"}},
		{"select ?, ?", []any{"a"}},
		{"select $name", []any{"a"}},
		{"select $1", []any{json.Number("9223372036854775808")}},
		{"select $1", []any{json.Number("0.12345678901234567890")}},
		{"select $1", []any{json.Number("1e999")}},
		{"select $1", []any{json.Number("1e-99999999")}},
		{"select $1", []any{"\xff"}},
		{"select $1::int", []any{"x"}},
	} {
		if _, err := tryQuery(t, d, c.sql, c.params...); !penstock.Is(err, penstock.Invalid) || reasonOf(err) != "bad_query" {
			t.Errorf("%s with %v: %v", c.sql, c.params, err)
		}
	}
}

// What is wrong with a statement is said in terms of what the user wrote.
func TestWrongStatements(t *testing.T) {
	d := openSales(t, Options{})
	for text, want := range map[string]string{
		"":                                   "there is no statement",
		";":                                  "there is no statement",
		"selekt 1":                           "syntax error",
		"select (1":                          "syntax error",
		"select 1)) union (select 2":         "syntax error",
		"select 'x":                          "unterminated",
		"select /* x":                        "unterminated",
		"select nope\nfrom clicks":           "LINE 1: select nope",
		"select 1,\n 'x'::int":               "LINE 2:  'x'::int",
		"select 'x'::int from clicks":        "Conversion Error",
		"select * from nothing":              "nothing",
		"select key from clicks group by id": "must appear in the GROUP BY",
		"select substring('a')":              "substring",
		"select 1 + 'a'":                     "best candidate function",
		"select error":                       "error",
		"select 9223372036854775807::bigint + 1::bigint": "Out of Range Error",
		"select strptime('x', '%Y')":                     "Could not parse",
		"select 1::variant":                              "Not implemented Error: Unsupported Arrow type VARIANT",
		"select * from clicks order by 99":               "99",
		"select a.* from clicks b":                       "a",
	} {
		_, err := tryQuery(t, d, text)
		if !penstock.Is(err, penstock.Invalid) || reasonOf(err) != "bad_query" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v (reason %s); want %q", text, err, reasonOf(err), want)
		}
		if err == nil {
			continue
		}
		for _, leak := range []string{"shard0", "incoming", "internal", "LIMIT 100001", "_log_time", t.TempDir()} {
			if strings.Contains(err.Error(), leak) {
				t.Errorf("%s: %v tells %s", text, err, leak)
			}
		}
	}
}

// Ways around the fence that are known for stores that answer SQL of users.
func TestLeaks(t *testing.T) {
	d := openSales(t, Options{})
	before := fmt.Sprint(query(t, d, "select count(*) from clicks"), filesOf(t, d.dir))
	for _, text := range []string{
		"select 1; rollback; insert into shard0_1.main.events (id) values ('x')",
		"rollback", "begin", "commit", "insert into clicks (id) values ('x')", "delete from clicks", "update clicks set id = 'x'",
		"drop view clicks", "create table x (a int)", "create view x as select 1", "attach ':memory:' as x", "detach shard0_1",
		"copy clicks to 'x.csv'", "copy (select 1) to '/tmp/x'", "checkpoint", "force checkpoint", "checkpoint shard0_1", "vacuum",
		"pragma database_list", "call pragma_database_size()", "set memory_limit = '1TB'", "reset threads", "use shard0_1",
		"load json", "install httpfs", "explain select 1", "explain analyze select 1", "prepare x as select 1", "execute x",
		"export database 'x'", "show tables", "show databases", "show all tables", "describe shard0_1.main.events", "summarize internal.events",
		"select * from force_checkpoint('shard0_1')", "from force_checkpoint()", "select force_checkpoint('shard0_1')",
		"select * from duckdb_databases()", "select * from duckdb_tables()", "select * from duckdb_views()", "select * from duckdb_settings()",
		"select * from duckdb_columns()", "select * from pragma_database_list", "select * from sqlite_master", "select * from information_schema.tables",
		"select * from pg_catalog.pg_class", "select * from internal.events", "select * from memory.internal.events",
		"select * from memory.main.clicks", "select * from shard0_1.main.events", "select * from shard0_1.events", "select * from main.clicks",
		"select * from shard0_1.main.state", "select * from shard0_1.main.identity", "select * from shard1_1.main.streams",
		"select * from memory.internal.incoming_0_events", "select * from incoming_0_events", "select * from memory.penstock.lag",
		"select * from penstock_table_lag()", "select penstock_table_lag()", "from penstock_table_shards()",
		"select * from read_csv('/etc/passwd')", "select * from '/etc/passwd'", "select * from 'x.parquet'", "select * from read_text('*')",
		"select * from glob('*')", "select getenv('HOME')", "select current_setting('memory_limit')", "select * from duckdb_secrets()",
		"select version()", "select current_database()", "select current_schemas(true)", "select * from query('select 1')",
		"select * from query_table('clicks')", "select nextval('x')", "select sleep_ms(1000)", "select * from sniff_csv('x')",
		"select txid_current()", "select * from duckdb_memory()", "select * from duckdb_temporary_files()", "select * from sql_auto_complete('s')",
		"with x as (insert into clicks values (1) returning *) select * from x", "select * from (delete from clicks returning *)",
		"select * from clicks at (version => 1)", "from arrow_scan(1, 2, 3)", "select * from clicks, lateral (from duckdb_databases())",
		"select (select count(*) from shard0_1.main.events)", "select 1 limit (select count(*) from shard0_1.main.events)",
		"select * from clicks order by (select max(id) from shard0_1.main.events)", "pivot shard0_1.main.events on id",
		"select 1 union all select id from shard0_1.main.events", "with a as (from shard0_1.main.events) from a",
	} {
		_, err := tryQuery(t, d, text)
		if !penstock.Is(err, penstock.Forbidden) && !penstock.Is(err, penstock.Invalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if after := fmt.Sprint(query(t, d, "select count(*) from clicks"), filesOf(t, d.dir)); after != before {
		t.Errorf("%s, before %s", after, before)
	}
}

// heavy does not end soon.
const heavy = "select count(*) from range(1000000) a(i), range(1000000) b(j) where hash(i, j) = 1"

func TestTimeLimit(t *testing.T) {
	d := openSales(t, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := d.Query(ctx, penstock.Query{SQL: heavy}); !penstock.Is(err, penstock.Expired) {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), -1)
	defer cancel()
	if _, err := d.Query(ctx, penstock.Query{SQL: "select 1"}); !penstock.Is(err, penstock.Expired) {
		t.Fatal(err)
	}
	if _, err := d.Events(ctx, penstock.KeyQuery{Stream: "clicks", Key: "a", Limit: 1}); !penstock.Is(err, penstock.Expired) {
		t.Fatal(err)
	}
}

func TestCancel(t *testing.T) {
	d := openSales(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := d.Query(ctx, penstock.Query{SQL: heavy}); !penstock.Is(err, penstock.Unavailable) {
		t.Fatal(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	rows, err := d.Query(ctx, penstock.Query{SQL: "from range(10000)"})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	cancel()
	n := 0
	for ; err == nil; n++ {
		_, err = rows.Next()
	}
	if !penstock.Is(err, penstock.Unavailable) || n > 5000 {
		t.Fatalf("after %d rows: %v", n, err)
	}
}

// A statement that needs too much memory fails alone.
func TestMemoryLimit(t *testing.T) {
	d := openSales(t, Options{Memory: 64 << 20})
	_, err := tryQuery(t, d, "select list(i::varchar || repeat('x', 1000)) from range(1000000) t(i)")
	if !penstock.Is(err, penstock.Invalid) || reasonOf(err) != "query_limit" {
		t.Fatal(err)
	}
	if got := only(t, d, "select count(*) from clicks"); got != int64(2) {
		t.Fatal(got)
	}
}

// Close ends what runs.
func TestCloseEndsQueries(t *testing.T) {
	d := openSales(t, Options{})
	reading, err := d.Query(t.Context(), penstock.Query{SQL: "from range(10000)"})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := d.Query(t.Context(), penstock.Query{SQL: heavy})
		ended <- err
	}()
	for d.running.count() < 2 {
		runtime.Gosched()
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !penstock.Is(err, penstock.Unavailable) {
		t.Fatal(err)
	}
	for err == nil {
		_, err = reading.Next()
	}
	if !penstock.Is(err, penstock.Unavailable) {
		t.Fatal(err)
	}
	if err := reading.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := tryQuery(t, d, "select 1"); !penstock.Is(err, penstock.Unavailable) {
		t.Fatal(err)
	}
}

func TestSystemTables(t *testing.T) {
	d := openSales(t, Options{})
	if got := fmt.Sprint(query(t, d, "select * from penstock.lag")); got != "[[shard-0 7]]" {
		t.Fatal(got)
	}
	got := query(t, d, "select shard, partitions, files, rows, bytes > 0 from penstock.shards order by shard")
	if len(got) != 2 || fmt.Sprint(got[0][:3], got[1][:3]) != "[shard-0 2 1] [shard-1 2 1]" || got[0][3].(int64)+got[1][3].(int64) != 3 || got[0][4] != true {
		t.Fatal(got)
	}
	got = query(t, d, "with recursive t(i, e) as (select 0, 0 union all select i + 1, events from t, penstock.lag where i < 3) select i, e from t order by i")
	if fmt.Sprint(got) != "[[0 0] [1 7] [2 7] [3 7]]" {
		t.Fatal(got)
	}
	if got := fmt.Sprint(query(t, d, "select a.events, b.store from penstock.lag a, penstock.lag b where a.events > 0 and b.events < 10")); got != "[[7 shard-0]]" {
		t.Fatal(got)
	}
	if got := only(t, d, "select count(*) from penstock.shards s join penstock.lag l on l.store = s.shard"); got != int64(1) {
		t.Fatal(got)
	}
}

// A system table whose rows cannot be made is no mistake of the statement that reads it.
func TestSystemTableFails(t *testing.T) {
	fail := false
	o := Options{Cluster: testCluster(4), Shards: deal(4, 1), Tables: map[string]SystemTable{"lag": {
		Columns: []penstock.ResultColumn{{Name: "store", Type: "VARCHAR"}},
		Rows: func(context.Context) ([][]any, error) {
			if fail {
				return nil, penstock.Errorf(penstock.Unavailable, "ask", "secret place")
			}
			return [][]any{{nil}, {""}}, nil
		},
	}}}
	d := openDatabase(t, t.TempDir(), o)
	if got := fmt.Sprint(query(t, d, "from penstock.lag")); got != "[[<nil>] []]" {
		t.Fatal(got)
	}
	fail = true
	if _, err := tryQuery(t, d, "from penstock.lag"); !penstock.Is(err, penstock.Unavailable) {
		t.Fatal(err)
	}
}

// Every connection is given back, whatever became of the statement.
func TestConnectionsAreGivenBack(t *testing.T) {
	d := openSales(t, Options{})
	base := d.engine.db.Stats().InUse
	for _, text := range []string{"select 1", "selekt", "select 1/0", "select 'x'::int", "from nothing", "rollback", "select $1", "from clicks"} {
		_, _ = tryQuery(t, d, text)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, _ = d.Query(ctx, penstock.Query{SQL: heavy})
	if got := d.engine.db.Stats().InUse; got != base || d.running.count() != 0 {
		t.Fatalf("%d connections are in use, %d statements run; before %d", got, d.running.count(), base)
	}
}

// A statement sees one state of the tables, whatever is stored while it is read.
func TestQuerySeesWhatWasApplied(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 2), Streams: []penstock.Stream{{Name: "clicks"}}}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	for i := range 20 {
		apply(t, d, f.batch("clicks", event{id: fmt.Sprint(i), key: "k"}))
		rows, err := d.Query(t.Context(), penstock.Query{SQL: "select id from clicks"})
		if err != nil {
			t.Fatal(err)
		}
		apply(t, d, f.batch("clicks", event{id: fmt.Sprint("later", i), key: "k"}))
		var ids []string
		for err == nil {
			var row []any
			if row, err = rows.Next(); err == nil {
				ids = append(ids, row[0].(string))
			}
		}
		if !errors.Is(err, io.EOF) || len(ids) != 2*i+1 || !slices.Contains(ids, fmt.Sprint(i)) {
			t.Fatalf("round %d: %d rows, %v", i, len(ids), err)
		}
		rows.Close()
	}
}
