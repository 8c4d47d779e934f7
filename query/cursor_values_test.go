package query

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"penstock"
)

func TestCursorValues(t *testing.T) {
	huge := bigInt("-170141183460469231731687303715884105728")
	for _, values := range [][]any{
		{}, {nil}, {true, false, nil}, {int64(0), int64(-1), int64(math.MaxInt64), int64(math.MinInt64)},
		{0.0, math.Copysign(0, -1), math.Inf(-1), math.NaN(), 0.1}, {"", "\x00", strings.Repeat("ä", 1000)},
		{penstock.Number("12.30"), penstock.Number("-0.00"), huge, big.NewInt(0), penstock.Raw(`{"a": 1}`)},
		{time.UnixMicro(1e15).UTC(), time.UnixMicro(-1).UTC(), time.UnixMicro(0).UTC()},
	} {
		b, err := appendValues(nil, values)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := valuesOf(b)
		if !ok || describe(got) != describe(values) {
			t.Errorf("%s became %s", describe(values), describe(got))
		}
		for i := range b {
			if got, ok := valuesOf(b[:i]); ok {
				t.Errorf("%x of %x was read as %v", b[:i], b, got)
			}
		}
		if _, ok := valuesOf(append(b, 0)); ok {
			t.Errorf("%x0 was read", b)
		}
	}
	if b, err := appendValues(nil, []any{[]any{1}}); err == nil {
		t.Errorf("a list became %x", b)
	}
	for _, body := range [][]byte{{1, 10}, {1, 255}, {1, valueBig, 1, 'x'}, {1, valueBig, 0}, {255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0}} {
		if got, ok := valuesOf(body); ok {
			t.Errorf("%x was read as %v", body, got)
		}
	}
}

// describe returns types and values; numbers that print alike but differ are told apart.
func describe(values []any) string {
	var b strings.Builder
	for _, v := range values {
		if f, ok := v.(float64); ok {
			v = math.Float64bits(f)
		}
		fmt.Fprintf(&b, "%T %v;", v, v)
	}
	return b.String()
}

func FuzzCursorValues(f *testing.F) {
	for _, values := range [][]any{{nil, true, int64(-5)}, {0.5, "text", penstock.Number("1.0")}, {big.NewInt(7), time.UnixMicro(1e15), penstock.Raw("[]")}} {
		b, err := appendValues(nil, values)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		values, ok := valuesOf(body)
		if !ok {
			return
		}
		b, err := appendValues(nil, values)
		again, ok := valuesOf(b)
		if err != nil || !ok || describe(again) != describe(values) {
			t.Errorf("%x is %s and then %s, %v", body, describe(values), describe(again), err)
		}
	})
}
