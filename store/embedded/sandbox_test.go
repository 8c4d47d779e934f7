package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2" // the driver

	"penstock"
)

var sandboxKnown = map[string]bool{"clicks": true, "sales": true, "order": true, "user": true, "penstock.lag": true}

// openSandbox returns a connection to a database that has what the corpus of queries reads, and a table that it may not.
func openSandbox(t testing.TB) *sql.Conn {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	for _, s := range []string{
		`SET TimeZone = 'UTC'`,
		`CREATE TABLE clicks (id TEXT, key TEXT, time TIMESTAMPTZ, data JSON, n BIGINT, _partition INT)`,
		`INSERT INTO clicks VALUES ('1', 'a', '2026-01-01T00:00:00Z', '{"x":"y","n":5,"l":[1,2],"a":{"b":1}}', 1, 0), ('2', NULL, '2026-01-01T00:01:00Z', '{"n":7}', 7, 1)`,
		`CREATE TABLE sales (id TEXT, key TEXT, time TIMESTAMPTZ, price DECIMAL(12, 2))`,
		`CREATE TABLE "order" (id TEXT)`,
		`CREATE TABLE "user" (id TEXT, "user" TEXT)`,
		`CREATE TABLE hidden (secret TEXT)`,
		`CREATE SCHEMA penstock`,
		`CREATE TABLE penstock.lag (store TEXT, events BIGINT)`,
	} {
		if _, err := conn.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	cluster := penstock.Cluster{ID: strings.Repeat("0", 32), Key: penstock.PartitionKey{7}, Partitions: 8}
	if err := registerPartition(conn, penstock.NewPartitioner(cluster)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func corpusLines(t *testing.T, path string) []string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

func reasonOf(err error) string {
	var e *penstock.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return fmt.Sprint(err)
}

func TestSandboxRefuses(t *testing.T) {
	conn := openSandbox(t)
	lines := corpusLines(t, "testdata/sandbox_attacks.txt")
	if len(lines) < 150 {
		t.Fatalf("the corpus has %d attacks", len(lines))
	}
	for _, line := range lines {
		reason, text, _ := strings.Cut(line, "|")
		_, err := checkStatement(t.Context(), conn, strings.TrimSpace(text), sandboxKnown)
		want := penstock.Invalid
		if reason = strings.TrimSpace(reason); reason == "forbidden" {
			want = penstock.Forbidden
		}
		if !penstock.Is(err, want) || reasonOf(err) != reason {
			t.Errorf("%s\n\twant %s, got %v", text, reason, err)
		}
	}
}

func TestSandboxAllows(t *testing.T) {
	conn := openSandbox(t)
	lines := corpusLines(t, "testdata/sandbox_queries.txt")
	if len(lines) < 60 {
		t.Fatalf("the corpus has %d queries", len(lines))
	}
	for _, text := range lines {
		s, err := checkStatement(t.Context(), conn, text, sandboxKnown)
		if err != nil {
			t.Errorf("%s\n\t%v", text, err)
			continue
		}
		if err := runAll(t.Context(), conn, s.SQL); err != nil {
			t.Errorf("%s\n\tran: %v", text, err)
		}
	}
}

// runAll runs a statement, with a value for each parameter that the corpus uses.
func runAll(ctx context.Context, conn *sql.Conn, text string) error {
	var args []any
	switch {
	case strings.Contains(text, "$key"):
		args = []any{sql.Named("key", "a")}
	case strings.Contains(text, "$2"):
		args = []any{"a", 1}
	case strings.Contains(text, "?"):
		args = []any{"a"}
	}
	rows, err := conn.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

func TestSandboxTables(t *testing.T) {
	conn := openSandbox(t)
	for text, want := range map[string][]string{
		"select 1":                                                      nil,
		"select * from Clicks c, CLICKS d":                              {"clicks"},
		"with clicks as (select 1) from clicks":                         nil,
		"with a as (from sales) from a, clicks":                         {"clicks", "sales"},
		"select (select max(events) from penstock.lag)":                 {"penstock.lag"},
		"with clicks as (from clicks) from clicks":                      {"clicks"},
		"select * from (with clicks as (select 1) from clicks), clicks": {"clicks"},
	} {
		s, err := checkStatement(t.Context(), conn, text, sandboxKnown)
		if err != nil || !slices.Equal(s.Tables, want) {
			t.Errorf("%s: %v, %v; want %v", text, s.Tables, err, want)
		}
	}
}

// Every function of this DuckDB that the list lacks is refused in both places, under each way to write its name; and
// the list names nothing that this DuckDB does not have.
func TestSandboxFunctionsOfDuckDB(t *testing.T) {
	conn := openSandbox(t)
	rows, err := conn.QueryContext(t.Context(), "SELECT DISTINCT function_name, function_type FROM duckdb_functions()")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	have := setOf("list", "penstock_partition", "[]")
	inFrom := map[string]bool{}
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			t.Fatal(err)
		}
		have[name] = true
		inFrom[name] = inFrom[name] || kind == "table" || kind == "table_macro"
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	rows.Close()
	for _, list := range []map[string]bool{scalarFunctions(), tableFunctions()} {
		for name := range list {
			if !have[name] {
				t.Errorf("the list has %q, DuckDB does not", name)
			}
		}
	}
	for name := range have {
		if !scalarFunctions()[name] {
			refuse(t, conn, fmt.Sprintf(`SELECT "%s"(1)`, name))
		}
		if !tableFunctions()[name] {
			refuse(t, conn, fmt.Sprintf(`SELECT * FROM "%s"('x')`, name))
		}
	}
}

func refuse(t *testing.T, conn *sql.Conn, text string) {
	t.Helper()
	if _, err := checkStatement(t.Context(), conn, text, sandboxKnown); !penstock.Is(err, penstock.Forbidden) {
		t.Errorf("%s: %v", text, err)
	}
}

// Statements that could exhaust the stack or the memory of a parser are refused, not fatal.
func TestSandboxDepth(t *testing.T) {
	conn := openSandbox(t)
	rep := strings.Repeat
	for name, text := range map[string]string{
		"parentheses": "select " + rep("(", 20_000) + "1" + rep(")", 20_000),
		"sums":        "select " + rep("1+", 20_000) + "1",
		"nots":        "select " + rep("not ", 15_000) + "true",
		"signs":       "select " + rep("- ", 20_000) + "1",
		"lists":       "select " + rep("[", 20_000) + rep("]", 20_000),
		"subqueries":  "select * from " + rep("(from ", 5_000) + "clicks" + rep(")", 5_000),
		"joins":       "from clicks " + rep("join clicks on true ", 2_000),
		"casts":       "select 1" + rep("::int", 10_000),
		"arrows":      "select data" + rep("->'x'", 10_000) + " from clicks",
		"length":      "select '" + rep("x", maxStatementBytes) + "'",
		"NUL":         "select 1\x00; drop table clicks",
		"not UTF-8":   "select '\xff'",
	} {
		if _, err := checkStatement(t.Context(), conn, text, sandboxKnown); !penstock.Is(err, penstock.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A chain of set operations is no deep tree, so it passes; it must then run.
func TestSandboxLongUnion(t *testing.T) {
	conn := openSandbox(t)
	s, err := checkStatement(t.Context(), conn, "select 1 "+strings.Repeat("union all select 1 ", 1_500), sandboxKnown)
	if err != nil {
		t.Fatal(err)
	}
	if err := runAll(t.Context(), conn, s.SQL); err != nil {
		t.Fatal(err)
	}
}

func TestPartitionFunction(t *testing.T) {
	conn := openSandbox(t)
	p := penstock.NewPartitioner(penstock.Cluster{Key: penstock.PartitionKey{7}, Partitions: 8})
	var got int
	var none sql.NullInt64
	err := conn.QueryRowContext(t.Context(), "SELECT penstock_partition('clicks', 'k'), penstock_partition('clicks', NULL)").Scan(&got, &none)
	if err != nil {
		t.Fatal(err)
	}
	if want := int(p.Of(penstock.DefaultTenant, "clicks", []byte("k"), nil)); got != want || none.Valid {
		t.Fatalf("partition %d, %v; want %d, NULL", got, none, want)
	}
}
