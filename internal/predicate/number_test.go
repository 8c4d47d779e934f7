package predicate

import (
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"penstock"
	"penstock/internal/jsonscan"
)

// numbers returns numbers as JSON writes them: chosen ones, and short random ones, which are often equal.
func numbers() []string {
	list := []string{
		"0", "-0", "0.000", "0e5", "1", "1.0", "10e-1", "-1", "9007199254740992", "9007199254740993", "9007199254740993.0", "9007199254740993.1",
		"9223372036854775807", "-9223372036854775807", "9223372036854775806.9", "999999999999999999", "0.999999999999999999", "0.000000000000000001",
		"0.0000000000000000001", "123456789012345678", "1234567890123456789", "12345678901234567.8", "-99999999999999999.9", "1e18", "1e19", "1e-19", "1E+2",
		"0.1000000000000000055511151231257827", "1.5e300", "-1e-300", "100", "0.10", "0.1", "12.34", "12.340", "-12.34", "1.0203", "1.0202", "1.02030", "1.2003", "10203e-4", "0.00100200300", "0.001002003",
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 150 {
		text := strconv.FormatInt(r.Int64N(201)-100, 10)
		if r.IntN(2) == 0 {
			text += "." + strings.Repeat("0", r.IntN(3)) + strconv.Itoa(r.IntN(200))
		}
		list = append(list, text)
	}
	return list
}

func TestNumbersAgainstExactArithmetic(t *testing.T) {
	list := numbers()
	short := 0
	for _, a := range list {
		for _, b := range list {
			var x, y number
			x.parse([]byte(a))
			y.parse([]byte(b))
			p, _ := new(big.Rat).SetString(a)
			q, _ := new(big.Rat).SetString(b)
			if got, want := x.compare(&y), p.Cmp(q); got != want {
				t.Fatalf("%s against %s is %d, want %d", a, b, got, want)
			}
			if x.short {
				short++
			}
		}
	}
	if short < len(list)*len(list)/2 {
		t.Errorf("only %d of %d are short", short, len(list)*len(list))
	}
}

func TestNumberFits(t *testing.T) {
	for _, c := range []penstock.Column{
		{Name: "c", Type: penstock.Bigint}, {Name: "c", Type: penstock.Decimal, Precision: 2, Scale: 0}, {Name: "c", Type: penstock.Decimal, Precision: 4, Scale: 2},
		{Name: "c", Type: penstock.Decimal, Precision: 2, Scale: 2}, {Name: "c", Type: penstock.Decimal, Precision: 18, Scale: 1}, {Name: "c", Type: penstock.Decimal, Precision: 5, Scale: 4},
		{Name: "c", Type: penstock.Decimal, Precision: 38, Scale: 19}, {Name: "c", Type: penstock.Decimal, Precision: 38, Scale: 38},
	} {
		for _, text := range numbers() {
			var x number
			x.parse([]byte(text))
			_, err := jsonscan.ParseCell(c, jsonscan.Value{Kind: jsonscan.Number, Raw: []byte(text)})
			if got := x.fits(&c); got != (err == nil) {
				t.Errorf("%s in %+v fits: %v, %v", text, c, got, err)
			}
		}
	}
}
