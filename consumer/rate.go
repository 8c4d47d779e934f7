package consumer

import (
	"math"
	"time"
)

// rateWindow is about how far back a rate remembers.
const rateWindow = 10 * time.Second

// rate is the number of things a second over about the last rateWindow: what was added longer ago counts exponentially
// less. What it has not seen it does not guess: after the first addition it is that addition's rate.
type rate struct {
	sum, weight float64
}

// add says that n things came during a time.
func (r *rate) add(n float64, during time.Duration) {
	seconds := max(during, time.Microsecond).Seconds()
	kept := math.Exp(-seconds / rateWindow.Seconds())
	r.sum = r.sum*kept + n/seconds*(1-kept)
	r.weight = r.weight*kept + 1 - kept
}

// after returns the rate a second if nothing more came during a time; 0 if nothing was ever added.
func (r rate) after(during time.Duration) float64 {
	if r.weight == 0 {
		return 0
	}
	if during > 0 {
		r.add(0, during)
	}
	return r.sum / r.weight
}
