package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"penstock"
)

func bigint(name string) penstock.Column {
	return penstock.Column{Name: name, Type: penstock.Bigint, Path: name}
}

func textual(name string) penstock.Column {
	return penstock.Column{Name: name, Type: penstock.Text, Path: name}
}

func clicks(columns ...penstock.Column) penstock.Stream {
	return penstock.Stream{Name: "clicks", Columns: columns}
}

func declare(t *testing.T, d *Database, streams ...penstock.Stream) {
	t.Helper()
	if err := d.Declare(t.Context(), streams); err != nil {
		t.Fatal(err)
	}
}

// reopen closes a database and opens it again, without streams in its options.
func reopen(t *testing.T, d *Database) *Database {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	o := d.o
	o.Streams = nil
	return openDatabase(t, d.dir, o)
}

func expect(t *testing.T, d *Database, statement, want string) {
	t.Helper()
	if got := fmt.Sprint(query(t, d, statement)); got != want {
		t.Fatalf("%s: %s, want %s", statement, got, want)
	}
}

// Columns come, go and come back; rows of before have NULL where there was no such column, in sealed files too.
func TestColumnsComeAndGo(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 2), FileRows: 2, Streams: []penstock.Stream{clicks()}}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	add := func(id string) {
		t.Helper()
		apply(t, d, f.batch("clicks", event{id: id, key: "k", body: `{"a":1,"b":"x` + id + `"}`}))
	}
	const all = "select id, a, b from clicks order by id"
	add("1")
	declare(t, d, clicks(bigint("a")))
	add("2")
	add("3")
	declare(t, d, clicks(bigint("a"), textual("b")))
	add("4")
	expect(t, d, all, "[[1 <nil> <nil>] [2 1 <nil>] [3 1 <nil>] [4 1 x4]]")
	d = reopen(t, d)
	expect(t, d, all, "[[1 <nil> <nil>] [2 1 <nil>] [3 1 <nil>] [4 1 x4]]")
	declare(t, d, clicks(textual("b")))
	if _, err := tryQuery(t, d, all); !penstock.Is(err, penstock.Invalid) {
		t.Fatalf("a removed column is shown: %v", err)
	}
	add("5")
	add("6")
	d = reopen(t, d)
	expect(t, d, "select id, b from clicks order by id", "[[1 <nil>] [2 <nil>] [3 <nil>] [4 x4] [5 x5] [6 x6]]")
	declare(t, d, clicks(bigint("a"), textual("b")))
	add("7")
	expect(t, d, all, "[[1 <nil> <nil>] [2 1 <nil>] [3 1 <nil>] [4 1 x4] [5 <nil> x5] [6 <nil> x6] [7 1 x7]]")
	declare(t, d, clicks())
	add("8")
	d = reopen(t, d)
	expect(t, d, "select count(*), count(data) from clicks", "[[8 8]]")
	if got := d.Streams(); len(got) != 1 || len(got[0].Columns) != 0 || got[0].Name != "clicks" {
		t.Fatalf("%+v", got)
	}
}

// Another path for a column is another column of the same name for what comes.
func TestPathChanges(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 1), Streams: []penstock.Stream{clicks(bigint("a"))}}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	apply(t, d, f.batch("clicks", event{id: "1", body: `{"a":1,"b":2}`}))
	declare(t, d, clicks(penstock.Column{Name: "a", Type: penstock.Bigint, Path: "b"}))
	apply(t, d, f.batch("clicks", event{id: "2", body: `{"a":1,"b":2}`}))
	expect(t, d, "select id, a from clicks order by id", "[[1 1] [2 2]]")
}

