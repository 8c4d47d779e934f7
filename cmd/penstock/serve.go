package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"penstock"
)

// launch is a server that is about to start: what dev and serve have in common.
type launch struct {
	settings settings
	engine   engineOptions
	urlFile  string                               // where the URL is written for a parent process; "": nowhere
	debug    string                               // address for profiles; "": none
	watch    *fileWatch                           // applies the file when it was saved; nil: SIGHUP does
	started  func(ctx context.Context, s *server) // it listens; called in a goroutine that is waited for; nil: nothing
	check    func(c *Config) error                // objections to the configuration; nil: none
}

func newServeCommand(p *program) *cobra.Command {
	l := &launch{}
	var names string
	c := &cobra.Command{
		Use:   "serve -c FILE",
		Short: "Runs a server of exactly what a file names",
		Long: "Runs a server of exactly what the configuration file names. SIGHUP applies the file again: streams, tokens and the\n" +
			"certificate follow at once, other settings at the next start. SIGTERM and SIGINT end it in order, a second one at once.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if l.engine.roles, err = parseRoles(names); err != nil {
				return usagef("--roles: %w", err)
			}
			return p.serve(c.Context(), l)
		},
	}
	flags := c.Flags()
	flags.StringVarP(&l.settings.file, "config", "c", "penstock.yaml", "configuration file")
	flags.StringVar(&names, "roles", "ingest,consumer,query", "parts that this process runs")
	flags.BoolVar(&l.engine.acceptGap, "accept-gap", false, "go on without what neither log nor store has any more")
	flags.BoolVar(&l.engine.acceptRollback, "accept-log-rollback", false, "the log is an older copy: begin a new epoch")
	l.flags(c)
	return c
}

// flags adds those that dev has, too.
func (l *launch) flags(c *cobra.Command) {
	flags := c.Flags()
	flags.BoolVar(&l.engine.acceptClock, "accept-clock", false, "the wall clock is right, although it is far from the log's time")
	flags.StringVar(&l.debug, "debug-listen", "", "serve profiles on this loopback address, such as 127.0.0.1:6060")
	flags.StringVar(&l.urlFile, "url-file", "", "file to write the URL to")
	flags.DurationVar(&l.engine.fsyncDelay, "fsync-delay", 0, "added to each flush of the log")
	for _, name := range []string{"url-file", "fsync-delay"} {
		flags.Lookup(name).Hidden = true
	}
}

// serve runs a server until ctx ends.
func (p *program) serve(ctx context.Context, l *launch) error {
	l.settings.env = p.env
	config, err := loadConfig(l.settings)
	if err != nil {
		return err
	}
	if l.check != nil {
		if err := l.check(config); err != nil {
			return err
		}
	}
	level := slog.LevelInfo
	if p.quiet {
		level = slog.LevelError
	}
	l.engine.log = newLogger(p.stderr, isTerminal(p.stderr), level)
	syscall.Umask(0o077) // what the store's library creates is for the owner alone, too
	p.limitMemory(config, l.engine.roles)
	err = l.run(ctx, config)
	if err != nil && ctx.Err() != nil {
		return endError{err}
	}
	return err
}

// endError is why a server that was asked to end could not in order. It has the status of a failure: a supervisor has to see it.
type endError struct{ error }

// Unwrap returns the cause.
func (e endError) Unwrap() error { return e.error }

// run opens everything, serves, and closes everything.
func (l *launch) run(ctx context.Context, c *Config) error {
	log := l.engine.log
	began := time.Now()
	hangup := make(chan os.Signal, 1)
	if l.watch == nil { // before anyone can know of this process: unheard, the signal would end it
		signal.Notify(hangup, syscall.SIGHUP)
		defer signal.Stop(hangup)
	}
	for _, warning := range c.warnings() {
		log.Warn(warning)
	}
	engine, err := openEngine(ctx, c, l.engine)
	if err != nil {
		if ctx.Err() != nil {
			log.Info("stopped while starting")
			return nil
		}
		return err
	}
	server, err := openServer(engine)
	if err != nil {
		return closeAfter(err, engine)
	}
	if l.debug != "" {
		end, err := serveDebug(l.debug, func(line string) { log.Info(line) })
		if err != nil {
			server.listener.Close()
			return closeAfter(err, engine)
		}
		defer end()
	}
	if err := l.announce(server); err != nil {
		server.listener.Close()
		return closeAfter(err, engine)
	}
	log.Info("listening", "url", server.URL(), "data", c.Data, "roles", l.engine.roles.String(), "took", time.Since(began))
	return l.accompany(ctx, server, c, hangup)
}

// closeAfter closes what a server that did not come to run had opened. What that fails with was logged.
func closeAfter(err error, e *engine) error {
	_ = e.close()
	return err
}

// announce writes the URL where a parent process waits for it.
func (l *launch) announce(s *server) error {
	if l.urlFile == "" {
		return nil
	}
	return penstock.Wrap(penstock.Invalid, "write url", os.WriteFile(l.urlFile, []byte(s.URL()+"\n"), 0o600))
}

// accompany runs the server, and beside it what applies the configuration again and what was to be started.
func (l *launch) accompany(ctx context.Context, s *server, c *Config, hangup <-chan os.Signal) error {
	r := &reloader{server: s, present: c, read: func() (*Config, error) { return loadConfig(l.settings) }}
	beside, cancel := context.WithCancel(ctx)
	done := make(chan struct{}, 2)
	go func() {
		defer func() { done <- struct{}{} }()
		if l.watch != nil {
			l.watch.run(beside, watchInterval, r.apply)
		} else {
			onHangup(beside, hangup, r.apply)
		}
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		if l.started != nil {
			l.started(beside, s)
		}
	}()
	err := s.run(ctx)
	cancel()
	<-done
	<-done
	return err
}

// onHangup calls changed for each signal until ctx ends.
func onHangup(ctx context.Context, hangup <-chan os.Signal, changed func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			changed()
		}
	}
}

// limitMemory sets the heap size at which Go collects harder, unless GOMEMLIMIT does: what requests in flight, the log's
// tail and each shard's batches hold, with room for garbage. DuckDB's memory is not Go's and has a limit of its own.
func (p *program) limitMemory(c *Config, r roles) {
	if _, ok := p.env("GOMEMLIMIT"); ok {
		return
	}
	const base, rows = 256 << 20, 64 << 20
	limit := base + 2*int64(c.Limits.InFlight)
	if r.store() { // a batch in hand and one read ahead, and the first as rows
		limit += int64(len(c.Store)) * (2*int64(batchSize(len(c.Store))) + rows)
	}
	debug.SetMemoryLimit(limit)
}
