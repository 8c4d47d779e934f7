// Package recount checks predicates against DuckDB: what an event is counted for in Go, a query over its row counts too.
package recount
