// Command flights sends three million flights through Penstock and checks that what SQL and views say about them is what DuckDB
// says about the file they came from. It uses the penstock program as a user would: serve, send, lag, sql.
//
// The flights are those of the npm package vega-datasets (https://github.com/vega/vega-datasets), which were made from
// data of the Bureau of Transportation Statistics of the United States.
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"os/exec"

	_ "github.com/duckdb/duckdb-go/v2" // reads the file, as the judge

	"penstock/internal/exampletest"
)

// example is one run.
type example struct {
	cache  string // where the download stays
	db     *sql.DB
	server *exampletest.Server
}

func main() {
	e := &example{}
	flag.StringVar(&e.cache, "cache", ".cache/flights", "where the download and the converted file stay")
	exampletest.Main("flights", e.play)
}

func (e *example) play(ctx context.Context, s *exampletest.Server) error {
	e.server = s
	lines, rows, err := e.prepare(ctx)
	if err != nil {
		return err
	}
	defer e.db.Close()
	s.Step("%d flights in %s", rows, lines)
	if err := e.penstock(ctx, "send", "flights", "-f", lines); err != nil {
		return err
	}
	s.Step("sent")
	if err := e.drain(ctx); err != nil {
		return err
	}
	s.Step("applied")
	if err := e.compare(ctx); err != nil {
		return err
	}
	if err := e.compareViews(ctx); err != nil {
		return err
	}
	s.Step("%d flights sent, stored and counted: SQL, views and the file agree", rows)
	return nil
}

// command is a call of the penstock program that speaks to the server.
func (e *example) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, e.server.Program, append(args, "--url", e.server.URL)...)
	c.Stderr = os.Stderr
	return c
}

func (e *example) penstock(ctx context.Context, args ...string) error {
	c := e.command(ctx, args...)
	c.Stdout = os.Stdout
	if err := c.Run(); err != nil {
		return fmt.Errorf("penstock %s: %w", args[0], err)
	}
	return nil
}