func TestEveryColumnType(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 1), Streams: []penstock.Stream{clicks(
		textual("t"), bigint("i"), penstock.Column{Name: "d", Type: penstock.Double, Path: "d"},
		penstock.Column{Name: "m", Type: penstock.Decimal, Precision: 38, Scale: 10, Path: "m"},
		penstock.Column{Name: "b", Type: penstock.Boolean, Path: "b"}, penstock.Column{Name: "w", Type: penstock.Timestamp, Path: `at.when\.x`},
		penstock.Column{Name: "j", Type: penstock.JSON, Path: "j"},
	)}}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	apply(t, d, f.batch("clicks",
		event{id: "1", body: `{"t":"ü\n\u0000\"","i":-9223372036854775807,"d":0.1,"m":-1234567890123456789012345678.0123456789,"b":true,"at":{"when.x":"2026-01-02T03:04:05.000006+01:00"},"j":{"n":[9007199254740993]}}`},
		event{id: "2", body: `{"t":null,"i":null}`},
		event{id: "3", body: `{"t":5,"i":"x","d":"y","m":{},"b":"z","at":{"when.x":true},"j":null}`}))
	expect(t, d, "select t = chr(252) || chr(10) || chr(0) || '\"', i, d, m, b, epoch_us(w), j from clicks where id = '1'",
		"[[true -9223372036854775807 0.1 -1234567890123456789012345678.0123456789 true 1767319445000006 {\"n\":[9007199254740993]}]]")
	expect(t, d, "select t, i, d, m, b, w, j from clicks where id = '2'", "[[<nil> <nil> <nil> <nil> <nil> <nil> <nil>]]")
	expectLetters(t, d, penstock.LetterQuery{}, `3 open bad_type: column t: want a string, not a number`)
	expect(t, d, "select count(*) from clicks", "[[2]]")
}

// expectLetters compares dead letters, one a line.
func expectLetters(t *testing.T, d *Database, q penstock.LetterQuery, want ...string) {
	t.Helper()
	var got []string
	for _, s := range d.Shards() {
		q.Limit = 1000
		letters, err := s.(penstock.DeadLetters).Letters(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range letters {
			got = append(got, strings.TrimSuffix(fmt.Sprintf("%s %s %s: %s", l.ID, l.State, l.Reason, l.Detail), ": "))
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("letters %q\nwant %q", got, want)
	}
}

// What no door has let in becomes a letter if it is no JSON object.
func TestBodiesThatAreNoJSON(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 1), Streams: []penstock.Stream{clicks(bigint("n"), textual("a"))}}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	f.unchecked = true
	whole := `{"n":1,"a":"xé\\u0041","b":{"c":[1,2,{"d":null}]}}`
	var events []event
	for i := range len(whole) {
		events = append(events, event{id: fmt.Sprint(i), body: whole[:i+1]}, event{id: fmt.Sprint(i, "-"), body: whole[i:]})
	}
	apply(t, d, f.batch("clicks", append(events, event{id: "good", body: whole})...))
	expect(t, d, "select count(*) from clicks", "[[3]]")
	letters, err := d.Shards()[0].(penstock.DeadLetters).Letters(t.Context(), penstock.LetterQuery{Limit: 1000})
	if err != nil || len(letters) != 2*len(whole)-2 {
		t.Fatalf("%d letters, %v", len(letters), err)
	}
	for _, l := range letters {
		n, _ := strconv.Atoi(strings.TrimSuffix(l.ID, "-"))
		want := whole[:n+1]
		if strings.HasSuffix(l.ID, "-") {
			want = whole[n:]
		}
		if string(l.Body) != want {
			t.Errorf("letter %s has %q, want %q", l.ID, l.Body, want)
		}
	}
	expect(t, d, "select n, a from clicks where id = 'good'", `[[1 xé\u0041]]`)
}

