package ingest

import (
	"math"
	"strconv"
	"sync/atomic"

	"penstock"
)

// gate bounds the bytes of all requests between admission and answer. It never queues: who finds it full is told when
// to come back, and nothing of the request was read.
type gate struct {
	limit int64
	held  atomic.Int64
}

// take holds n more bytes, or reports false.
func (g *gate) take(n penstock.Bytes) bool {
	if g.held.Add(int64(n)) > g.limit {
		g.held.Add(int64(-n))
		return false
	}
	return true
}

func (g *gate) give(n penstock.Bytes) { g.held.Add(int64(-n)) }

const maxRetryAfter = 60 // seconds

// retryAfter returns in how many seconds what is held now will have drained.
func (d *Door) retryAfter() string {
	if d.o.DrainRate == nil {
		return "1"
	}
	rate := d.o.DrainRate()
	if !(rate > 0) {
		return strconv.Itoa(maxRetryAfter)
	}
	seconds := math.Ceil(float64(d.gate.held.Load()) / rate)
	return strconv.Itoa(int(min(max(seconds, 1), maxRetryAfter)))
}
