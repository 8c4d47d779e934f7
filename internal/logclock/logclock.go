// Package logclock makes log time: a clock that never goes back, runs with the monotonic clock and takes over steps of
// the wall clock only slowly. It reads no clock itself: readings are arguments.
//
// Retention and windows go by log time. Were it the wall clock, one wrong step of ten years would expire everything.
package logclock

import (
	"time"

	"penstock"
)

// The rules.
const (
	Slew     = 100                 // one part in so many is the most by which log time runs faster or slower
	MaxStep  = time.Hour           // a difference beyond this waits for an operator
	MaxPause = 30 * 24 * time.Hour // after a longer pause nothing expires until an operator confirms the clock
)

// Reading is what the clocks of the machine show at one moment.
type Reading struct {
	Wall penstock.Micros
	Mono time.Duration // since any fixed moment; never goes back
}

// Clock is log time. It is used by one goroutine at a time.
type Clock struct {
	now   time.Duration // log time since 1970, in nanoseconds so that slewing loses nothing
	mono  time.Duration
	off   time.Duration // what the wall clock shows beyond log time
	pause bool
}

// Start begins log time at the larger of the wall clock and the log time of the last record, 0 if there is none:
// the time for which a machine was switched off is no step. confirmed says that an operator vouches for the wall clock.
func Start(r Reading, last penstock.Micros, confirmed bool) *Clock {
	c := &Clock{now: nanos(max(r.Wall, last)), mono: r.Mono}
	c.off = nanos(r.Wall) - c.now
	c.pause = !confirmed && last != 0 && nanos(r.Wall)-nanos(last) > MaxPause
	return c
}

// Advance moves log time to a reading and returns it. Within MaxStep the wall clock pulls log time by at most one
// part in Slew of the time that passed; beyond that log time follows the monotonic clock alone.
func (c *Clock) Advance(r Reading) penstock.Micros {
	passed := max(0, r.Mono-c.mono)
	c.mono += passed
	c.now += passed
	c.off = nanos(r.Wall) - c.now
	if !c.Jumped() {
		pull := min(max(c.off, -passed/Slew), passed/Slew)
		c.now += pull
		c.off -= pull
	}
	return penstock.Micros(c.now / time.Microsecond)
}

// Off returns by how much the wall clock was ahead of log time at the last reading.
func (c *Clock) Off() time.Duration { return c.off }

// Jumped reports whether the wall clock is so far off that an operator must look at it.
func (c *Clock) Jumped() bool { return c.off > MaxStep || c.off < -MaxStep }

// Doubtful reports whether nothing may expire, because log time may be wrong by far: it began long after the last record.
func (c *Clock) Doubtful() bool { return c.pause }

func nanos(m penstock.Micros) time.Duration { return time.Duration(m) * time.Microsecond }
