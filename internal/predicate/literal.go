package predicate

import (
	"math/big"
	"strconv"
	"strings"
	"time"

	"penstock"
	"penstock/internal/jsonscan"
)

// maxDigits is how many digits a number may have: those of the widest decimal.
const maxDigits = 38

func textLiteral(t token) term {
	return term{domain: textual, text: t.text, literal: datum{text: []byte(t.text)}}
}

func booleanLiteral(v bool) term {
	return term{domain: boolean, text: strconv.FormatBool(v), literal: datum{i: truthOf(v)}}
}

// numberLiteral returns the number in canonical form: without needless zeros, 0 without a sign. It reports false if there are
// too many digits.
func numberLiteral(text string) (term, bool) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if len(whole)+len(fraction) > maxDigits {
		return term{}, false
	}
	if whole == "" {
		whole = "0"
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if negative && whole != "0" {
		whole = "-" + whole
	}
	var d datum
	d.parse([]byte(whole))
	d.f, _ = strconv.ParseFloat(whole, 64) // 38 digits are within its range
	return term{domain: numeric, text: whole, literal: d}, true
}

// fractionDigits returns how many digits a canonical number has after the point.
func fractionDigits(number string) int {
	_, fraction, _ := strings.Cut(number, ".")
	return len(fraction)
}

// wholeDigits returns how many it has before the point, a lone 0 not counted.
func wholeDigits(number string) int {
	whole, _, _ := strings.Cut(strings.TrimPrefix(number, "-"), ".")
	return len(strings.TrimLeft(whole, "0"))
}

// floor returns the largest number with so many digits after the point that is not above a canonical number.
func floor(number string, scale int) string {
	surplus := fractionDigits(number) - scale
	if surplus <= 0 {
		return number
	}
	unscaled, _ := new(big.Int).SetString(strings.Replace(number, ".", "", 1), 10)
	ten := big.NewInt(10)
	unscaled.Div(unscaled, ten.Exp(ten, big.NewInt(int64(surplus)), nil)) // Euclidean: downward, the divisor is positive
	if scale == 0 {
		return unscaled.String()
	}
	digits := new(big.Int).Abs(unscaled).String()
	digits = strings.Repeat("0", max(0, scale+1-len(digits))) + digits
	sign := ""
	if unscaled.Sign() < 0 {
		sign = "-"
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

// momentLiteral reads what follows the word timestamp. It returns what would be right if that is wrong.
func momentLiteral(text string) (term, string) {
	const want = "want a moment with its zone, such as timestamp '2026-01-01T00:00:00Z'"
	if strings.Contains(text, `\`) {
		return term{}, want
	}
	at, err := jsonscan.ParseTime(jsonscan.Value{Kind: jsonscan.String, Raw: []byte(`"` + text + `"`)})
	if err != nil || at.Time().Year() < 1 || at.Time().Year() > 9999 {
		return term{}, want
	}
	if _, fraction, _ := strings.Cut(text, "."); digitsAtStart(fraction) > 6 {
		return term{}, "want at most 6 digits after the seconds: moments are kept in microseconds"
	}
	return term{domain: moment, text: formatMoment(at), literal: datum{i: int64(at)}}, ""
}

func digitsAtStart(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

func formatMoment(at penstock.Micros) string { return at.Time().Format(time.RFC3339Nano) }
