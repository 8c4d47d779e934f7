package consumer

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"penstock"
)

// strictRig is a rig whose store is strict. What is reported as condemned is kept.
type strictRig struct {
	*rig
	strict   *strictStore
	reported map[string]int // places
}

func newStrictRig(t *testing.T, o Options) *strictRig {
	r := &strictRig{rig: newRig(t, o), strict: newStrictStore(penstock.All(cluster.Partitions)...), reported: map[string]int{}}
	o = r.c.o
	o.Store = r.strict
	o.Trace.Condemned = func(stream string, place penstock.Place, why penstock.Condemned) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.reported[fmt.Sprint(stream, place, why)]++
	}
	r.c = New(o)
	return r
}

// state counts what there is so far.
func (r *strictRig) state() (letters, outages int) {
	r.strict.mu.Lock()
	defer r.strict.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.strict.letters), len(r.errs)
}

// ids returns a test for membership.
func ids(numbers ...int) func(id string) bool {
	set := map[string]bool{}
	for _, n := range numbers {
		set[fmt.Sprintf("%08d", n)] = true
	}
	return func(id string) bool { return set[id] }
}

func some(events int, share float64, seed uint64) []int {
	random := rand.New(rand.NewPCG(seed, 1))
	var numbers []int
	for i := range events {
		if random.Float64() < share {
			numbers = append(numbers, i)
		}
	}
	return numbers
}

// TestPoison has a store that refuses records: they become letters, all others rows, in order, with bounded work.
// It holds C-POISON.
func TestPoison(t *testing.T) {
	const events = 1000
	all := some(events, 2, 0)
	for name, poison := range map[string][]int{
		"one": {434}, "first": {0}, "last": {events - 1}, "both ends": {0, events - 1}, "two neighbours": {700, 701},
		"a run": all[300:400], "all": all, "all but the first": all[1:], "all but the last": all[:events-1],
		"1 of 1000": some(events, 0.001, 1), "1 of 100": some(events, 0.01, 2), "1 of 10": some(events, 0.1, 3), "half": some(events, 0.5, 4),
	} {
		for _, blocks := range []int{1, 25, events} {
			synctest.Test(t, func(t *testing.T) {
				r := newStrictRig(t, Options{})
				r.strict.poison = ids(poison...)
				r.append(blocks, events/blocks)
				began := time.Now()
				r.start()
				synctest.Wait()
				if time.Since(began) != 0 || len(r.errs) > 0 {
					t.Errorf("%s in %d blocks: it waits, for %v", name, blocks, r.errs)
				}
				_ = r.stop()
				r.strict.judge(t, events, penstock.ReasonRefused, ids(poison...))
				if len(r.reported) != len(poison) {
					t.Errorf("%s: %d of %d reported", name, len(r.reported), len(poison))
				}
				for what, n := range r.reported {
					if n != 1 || !strings.Contains(what, "no room for") {
						t.Errorf("%s is reported %d times", what, n)
					}
				}
				k := float64(len(poison))
				attempts := 2 + k*(math.Log2(events/k)*2+2)
				if n := float64(r.strict.attempts); n > attempts || n > events*1.5+20 {
					t.Errorf("%s: %v attempts for %v of %d, at most %v are expected", name, n, k, events, attempts)
				}
				if n := r.strict.walked; float64(n) > events*4+attempts*(maxHeld+8) {
					t.Errorf("%s: %d records in all attempts", name, n)
				}
			})
		}
	}
}

// TestOnePoisonRecordOf20000 needs few attempts, since each costs a transaction.
func TestOnePoisonRecordOf20000(t *testing.T) {
	for _, at := range []int{0, 1, 777, 9_999, 10_000, 19_999} {
		synctest.Test(t, func(t *testing.T) {
			r := newStrictRig(t, Options{})
			r.strict.poison = ids(at)
			r.append(1, 20_000)
			r.start()
			synctest.Wait()
			_ = r.stop()
			r.strict.judge(t, 20_000, penstock.ReasonRefused, ids(at))
			if r.strict.attempts > 35 || r.strict.walked > 100_000 {
				t.Errorf("at %d: %d attempts with %d records", at, r.strict.attempts, r.strict.walked)
			}
		})
	}
}

// TestHalfPoisonOf20000 is what nobody can do in less than about an attempt a record, but nor should it be more.
func TestHalfPoisonOf20000(t *testing.T) {
	for _, blocks := range []int{1, 20_000} {
		halfPoison(t, blocks)
	}
}

func halfPoison(t *testing.T, blocks int) {
	synctest.Test(t, func(t *testing.T) {
		poison := some(20_000, 0.5, 9)
		r := newStrictRig(t, Options{})
		r.strict.poison = ids(poison...)
		r.append(blocks, 20_000/blocks)
		r.start()
		synctest.Wait()
		_ = r.stop()
		r.strict.judge(t, 20_000, penstock.ReasonRefused, ids(poison...))
		if r.strict.attempts > 30_000 || r.strict.walked > 200_000 {
			t.Errorf("%d attempts with %d records", r.strict.attempts, r.strict.walked)
		}
	})
}