func TestRefusedDeclarations(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 1), Streams: []penstock.Stream{
		{Name: "clicks", KeyField: "link", Columns: []penstock.Column{bigint("a")}}, {Name: "empty", KeyField: "link"},
	}}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	apply(t, d, f.batch("clicks", event{id: "1", body: `{"a":1}`}))
	for _, s := range []penstock.Stream{
		{Name: "clicks", KeyField: "link", Columns: []penstock.Column{textual("a")}},
		{Name: "clicks", KeyField: "link", Columns: []penstock.Column{{Name: "a", Type: penstock.Decimal, Precision: 5, Path: "a"}}},
		{Name: "clicks", KeyField: "other", Columns: []penstock.Column{bigint("a")}},
		{Name: "clicks", Columns: []penstock.Column{bigint("a")}},
	} {
		good := penstock.Stream{Name: "new"}
		if err := d.Declare(t.Context(), []penstock.Stream{good, s}); !penstock.Is(err, penstock.Conflict) {
			t.Errorf("%+v: %v", s, err)
		}
	}
	if got := len(d.Streams()); got != 2 {
		t.Errorf("%d streams: a refused declaration left something", got)
	}
	// A removed column keeps its type; a stream without rows may be keyed anew.
	declare(t, d, penstock.Stream{Name: "clicks", KeyField: "link"})
	if err := d.Declare(t.Context(), []penstock.Stream{{Name: "clicks", KeyField: "link", Columns: []penstock.Column{textual("a")}}}); !penstock.Is(err, penstock.Conflict) {
		t.Errorf("a removed column came back with another type: %v", err)
	}
	declare(t, d, penstock.Stream{Name: "empty", KeyField: "other"})
	o.Streams = []penstock.Stream{{Name: "clicks", KeyField: "other"}}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), d.dir, o); !penstock.Is(err, penstock.Conflict) {
		t.Errorf("opened with another key_field: %v", err)
	}
}

func TestTypedStreamsAreBounded(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 1)}
	d := openDatabase(t, t.TempDir(), o)
	var streams []penstock.Stream
	for i := range maxTypedStreams {
		streams = append(streams, penstock.Stream{Name: fmt.Sprintf("s%d", i), Columns: []penstock.Column{bigint("a")}})
	}
	declare(t, d, streams...)
	more := penstock.Stream{Name: "more", Columns: []penstock.Column{bigint("a")}}
	if err := d.Declare(t.Context(), []penstock.Stream{more}); !penstock.Is(err, penstock.Conflict) {
		t.Fatal(err)
	}
	more.Columns = nil
	declare(t, d, more)
	declare(t, d, penstock.Stream{Name: "s0", Columns: []penstock.Column{bigint("a"), bigint("b")}})
	if got := len(d.Streams()); got != maxTypedStreams+1 {
		t.Fatalf("%d streams", got)
	}
}

// Names that mean something to SQL, to DuckDB or to the shard's own tables are names like others.
func TestNames(t *testing.T) {
	names := []string{
		"order", "user", "select", "table", "group", "events", "event", "state", "identity", "streams", "internal", "memory", "main", "temp", "system",
		"information_schema", "sqlite_master", "sqlite_schema", "sqlite_temp_master", "pragma_database_list", "s1", "s2", "shard0_1", "incoming_0_events",
		"lag", "shards", "range", "unnest", "generate_series", "json_each", "values", "with", "lateral", "null", "true", "current_date", "rowid", "columns", "x",
	}
	columns := []string{"select", "order", "rowid", "events", "stream", "n", "table", "values", "null", "current_user", "shard0_1"}
	o := Options{Cluster: testCluster(4), Shards: deal(4, 2)}
	typed := []penstock.Column{}
	for _, c := range columns {
		typed = append(typed, bigint(c))
	}
	for i, name := range names {
		s := penstock.Stream{Name: name}
		if i%3 == 0 {
			s.Columns = typed
		}
		o.Streams = append(o.Streams, s)
		if err := penstock.CheckStreamName(name); err != nil {
			t.Fatal(err)
		}
	}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	body := `{"` + strings.Join(columns, `":7,"`) + `":7}`
	for i, name := range names {
		apply(t, d, f.batch(name, event{id: fmt.Sprint(i), key: "k", body: body}))
	}
	for range 2 {
		for i, name := range names {
			q := `select id from "` + name + `"`
			if i%3 == 0 {
				q = `select id from "` + name + `" where "` + strings.Join(columns, `" = 7 and "`) + `" = 7`
			}
			expect(t, d, q, fmt.Sprintf("[[%d]]", i))
			if got := pages(t, d, penstock.KeyQuery{Stream: name, Key: "k", Limit: 5}); fmt.Sprint(got) != fmt.Sprintf("[%d]", i) {
				t.Errorf("%s: %v", name, got)
			}
		}
		d = reopen(t, d)
	}
	counts, err := d.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if counts[name] != 1 {
			t.Errorf("%s has %d rows", name, counts[name])
		}
	}
}

