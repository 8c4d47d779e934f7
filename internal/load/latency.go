package load

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latency collects durations, to three digits, between a microsecond and ten minutes. It may be used concurrently.
type Latency struct {
	mu        sync.Mutex
	histogram *hdrhistogram.Histogram
}

// NewLatency returns an empty collection.
func NewLatency() *Latency {
	return &Latency{histogram: hdrhistogram.New(1, int64(10*time.Minute/time.Microsecond), 3)}
}

// Record adds a duration; beyond ten minutes it counts as ten minutes.
func (l *Latency) Record(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// The clamped value is within the histogram's range, so there is no error to report.
	_ = l.histogram.RecordValue(min(max(1, d.Microseconds()), l.histogram.HighestTrackableValue()))
}

// Count returns how many durations were recorded.
func (l *Latency) Count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.histogram.TotalCount()
}

// Quantile returns the duration that the share q of those recorded does not exceed; 1 is the largest.
func (l *Latency) Quantile(q float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Duration(l.histogram.ValueAtQuantile(q*100)) * time.Microsecond
}

// Add adds what other holds.
func (l *Latency) Add(other *Latency) {
	other.mu.Lock()
	defer other.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.histogram.Merge(other.histogram)
}
