package embedded

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"penstock"
)

// The sandbox decides which SQL of users DuckDB gets to see. A deny-list over the text has been broken for every
// database that tried it, and a read-only transaction is no fence: "select 1; rollback; insert …" leaves it,
// force_checkpoint runs inside it, getenv and duckdb_settings() read the process and not the tables. So:
//
//  1. DuckDB's own parser reads the text (json_serialize_sql), so that there is no second grammar to disagree with.
//     It refuses everything but SELECT.
//  2. There is exactly one statement.
//  3. Every node of the tree is of a kind that is named here, every function is in sandbox_functions.txt, every table
//     is one of the caller's or a common table expression that is in scope at that place. What is not known is refused,
//     so a newer DuckDB with a new kind of node fails closed.
//
// The text that was checked is the text that runs: it holds no NUL, at which the parser of the driver would stop.

// The limits of a statement.
const (
	maxStatementBytes = 64 << 10
	maxStatementDepth = 1000   // of the tree
	maxStatementNodes = 50_000 // of the tree
)

// statement is a text that passed the sandbox.
type statement struct {
	SQL    string
	Tables []string // the streams, views and penstock.* tables it reads, lower case, sorted, each once

	Parameters []string // what it calls its parameters, without $: numbers, mostly

	patterns []pattern // to be checked with the values of parameters
}

// checkStatement returns the text as a statement if it is one SELECT over the known tables ("clicks", "penstock.lag")
// with functions of the allow-list. Otherwise it fails with Forbidden, or with Invalid: reason bad_query for a text that
// does not parse or names a table that is not there, query_too_large for one beyond a limit. It only parses; conn may
// be in a transaction.
func checkStatement(ctx context.Context, conn *sql.Conn, text string, known map[string]bool) (statement, error) {
	const op = "check statement"
	if len(text) > maxStatementBytes {
		return statement{}, penstock.Refusef("query_too_large", op, "%d bytes, the limit is %d", len(text), maxStatementBytes)
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return statement{}, penstock.Refusef("bad_query", op, "the text is not UTF-8 without NUL")
	}
	var tree string
	if err := conn.QueryRowContext(ctx, "SELECT json_serialize_sql(?::VARCHAR)::VARCHAR", text).Scan(&tree); err != nil {
		if ctx.Err() != nil {
			return statement{}, penstock.Wrap(penstock.Expired, op, ctx.Err())
		}
		return statement{}, penstock.Wrap(penstock.Internal, op, err)
	}
	node, err := oneSelect(tree)
	if err != nil {
		return statement{}, err
	}
	c := checker{known: known, tables: map[string]bool{}, parameters: map[string]bool{}}
	if err := c.walk(node, place{}); err != nil {
		return statement{}, err
	}
	return statement{
		SQL: text, Tables: slices.Sorted(maps.Keys(c.tables)), Parameters: slices.Sorted(maps.Keys(c.parameters)), patterns: c.patterns,
	}, nil
}

// serialized is what json_serialize_sql returns.
type serialized struct {
	Error      bool   `json:"error"`
	ErrorType  string `json:"error_type"`
	Message    string `json:"error_message"`
	Position   string `json:"position"`
	Statements []struct {
		Node any `json:"node"`
	} `json:"statements"`
}

// oneSelect returns the root of the only statement of a serialized tree.
func oneSelect(tree string) (any, error) {
	const op = "parse statement"
	var s serialized
	d := json.NewDecoder(strings.NewReader(tree))
	d.UseNumber()
	if err := d.Decode(&s); err != nil {
		return nil, penstock.Refusef("query_too_large", op, "the statement nests too deeply")
	}
	switch {
	case s.Error && strings.Contains(s.Message, "Only SELECT"):
		return nil, forbidf("only one SELECT is answered here")
	case s.Error && s.Position != "" && s.Position != "0":
		return nil, penstock.Refusef("bad_query", op, "%s (at character %s)", cutQuotes(s.Message), s.Position)
	case s.Error:
		return nil, penstock.Refusef("bad_query", op, "%s", cutQuotes(s.Message))
	case len(s.Statements) == 0:
		return nil, penstock.Refusef("bad_query", op, "there is no statement")
	case len(s.Statements) > 1:
		return nil, forbidf("%d statements; only one SELECT is answered here", len(s.Statements))
	}
	return s.Statements[0].Node, nil
}

func forbidf(format string, args ...any) error {
	return &penstock.Error{Code: penstock.Forbidden, Op: "check statement", Reason: "forbidden", Err: fmt.Errorf(format, args...)}
}

var errTooLarge = errors.New("the statement has too many parts, or nests too deeply")

func tooLarge() error {
	return &penstock.Error{Code: penstock.Invalid, Op: "check statement", Reason: "query_too_large", Err: errTooLarge}
}