// A stream that the log has and nobody declared becomes one by its first batch, at whichever shard that comes first.
func TestStreamOfTheLog(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 2)}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	apply(t, d, f.batch("forgotten", event{id: "1", key: "a"}, event{id: "2", key: "b"}, event{id: "3", key: "c"}))
	expect(t, d, "select count(*) from forgotten", "[[3]]")
	d = reopen(t, d)
	expect(t, d, "select count(*) from forgotten", "[[3]]")
	declare(t, d, penstock.Stream{Name: "forgotten", Columns: []penstock.Column{bigint("n")}})
	apply(t, d, f.batch("forgotten", event{id: "4", body: `{"n":5}`}))
	expect(t, d, "select count(*), sum(n) from forgotten", "[[4 5]]")
}

// A declaration reached one shard when the process ended.
func TestShardsThatKnowDifferentStreams(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 2), Streams: []penstock.Stream{clicks()}}
	d := openDatabase(t, t.TempDir(), o)
	known, err := d.declared.with(clicks(bigint("n")), func(int32) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	known, err = known.with(penstock.Stream{Name: "other", Columns: []penstock.Column{bigint("m")}}, func(int32) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.shards {
		if err := d.shards[i].declare(t.Context(), known.since(d.declared)); err != nil {
			t.Fatal(err)
		}
		d = reopen(t, d)
		f := newFeeder(o.Cluster)
		f.next = positionsOf(t, d)
		apply(t, d, f.batch("clicks", event{id: "1", key: "a", body: `{"n":1}`}, event{id: "2", key: "b", body: `{"n":1}`}, event{id: "3", key: "c", body: `{"n":1}`}))
		apply(t, d, f.batch("other", event{id: "1", key: "a", body: `{"m":1}`}, event{id: "2", key: "b", body: `{"m":1}`}, event{id: "3", key: "c", body: `{"m":1}`}))
		n := 3 * (i + 1)
		expect(t, d, "select count(*), sum(n) from clicks", fmt.Sprintf("[[%d %d]]", n, n))
		expect(t, d, "select count(*), sum(m) from other", fmt.Sprintf("[[%d %d]]", n, n))
	}
}

func positionsOf(t *testing.T, d *Database) penstock.Positions {
	t.Helper()
	all := penstock.Positions{}
	for _, s := range d.Shards() {
		for _, p := range s.Partitions() {
			at, err := s.Position(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			all[p] = at
		}
	}
	return all
}

// A declaration that failed half way is kept in mind: its number is not given to another stream, and it can be repeated.
func TestDeclareFailsHalfWay(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 2)}
	d := openDatabase(t, t.TempDir(), o)
	ctx, cancel := context.WithCancel(t.Context())
	d.shards[1].applying.Lock() // the declaration waits here, and its context ends
	failed := make(chan error)
	go func() { failed <- d.Declare(ctx, []penstock.Stream{clicks(bigint("n"))}) }()
	for !hasTable(t, d, "shard0_1", "s1") {
	}
	cancel()
	d.shards[1].applying.Unlock()
	if err := <-failed; err == nil {
		t.Fatal("the declaration went through")
	}
	if err := d.Declare(t.Context(), []penstock.Stream{clicks(textual("n"))}); !penstock.Is(err, penstock.Conflict) {
		t.Fatal(err)
	}
	declare(t, d, penstock.Stream{Name: "other", Columns: []penstock.Column{textual("n")}})
	declare(t, d, clicks(bigint("n")))
	f := newFeeder(o.Cluster)
	apply(t, d, f.batch("clicks", event{id: "1", body: `{"n":5}`}, event{id: "2", body: `{"n":5}`}, event{id: "3", body: `{"n":5}`}))
	apply(t, d, f.batch("other", event{id: "1", body: `{"n":"x"}`}, event{id: "2", body: `{"n":"x"}`}, event{id: "3", body: `{"n":"x"}`}))
	d = reopen(t, d)
	expect(t, d, "select sum(n) from clicks", "[[15]]")
	expect(t, d, "select distinct n from other", "[[x]]")
}

