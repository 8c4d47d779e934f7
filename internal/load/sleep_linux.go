package load

import (
	"syscall"
	"time"
)

// sleepUntil waits in the kernel: the runtime's own timers are rounded up to a millisecond when a process is otherwise
// idle, which would count as the server's latency.
func sleepUntil(at time.Time) {
	for {
		d := time.Until(at)
		if d <= 0 {
			return
		}
		// It sleeps at most 100 ms at a time, so that the end of a run is not held up; an early return is a shorter sleep.
		ts := syscall.NsecToTimespec(int64(min(d, 100*time.Millisecond)))
		_ = syscall.Nanosleep(&ts, nil)
	}
}
