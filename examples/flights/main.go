// Command flights sends three million flights through Penstock and checks that what SQL says about them is what DuckDB
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
	"os/signal"
	"path/filepath"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // reads the file, as the judge

	"penstock/internal/load/child"
)

// example is one run.
type example struct {
	program string // of penstock
	cache   string // where the download stays
	config  string
	db      *sql.DB
	server  *child.Process
}

func main() {
	e := &example{}
	flag.StringVar(&e.program, "program", "bin/penstock", "the penstock program")
	flag.StringVar(&e.cache, "cache", ".cache/flights", "where the download and the converted file stay")
	flag.StringVar(&e.config, "config", "examples/flights/penstock.yaml", "the server's configuration")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := e.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "flights:", err)
		os.Exit(1)
	}
}

func (e *example) run(ctx context.Context) error {
	began := time.Now()
	step := func(format string, args ...any) {
		fmt.Printf("%6.1f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	dir, err := os.MkdirTemp("", "penstock-flights-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	lines, rows, err := e.prepare(ctx)
	if err != nil {
		return err
	}
	defer e.db.Close()
	step("%d flights in %s", rows, lines)
	if err := e.serve(ctx, dir); err != nil {
		return err
	}
	defer e.server.Kill()
	step("server at %s", e.server.URL)
	if err := e.penstock(ctx, "send", "flights", "-f", lines); err != nil {
		return err
	}
	step("sent")
	if err := e.drain(ctx); err != nil {
		return err
	}
	step("applied")
	if err := e.compare(ctx, step); err != nil {
		return err
	}
	if err := e.server.Stop(time.Minute); err != nil {
		return err
	}
	step("%d flights sent, stored and counted: SQL and the file agree", rows)
	return nil
}

// serve starts the server in a directory of its own.
func (e *example) serve(ctx context.Context, dir string) error {
	text, err := os.ReadFile(e.config)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "penstock.yaml"), text, 0o600); err != nil {
		return err
	}
	program, err := filepath.Abs(e.program)
	if err != nil {
		return err
	}
	e.server, err = child.Start(ctx, child.Options{
		Program: program, Dir: dir, Args: []string{"serve", "-c", "penstock.yaml"},
	})
	return err
}

// command is a call of the penstock program that speaks to the server.
func (e *example) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, e.program, append(args, "--url", e.server.URL)...)
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
