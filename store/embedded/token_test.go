package embedded

import (
	"database/sql"
	"math/rand/v2"
	"strings"
	"testing"
)

// isOneSelect reports whether DuckDB reads a text as one SELECT.
func isOneSelect(t *testing.T, conn *sql.Conn, text string) bool {
	t.Helper()
	var tree string
	if err := conn.QueryRowContext(t.Context(), "SELECT json_serialize_sql(?::VARCHAR)::VARCHAR", text).Scan(&tree); err != nil {
		return false
	}
	_, err := oneSelect(tree)
	return err == nil
}

// checkFirst checks that the text of one statement, without what follows it, can stand within another.
func checkFirst(t *testing.T, conn *sql.Conn, text string) bool {
	t.Helper()
	cut := first(text)
	if !strings.HasPrefix(text, cut) {
		t.Fatalf("%q: %q is no beginning of it", text, cut)
	}
	if strings.ContainsRune(text, 0) || !isOneSelect(t, conn, text) {
		return false
	}
	if !isOneSelect(t, conn, "SELECT * FROM (\n"+cut+"\n) LIMIT 7") {
		t.Errorf("%q: %q cannot stand within a statement", text, cut)
	}
	return true
}

// piecesOfSQL are what lexers of SQL disagree about.
var piecesOfSQL = []string{
	"'", "''", `"`, `""`, ";", "--", "/*", "*/", "\n", "$", "$$", "$a$", "$1", "$1$", "e'", "E'", `\'`, `\`, "x'", "b'", "U&'", "u&\"", "a", "1", "1.",
	"1e", "rate'", "é", " ", ",", "(", ")", "-", "/", "*", "select ", "1 as a", "'x'", "'a''b'", `"q"`, "from t", " where ", "a$b$", "_$", "$_$", "$é$", "\r", "0x", "1_0",
}

func TestFirst(t *testing.T) {
	conn := openSandbox(t)
	random := rand.New(rand.NewPCG(3, 4))
	tried := 0
	for _, text := range []string{"select e'a''b\\'c';;", "select 1 --'\r;;"} {
		if !checkFirst(t, conn, text) {
			t.Errorf("%q is no statement", text)
		}
	}
	for range 5_000 {
		text := "select "
		for range 1 + random.IntN(9) {
			text += piecesOfSQL[random.IntN(len(piecesOfSQL))]
		}
		if random.IntN(2) == 0 {
			text += []string{";", "; --", ";/*;*/", "\n;\n", ";;"}[random.IntN(5)]
		}
		if checkFirst(t, conn, text) {
			tried++
		}
	}
	if tried < 200 {
		t.Fatalf("only %d texts were statements", tried)
	}
}

func FuzzFirst(f *testing.F) {
	for _, text := range append(piecesOfSQL, "select 1; -- x", "select $$;$$;", "select E'\\';';", "select a$b;c$d",
		"select e'a''b\\'c';;", "select 1 --'\r;;") {
		f.Add(text)
	}
	conn := openSandbox(f)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 1<<10 {
			checkFirst(t, conn, text)
		}
	})
}
