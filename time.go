package penstock

import "time"

// Micros is a moment in microseconds since 1970-01-01 UTC, the resolution at which every time is kept.
type Micros int64

// MicrosOf returns t, cut to the microsecond.
func MicrosOf(t time.Time) Micros { return Micros(t.UnixMicro()) }

// Time returns m as a time in UTC.
func (m Micros) Time() time.Time { return time.UnixMicro(int64(m)).UTC() }
