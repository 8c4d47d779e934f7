//go:build duckdb_arrow

package recount

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"

	"penstock/internal/jsonscan"
	"penstock/internal/predicate"
)

const (
	rows       = 60
	conditions = 3000
	together   = 20 // conditions of a statement
)

// TestAgreement asks Go and DuckDB about the same events: each condition, and its opposite, so that false and NULL are told apart.
func TestAgreement(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	events := make([]event, rows)
	for i := range events {
		events[i] = randomEvent(r, i)
	}
	fill(t, db, events)
	w := writer{r}
	refused, counts := 0, map[string]int{}
	for range conditions / together {
		var batch []*predicate.Predicate
		for len(batch) < together {
			text := w.condition(r.IntN(4))
			p, err := predicate.Parse(text, stream())
			if err != nil {
				refused++
				continue
			}
			batch = append(batch, p)
		}
		compare(t, db, events, batch, counts)
	}
	t.Logf("verdicts: %v; refused: %d", counts, refused)
	if refused > conditions/2 {
		t.Errorf("%d texts were refused", refused)
	}
	for _, verdict := range []string{"true", "false", "NULL"} {
		if counts[verdict] < conditions*rows/10 {
			t.Errorf("only %d verdicts are %s", counts[verdict], verdict)
		}
	}
}

// fill makes the table of the events, as docs/sql.md has it.
func fill(t *testing.T, db *sql.DB, events []event) {
	t.Helper()
	var values []string
	for _, e := range events {
		values = append(values, e.row)
	}
	for _, statement := range []string{
		"SET threads = 1", "SET TimeZone = 'UTC'",
		`CREATE TABLE clicks (i INTEGER, id VARCHAR, "key" VARCHAR, "time" TIMESTAMPTZ, received_at TIMESTAMPTZ, data JSON, link VARCHAR, title VARCHAR,
			ms BIGINT, n BIGINT, score DOUBLE, price DECIMAL(12,2), bot BOOLEAN, fresh BOOLEAN, seen TIMESTAMPTZ, extra JSON)`,
		"INSERT INTO clicks VALUES " + strings.Join(values, ", "),
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%.200s: %v", statement, err)
		}
	}
}

// compare holds the verdicts of DuckDB on all events against those of Go.
func compare(t *testing.T, db *sql.DB, events []event, batch []*predicate.Predicate, counts map[string]int) {
	t.Helper()
	var list []string
	for _, p := range batch {
		list = append(list, p.SQL(predicate.DuckDB))
	}
	query := "SELECT " + strings.Join(list, ",\n") + " FROM clicks ORDER BY i"
	result, err := db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer result.Close()
	verdicts := make([]sql.NullBool, len(batch))
	into := make([]any, len(batch))
	for i := range verdicts {
		into[i] = &verdicts[i]
	}
	for i := 0; result.Next(); i++ {
		if err := result.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for j, p := range batch {
			want := name(verdicts[j].Valid, verdicts[j].Bool)
			counts[want]++
			if got := verdict(t, p, events[i]); got != want {
				t.Errorf("%s\nis %s, in DuckDB %s, of %s with key %q\n%s", p, got, want, events[i].body, events[i].key, list[j])
			}
		}
	}
	if err := result.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if t.Failed() {
		t.FailNow()
	}
}

func name(valid, v bool) string {
	if !valid {
		return "NULL"
	}
	return fmt.Sprint(v)
}

// verdict asks for a condition and its opposite.
func verdict(t *testing.T, p *predicate.Predicate, e event) string {
	t.Helper()
	opposite, err := predicate.Parse("not ("+p.String()+")", stream())
	if err != nil {
		t.Fatal(err)
	}
	holds, not := match(p, e), match(opposite, e)
	if holds && not {
		t.Fatalf("%s and its opposite are true of %s", p, e.body)
	}
	return name(holds || not, holds)
}

func match(p *predicate.Predicate, e event) bool {
	r := predicate.Row{ID: []byte(e.id), Key: []byte(e.key), Time: e.time, ReceivedAt: e.received}
	var paths []jsonscan.Path
	for _, o := range p.Operands() {
		if o.Source != predicate.BuiltIn {
			paths = append(paths, o.Path)
		}
	}
	r.Values = make([]jsonscan.Value, len(paths))
	jsonscan.NewSelector(paths...).Select([]byte(e.body), r.Values)
	return p.Match(&r)
}
