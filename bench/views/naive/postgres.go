package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

const (
	makeCounters = "CREATE TABLE counters (key text PRIMARY KEY, n bigint NOT NULL)"
	oneCounter   = "INSERT INTO counters VALUES ('k00000000', 0)"
	countOne     = "UPDATE counters SET n = n + 1 WHERE key = 'k00000000'"
	readCount    = "SELECT n FROM counters WHERE key = 'k00000000'"
)

// postgresWay counts by pgbench, PostgreSQL's own generator, with a prepared statement; the row tells how many it did. The table has room
// for new versions of the row in its page, so that no index changes.
func postgresWay(clients int) way {
	return func(ctx context.Context, o options) (run, error) {
		at, err := address(o.postgres)
		if err != nil {
			return run{}, err
		}
		ask := func(statement string) (string, error) {
			out, err := command(ctx, program("psql"), append(at, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, "postgres")...)
			return strings.TrimSpace(out), err
		}
		for _, statement := range []string{"DROP TABLE IF EXISTS counters", makeCounters + " WITH (fillfactor = 10)", oneCounter, "CHECKPOINT"} {
			if _, err := ask(statement); err != nil {
				return run{}, err
			}
		}
		perSecond, err := pgbench(ctx, o, at, clients)
		if err != nil {
			return run{}, err
		}
		counted, err := ask(readCount)
		if err != nil {
			return run{}, err
		}
		n, err := strconv.ParseInt(counted, 10, 64)
		if err != nil || n == 0 {
			return run{}, fmt.Errorf("postgresql counted %q", counted)
		}
		version, err := ask("SHOW server_version")
		return run{Store: "postgresql", Version: version, How: howUpdate, Clients: clients, Events: n, Seconds: float64(n) / perSecond}, err
	}
}

var perSecondLine = regexp.MustCompile(`(?m)^tps = ([0-9.]+) \(without initial connection time\)`)

// pgbench updates until time is over, and returns how often a second, without the time to connect.
func pgbench(ctx context.Context, o options, at []string, clients int) (float64, error) {
	dir, remove, err := o.scratch()
	if err != nil {
		return 0, err
	}
	defer remove()
	script := filepath.Join(dir, "count.sql")
	if err := os.WriteFile(script, []byte(countOne+";\n"), 0o600); err != nil {
		return 0, fmt.Errorf("write script: %w", err)
	}
	out, err := command(ctx, program("pgbench"), append(at[:len(at):len(at)], "-n", "-M", "prepared", "-f", script, "-c", strconv.Itoa(clients),
		"-j", strconv.Itoa(min(clients, 2)), "-T", strconv.Itoa(max(1, int(o.patience.Seconds()))), "postgres")...)
	if err != nil {
		return 0, err
	}
	match := perSecondLine.FindStringSubmatch(out)
	if match == nil {
		return 0, fmt.Errorf("pgbench does not say how fast it was: %.500s", out)
	}
	return strconv.ParseFloat(match[1], 64)
}

// command runs a program and returns what it printed.
func command(ctx context.Context, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	var said strings.Builder
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %.500s", filepath.Base(name), err, said.String())
	}
	return string(out), nil
}
