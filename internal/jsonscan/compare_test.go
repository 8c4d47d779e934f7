package jsonscan

import (
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func TestCompareNumbers(t *testing.T) {
	numbers := []string{
		"0", "-0", "0.000", "0e5", "-0.0e-7", "1", "1.0", "10e-1", "0.1e1", "-1", "-1.00", "9007199254740992", "9007199254740993", "9007199254740993.0",
		"9007199254740993.1", "9223372036854775807", "-9223372036854775807", "0.1", "0.10", "1e-1", "0.1000000000000000055511151231257827", "12.34", "12.340",
		"123.4", "1234e-2", "1.5e300", "15e299", "1e-300", "-1e-300", "-2.5", "-2.50001", "100", "1e2", "1E+2", "99.999", "10.01", "10.1", "1001e-2",
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		text := strconv.FormatInt(r.Int64N(2001)-1000, 10)
		if r.IntN(2) == 0 {
			text += "." + strings.Repeat("0", r.IntN(3)) + strconv.Itoa(r.IntN(200))
		}
		if r.IntN(3) == 0 {
			text += "e" + strconv.Itoa(r.IntN(9)-4)
		}
		numbers = append(numbers, text)
	}
	for _, a := range numbers {
		for _, b := range numbers {
			x, _ := new(big.Rat).SetString(a)
			y, _ := new(big.Rat).SetString(b)
			if got, want := CompareNumbers([]byte(a), []byte(b)), x.Cmp(y); got != want {
				t.Fatalf("%s against %s is %d, want %d", a, b, got, want)
			}
		}
	}
}
