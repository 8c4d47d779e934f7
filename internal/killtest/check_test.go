package killtest

import (
	"context"
	"crypto/md5"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2" // the dialect of the checks

	"penstock/internal/load"
	"penstock/internal/load/child"
)

// TestCheckFindsWhatIsWrong damages a table in every way that the checks look for.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ damage, want string }{
		{"", ""},
		{"delete from kill where id = 'c0008-0000000007'", "1 answered events are not stored, the first is c0008-0000000007"},
		{"insert into kill select id, key, data, amount, country, 1, 1, 999 from kill where id = 'c0009-0000000003'", "1 ids are stored more than once"},
		{"update kill set _offset = 4 where id = 'c0008-0000000005'", "1 places in the log are stored more than once"},
		{"update kill set data = replace(data, 'click', 'clack'), key = key where id = 'c0008-0000000005'", "1 rows are not whole"},
		{"update kill set data = substr(data, 1, 100) where id = 'c0008-0000000005'", "Malformed JSON|1 rows are not whole"},
		{"update kill set key = 'k00000000' where id = 'c0008-0000000005'", "1 rows have an id or key"},
		{"update kill set amount = -1 where id = 'c0008-0000000005'", "1 rows have a column"},
		{"update kill set id = 'c0009-0000000020' where id = 'c0009-0000000019'", "c0009-0000000020 is stored and was never sent"},
		{"insert into kill select 'x', key, data, amount, country, 2, 1, 999 from kill limit 1", "40 in this round, SQL counts 41"},
	} {
		db := openTable(t)
		if c.damage != "" {
			if _, err := db.Exec(c.damage); err != nil {
				t.Fatalf("%s: %v", c.damage, err)
			}
		}
		clients := []load.Acked{{Client: 8, Sent: 20, Ranges: load.Ranges{{From: 0, To: 20}}}, {Client: 9, Sent: 20, Ranges: load.Ranges{{From: 0, To: 18}}}}
		tester := &tester{server: &child.Process{URL: serveSQL(t, db)}, acked: clients}
		r := Round{Number: 1}
		err := tester.check(t.Context(), &r, clients)
		found := strings.Join(r.Problems, "; ")
		if err != nil {
			found += "; " + err.Error()
		}
		if c.want == "" && found != "" {
			t.Errorf("undamaged: %s", found)
		}
		var seen bool
		for want := range strings.SplitSeq(c.want, "|") {
			seen = seen || strings.Contains(found, want)
		}
		if !seen {
			t.Errorf("%s: found %q, want %q", c.damage, found, c.want)
		}
	}
}

// TestCheckAllCountsEveryClient checks the last check on a table without damage and on one with a doubled place.
func TestCheckAllCountsEveryClient(t *testing.T) {
	db := openTable(t)
	clients := []load.Acked{{Client: 8, Sent: 20, Ranges: load.Ranges{{From: 0, To: 20}}}, {Client: 9, Sent: 20, Ranges: load.Ranges{{From: 0, To: 20}}}}
	tester := &tester{server: &child.Process{URL: serveSQL(t, db)}, acked: clients, total: 40}
	var r Round
	if err := tester.checkAll(t.Context(), &r); err != nil || len(r.Problems) != 0 || r.Stored != 40 {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := db.Exec("update kill set _offset = 1, _partition = 1"); err != nil {
		t.Fatal(err)
	}
	if err := tester.checkAll(t.Context(), &r); err != nil || len(r.Problems) == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
}

// openTable makes a table as the server shows it, with 20 events of the clients 8 and 9.
func openTable(t *testing.T) *sql.DB {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	if _, err := db.Exec("create table kill (id text, key text, data text, amount bigint, country text, _partition int, _epoch int, _offset bigint)"); err != nil {
		t.Fatal(err)
	}
	for client := 8; client <= 9; client++ {
		g, err := load.NewGenerator(load.Shape{Size: eventSize, Checksum: true}, client)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			e := g.Next()
			var fields struct {
				Amount  int64
				Country string
			}
			if err := json.Unmarshal(e.Body, &fields); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec("insert into kill values (?, ?, ?, ?, ?, ?, 1, ?)",
				string(e.ID), string(e.Key), string(e.Body), fields.Amount, fields.Country, client-8, i); err != nil {
				t.Fatal(err)
			}
		}
	}
	return db
}

// serveSQL answers /v1/sql from a database.
func serveSQL(t *testing.T, db *sql.DB) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Query string }
		err := json.NewDecoder(r.Body).Decode(&q)
		var rows [][]any
		if err == nil {
			rows, err = query(r.Context(), db, q.Query)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		// An error means that the client has gone.
		_ = json.NewEncoder(w).Encode(map[string]any{"rows": rows})
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func query(ctx context.Context, db *sql.DB, text string) ([][]any, error) {
	rows, err := db.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all [][]any
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		all = append(all, values)
	}
	return all, rows.Err()
}

// TestChecksumIsWhatTheQueryComputes ties the place of the sum in the query to the generator's.
func TestChecksumIsWhatTheQueryComputes(t *testing.T) {
	g, err := load.NewGenerator(load.Shape{Size: eventSize, Checksum: true}, 1)
	if err != nil {
		t.Fatal(err)
	}
	body := string(g.Next().Body)
	if got, want := body[eventSize-34:eventSize-2], fmt.Sprintf("%x", md5.Sum([]byte(body[:eventSize-42]))); got != want {
		t.Fatalf("sum %s, want %s: %s", got, want, body)
	}
}
