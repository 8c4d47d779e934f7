package sketch

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"penstock"
)

// A summary is what all three are.
type summary interface {
	Merge(state []byte) error
	AppendTo(dst []byte) []byte
}

func state(s summary) []byte { return s.AppendTo(nil) }

// golden are summaries whose states lie in testdata/v1 for ever.
func golden() map[string]summary {
	all := map[string]summary{}
	for name, n := range map[string]int{"none": 0, "few": 3, "most": maxFew, "many": maxFew + 1} {
		u := &Unique{}
		for i := range n {
			u.Add(fmt.Appendf(nil, "value %d", i))
		}
		all["unique-"+name] = u
	}
	all["quantile-none"] = &Quantile{}
	numbers, collapsed := &Quantile{}, &Quantile{}
	for _, v := range []float64{3, -0.5, 0, 12, 12, 1e300, -1e-300, math.MaxFloat64, math.SmallestNonzeroFloat64} {
		numbers.Add(v)
	}
	all["quantile-few"] = numbers
	for i := range int32(2500) {
		collapsed.Add(valueOf(1, 7*i-9000))
		collapsed.Add(valueOf(-1, i-100))
	}
	all["quantile-collapsed"] = collapsed
	all["top-none"] = NewTop(50)
	few, dropped := NewTop(5), NewTop(1)
	for i, key := range []string{"a", "", "ab", "ü", "a\x00", "a"} {
		few.Add([]byte(key), uint64(i+1))
	}
	all["top-few"] = few
	for i := range 1500 {
		dropped.Add(fmt.Appendf(nil, "/page/%d", i), uint64(1+2000/(i+1)))
	}
	all["top-dropped"] = dropped
	return all
}