// TestOutageCondemnsNobody has a store that goes away whenever the search has come to few records.
func TestOutageCondemnsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newStrictRig(t, Options{})
		r.strict.poison = ids(333)
		until := time.Now().Add(24 * time.Hour)
		r.strict.fault = func(_ int, b penstock.Batch) error {
			if b.Len() < 10 && time.Now().Before(until) {
				return errFull
			}
			return nil
		}
		r.append(10, 100)
		r.start()
		time.Sleep(23 * time.Hour)
		synctest.Wait()
		if letters, outages := r.state(); letters > 0 || outages == 0 {
			t.Errorf("%d letters and %d outages", letters, outages)
		}
		time.Sleep(2 * time.Hour)
		r.strict.judge(t, 1000, penstock.ReasonRefused, ids(333))
		_ = r.stop()
	})
}

// TestInvalidOnce is an answer that is not repeated: nobody is to blame.
func TestInvalidOnce(t *testing.T) {
	for refused := range 8 {
		synctest.Test(t, func(t *testing.T) {
			r := newStrictRig(t, Options{})
			r.strict.fault = func(attempt int, _ penstock.Batch) error {
				if attempt < refused {
					return penstock.Errorf(penstock.Invalid, "store", "for a moment")
				}
				return nil
			}
			r.append(10, 100)
			r.start()
			synctest.Wait()
			r.strict.judge(t, 1000, "", ids())
			_ = r.stop()
		})
	}
}

// TestLettersRefused is an outage: a store that refuses what is condemned has no record left to blame.
func TestLettersRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newStrictRig(t, Options{})
		r.strict.poison = ids(50, 51, 52, 70)
		until := time.Now().Add(time.Hour)
		r.strict.fault = func(_ int, b penstock.Batch) error {
			if len(b.Condemned) > 0 && time.Now().Before(until) {
				return penstock.Errorf(penstock.Invalid, "store letter", "no")
			}
			return nil
		}
		r.append(1, 100)
		r.start()
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if _, outages := r.state(); r.strict.settled() != 50 || outages == 0 {
			t.Errorf("%d records are settled, %d outages reported", r.strict.settled(), outages)
		}
		_ = r.stop()
		time.Sleep(time.Hour)
		r.start()
		synctest.Wait()
		r.strict.judge(t, 100, penstock.ReasonRefused, r.strict.poison)
		_ = r.stop()
	})
}

// TestStaleDuringTheSearch has another worker apply a part of what is searched.
func TestStaleDuringTheSearch(t *testing.T) {
	for attempt := range 20 {
		synctest.Test(t, func(t *testing.T) {
			r := newStrictRig(t, Options{})
			r.strict.poison = ids(600, 601, 900)
			r.strict.fault = func(n int, b penstock.Batch) error {
				if n == attempt {
					first, _ := b.Cut(b.Len() / 2)
					if err := r.strict.commit(context.Background(), first); err != nil && !penstock.Is(err, penstock.Invalid) {
						t.Error(err)
					}
				}
				return nil
			}
			r.append(10, 100)
			r.start()
			time.Sleep(time.Minute)
			r.strict.judge(t, 1000, penstock.ReasonRefused, r.strict.poison)
			_ = r.stop()
		})
	}
}

// TestRandomPoison mixes refused records with outages, with answers that are lost, and with a second consumer.
func TestRandomPoison(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 11))
			poison := ids(some(2000, math.Pow(10, -random.Float64()*3), seed)...)
			r := newStrictRig(t, Options{MaxBatch: penstock.Bytes(1 << random.IntN(16))})
			r.strict.poison = poison
			r.strict.takes = time.Duration(random.IntN(3)) * time.Millisecond
			faults := rand.New(rand.NewPCG(seed, 12))
			r.strict.fault = func(_ int, b penstock.Batch) error {
				r.mu.Lock()
				dice := faults.IntN(12)
				r.mu.Unlock()
				switch dice {
				case 0:
					return errFull
				case 1:
					return penstock.Errorf(penstock.Unknown, "commit", "no answer")
				case 2:
					if err := r.strict.commit(context.Background(), b); err != nil {
						return err
					}
					return penstock.Errorf(penstock.Unknown, "commit", "no answer")
				}
				return nil
			}
			other := &rig{T: t, log: r.log, c: New(r.c.o)}
			r.start()
			other.start()
			for r.events < 2000 {
				r.append(1, min(1+random.IntN(50), 2000-r.events))
				time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
			}
			time.Sleep(24 * time.Hour)
			r.strict.judge(t, 2000, penstock.ReasonRefused, poison)
			if err := fmt.Sprint(r.stop(), other.stop()); err != "<nil> <nil>" {
				t.Errorf("seed %d: %s", seed, err)
			}
		})
	}
}

func TestDetail(t *testing.T) {
	for _, text := range []string{"", "short", strings.Repeat("é", maxDetail), "broken \xff", strings.Repeat("x\xff", maxDetail)} {
		got := detail(penstock.Errorf(penstock.Invalid, "store", "%s", text))
		if !utf8.ValidString(got) || len(got) > maxDetail+len("…") || !strings.HasPrefix(got, "store: ") {
			t.Errorf("%q", got)
		}
	}
}
