package sketch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"
)

// numbers are unsigned varints, and bytes as they are.
func spelled(kind Kind, parts ...any) []byte {
	b := []byte{byte(kind)}
	for _, part := range parts {
		switch part := part.(type) {
		case int:
			b = binary.AppendUvarint(b, uint64(part))
		case uint32:
			b = binary.LittleEndian.AppendUint32(b, part)
		case string:
			b = append(b, part...)
		case []byte:
			b = append(b, part...)
		}
	}
	return seal(b, 0)
}

// What no summary would write is refused, though its checksum is right; beside each stands what it would write instead.
func TestSpelling(t *testing.T) {
	const u, q, p = KindUnique, KindQuantile, KindTop
	far := binary.AppendUvarint(nil, 2*(highestIndex+1)) // zigzag
	top := bytes.Repeat([]byte{52}, registers)
	all := golden()
	for what, refuse := range map[string][]byte{
		"a fingerprint twice":              spelled(u, 0, uint32(0x41), uint32(0x41)),
		"a fingerprint too early":          spelled(u, 0, uint32(0x81), uint32(0x41)),
		"no zeros that lead":               spelled(u, 0, uint32(0x40)),
		"more zeros than bits":             spelled(u, 0, uint32(0x40+maxRho+1)),
		"a form that is none":              spelled(u, 2),
		"half a fingerprint":               spelled(u, 0, "ab"),
		"too many fingerprints":            spelled(u, 0, fingerprints(maxFew+1)),
		"a register of 52":                 spelled(u, 1, appendRegisters(nil, top)),
		"registers that are cut":           spelled(u, 1, make([]byte, 12287)),
		"a byte behind the bins":           spelled(q, 0, 0, 1, 4, 0, "x"),
		"a bin that is missing":            spelled(q, 0, 0, 2, 4, 0),
		"a number in two bytes for one":    spelled(q, 0, "\x80\x00", 1, 4, 0),
		"a number of 65 bits":              spelled(q, 0, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 0),
		"a count of 2^64":                  spelled(q, 0, 0, 1, 4, binary.AppendUvarint(nil, math.MaxUint64)),
		"an index too high":                spelled(q, 0, 0, 1, far, 0),
		"a step too far":                   spelled(q, 0, 0, 2, 4, 0, highestIndex, 0),
		"a step too low":                   spelled(q, 2, 0, 0, 4, 0, -lowestIndex+9, 0),
		"bins too many":                    spelled(q, 0, 0, MaxBins+1, 0, 0, bytes.Repeat([]byte{0}, 2*MaxBins)),
		"a key too early":                  spelled(p, 1000, 0, 2, 0, 1, "b", 0, 0, 1, "a", 0),
		"a key twice":                      spelled(p, 1000, 0, 2, 0, 1, "b", 0, 1, 0, 0),
		"a key that shares more":           spelled(p, 1000, 0, 2, 0, 1, "a", 0, 0, 2, "ab", 0),
		"a key that shares what is not":    spelled(p, 1000, 0, 2, 0, 1, "a", 0, 2, 1, "b", 0),
		"a key too long":                   spelled(p, 1000, 0, 1, 0, MaxTopKey+1, make([]byte, MaxTopKey+1), 0),
		"a key that is cut":                spelled(p, 1000, 0, 1, 0, 9, "a"),
		"no capacity":                      spelled(p, 0, 0, 0),
		"too much capacity":                spelled(p, maxCapacity+1, 0, 0),
		"more counters than capacity":      spelled(p, 1, 0, 2, 0, 1, "a", 0, 0, 1, "b", 0),
		"dropped with room":                spelled(p, 2, 1, 1, 0, 1, "a", 0, 1),
		"less than was dropped":            spelled(p, 1, 5, 1, 0, 1, "a", 0, 3),
		"more missing than was dropped":    spelled(p, 1, 5, 1, 0, 1, "a", 9, 6),
		"a byte behind the counters":       spelled(p, 1000, 0, 0, "x"),
		"a counter that is missing":        spelled(p, 1000, 0, 2, 0, 1, "a", 0),
		"the version of another one":       spelled(p+1, 1000, 0, 0),
		"a kind that there is not (0xf1)":  spelled(0xf1, 0),
		"a kind without a version (0x10)":  spelled(0x10, 0),
		"nothing between kind and the sum": spelled(u),
	} {
		refused(t, all, what, refuse)
	}
	for what, take := range map[string][]byte{
		"fingerprints":  spelled(u, 0, uint32(0x41), uint32(0x81)),
		"most of these": spelled(u, 0, fingerprints(maxFew)),
		"bins":          spelled(q, 1, 3, 2, 9, 0, 4, 0, highestIndex-3, 7),
		"counters":      spelled(p, 1000, 0, 3, 0, 0, 0, 0, 1, "a", 0, 1, 1, "b", 0),
		"one counter":   spelled(p, 1, 5, 1, 0, 1, "a", 0, 4),
	} {
		if again, err := Merge(slices.Values([][]byte{take})); err != nil || !bytes.Equal(again, take) {
			t.Errorf("%s: %x becomes %x, %v", what, take, again, err)
		}
	}
}

func fingerprints(n int) []byte {
	var b []byte
	for i := range n {
		b = binary.LittleEndian.AppendUint32(b, uint32(i+1)<<6|1)
	}
	return b
}

// A Top goes on after its state was taken, and what it says does not change by that.
func TestTopGoesOn(t *testing.T) {
	with, without := NewTop(1), NewTop(1)
	for i := range 3000 {
		key := fmt.Append(nil, (i*i)%701)
		with.Add(key, 1)
		without.Add(key, 1)
		if i%100 == 0 {
			state(with)
		}
	}
	if !bytes.Equal(state(with), state(without)) {
		t.Error("it was changed by writing its state")
	}
}

// A percent is one of a hundred, though some percents times a hundred are a little more than a whole number in binary.
func TestQuantileRank(t *testing.T) {
	s := &Quantile{}
	for i := range 100 {
		s.Add(float64(i + 1))
	}
	for n := 1; n <= 100; n++ {
		if got, want := s.At(float64(n)/100), valueOf(1, indexOf(float64(n))); got != want {
			t.Errorf("%d of 100 is %v, want %v", n, got, want)
		}
	}
}
