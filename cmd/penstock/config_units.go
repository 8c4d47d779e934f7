package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"penstock"
)

// Duration is a length of time; besides the units of time.ParseDuration it knows d for 24 hours.
type Duration time.Duration

// Size counts bytes; KiB, MiB, GiB and TiB are powers of 1,024, KB, MB, GB and TB of 1,000.
type Size penstock.Bytes

// Count is a number of things; K, M and G are thousands, millions and billions.
type Count int64

// unit is a suffix and what one of it is worth.
type unit struct {
	suffix string
	worth  int64
}

var sizeUnits = [...]unit{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
}

var countUnits = [...]unit{{"G", 1e9}, {"M", 1e6}, {"K", 1e3}}

// scan reads a duration such as 72h, 90d or 1d12h.
func (d *Duration) scan(text string) error {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		days, rest = "0", text
	}
	n, err := strconv.ParseUint(days, 10, 32)
	part := time.Duration(0)
	if err == nil && (rest != "" || !found) {
		part, err = time.ParseDuration(rest)
	}
	total := float64(n)*24*float64(time.Hour) + float64(part)
	if err != nil || part < 0 || total >= math.MaxInt64 {
		return fmt.Errorf("%q is not a duration such as 90s, 72h or 90d", text)
	}
	*d = Duration(time.Duration(n)*24*time.Hour + part)
	return nil
}

// String returns the shortest spelling that scan reads back.
func (d Duration) String() string {
	const day = Duration(24 * time.Hour)
	if d >= 4*day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	text := time.Duration(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// scan reads a size such as 20GiB, 8MiB or 4096.
func (s *Size) scan(text string) error {
	n, ok := scanUnits(text, sizeUnits[:])
	if !ok {
		return fmt.Errorf("%q is not a size such as 256KiB, 8MiB or 20GiB", text)
	}
	*s = Size(n)
	return nil
}

// String returns the spelling with the largest unit that divides it.
func (s Size) String() string { return formatUnits(int64(s), sizeUnits[:4]) }

// scan reads a count such as 100M, 5K or 5000.
func (c *Count) scan(text string) error {
	n, ok := scanUnits(text, countUnits[:])
	if !ok {
		return fmt.Errorf("%q is not a count such as 5000, 50K or 100M", text)
	}
	*c = Count(n)
	return nil
}

// String returns the spelling with the largest unit that divides it.
func (c Count) String() string { return formatUnits(int64(c), countUnits[:]) }

// scanUnits reads a number that is not negative, with one of the units behind it or none.
func scanUnits(text string, units []unit) (int64, bool) {
	worth := int64(1)
	for _, u := range units {
		if number, found := strings.CutSuffix(text, u.suffix); found {
			text, worth = strings.TrimSpace(number), u.worth
			break
		}
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n * worth, n >= 0 && n <= math.MaxInt64/worth
	}
	f, err := strconv.ParseFloat(text, 64)
	total := f * float64(worth)
	ok := err == nil && total >= 0 && total < math.MaxInt64 && total == math.Trunc(total)
	if !ok {
		return 0, false
	}
	return int64(total), true
}

func formatUnits(n int64, units []unit) string {
	for _, u := range units {
		if n != 0 && n%u.worth == 0 {
			return strconv.FormatInt(n/u.worth, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10)
}
