package sketch

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"penstock"
)

// Bytes of which the checksum is right are read without a panic: they are refused as Corrupt, or are a state that is written
// the same way again, gives the same results with and without a summary, and can be merged with itself and with others.
func FuzzState(f *testing.F) {
	for _, s := range golden() {
		b := state(s)
		f.Add(b[:len(b)-sumSize])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b := seal(bytes.Clone(body), 0)
		written, err := Merge(slices.Values([][]byte{b}))
		if err != nil {
			if !penstock.Is(err, penstock.Corrupt) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(written, b) {
			t.Fatalf("%x is written as %x", b, written)
		}
		sameResults(t, b)
		twice, err := Merge(slices.Values([][]byte{b, b}))
		if err != nil {
			t.Fatal(err)
		}
		sameResults(t, twice)
	})
}

func sameResults(t *testing.T, b []byte) {
	switch Kind(b[0]) {
	case KindUnique:
		u := &Unique{}
		if n, err := UniqueCount(b); err != nil || u.Merge(b) != nil || n != u.Count() {
			t.Fatalf("%d, %v, want %d", n, err, u.Count())
		}
	case KindQuantile:
		s := &Quantile{}
		for _, q := range []float64{0, 0.5, 1} {
			s = &Quantile{}
			if v, err := QuantileAt(b, q); err != nil || s.Merge(b) != nil || !same(v, s.At(q)) || math.IsInf(v, 0) {
				t.Fatalf("%v at %v, %v, want %v", v, q, err, s.At(q))
			}
		}
	default:
		top := &Top{}
		if items, err := TopItems(b, 10); err != nil || top.Merge(b) != nil || !slices.Equal(items, top.Items(10)) {
			t.Fatalf("%v, %v, want %v", items, err, top.Items(10))
		}
	}
}
