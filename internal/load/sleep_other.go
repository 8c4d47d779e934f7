//go:build !linux

package load

import "time"

// sleepUntil waits with the runtime's timers, whose resolution differs by system.
func sleepUntil(at time.Time) { time.Sleep(time.Until(at)) }