func hasTable(t *testing.T, d *Database, catalog, name string) bool {
	t.Helper()
	var n int
	row := d.engine.db.QueryRowContext(t.Context(), "SELECT count(*) FROM duckdb_tables() WHERE database_name = ? AND table_name = ?", catalog, name)
	if err := row.Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n == 1
}

// Streams change while batches are applied: whatever columns a batch met, it is there once.
func TestDeclareBesideApply(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 2), Streams: []penstock.Stream{clicks()}, FileRows: 60}
	d := openDatabase(t, t.TempDir(), o)
	const rounds = 60
	var wg sync.WaitGroup
	f := newFeeder(o.Cluster)
	var batches []penstock.Batch
	for i := range rounds {
		batches = append(batches, f.batch("clicks", event{id: fmt.Sprint(i), body: `{"a":1,"b":"x","c":2}`}, event{id: fmt.Sprint(i, "k"), key: fmt.Sprint(i), body: `{"a":1,"b":"x","c":2}`}))
	}
	for _, s := range d.Shards() {
		wg.Go(func() {
			for _, b := range batches {
				if err := s.Apply(t.Context(), b.Only(s.Partitions())); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 12 {
			columns := [][]penstock.Column{{bigint("a")}, {bigint("a"), textual("b")}, {textual("b"), bigint("c")}, {}}[i%4]
			if err := d.Declare(t.Context(), []penstock.Stream{clicks(columns...), {Name: fmt.Sprint("new", i), Columns: columns}}); err != nil {
				t.Error(err)
				return
			}
			for _, c := range columns {
				if _, err := tryQuery(t, d, "select count("+c.Name+") from clicks"); err != nil {
					t.Error(err)
				}
			}
		}
	})
	wg.Wait()
	for range 2 {
		expect(t, d, "select count(*), count(distinct id) from clicks", fmt.Sprintf("[[%d %d]]", 2*rounds, 2*rounds))
		declare(t, d, clicks(bigint("a"), textual("b"), bigint("c")))
		expect(t, d, "select count(*) from clicks where a <> 1 or b <> 'x' or c <> 2", "[[0]]")
		d = reopen(t, d)
	}
}

// A reader that is in the middle of a result sees what was, a declaration does not wait for it.
func TestDeclareBesideReader(t *testing.T) {
	o := Options{Cluster: testCluster(4), Shards: deal(4, 1), Streams: []penstock.Stream{clicks(bigint("a"))}}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	apply(t, d, f.batch("clicks", event{id: "1", body: `{"a":1,"b":2}`}))
	rows, err := d.Query(t.Context(), penstock.Query{SQL: "select * from clicks"})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	declare(t, d, clicks(bigint("a"), bigint("b")))
	apply(t, d, f.batch("clicks", event{id: "2", body: `{"a":1,"b":2}`}))
	declare(t, d, clicks(bigint("b")))
	apply(t, d, f.batch("clicks", event{id: "3", body: `{"a":1,"b":2}`}))
	if row, err := rows.Next(); err != nil || !slices.Contains(row, any("1")) || len(row) != len(rows.Columns()) {
		t.Fatal(row, err)
	}
	if err := errors.Join(rows.Close(), d.Retain(t.Context())); err != nil {
		t.Fatal(err)
	}
	d = reopen(t, d)
	expect(t, d, "select id, b from clicks order by id", "[[1 <nil>] [2 2] [3 2]]")
}
