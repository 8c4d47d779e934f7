package main

import (
	"fmt"
	"strings"
	"time"
)

// How often progress is told: to a person, and to a file that someone may read later.
const (
	liveInterval = 200 * time.Millisecond
	noteInterval = 10 * time.Second
)

// watch tells the progress of a run until stop is called: as a line that changes at a terminal, as a line now and then
// elsewhere. size is that of the input, 0 if it is not known.
func (s *sending) watch(size int64) (stop func()) {
	if s.notes.quiet {
		return func() {}
	}
	interval := noteInterval
	if s.live {
		interval = liveInterval
	}
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		began := time.Now()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
			}
			text := s.tally.progress(s.stream, size, time.Since(began))
			if s.live {
				s.notes.draw(text)
			} else {
				s.notes.note("%s", text)
			}
		}
	}()
	return func() {
		close(ended)
		<-done
		s.notes.end()
	}
}

const barWidth = 24

// progress says how far a run is.
func (t *tally) progress(stream string, size int64, elapsed time.Duration) string {
	t.mu.Lock()
	accepted, rejected, input := t.accepted, t.rejected, t.input
	t.mu.Unlock()
	text := fmt.Sprintf("%s acked, %s/s", grouped(accepted), grouped(int64(float64(accepted)/elapsed.Seconds())))
	if rejected > 0 {
		text += fmt.Sprintf(", %s rejected", grouped(rejected))
	}
	if size <= 0 || input <= 0 {
		return stream + "  " + text
	}
	share := min(1, float64(input)/float64(size))
	full := int(share * barWidth)
	left := time.Duration(float64(elapsed) * (1 - share) / share).Round(time.Second)
	return fmt.Sprintf("%s  %s%s %3.0f%%  %s, ETA %s", stream, strings.Repeat("█", full), strings.Repeat("░", barWidth-full), share*100, text, left)
}
