package logclock

import (
	"testing"
	"time"

	"penstock"
)

const (
	hour = 3600 * second
	day  = 24 * hour

	second penstock.Micros = 1e6
	start                  = 20000 * day
)

func TestAdvance(t *testing.T) {
	type step struct {
		mono   time.Duration // since the step before
		wall   penstock.Micros
		want   penstock.Micros
		jumped bool
	}
	for name, tc := range map[string]struct {
		last  penstock.Micros
		steps []step
	}{
		"clocks agree": {0, []step{{time.Second, start + second, start + second, false}}},
		"a step forward is taken over at one per cent": {0, []step{
			{100 * time.Second, start + 130*second, start + 101*second, false},
			{2900 * time.Second, start + 3030*second, start + 3030*second, false},
			{time.Second, start + 3031*second, start + 3031*second, false},
		}},
		"a step back never turns log time back": {0, []step{
			{100 * time.Second, start + 40*second, start + 99*second, false},
			{0, start + 40*second, start + 99*second, false},
		}},
		"a jump over an hour is not followed": {0, []step{
			{100 * time.Second, start + 3650*day, start + 100*second, true},
			{100 * time.Second, start - 3650*day, start + 200*second, true},
			{100 * time.Second, start + 300*second, start + 300*second, false},
		}},
		"a monotonic clock that goes back counts as standing": {0, []step{
			{-time.Second, start, start, false},
		}},
		"time switched off is no jump": {start - 5*day, []step{
			{time.Second, start + second, start + second, false},
		}},
		"log time begins at the last record if the wall clock is behind": {start + day, []step{
			{time.Second, start + second, start + day + second, true},
		}},
		"a little ahead of the wall clock it runs slower": {start + 60*second, []step{
			{100 * time.Second, start + 100*second, start + 159*second, false},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := Start(Reading{Wall: start, Mono: time.Minute}, tc.last, false)
			mono := time.Minute
			for i, s := range tc.steps {
				mono += s.mono
				if got := c.Advance(Reading{s.wall, mono}); got != s.want || c.Jumped() != s.jumped {
					t.Fatalf("step %d: %v after the start, jumped %v; want %v, %v", i,
						got-start, c.Jumped(), s.want-start, s.jumped)
				}
			}
		})
	}
}

func TestDoubtful(t *testing.T) {
	for _, tc := range []struct {
		last      penstock.Micros
		confirmed bool
		want      bool
	}{
		{0, false, false},
		{start - 29*day, false, false},
		{start - 31*day, false, true},
		{start - 31*day, true, false},
		{start + day, false, false},
	} {
		if got := Start(Reading{Wall: start}, tc.last, tc.confirmed).Doubtful(); got != tc.want {
			t.Errorf("last record %v before the start, confirmed %v: %v", (start-tc.last)/day, tc.confirmed, got)
		}
	}
}

func TestSmallStepsLoseNothing(t *testing.T) {
	c := Start(Reading{Wall: start}, 0, false)
	var now penstock.Micros
	for i := range time.Duration(1e6) {
		now = c.Advance(Reading{start + 1800*second + penstock.Micros(i), i * time.Microsecond})
	}
	if want := start + 1e6 + 1e4; now < want-2 || now > want {
		t.Fatalf("%v after the start, want %v", now-start, want-start)
	}
}
