package jsonscan

import (
	"errors"

	"penstock"
)

// The moments that ParseTime returns lie within the years that RFC 3339 can write.
const (
	minTime penstock.Micros = -62167219200_000000 // 0000-01-01
	endTime penstock.Micros = 253402300800_000000 // 10000-01-01
)

var (
	errTimeKind  = errors.New("want RFC 3339 or a Unix number")
	errTimeText  = errors.New("not a time of RFC 3339")
	errTimeRange = errors.New("not within the years 0 to 9999")
)

// ParseTime reads a moment: a string as RFC 3339 says, or a number since 1970, of seconds if it is below 1e11, of milliseconds
// below 1e14, of microseconds below 1e17, else of nanoseconds. What is finer than a microsecond is cut off. The years are 0
// to 9999; a narrower range is the caller's to check.
func ParseTime(v Value) (penstock.Micros, error) {
	switch v.Kind {
	case Number:
		return parseUnix(v)
	case String:
		t, ok := parseRFC3339(Text(v))
		if !ok {
			return 0, errTimeText
		}
		return t, inYears(t)
	}
	return 0, errTimeKind
}

func inYears(t penstock.Micros) error {
	if t < minTime || t >= endTime {
		return errTimeRange
	}
	return nil
}

func parseUnix(v Value) (penstock.Micros, error) {
	d := parseDecimal(v.Raw)
	shift := -3
	switch m := d.magnitude(); {
	case m <= 11:
		shift = 6
	case m <= 14:
		shift = 3
	case m <= 17:
		shift = 0
	case m > 21:
		return 0, errTimeRange
	}
	_, lo, _, _ := d.scaled(shift)
	t := penstock.Micros(lo)
	if d.negative {
		t = -t
	}
	return t, inYears(t)
}

// parseRFC3339 reads a date-time of RFC 3339, section 5.6: 2006-01-02T15:04:05.999Z. A leap second is none that a clock of
// microseconds could keep, and is refused.
func parseRFC3339(b []byte) (penstock.Micros, bool) {
	const shortest = len("2006-01-02T15:04:05Z")
	if len(b) < shortest || b[4] != '-' || b[7] != '-' || b[10]|0x20 != 't' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	c := clock{ok: true}
	year := c.two(b[0:])*100 + c.two(b[2:])
	month, day := c.two(b[5:]), c.two(b[8:])
	hour, minute, second := c.two(b[11:]), c.two(b[14:]), c.two(b[17:])
	fraction, rest := c.fraction(b[19:])
	offset := c.zone(rest)
	if !c.ok || month < 1 || month > 12 || day < 1 || day > daysIn(month, year) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	seconds := int64(days(year, month, day))*86400 + int64(hour*3600+minute*60+second-offset)
	return penstock.Micros(seconds*1e6 + int64(fraction)), true
}

// clock reads digits; ok is false after a byte that is none.
type clock struct{ ok bool }

func (c *clock) two(b []byte) int {
	tens, units := b[0]-'0', b[1]-'0'
	if tens > 9 || units > 9 {
		c.ok = false
	}
	return int(tens)*10 + int(units)
}

// fraction reads ".123" as microseconds, if it is there, and returns what follows.
func (c *clock) fraction(b []byte) (micros int, rest []byte) {
	if b[0] != '.' {
		return 0, b
	}
	i := 1
	for scale := 100_000; i < len(b) && b[i]-'0' <= 9; i++ {
		micros += int(b[i]-'0') * scale
		scale /= 10
	}
	if i == 1 {
		c.ok = false
	}
	return micros, b[i:]
}

// zone reads the offset from UTC, in seconds.
func (c *clock) zone(b []byte) int {
	if len(b) == 1 && b[0]|0x20 == 'z' {
		return 0
	}
	if len(b) != len("+00:00") || b[3] != ':' || b[0] != '+' && b[0] != '-' {
		c.ok = false
		return 0
	}
	hours, minutes := c.two(b[1:]), c.two(b[4:])
	if hours > 23 || minutes > 59 {
		c.ok = false
	}
	if b[0] == '-' {
		return -(hours*3600 + minutes*60)
	}
	return hours*3600 + minutes*60
}

func daysIn(month, year int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// days returns the days from 1970-01-01 to a date of the Gregorian calendar; years begin in March, so that a leap day is the
// last. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
func days(year, month, day int) int {
	if month <= 2 {
		year--
	}
	era := year / 400
	if year < 0 {
		era = (year - 399) / 400
	}
	yearOfEra := year - era*400
	dayOfYear := (153*((month+9)%12)+2)/5 + day - 1
	return era*146097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719468
}
