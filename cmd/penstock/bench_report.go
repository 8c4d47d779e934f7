package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"penstock/internal/load"
)

// benchReport is the outcome of a measurement: the object of -o json. Fields that a kind does not have are left out.
type benchReport struct {
	Kind            string    `json:"kind"`
	Durability      string    `json:"durability"`
	Events          int64     `json:"events"`
	Seconds         float64   `json:"seconds"`
	EventsPerSecond float64   `json:"events_per_second"`
	BytesPerSecond  float64   `json:"bytes_per_second"`
	Batch           int       `json:"batch"`
	Size            int       `json:"size"`
	Connections     int       `json:"connections"`
	Latency         *millis   `json:"latency_ms,omitempty"`
	Visible         *millis   `json:"visible_ms,omitempty"`
	Errors          int64     `json:"errors"`
	Refused         int64     `json:"refused"`
	Problem         string    `json:"problem,omitempty"`
	Rate            float64   `json:"rate,omitempty"`
	Skew            string    `json:"skew,omitempty"`
	FsyncDelay      float64   `json:"fsync_delay_ms,omitempty"`
	Stored          *int64    `json:"stored,omitempty"`
	Preloaded       int64     `json:"preloaded,omitempty"`
	Views           int       `json:"views,omitempty"`
	Processor       float64   `json:"cpu_seconds,omitempty"` // of the own server, from the first request until all is visible
	AcceptPerSecond float64   `json:"accepted_per_second,omitempty"`
	MemoryMax       int64     `json:"rss_max_bytes,omitempty"`
	MemoryLast      int64     `json:"rss_last_bytes,omitempty"`
	Memory          []int64   `json:"rss_bytes,omitempty"` // of each second
	Baseline        *baseline `json:"baseline,omitempty"`
	Queries         []asked   `json:"queries,omitempty"`
	Recovery        *recovery `json:"recovery,omitempty"`
	Catchup         *catchup  `json:"catchup,omitempty"`
	Overload        *overload `json:"overload,omitempty"`
	Disk            *diskRate `json:"disk,omitempty"`

	unknown int64 // events without a definite answer
}

// millis is a distribution in milliseconds.
type millis struct {
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
	Count int64   `json:"count"`
}

func millisOf(l *load.Latency) *millis {
	ms := func(q float64) float64 { return float64(l.Quantile(q)) / float64(time.Millisecond) }
	return &millis{P50: ms(0.5), P90: ms(0.9), P99: ms(0.99), P999: ms(0.999), Max: ms(1), Count: l.Count()}
}

// reportOf fills in what every run of the generator has.
func (f *benchFlags) reportOf(kind string, r *load.Result) *benchReport {
	seconds := r.Elapsed.Seconds()
	return &benchReport{
		Kind: kind, Events: r.Events, Seconds: seconds,
		EventsPerSecond: float64(r.Events) / seconds, BytesPerSecond: float64(r.Bytes) / seconds,
		Batch: f.batch, Size: f.shape.Size, Connections: f.connections, Latency: millisOf(r.Latency),
		Errors: r.Errors, Refused: r.Refused, Problem: r.Problem, Rate: f.rate, Skew: f.shape.Skew,
		FsyncDelay: float64(f.fsyncDelay) / float64(time.Millisecond),
	}
}

// print writes the report, as JSON or as lines for people.
func (f *benchFlags) print(c *cobra.Command, r *benchReport) error {
	out := c.OutOrStdout()
	if f.format == "json" || f.format == "ndjson" {
		return json.NewEncoder(out).Encode(r)
	}
	return r.write(out)
}

func (r *benchReport) write(out io.Writer) error {
	var text strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&text, "%-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	if r.Disk == nil {
		line(r.Kind, "%.0f events/s, %.1f MB/s: %d events in %.2f s", r.EventsPerSecond, r.BytesPerSecond/1e6, r.Events, r.Seconds)
		line("load", "%d bytes an event, %d a request, %d connections", r.Size, r.Batch, r.Connections)
	}
	if r.Durability != "" {
		line("durability", "%s", r.Durability)
	}
	if r.Latency != nil {
		line("latency", "%s", r.Latency)
	}
	if r.Visible != nil {
		line("visible", "%s", r.Visible)
	}
	if r.Stored != nil {
		line("stored", "%d rows counted by SQL", *r.Stored)
	}
	if r.Processor > 0 && r.Events > 0 {
		line("processor", "%.2f µs of the server an event", r.Processor/float64(r.Events)*1e6)
	}
	if r.Views > 0 {
		line("views", "%d, which count the same", r.Views)
	}
	if r.Baseline != nil {
		line("baseline", "%.0f events/s by a bare handler; ratio %.3f", r.Baseline.EventsPerSecond, r.Baseline.Ratio)
	}
	for _, q := range r.Queries {
		line("query", "%s: %s", q.Name, &q.Latency)
	}
	if r.MemoryMax > 0 {
		line("memory", "%d MiB at most, %d MiB at the end", r.MemoryMax>>20, r.MemoryLast>>20)
	}
	if r.Recovery != nil {
		line("recovery", "ready after %.2f s, all applied after %.2f s, %.2f GiB unread", r.Recovery.ReadySeconds, r.Recovery.AppliedSeconds, r.Recovery.GiB)
	}
	if r.Catchup != nil {
		line("catch-up", "%.0f rows/s applied while %.0f/s came in", r.Catchup.AppliedPerSecond, r.Catchup.IncomingPerSecond)
	}
	if o := r.Overload; o != nil {
		line("overload", "%.0f events/s offered: %.0f accepted, %.2f of the peak; afterwards %.2f", o.Offered, o.Goodput, o.Ratio, o.AfterRatio)
		line("refused", "%d requests, %d of them without Retry-After; accepted ones: %s", o.Refused, o.NoRetryAfter, o.Latency)
	}
	if r.Disk != nil {
		line("sequential", "%.0f MB/s synced once at the end of %d MiB", r.Disk.SequentialBytesPerSecond/1e6, r.Disk.SequentialBytes>>20)
	}
	if r.Errors > 0 || r.Refused > 0 {
		line("errors", "%d, and %d refused and sent again; first: %s", r.Errors, r.Refused, r.Problem)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// String returns the distribution for people.
func (m *millis) String() string {
	return fmt.Sprintf("p50 %.2f ms, p90 %.2f, p99 %.2f, p99.9 %.2f, max %.2f (%d)", m.P50, m.P90, m.P99, m.P999, m.Max, m.Count)
}
