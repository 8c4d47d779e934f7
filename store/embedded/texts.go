package embedded

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// moment returns a time that RFC 3339 can write; DuckDB's own bounds lie beyond.
func moment(v arrow.Timestamp, unit arrow.TimeUnit) any {
	switch v {
	case math.MaxInt64:
		return "infinity"
	case -math.MaxInt64:
		return "-infinity"
	}
	return v.ToTime(unit).UTC()
}

// interval spells an interval as DuckDB does.
func interval(v arrow.MonthDayNanoInterval) string {
	var parts []string
	part := func(n int32, unit string) {
		if n == 0 {
			return
		}
		if n != 1 && n != -1 {
			unit += "s"
		}
		parts = append(parts, fmt.Sprintf("%d %s", n, unit))
	}
	part(v.Months/12, "year")
	part(v.Months%12, "month")
	part(v.Days, "day")
	if v.Nanoseconds != 0 || len(parts) == 0 {
		parts = append(parts, clock(v.Nanoseconds))
	}
	return strings.Join(parts, " ")
}

// clock spells a time of day, or a span of time, in nanoseconds.
func clock(nanos int64) string {
	sign, n := "", uint64(nanos)
	if nanos < 0 {
		sign, n = "-", -n
	}
	seconds := n / 1e9
	text := fmt.Sprintf("%s%02d:%02d:%02d", sign, seconds/3600, seconds/60%60, seconds%60)
	if rest := n % 1e9; rest != 0 {
		text += strings.TrimRight(fmt.Sprintf(".%09d", rest), "0")
	}
	return text
}

// day spells a date as RFC 3339 does, years beyond its four digits too.
func day(v arrow.Date32) string {
	switch v {
	case math.MaxInt32:
		return "infinity"
	case -math.MaxInt32:
		return "-infinity"
	}
	return v.ToTime().Format(time.DateOnly)
}

// wide returns a 128-bit integer, whose bytes are little-endian, in two's complement if signed.
func wide(b []byte, signed bool) *big.Int {
	low, high := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	v := new(big.Int).SetUint64(high)
	if signed {
		v.SetInt64(int64(high))
	}
	return v.Add(v.Lsh(v, 64), new(big.Int).SetUint64(low))
}

// zonedTime reads a TIMETZ: microseconds in the upper 40 bits, below them how far the offset lies under 15:59:59.
func zonedTime(bits uint64) string {
	const latest = 16*3600 - 1
	offset := int64(latest) - int64(bits&(1<<24-1))
	sign := "+"
	if offset < 0 {
		sign, offset = "-", -offset
	}
	text := fmt.Sprintf("%s%s%02d:%02d", clock(int64(bits>>24)*1000), sign, offset/3600, offset/60%60)
	if offset%60 != 0 {
		text += fmt.Sprintf(":%02d", offset%60)
	}
	return text
}

// bitText reads a BIT: a byte with the number of padding bits, then the bits, padding first.
func bitText(b []byte) string {
	var text strings.Builder
	for i := int(b[0]); i < 8*(len(b)-1); i++ {
		text.WriteByte('0' + b[1+i/8]>>(7-i%8)&1)
	}
	return text.String()
}

// bignum reads a BIGNUM: three bytes of sign and length, then the number, most significant byte first. All bytes of a
// negative one are inverted.
func bignum(b []byte) *big.Int {
	if b[0]&0x80 != 0 {
		return new(big.Int).SetBytes(b[3:])
	}
	inverted := make([]byte, len(b)-3)
	for i := range inverted {
		inverted[i] = ^b[3+i]
	}
	v := new(big.Int).SetBytes(inverted)
	return v.Neg(v)
}
