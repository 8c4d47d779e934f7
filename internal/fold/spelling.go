package fold

import (
	"math/big"
	"math/bits"
	"strconv"
	"time"

	"penstock"
	"penstock/internal/jsonscan"
)

// appendText appends a value in its one spelling: that under which uniques and tops know it. Text and JSON are as they are, a decimal has
// all digits of its scale, a timestamp is RFC 3339 in UTC, a double is as JavaScript writes it.
func appendText(dst []byte, column *penstock.Column, c *jsonscan.Cell) []byte {
	switch column.Type {
	case penstock.Bigint:
		return strconv.AppendInt(dst, c.Int, 10)
	case penstock.Timestamp:
		return penstock.Micros(c.Int).Time().AppendFormat(dst, time.RFC3339Nano)
	case penstock.Double:
		return appendDouble(dst, c.Float)
	case penstock.Decimal:
		return appendDecimal(dst, c, column.Scale)
	case penstock.Boolean:
		return strconv.AppendBool(dst, c.Bool)
	}
	return append(dst, c.Bytes...)
}

// appendDouble appends a number in the spelling of RFC 8785, section 3.2.2.3.
func appendDouble(dst []byte, f float64) []byte {
	if magnitude := max(f, -f); magnitude != 0 && (magnitude < 1e-6 || magnitude >= 1e21) {
		dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
		if n := len(dst); dst[n-4] == 'e' && dst[n-2] == '0' { // e-09
			dst[n-2] = dst[n-1]
			dst = dst[:n-1]
		}
		return dst
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

// appendDecimal appends a decimal with all digits of its scale.
func appendDecimal(dst []byte, c *jsonscan.Cell, scale int) []byte {
	hi, lo, negative := magnitude(c)
	if negative {
		dst = append(dst, '-')
	}
	start := len(dst)
	if hi == 0 {
		dst = strconv.AppendUint(dst, lo, 10)
	} else {
		n := new(big.Int).SetUint64(hi)
		dst = n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(lo)).Append(dst, 10)
	}
	if scale == 0 {
		return dst
	}
	for len(dst)-start <= scale { // a digit before the point
		dst = append(dst, 0)
		copy(dst[start+1:], dst[start:])
		dst[start] = '0'
	}
	dst = append(dst, 0)
	point := len(dst) - 1 - scale
	copy(dst[point+1:], dst[point:])
	dst[point] = '.'
	return dst
}

// number returns a numeric value as a double, for quantiles: those of decimals and large integers within rounding.
func number(column *penstock.Column, c *jsonscan.Cell) float64 {
	switch column.Type {
	case penstock.Bigint:
		return float64(c.Int)
	case penstock.Decimal:
		hi, lo, negative := magnitude(c)
		f := (float64(hi)*(1<<64) + float64(lo)) / powersOfTen[column.Scale]
		if negative {
			return -f
		}
		return f
	}
	return c.Float
}

// magnitude returns the absolute value of a decimal's digits, and whether it is below zero.
func magnitude(c *jsonscan.Cell) (hi, lo uint64, negative bool) {
	hi, lo = uint64(c.Hi), c.Lo
	if c.Hi >= 0 {
		return hi, lo, false
	}
	lo, borrow := bits.Sub64(0, lo, 0)
	hi, _ = bits.Sub64(0, hi, borrow)
	return hi, lo, true
}

// powersOfTen has those of the scales of decimals.
var powersOfTen = [...]float64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
	1e20, 1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32, 1e33, 1e34, 1e35, 1e36, 1e37, 1e38,
}
