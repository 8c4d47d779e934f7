// Command naive counts events of one key in three ways on the same machine: through a view of Penstock, and by an UPDATE of a row for
// each event, a transaction each, on SQLite and on PostgreSQL. It prints JSON. All of them store on the same disk and answer when it has
// synced; each count is checked.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	penstock string
	postgres string
	dir      string
	events   int64
	patience time.Duration
	turns    int
}

// run is one way to count, measured once.
type run struct {
	Store     string  `json:"store"`
	Version   string  `json:"version,omitempty"`
	How       string  `json:"how"`
	Clients   int     `json:"clients"`
	Turn      int     `json:"turn"`
	Events    int64   `json:"events"` // that were counted
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"events_per_second"`
}

// ratio is how many times as fast as a naive way Penstock counted: of the medians of all turns.
type ratio struct {
	Store    string  `json:"store"`
	Clients  int     `json:"clients"`
	Batches  float64 `json:"ratio"`        // with requests of 1,000 events
	Singles  float64 `json:"ratio_single"` // with a request for each event, from 64 clients
	Rate     float64 `json:"events_per_second"`
	Penstock float64 `json:"penstock_events_per_second"`
}

// report is what is printed.
type report struct {
	Kind   string  `json:"kind"`
	Runs   []run   `json:"runs"`
	Ratios []ratio `json:"ratios"`
}

// way is a way to count.
type way func(context.Context, options) (run, error)

func main() {
	var o options
	flag.StringVar(&o.penstock, "penstock", "bin/penstock", "the program")
	flag.StringVar(&o.postgres, "postgres", "", "HOST:PORT of a server on which postgres needs no password (bench/postgres.sh); none: it is left out")
	flag.StringVar(&o.dir, "dir", "", "where temporary directories are made (default the system's)")
	flag.Int64Var(&o.events, "events", 2_000_000, "events to count")
	flag.DurationVar(&o.patience, "patience", 10*time.Second, "naive ways, and single events, stop after so long, however many events they have counted")
	flag.IntVar(&o.turns, "turns", 3, "how often to measure each way, by turns")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := measure(ctx, o)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "naive:", err)
		os.Exit(1)
	}
}

// measure runs all ways by turns, so that all see the same machine.
func measure(ctx context.Context, o options) (*report, error) {
	ways := []way{penstockWay(1000, 64), penstockWay(1, 64), penstockWay(1, 1), sqliteWay(1), sqliteWay(64)}
	if o.postgres != "" {
		ways = append(ways, postgresWay(1), postgresWay(64))
	}
	r := &report{Kind: "naive"}
	for turn := range o.turns {
		for _, count := range ways {
			one, err := count(ctx, o)
			if err != nil {
				return nil, err
			}
			one.Turn = turn + 1
			one.PerSecond = float64(one.Events) / one.Seconds
			fmt.Fprintf(os.Stderr, "%s, %s, %d clients: %.0f events/s\n", one.Store, one.How, one.Clients, one.PerSecond)
			r.Runs = append(r.Runs, one)
		}
	}
	r.Ratios = ratios(r.Runs)
	return r, nil
}

// The ways of Penstock, and that of the others.
const (
	howBatches = "requests of 1,000 events"
	howSingles = "a request for each event"
	howUpdate  = "UPDATE of a row, a transaction for each event"
)

// ratios compares Penstock with each naive way.
func ratios(runs []run) []ratio {
	batches, singles := median(runs, "penstock", howBatches, 64), median(runs, "penstock", howSingles, 64)
	var all []ratio
	for _, r := range runs {
		if r.Turn != 1 || r.How != howUpdate {
			continue
		}
		naive := median(runs, r.Store, r.How, r.Clients)
		all = append(all, ratio{r.Store, r.Clients, batches / naive, singles / naive, naive, batches})
	}
	return all
}

func median(runs []run, store, how string, clients int) float64 {
	var rates []float64
	for _, r := range runs {
		if r.Store == store && r.How == how && r.Clients == clients {
			rates = append(rates, r.PerSecond)
		}
	}
	if len(rates) == 0 {
		return 0
	}
	slices.Sort(rates)
	return (rates[len(rates)/2] + rates[(len(rates)-1)/2]) / 2
}

// penstockWay counts in a view by key and minute, of events that all have one key, until a question to the view sees them: its sum is
// compared with what was accepted.
func penstockWay(batch, connections int) way {
	return func(ctx context.Context, o options) (run, error) {
		args := []string{"bench", "e2e", "-o", "json", "-q", "--views", "1", "--keys", "1", "--batch", fmt.Sprint(batch), "--connections", fmt.Sprint(connections), "--events", fmt.Sprint(o.events)}
		how := howBatches
		if batch == 1 {
			args, how = append(args, "--duration", o.patience.String()), howSingles
		}
		if o.dir != "" {
			args = append(args, "--dir", o.dir)
		}
		out, err := command(ctx, o.penstock, args...)
		if err != nil {
			return run{}, err
		}
		var said struct {
			Events, Errors int64
			Seconds        float64
		}
		if err := json.Unmarshal([]byte(out), &said); err != nil {
			return run{}, fmt.Errorf("read %.200s: %w", out, err)
		}
		if said.Errors > 0 {
			return run{}, fmt.Errorf("penstock: %d errors", said.Errors)
		}
		return run{Store: "penstock", How: how, Clients: connections, Events: said.Events, Seconds: said.Seconds}, nil
	}
}

// scratch makes a directory, and returns how to remove it.
func (o options) scratch() (string, func(), error) {
	dir, err := os.MkdirTemp(o.dir, "penstock-naive-")
	if err != nil {
		return "", nil, fmt.Errorf("make temporary directory: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}

// address parts HOST:PORT as PostgreSQL's programs want it.
func address(hostPort string) ([]string, error) {
	host, port, ok := strings.Cut(hostPort, ":")
	if !ok {
		return nil, fmt.Errorf("%q is not HOST:PORT", hostPort)
	}
	return []string{"-h", host, "-p", port, "-U", "postgres"}, nil
}

// program returns a program of PostgreSQL's newest version: Debian keeps them out of PATH.
func program(name string) string {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return name
	}
	slices.Sort(found)
	return found[len(found)-1]
}
