package main

import (
	"context"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"penstock"
)

// metrics are the Prometheus series of one process. Labels come only from configured names and from words of the
// program, never from a client.
type metrics struct {
	registry    *prometheus.Registry
	streamLabel func(stream string) string

	accepted, rejected, dropped *prometheus.CounterVec // of the door
	append                      prometheus.Histogram

	fsync             prometheus.Histogram // of the log
	writeErrors, lost prometheus.Counter
	unclean, recovery prometheus.Gauge

	applied, stale, outages *prometheus.CounterVec // of the consumers
	apply, batchRows        prometheus.Histogram
	checkpoint              prometheus.Histogram
	setAside                *prometheus.CounterVec
	shed                    prometheus.Counter
	lagEvents, lagSeconds   *prometheus.GaugeVec

	dedupWindow  *prometheus.GaugeVec
	duplicates   *sums
	dead         *prometheus.CounterVec
	queries      *prometheus.CounterVec
	querySeconds prometheus.Histogram
	tails        prometheus.Gauge
}

// newMetrics returns the series. streamLabel folds names that are not configured into "other".
func newMetrics(streamLabel func(string) string) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), streamLabel: streamLabel}
	m.accepted = m.counters("events_accepted_total", "Events that are durable in the log.", "stream")
	m.rejected = m.counters("events_rejected_total", "Events, and whole requests, that were refused.", "stream", "code")
	m.dropped = m.counters("dropped_events_total", "Events of streams with durability memory that the log did not take.", "stream")
	m.append = m.histogram("append_seconds", "Time from the door to the durable append.", prometheus.ExponentialBuckets(0.0001, 2, 16))
	m.fsync = m.histogram("fsync_seconds", "Time of one flush of the log.", prometheus.ExponentialBuckets(0.0001, 2, 16))
	m.writeErrors = m.count("log_write_errors_total", "Writes to the log that failed without harm.")
	m.lost = m.count("data_loss_events_total", "Acknowledged events that cannot be read any more; at most so many.")
	m.unclean = m.gauge("unclean_start", "1 if the process before had not closed the log.")
	m.recovery = m.gauge("recovery_seconds", "Time that opening the log took.")
	m.applied = m.counters("applied_events_total", "Events written to a store.", "store")
	m.stale = m.counters("stale_total", "Batches that a store refused because its position had moved.", "store")
	m.outages = m.counters("outages_total", "Batches that a store could not take and that were tried again.", "store")
	m.apply = m.histogram("apply_seconds", "Time of one batch's transaction.", prometheus.ExponentialBuckets(0.001, 2, 14))
	m.batchRows = m.histogram("batch_rows", "Rows of one batch.", prometheus.ExponentialBuckets(1, 4, 10))
	m.checkpoint = m.histogram("checkpoint_seconds", "Time in which a shard brought its write-ahead log into its file.", prometheus.ExponentialBuckets(0.001, 2, 14))
	m.setAside = m.counters("files_set_aside_total", "Files of a shard that could not be read.", "store")
	m.shed = m.count("shed_queries_total", "Statements that were ended so that a batch finds memory.")
	m.lagEvents = m.gauges("lag_events", "Events in the log that the store has not applied.", "store")
	m.lagSeconds = m.gauges("lag_seconds", "Age of the oldest event that the store has not applied.", "store")
	m.dedupWindow = m.gauges("dedup_window_seconds", "Window in which a repeated id is dropped; 0: repeats are not recognised.", "stream")
	m.duplicates = &sums{about: prometheus.NewDesc(namespace+"_duplicates_total", "Events whose id had had its effect before.", []string{"stream"}, nil)}
	m.registry.MustRegister(m.duplicates)
	m.dead = m.counters("dead_events_total", "Events that turned out to be no rows, replays that failed again included.", "stream", "reason")
	m.queries = m.counters("queries_total", "Statements, by how they ended.", "code")
	m.querySeconds = m.histogram("query_seconds", "Time of one statement, its wait for a turn included.", prometheus.ExponentialBuckets(0.001, 2, 16))
	m.tails = m.gauge("tails", "Live tails that are open.")
	build := readBuildInfo()
	m.gauges("build_info", "Always 1; the labels say what runs.", "version", "revision", "go").
		WithLabelValues(build.Version, build.Revision, build.Go).Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

const namespace = "penstock"

func (m *metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *metrics) count(name, help string) prometheus.Counter {
	v := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	m.registry.MustRegister(v)
	return v
}

func (m *metrics) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *metrics) gauge(name, help string) prometheus.Gauge {
	v := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
	m.registry.MustRegister(v)
	return v
}

func (m *metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
	m.registry.MustRegister(h)
	return h
}

// value publishes a number that is read when it is scraped.
func (m *metrics) value(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, read))
}

// sums are counters that somebody else counts, and that outlive the process.
type sums struct {
	about  *prometheus.Desc
	mu     sync.Mutex
	values map[string]int64 // by stream
}

func (s *sums) set(values map[string]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values = values
}

// Describe implements prometheus.Collector.
func (s *sums) Describe(to chan<- *prometheus.Desc) { to <- s.about }

// Collect implements prometheus.Collector.
func (s *sums) Collect(to chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for stream, n := range s.values {
		to <- prometheus.MustNewConstMetric(s.about, prometheus.CounterValue, float64(n), stream)
	}
}

// logSize publishes how large the log is and may become.
func (m *metrics) logSize(read func() (size, most penstock.Bytes)) {
	m.value("log_bytes", "Size of the log.", func() float64 { size, _ := read(); return float64(size) })
	m.value("log_max_bytes", "Size at which the log is full.", func() float64 { _, most := read(); return float64(most) })
}

// handler serves the series; refresh brings those up to date that cost something to find out.
func (m *metrics) handler(refresh func(context.Context)) http.Handler {
	text := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refresh(r.Context())
		text.ServeHTTP(w, r)
	})
}
