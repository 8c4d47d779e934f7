package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestBenchViewsAreAccepted reads the files that measurements of views write for their servers.
func TestBenchViewsAreAccepted(t *testing.T) {
	for n := range len(benchViews) + 1 {
		f := benchFlags{stream: "bench", views: n, columns: n%2 == 0}
		c, err := loadText(t, f.config(), settings{})
		if err != nil {
			t.Fatalf("%s: %v", f.config(), err)
		}
		if got := c.views(); len(got) != n {
			t.Errorf("%d views instead of %d", len(got), n)
		}
	}
	f := benchFlags{ownConfig: lookupConfig}
	c, err := loadText(t, f.config(), settings{})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.views(); len(got) != 2 || !got[0].Board || got[1].Group[0].Name != "key" {
		t.Errorf("%+v", got)
	}
}

func TestFillingHasEachKeyOnce(t *testing.T) {
	v := viewFlags{prefix: "user-"}
	for _, n := range []int64{1, 2, 5, 10, 1000, 10_007} {
		l := filling{count: n, step: stepFor(n), scored: true, prefix: v.prefix}
		var keys []string
		for line := range strings.Lines(string(l.lines(nil, 0, n))) {
			var e struct {
				ID, Key string
				Score   *int64
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.ID == "" || e.Score == nil || *e.Score < 0 {
				t.Fatalf("%s: %v", line, err)
			}
			keys = append(keys, e.Key)
		}
		slices.Sort(keys)
		if got := int64(len(slices.Compact(keys))); got != n || keys[n-1] != v.key(n-1) {
			t.Errorf("%d keys of %d, the last %s", got, n, keys[n-1])
		}
	}
}

func TestProcessorSecondsPassOverTheName(t *testing.T) {
	for stat, want := range map[string]float64{
		"1234 (pen) stock) S 1 1234 1234 0 -1 4194560 9000 0 12 0 150 75 0 0 20 0 9 0 100 1 1": 2.25,
		"1234 (penstock) S 1": 0,
		"":                    0,
	} {
		if got := processorSecondsIn(stat); got != want {
			t.Errorf("%q: %v instead of %v", stat, got, want)
		}
	}
}