// What was written once is read for ever, and is written the same way.
func TestGolden(t *testing.T) {
	for name, s := range golden() {
		want, err := os.ReadFile(filepath.Join("testdata", "v1", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := state(s); !bytes.Equal(got, want) {
			t.Errorf("%s is written as %.80x…, want %.80x…", name, got, want)
		}
		again, err := Merge(slices.Values([][]byte{want}))
		if err != nil || !bytes.Equal(again, want) {
			t.Errorf("%s is read and written as %.80x…, %v", name, again, err)
		}
	}
}

// What they say is part of the format.
func TestGoldenResults(t *testing.T) {
	for name, want := range map[string]string{
		"unique-none": "0", "unique-few": "3", "unique-most": "3072", "unique-many": "3065",
		"quantile-none": "NaN NaN", "quantile-few": "2.97 1.27e+308", "quantile-collapsed": "-1.15e+03 5.44e+70",
		"top-none": "[] 0", "top-few": "[{a 7 0} {a\x00 5 0}] 0", "top-dropped": "[{/page/0 2001 0} {/page/1 1001 0}] 2",
	} {
		b, err := os.ReadFile(filepath.Join("testdata", "v1", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := results(b); got != want {
			t.Errorf("%s says %q, want %q", name, got, want)
		}
	}
}

// results says what a state has, for which no summary is made.
func results(state []byte) string {
	switch kind, err := KindOf(state); kind {
	case KindUnique:
		n, err := UniqueCount(state)
		if err == nil {
			return fmt.Sprint(n)
		}
		return err.Error()
	case KindQuantile:
		half, err := QuantileAt(state, 0.5)
		most, _ := QuantileAt(state, 0.99)
		if err == nil {
			return fmt.Sprintf("%.3g %.3g", half, most)
		}
		return err.Error()
	case KindTop:
		items, err := TopItems(state, 2)
		top := &Top{}
		if err == nil && top.Merge(state) == nil {
			return fmt.Sprint(items, " ", top.Missing())
		}
		return fmt.Sprint(err)
	default:
		return err.Error()
	}
}

// Not a bit of a state may change, and no byte may be missing or added: reading fails with Corrupt, and Merge leaves what there was.
func TestDamage(t *testing.T) {
	all := golden()
	for name, s := range all {
		whole := state(s)
		for at := 0; at < len(whole); at += 1 + len(whole)/400 {
			damaged := bytes.Clone(whole)
			damaged[at] ^= 1 << (at % 8)
			refused(t, all, fmt.Sprint(name, " with byte ", at, " changed"), damaged)
			refused(t, all, fmt.Sprint(name, " cut at ", at), whole[:at])
		}
		refused(t, all, name+" with a byte more", append(bytes.Clone(whole), 0))
	}
	refused(t, all, "nothing", nil)
}

func refused(t *testing.T, all map[string]summary, what string, damaged []byte) {
	t.Helper()
	for _, s := range []summary{all["unique-few"], all["quantile-few"], all["top-few"]} {
		before := state(s)
		if err := s.Merge(damaged); !penstock.Is(err, penstock.Corrupt) {
			t.Fatalf("%s is merged into %T: %v", what, s, err)
		}
		if !bytes.Equal(state(s), before) {
			t.Fatalf("%s changed %T", what, s)
		}
	}
	_, byUnique := UniqueCount(damaged)
	_, byQuantile := QuantileAt(damaged, 0.5)
	_, byTop := TopItems(damaged, 1)
	_, byMerge := Merge(slices.Values([][]byte{damaged}))
	for _, err := range []error{byUnique, byQuantile, byTop, byMerge} {
		if !penstock.Is(err, penstock.Corrupt) {
			t.Fatalf("%s is read: %v", what, err)
		}
	}
}

// States of one kind do not pass for those of another, nor those with another capacity.
func TestForeign(t *testing.T) {
	all := golden()
	for _, pair := range [][2]string{{"unique-few", "quantile-few"}, {"quantile-few", "top-few"}, {"top-few", "unique-few"}} {
		a, b := state(all[pair[0]]), state(all[pair[1]])
		if _, err := Merge(slices.Values([][]byte{a, b})); !penstock.Is(err, penstock.Corrupt) {
			t.Errorf("%s are merged: %v", pair, err)
		}
	}
	wide := NewTop(MaxTop + 1)
	if err := wide.Merge(state(all["top-few"])); !penstock.Is(err, penstock.Corrupt) {
		t.Errorf("1,000 counters are merged with 20,000: %v", err)
	}
	newer := state(all["top-few"])
	newer[0]++
	newer = seal(newer[:len(newer)-sumSize], 0)
	refused(t, all, "a newer version", newer)
}

func TestMergeOfNone(t *testing.T) {
	if b, err := Merge(slices.Values([][]byte(nil))); b != nil || err != nil {
		t.Errorf("%x, %v", b, err)
	}
}

// mergeAll merges states in a random tree.
func mergeAll(t interface{ Fatal(...any) }, states [][]byte, r *rand.Rand) []byte {
	states = slices.Clone(states)
	for len(states) > 1 {
		r.Shuffle(len(states), func(i, j int) { states[i], states[j] = states[j], states[i] })
		n := min(len(states), 2+r.IntN(4))
		merged, err := Merge(slices.Values(states[:n]))
		if err != nil {
			t.Fatal(err)
		}
		states = append(states[n:], merged)
	}
	return states[0]
}

// A state of few values is small.
func TestSmall(t *testing.T) {
	for name, limit := range map[string]int{
		"unique-none": 6, "unique-few": 18, "unique-most": 12294, "unique-many": 12294, "quantile-none": 8, "quantile-few": 40,
		"quantile-collapsed": 30000, "top-none": 9, "top-few": 32,
	} {
		if got := len(state(golden()[name])); got > limit {
			t.Errorf("%s has %d bytes, more than %d", name, got, limit)
		}
	}
}

// Asking a state for its result allocates nothing, merging a small one into a large one neither.
func TestAllocations(t *testing.T) {
	all := golden()
	many, few, numbers := state(all["unique-many"]), state(all["unique-few"]), state(all["quantile-collapsed"])
	large, wide := all["unique-many"], all["quantile-collapsed"]
	top, items := all["top-dropped"], state(all["top-dropped"])
	for what, test := range map[string]struct {
		most float64
		f    func()
	}{
		"UniqueCount":       {0, func() { _, _ = UniqueCount(many) }},
		"QuantileAt":        {0, func() { _, _ = QuantileAt(numbers, 0.5) }},
		"Unique.Merge few":  {0, func() { _ = large.Merge(few) }},
		"Unique.Merge many": {0, func() { _ = large.Merge(many) }},
		"Quantile.Merge":    {0, func() { _ = wide.Merge(numbers) }},
		"Top.Merge":         {1, func() { _ = top.Merge(items) }},
	} {
		if got := testing.AllocsPerRun(20, test.f); got > test.most {
			t.Errorf("%s allocates %v times", what, got)
		}
	}
}
