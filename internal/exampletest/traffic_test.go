package exampletest

import (
	"slices"
	"testing"
	"time"
)

func TestMomentsDiffer(t *testing.T) {
	const n, span = 20_000, 24 * time.Hour
	at := Moments(NewRand(1), n, Day(), span)
	perBurst := map[time.Duration]int{}
	for i := range at {
		if i > 0 && !at[i].After(at[i-1]) {
			t.Fatalf("moment %d is %v, behind %v", i, at[i], at[i-1])
		}
		perBurst[at[i].Sub(Day())/(span/500)]++
	}
	most := 0
	for _, n := range perBurst {
		most = max(most, n)
	}
	if even := n / 500; most < 5*even {
		t.Errorf("at most %d in a 500th of the time, where %d would be even: no bursts", most, even)
	}
	if !slices.Equal(at, Moments(NewRand(1), n, Day(), span)) {
		t.Error("the same seed gives other moments")
	}
}

func TestArrivals(t *testing.T) {
	const n = 20_000
	events := Moments(NewRand(1), n, Day(), 24*time.Hour)
	arrived := Arrivals(NewRand(2), events, func(at time.Time) time.Time { return at })
	seen := map[time.Time]int{}
	late, newest := 0, time.Time{}
	for _, at := range arrived {
		seen[at]++
		if newest.Sub(at) > time.Minute && seen[at] == 1 {
			late++
		}
		if at.After(newest) {
			newest = at
		}
	}
	twice := 0
	for at, times := range seen {
		if times > 2 {
			t.Errorf("%v came %d times", at, times)
		}
		twice += times - 1
	}
	if len(seen) != n || len(arrived) != n+twice {
		t.Errorf("%d of %d events, %d arrivals", len(seen), n, len(arrived))
	}
	if twice < n/100 || twice > n*3/100 {
		t.Errorf("%d of %d came twice", twice, n)
	}
	if late < n/50 || late > n/10 {
		t.Errorf("%d of %d came more than a minute late", late, n)
	}
}

func TestOnce(t *testing.T) {
	if got := Once([]string{"a", "b", "a", "c", "b"}, func(s string) string { return s }); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Error(got)
	}
}

func TestZipfIsSkewed(t *testing.T) {
	choose, counts := Zipf(NewRand(1), 1.2, 1000), make([]int, 1000)
	for range 10_000 {
		counts[choose()]++
	}
	if counts[0] < 1000 || counts[0] < 5*counts[9] || counts[500] > 100 {
		t.Errorf("first %d, tenth %d, 501st %d", counts[0], counts[9], counts[500])
	}
}
