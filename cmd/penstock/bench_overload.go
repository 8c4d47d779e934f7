package main

import (
	"time"

	"github.com/spf13/cobra"

	"penstock/internal/load"
)

// overload is what a server does with ten times as much as it can take.
type overload struct {
	Peak            float64 `json:"peak_per_second"`     // closed loop, before
	Offered         float64 `json:"offered_per_second"`  // open loop, no request sent twice
	Goodput         float64 `json:"goodput_per_second"`  // of it accepted
	Ratio           float64 `json:"goodput_ratio"`       // goodput / peak
	Refused         int64   `json:"refused"`             // requests
	NoRetryAfter    int64   `json:"without_retry_after"` // of them
	Latency         *millis `json:"accepted_latency_ms"` // of accepted requests, during overload
	After           float64 `json:"after_per_second"`    // as the peak, afterwards
	AfterRatio      float64 `json:"after_ratio"`         // after / peak
	MemoryMax       int64   `json:"rss_max_bytes,omitempty"`
	PeakConnections int     `json:"peak_connections"`
}

// overloadTimes is how many times its peak the server gets.
const overloadTimes = 10

// tightLimits let a server of ours hold a few dozen requests at a time, so that one generator can offer far more.
const tightLimits = "batch: 100, body: 64KiB, event: 16KiB, in_flight: 64KiB"

func overloadFlags(c *cobra.Command, f *benchFlags) {
	loadFlags(c, f)
	f.wholeLog, f.rss, f.limits = true, true, tightLimits
	for name, value := range map[string]string{"batch": "10", "fsync-delay": "50ms", "duration": "10s"} {
		flag := c.Flags().Lookup(name)
		flag.DefValue = value
		_ = flag.Value.Set(value)
	}
}

// runOverload measures the peak of a server that is held down by slow flushes, then offers ten times that in an open loop, then measures
// the peak again.
func runOverload(c *cobra.Command, f *benchFlags) error {
	t, err := f.open(c, "ingest")
	if err != nil {
		return err
	}
	memory := watchMemory(c.Context(), f, t.own)
	report, err := f.overload(c, t)
	_, most, _ := memory()
	if closed := t.close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	report.Overload.MemoryMax = most
	return f.print(c, report)
}

func (f *benchFlags) overload(c *cobra.Command, t *target) (*benchReport, error) {
	o := overload{PeakConnections: f.connections}
	peak, durability, err := f.measure(c, t.url, 0)
	if err != nil {
		return nil, err
	}
	o.Peak = peak.PerSecond()
	flood, err := f.flood(c, t.url, o.Peak*overloadTimes)
	if err != nil {
		return nil, err
	}
	after, _, err := f.measure(c, t.url, 2*overloadTimes)
	if err != nil {
		return nil, err
	}
	o.Offered = float64(flood.Sent) / flood.Elapsed.Seconds()
	o.Goodput = flood.PerSecond()
	o.Refused, o.NoRetryAfter, o.Latency = flood.Refused, flood.NoRetryAfter, millisOf(flood.Latency)
	o.After = after.PerSecond()
	o.Ratio, o.AfterRatio = o.Goodput/o.Peak, o.After/o.Peak
	report := f.reportOf("overload", peak)
	report.Durability, report.Overload = durability, &o
	return report, t.failed()
}

// flood offers events at a rate, on ten times as many connections, and sends none again.
func (f *benchFlags) flood(c *cobra.Command, url string, rate float64) (*load.Result, error) {
	o := f.options(url)
	o.FirstClient, o.Connections, o.Rate, o.Drop = f.connections, overloadTimes*f.connections, rate, true
	if o.Duration == 0 {
		o.Duration = 10 * time.Second
	}
	o.Trace.Progress = f.progress(c, "accepted under overload")
	return load.Run(c.Context(), o)
}
