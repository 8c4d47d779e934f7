package consumer

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
)

// TestCrashAtOneOfAMillion finds the record within five restarts.
func TestCrashAtOneOfAMillion(t *testing.T) {
	const events = 1_000_000
	for _, at := range []int{777_777, events - 1} {
		synctest.Test(t, func(t *testing.T) {
			l := newLives(t, 1)
			l.options.MaxBatch = 1 << 30
			l.append(events/10_000, 10_000)
			s := l.stores[0]
			s.deadly, s.counts = ids(at), true
			if n := l.restarts(5); n > 5 {
				t.Errorf("at %d: %d restarts", at, n)
			}
			s.judge(t, events, penstock.ReasonCrashes, s.deadly)
		})
	}
}

// TestCrashes has batches of all sizes, several such records, and some that are refused beside them.
// It holds C-POISON for what ends the process.
func TestCrashes(t *testing.T) {
	for name, c := range map[string]struct {
		blocks, events int
		deadly, poison []int
	}{
		"alone":           {1, 1, []int{0}, nil},
		"one of two":      {1, 2, []int{1}, nil},
		"both":            {1, 2, []int{0, 1}, nil},
		"one of many":     {50, 100, []int{4321}, nil},
		"in small pieces": {300, 1, []int{33}, nil},
		"far apart":       {20, 100, []int{0, 999, 1999}, nil},
		"neighbours":      {20, 100, []int{700, 701, 702}, nil},
		"among refused":   {20, 100, []int{500}, some(2000, 0.05, 3)},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLives(t, 1)
			l.append(c.blocks, c.events)
			s := l.stores[0]
			both := append(append([]int(nil), c.deadly...), c.poison...)
			s.deadly, s.poison = ids(c.deadly...), ids(c.poison...)
			if n := l.restarts(5 * len(c.deadly)); n != 5*len(c.deadly) {
				t.Errorf("%s: %d restarts for %d records", name, n, len(c.deadly))
			}
			for id, why := range s.letters {
				if (why.Reason == penstock.ReasonCrashes) != s.deadly(id) {
					t.Errorf("%s: %s is %v", name, id, why)
				}
				s.letters[id] = penstock.Condemned{Reason: "either", Detail: why.Detail}
			}
			s.judge(t, l.events, "either", ids(both...))
		})
	}
}

// TestSlowDeath is that of a process which a record fills with garbage for seconds.
func TestSlowDeath(t *testing.T) {
	for _, lives := range []time.Duration{300 * time.Millisecond, time.Second, 3 * time.Second, 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			l := newLives(t, 1)
			l.append(50, 100)
			s := l.stores[0]
			s.deadly, s.lives, s.takes = ids(4321), lives, 10*time.Millisecond
			if n := l.restarts(8); n > 6 {
				t.Errorf("%d restarts, when it takes %v", n, lives)
			}
			s.judge(t, l.events, penstock.ReasonCrashes, s.deadly)
		})
	}
}

// TestShards have their own marks. Each holds a record that ends the process, which the others must not pay for.
func TestShards(t *testing.T) {
	for _, shards := range []int{2, 3} {
		synctest.Test(t, func(t *testing.T) {
			l := newLives(t, shards)
			l.append(50, 100)
			for _, s := range l.stores {
				s.deadly, s.takes = ids(l.first(s.Partitions(), 2000)), 5*time.Millisecond
			}
			l.restarts(40 * shards)
			for i, s := range l.stores {
				for id, why := range s.letters {
					if !s.deadly(id) || why.Reason != penstock.ReasonCrashes {
						t.Errorf("shard %d: %s is %v", i, id, why)
					}
				}
				if len(s.letters) != 1 || len(s.faults) > 0 {
					t.Errorf("shard %d has %d letters, %v", i, len(s.letters), s.faults)
				}
			}
		})
	}
}

// first returns the number of the first event past n that lies in one of the partitions.
func (l *lives) first(held []penstock.Partition, n int) int {
	l.Helper()
	from := penstock.Positions{}
	for _, p := range held {
		from[p] = penstock.Position{}
	}
	cursor, err := l.log.Log.Open(l.Context(), from)
	if err != nil {
		l.Fatal(err)
	}
	defer cursor.Close()
	b, err := cursor.Next(l.Context(), 1<<30)
	if err != nil {
		l.Fatal(err)
	}
	for r := range b.Records() {
		if string(r.ID) > fmt.Sprintf("%08d", n) {
			n, err := strconv.Atoi(string(r.ID))
			if err != nil {
				l.Fatal(err)
			}
			return n
		}
	}
	l.Fatal("there is none")
	return 0
}

// TestCrashesAmongKills finds the record although others end the process too.
func TestCrashesAmongKills(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 31))
			l := newLives(t, 1)
			l.append(20, 50)
			s := l.stores[0]
			s.deadly, s.takes = ids(random.IntN(1000)), 5*time.Millisecond
			for range 100 {
				l.begin()
				if !l.live(time.Duration(random.Int64N(int64(20 * time.Second)))) {
					l.kill()
				}
			}
			l.restarts(5)
			s.judge(t, l.events, penstock.ReasonCrashes, s.deadly)
		})
	}
}
