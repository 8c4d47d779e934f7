package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"penstock/internal/load"
	"penstock/internal/load/probe"
)

// benchFlags are the flags of all measurements.
type benchFlags struct {
	shape       load.Shape
	batch       int
	connections int
	rate        float64
	events      int64
	duration    time.Duration
	stream      string
	fsyncDelay  time.Duration
	dir         string
	serverLog   bool
	limits      string // of the own server; "": wide ones
	ownConfig   string // the whole file of the own server; "": as the flags say
	wholeLog    bool   // what is measured is not retention: the log may grow past its default size

	baseline bool // accept
	rounds   int

	queries float64 // e2e
	rss     bool
	preload int64
	columns bool
	views   int   // of the own server, on the stream
	backlog int64 // recovery, catchup

	lookup viewFlags // views

	url, token, format string // shared by all commands
	quiet              bool
}

// newBenchCommand returns the command that measures this machine.
func newBenchCommand(p *program) *cobra.Command {
	c := &cobra.Command{
		Use:   "bench accept|e2e|store|fsync",
		Short: "Measure this machine",
		Long: `Measures what this machine does with Penstock. Without --url it starts its own server, the same program, in a
temporary directory; with --url it writes into the stream named by --stream of that server.`,
	}
	c.AddCommand(
		newBaselineCommand(),
	)
	for _, m := range measurements {
		c.AddCommand(m.command(p))
	}
	return c
}

// measurement is one subcommand of bench.
type measurement struct {
	name, short string
	flags       func(*cobra.Command, *benchFlags)
	run         func(*cobra.Command, *benchFlags) error
}

var measurements = [...]measurement{
	{"accept", "Events answered a second: durable in the log, nothing consumes them", acceptFlags, runAccept},
	{"e2e", "Events a second from HTTP in until SQL sees them", endToEndFlags, runEndToEnd},
	{"store", "Rows a second straight into a store: no HTTP, no log", storeFlags, runStore},
	{"fsync", "What the disk does: small synced writes, large sequential ones", fsyncFlags, runFsync},
	{"recovery", "Time from SIGKILL to ready and to all applied", backlogFlags, runRecovery},
	{"catchup", "Rows applied a second from a backlog while events keep coming in", backlogFlags, runCatchup},
	{"views", "Time until views of many groups and leaderboards of many members answer", viewsFlags, runViews},
	{"overload", "What becomes of a slow server's peak when ten times that is offered", overloadFlags, runOverload},
}

func (m measurement) command(p *program) *cobra.Command {
	f := &benchFlags{}
	c := &cobra.Command{
		Use: m.name, Short: m.short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f.inherit(c, p)
			return m.run(c, f)
		},
	}
	m.flags(c, f)
	return c
}

// inherit takes over the flags that all commands share. Only a --url on the command line counts, not the environment: a
// measurement must not fill a production server because of a forgotten variable.
func (f *benchFlags) inherit(c *cobra.Command, p *program) {
	if c.Flags().Changed("url") {
		f.url = p.url
	}
	f.token, f.format, f.quiet = p.token, p.format, p.quiet
}

func loadFlags(c *cobra.Command, f *benchFlags) {
	fs := c.Flags()
	fs.Int64Var(&f.events, "events", 0, "stop after so many events")
	fs.DurationVar(&f.duration, "duration", 0, "stop after so long (default 10s, if --events is not given)")
	fs.Float64Var(&f.rate, "rate", 0, "events a second, open loop; 0 is as fast as answers come")
	fs.IntVar(&f.batch, "batch", 1000, "events a request")
	fs.IntVar(&f.shape.Size, "size", 250, "bytes an event")
	fs.IntVar(&f.connections, "connections", 64, "connections, one request in flight on each")
	fs.IntVar(&f.shape.Keys, "keys", 10_000, "distinct keys")
	fs.StringVar(&f.shape.Skew, "skew", "uniform", "choice of keys: uniform, zipf:S, hot:SHARE")
	fs.StringVar(&f.stream, "stream", "bench", "stream to write to")
	serverFlags(c, f)
}

func serverFlags(c *cobra.Command, f *benchFlags) {
	fs := c.Flags()
	fs.DurationVar(&f.fsyncDelay, "fsync-delay", 0, "added to each fsync of the own server (a cloud disk: 2.6ms)")
	fs.StringVar(&f.dir, "dir", "", "where the own server's temporary directory is made (default the system's)")
	fs.BoolVar(&f.serverLog, "server-log", false, "show what the own server writes to its standard error")
}

func acceptFlags(c *cobra.Command, f *benchFlags) {
	loadFlags(c, f)
	f.wholeLog = true
	c.Flags().BoolVar(&f.baseline, "baseline", false, "also measure a bare handler that only reads bodies, in turns")
	c.Flags().IntVar(&f.rounds, "rounds", 3, "turns of --baseline, each of the whole --duration or --events")
}

func endToEndFlags(c *cobra.Command, f *benchFlags) {
	loadFlags(c, f)
	c.Flags().Float64Var(&f.queries, "queries", 0, "queries a second asked meanwhile, by eight clients together")
	c.Flags().BoolVar(&f.rss, "rss", false, "sample the own server's resident memory every second")
	c.Flags().Int64Var(&f.preload, "preload", 0, "events stored before the measurement begins")
	c.Flags().BoolVar(&f.columns, "columns", false, "declare columns for the own server's stream (always with --queries)")
	c.Flags().IntVar(&f.views, "views", 0, "views that the own server keeps of the stream, 0 to 3: by key and minute, by country, by kind")
}

func backlogFlags(c *cobra.Command, f *benchFlags) {
	loadFlags(c, f)
	f.wholeLog = true
	c.Flags().Int64Var(&f.backlog, "backlog", 4_000_000, "events in the log that no store has seen when the clock starts")
}

// options returns what the flags ask of the generator.
func (f *benchFlags) options(url string) load.Options {
	return load.Options{
		URL: url, Token: f.token, Stream: f.stream, Shape: f.shape, Batch: f.batch, Connections: f.connections,
		Rate: f.rate, Events: f.events, Duration: f.duration, First: firstSequence(time.Now()),
	}
}

// firstSequence returns where a client's sequence begins, so that a server that is measured twice on a day meets no id again: none sends
// 100,000 events a second.
func firstSequence(now time.Time) int64 { return now.Unix() % (24 * 60 * 60) * 100_000 }

func (f *benchFlags) probe(url string) *probe.Probe { return &probe.Probe{URL: url, Token: f.token} }

// progress returns a Progress that writes a line a second, unless quiet.
func (f *benchFlags) progress(c *cobra.Command, what string) func(int64) {
	if f.quiet {
		return nil
	}
	last, at := int64(0), time.Now()
	return func(accepted int64) {
		rate := float64(accepted-last) / time.Since(at).Seconds()
		last, at = accepted, time.Now()
		fmt.Fprintf(c.ErrOrStderr(), "%s %d events, %.0f/s\n", what, accepted, rate)
	}
}

// say writes a line of progress, unless quiet.
func (f *benchFlags) say(c *cobra.Command, format string, args ...any) {
	if !f.quiet {
		fmt.Fprintf(c.ErrOrStderr(), format+"\n", args...)
	}
}

// workDir makes the directory that a measurement works in, and returns how to remove it.
func (f *benchFlags) workDir() (string, func(), error) {
	dir, err := os.MkdirTemp(f.dir, "penstock-bench-")
	if err != nil {
		return "", nil, fmt.Errorf("make temporary directory: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}
