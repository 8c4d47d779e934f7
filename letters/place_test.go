package letters

import (
	"testing"

	"penstock"
)

func TestPlaces(t *testing.T) {
	at := func(p penstock.Partition, e penstock.Epoch, o penstock.Offset) penstock.Place {
		return penstock.Place{Partition: p, Position: penstock.Position{Epoch: e, Offset: o}}
	}
	for _, p := range []penstock.Place{at(0, 1, 0), at(0, 1, 1), at(7, 3, 0), at(63, maxEpoch, maxOffset)} {
		if got, ok := parsePlace(placeText(p), 64); !ok || got != p {
			t.Errorf("%v became %v, %v", p, got, ok)
		}
		if b := before(p); !b.Less(p) || b.Partition != p.Partition {
			t.Errorf("before %v is %v", p, b)
		}
	}
	if before(at(2, 1, 5)) != at(2, 1, 4) || before(at(2, 2, 0)) != at(2, 1, maxOffset) {
		t.Error("a letter may lie between")
	}
}

func FuzzParsePlace(f *testing.F) {
	for _, text := range []string{"0-1-0", "63-1-42", "64-1-0", "0-0-1", "-1-1-1", "+0-1-1", "0-1-1-", "1-01-1", "0-2147483648-0", "0-1-9223372036854775808", "0--1", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := parsePlace(text, 64)
		if ok && (placeText(p) != text || p.Partition >= 64 || p.Position.Epoch == 0 || p.Position.Offset > maxOffset) {
			t.Errorf("%q became %v", text, p)
		}
	})
}
