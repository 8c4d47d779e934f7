package sketch

import (
	"bytes"
	"maps"
	"math"
	"slices"
	"testing"

	"penstock"
)

// Bytes of which the checksum is right are read without a panic: they are refused as Corrupt, or are a state that is written
// the same way again, gives the same results with and without a summary, and can be merged with itself and with others.
func FuzzState(f *testing.F) {
	dropped := &Top{capacity: 2}
	for i := range 9 {
		dropped.Add([]byte{'a' + byte(i)}, uint64(1+i%5))
	}
	all := golden()
	all["top-small"] = dropped
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if b := state(all[name]); len(b) < 100 { // long ones would be made shorter for minutes
			f.Add(b[:len(b)-sumSize])
		}
	}
	f.Add([]byte{byte(KindUnique), manyLead, 1, 2, 3, 51})
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 2 && Kind(body[0]) == KindUnique && body[1] == manyLead { // so many registers are not found by chance
			body = append(body[:2:2], bytes.Repeat(body[2:], registers)[:registers*6/8]...)
		}
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
