package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"penstock/internal/load"
	"penstock/internal/load/child"
	"penstock/internal/load/probe"
)

// recovery is how a server came back after SIGKILL with a log that no store had read.
type recovery struct {
	GiB            float64 `json:"unread_gib"`      // of event bytes
	ReadySeconds   float64 `json:"ready_seconds"`   // from the start of the process until /readyz says 200
	AppliedSeconds float64 `json:"applied_seconds"` // until SQL sees everything
	PerGiB         float64 `json:"seconds_per_gib"` // AppliedSeconds / GiB
	Applied        float64 `json:"rows_per_second"` // over all of AppliedSeconds
}

// catchup is how a server worked off a backlog while events kept coming in.
type catchup struct {
	Backlog           int64   `json:"backlog_events"`
	Seconds           float64 `json:"seconds"` // until nothing was behind
	AppliedPerSecond  float64 `json:"applied_per_second"`
	IncomingPerSecond float64 `json:"incoming_per_second"`
	Ratio             float64 `json:"ratio"`
}

// runRecovery fills a log with nobody reading it, kills the server, starts it with all roles and takes the time.
func runRecovery(c *cobra.Command, f *benchFlags) error {
	report, err := f.withBacklog(c, func(p *child.Process, filled *load.Result, dir string) (*benchReport, error) {
		p.Kill()
		return f.recover(c, filled, dir)
	})
	if err != nil {
		return err
	}
	return f.print(c, report)
}

// withBacklog runs a measurement on a server whose log holds a backlog that no store has seen.
func (f *benchFlags) withBacklog(c *cobra.Command, measure func(*child.Process, *load.Result, string) (*benchReport, error)) (*benchReport, error) {
	if f.url != "" {
		return nil, usagef("this measurement stops and starts its server: it cannot be done with --url")
	}
	dir, remove, err := f.workDir()
	if err != nil {
		return nil, err
	}
	defer remove()
	p, err := f.serve(c, dir, "ingest")
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	o := f.options(p.URL)
	o.Events, o.Duration, o.Rate, o.Batch, o.FirstClient = f.backlog, 0, 0, 1000, preloadClient
	o.Connections = 8
	o.Trace.Progress = f.progress(c, "backlog")
	filled, err := load.Run(c.Context(), o)
	if err != nil {
		return nil, err
	}
	if filled.Events != f.backlog {
		return nil, fmt.Errorf("fill log: %d of %d accepted: %s", filled.Events, f.backlog, filled.Problem)
	}
	return measure(p, filled, dir)
}

func (f *benchFlags) recover(c *cobra.Command, filled *load.Result, dir string) (*benchReport, error) {
	began := time.Now()
	p, err := f.serve(c, dir, everyRole)
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	ready := time.Since(began)
	f.say(c, "ready after %v", ready)
	ask := f.probe(p.URL)
	if err := f.waitStored(c, ask, filled.Events); err != nil {
		return nil, err
	}
	applied := time.Since(began)
	report := f.reportOf("recovery", filled)
	gib := float64(filled.Bytes) / (1 << 30)
	report.Recovery = &recovery{
		GiB: gib, ReadySeconds: ready.Seconds(), AppliedSeconds: applied.Seconds(),
		PerGiB: applied.Seconds() / gib, Applied: float64(filled.Events) / applied.Seconds(),
	}
	return report, p.Stop(stopPatience)
}

// waitStored waits until nothing is behind, and checks that SQL counts exactly n rows.
func (f *benchFlags) waitStored(c *cobra.Command, ask *probe.Probe, n int64) error {
	if err := ask.WaitDrained(c.Context()); err != nil {
		return err
	}
	got, err := ask.Number(c.Context(), "select count(*) from "+f.stream)
	if err == nil && got != n {
		err = fmt.Errorf("%d events were accepted, SQL counts %d", n, got)
	}
	return err
}

// runCatchup builds a backlog, starts the server anew with all roles, sends at --rate (100,000 a second by default) and
// takes the time until nothing is behind.
func runCatchup(c *cobra.Command, f *benchFlags) error {
	if f.rate == 0 {
		f.rate = 100_000
	}
	report, err := f.withBacklog(c, func(p *child.Process, filled *load.Result, dir string) (*benchReport, error) {
		if err := p.Stop(stopPatience); err != nil {
			return nil, err
		}
		return f.catchUp(c, filled, dir)
	})
	if err != nil {
		return err
	}
	return f.print(c, report)
}

func (f *benchFlags) catchUp(c *cobra.Command, filled *load.Result, dir string) (*benchReport, error) {
	p, err := f.serve(c, dir, everyRole)
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	ask := f.probe(p.URL)
	behind, err := ask.Lag(c.Context())
	if err != nil {
		return nil, err
	}
	f.say(c, "%d events behind", behind.Events)
	began := time.Now()
	r, caught, err := f.loadUntilCaught(c, ask)
	if err != nil {
		return nil, err
	}
	report := f.reportOf("catchup", r)
	incoming := r.PerSecond()
	applied := float64(behind.Events)/caught.Sub(began).Seconds() + incoming
	report.Catchup = &catchup{
		Backlog: behind.Events, Seconds: caught.Sub(began).Seconds(),
		AppliedPerSecond: applied, IncomingPerSecond: incoming, Ratio: applied / f.rate,
	}
	if err := f.waitStored(c, ask, filled.Events+r.Events); err != nil {
		return nil, err
	}
	return report, p.Stop(stopPatience)
}
