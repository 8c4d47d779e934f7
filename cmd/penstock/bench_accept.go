package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/spf13/cobra"

	"penstock/internal/load"
)

// runAccept measures answers: the server has the door alone, so nothing consumes what the log holds.
func runAccept(c *cobra.Command, f *benchFlags) error {
	t, err := f.open(c, "ingest")
	if err != nil {
		return err
	}
	report, err := f.accept(c, t)
	if closed := t.close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return f.print(c, report)
}

func (f *benchFlags) accept(c *cobra.Command, t *target) (*benchReport, error) {
	if f.baseline {
		return f.acceptInTurns(c, t)
	}
	r, durability, err := f.measure(c, t.url, 0)
	if err != nil {
		return nil, err
	}
	report := f.reportOf("accept", r)
	report.Durability = durability
	return report, t.failed()
}

// measure runs the generator once and returns what the server calls its durability. Clients are numbered anew in every
// run, so that ids never repeat.
func (f *benchFlags) measure(c *cobra.Command, url string, run int) (*load.Result, string, error) {
	var durability atomic.Pointer[string]
	o := f.options(url)
	o.FirstClient = run * f.connections
	o.Trace.Progress = f.progress(c, "accepted")
	o.Trace.Answered = func(a load.Answer) {
		if durability.Load() == nil {
			word := textIn(a.Body, `"durability":"`)
			durability.Store(&word)
		}
	}
	r, err := load.Run(c.Context(), o)
	if err != nil {
		return nil, "", err
	}
	if r.Events == 0 {
		return nil, "", fmt.Errorf("nothing was accepted: %s", r.Problem)
	}
	return r, *durability.Load(), context.Cause(c.Context())
}

// textIn returns the text between lead and the next quote.
func textIn(body []byte, lead string) string {
	_, rest, found := bytes.Cut(body, []byte(lead))
	text, _, closed := bytes.Cut(rest, []byte(`"`))
	if !found || !closed {
		return ""
	}
	return string(text)
}

// baseline compares with a handler that only reads bodies.
type baseline struct {
	EventsPerSecond float64    `json:"events_per_second"` // median of the rounds
	Ratio           float64    `json:"ratio"`             // median of the rounds' ratios
	Rounds          []oneRound `json:"rounds"`
}

// oneRound is the two rates that one turn measured, next to each other in time.
type oneRound struct {
	EventsPerSecond float64 `json:"events_per_second"`
	Baseline        float64 `json:"baseline_events_per_second"`
	Ratio           float64 `json:"ratio"`
}

// acceptInTurns measures bare handler and server by turns, so that both see the same machine; the report's figures are
// those of all rounds of the server together.
func (f *benchFlags) acceptInTurns(c *cobra.Command, t *target) (*benchReport, error) {
	bare, err := startBaseline(c, f)
	if err != nil {
		return nil, err
	}
	defer bare.Kill()
	total := &load.Result{Latency: load.NewLatency()}
	b := &baseline{}
	durability := ""
	for i := range f.rounds {
		base, _, err := f.measure(c, bare.URL, i)
		if err != nil {
			return nil, fmt.Errorf("measure baseline: %w", err)
		}
		var r *load.Result
		if r, durability, err = f.measure(c, t.url, i); err != nil {
			return nil, err
		}
		addResult(total, r)
		b.Rounds = append(b.Rounds, oneRound{r.PerSecond(), base.PerSecond(), r.PerSecond() / base.PerSecond()})
		f.say(c, "round %d: %.0f events/s, baseline %.0f, ratio %.3f", i+1, r.PerSecond(), base.PerSecond(), b.Rounds[i].Ratio)
	}
	b.EventsPerSecond = median(b.Rounds, func(r oneRound) float64 { return r.Baseline })
	b.Ratio = median(b.Rounds, func(r oneRound) float64 { return r.Ratio })
	report := f.reportOf("accept", total)
	report.Durability, report.Baseline = durability, b
	return report, t.failed()
}

func addResult(total, r *load.Result) {
	total.Events += r.Events
	total.Bytes += r.Bytes
	total.Refused += r.Refused
	total.Errors += r.Errors
	total.Elapsed += r.Elapsed
	total.Latency.Add(r.Latency)
	if total.Problem == "" {
		total.Problem = r.Problem
	}
}

func median(rounds []oneRound, of func(oneRound) float64) float64 {
	if len(rounds) == 0 {
		return 0
	}
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = of(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
