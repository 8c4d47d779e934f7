package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"penstock"
)

// once is a stream that recognises repeats for some hours, and so many ids in each of four partitions.
func once(hours int, ids int64) penstock.Stream {
	return penstock.Stream{Name: "once", Dedup: penstock.Dedup{Window: time.Duration(hours) * time.Hour, MaxIDs: 4 * ids}}
}

// numbered are events of one key, from an id to another, excluded.
func numbered(from, to int) []event {
	var all []event
	for i := from; i < to; i++ {
		all = append(all, event{id: fmt.Sprint(i), key: "k"})
	}
	return all
}

// The index of identities is derived: whatever became of it, the same records are repeats.
func TestIdentitiesAreDerived(t *testing.T) {
	t.Parallel()
	a := newAccounts(t, once(3, 12), kept("typed", 0, bigint("n")))
	old := t.TempDir()
	for i := range 8 {
		a.store(t, "once", numbered(5*i, 5*i+5)...)
		a.store(t, "typed", event{id: fmt.Sprint(i), body: `{"n":"one"}`})
		a.feeder.logTime += hour
		if i == 3 {
			a.d = reopen(t, a.d) // which writes what is in memory
			if err := os.CopyFS(old, os.DirFS(filepath.Join(a.d.shards[0].dir, "ids"))); err != nil {
				t.Fatal(err)
			}
		}
	}
	a.feeder.logTime -= hour
	a.d = reopen(t, a.d)
	ids := func(dir string) string { return filepath.Join(dir, "ids") }
	want := ""
	for name, change := range map[string]func(dir string){
		"whole":   nil,
		"missing": func(dir string) { must(t, os.RemoveAll(ids(dir))) },
		"older":   func(dir string) { must(t, os.RemoveAll(ids(dir)), os.CopyFS(ids(dir), os.DirFS(old))) },
		"cut":     func(dir string) { eachFile(t, ids(dir), func(b []byte) []byte { return b[:len(b)/2] }) },
		"flipped": func(dir string) { eachFile(t, ids(dir), func(b []byte) []byte { b[len(b)/2] ^= 1; return b }) },
		"other":   func(dir string) { eachFile(t, ids(dir), func(b []byte) []byte { return []byte("something else") }) },
	} {
		t.Run(name, func(t *testing.T) {
			d := a.copied(t, change)
			f := &feeder{cluster: a.feeder.cluster, builder: a.feeder.builder, next: positionsOf(t, d), logTime: a.feeder.logTime}
			apply(t, d, f.batch("once", numbered(28, 45)...))
			apply(t, d, f.batch("once", numbered(33, 50)...))
			apply(t, d, f.batch("once", numbered(0, 3)...))
			got := fatesOf(t, d)
			if want == "" {
				want = got
			}
			// Of 40 ids the last 12 are remembered, 28 to 39, and each new one pushes one out.
			if got != want || got != "stored 53, duplicate 24, dead 8, parked 0, dropped 0, expired 0" {
				t.Fatalf("%s, others %s", got, want)
			}
			balanced(t, d)
		})
	}
}

func TestDiscardedIdentitiesAreReported(t *testing.T) {
	a := newAccounts(t, once(3, 12))
	a.store(t, "once", numbered(0, 5)...)
	must(t, a.d.Close())
	eachFile(t, filepath.Join(a.d.dir, "shard-0", "ids"), func(b []byte) []byte { return b[:len(b)/2] })
	o := a.d.o
	var said []string
	o.Trace.IdentitiesDiscarded = func(shard string, err error) {
		said = append(said, fmt.Sprint(shard, " ", penstock.Is(err, penstock.Corrupt)))
	}
	a.d = openDatabase(t, a.d.dir, o)
	if len(said) != 1 || said[0] != "shard-0 true" {
		t.Errorf("it said %q", said)
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// eachFile changes the files of a directory.
func eachFile(t *testing.T, dir string, change func([]byte) []byte) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		must(t, err, os.WriteFile(name, change(raw), 0o600))
	}
}

// A file stays while its identities may count, and goes with them.
func TestIdentitiesHoldFiles(t *testing.T) {
	s := once(4, 1000)
	s.KeepRows = time.Hour
	a := newAccounts(t, s)
	for i := range 8 {
		a.store(t, "once", numbered(i, i+1)...)
		a.feeder.logTime += hour
	}
	a.feeder.logTime -= hour
	retain(t, a.d)
	if got := numbersOf(t, a.d, 0); !slices.Equal(got, []int{4, 5, 6, 7, 8}) {
		t.Fatal(got)
	}
	d := a.copied(t, func(dir string) { must(t, os.RemoveAll(filepath.Join(dir, "ids"))) })
	f := &feeder{cluster: a.feeder.cluster, builder: a.feeder.builder, next: positionsOf(t, d), logTime: a.feeder.logTime}
	apply(t, d, f.batch("once", numbered(0, 8)...))
	if got := fatesOf(t, d); got != "stored 8, duplicate 5, dead 0, parked 0, dropped 0, expired 3" {
		t.Fatal(got) // of the fourth hour on they are repeats: four hours count whole
	}
	s.Dedup.Window = time.Hour
	declare(t, a.d, s)
	retain(t, a.d)
	if got := numbersOf(t, a.d, 0); !slices.Equal(got, []int{7, 8}) {
		t.Fatal(got)
	}
}

// What a stream remembered before it was told to stop counts again when it is told to go on, across a start as well.
func TestIdentitiesOfAStreamThatWasOff(t *testing.T) {
	a := newAccounts(t, once(24, 1000))
	a.store(t, "once", numbered(0, 5)...)
	off := penstock.Stream{Name: "once"}
	declare(t, a.d, off)
	a.store(t, "once", numbered(3, 6)...)
	must(t, a.d.Close())
	o := a.d.o
	o.Streams = []penstock.Stream{off}
	must(t, os.RemoveAll(filepath.Join(a.d.dir, "shard-0", "ids")))
	a.d = openDatabase(t, a.d.dir, o)
	declare(t, a.d, once(24, 1000))
	a.store(t, "once", numbered(0, 7)...)
	if got := fatesOf(t, a.d); got != "stored 10, duplicate 5, dead 0, parked 0, dropped 0, expired 0" {
		t.Fatal(got)
	}
}

// An index that could not be given all that it lacks is asked nothing.
func TestIdentitiesAreCompleted(t *testing.T) {
	a := newAccounts(t, penstock.Stream{Name: "once"})
	declare(t, a.d, once(24, 1000))
	a.store(t, "once", numbered(0, 5)...)
	declare(t, a.d, penstock.Stream{Name: "once"})
	must(t, a.d.Close(), os.RemoveAll(filepath.Join(a.d.dir, "shard-0", "ids")))
	o := a.d.o
	o.Streams = nil
	a.d = openDatabase(t, a.d.dir, o)
	s := a.d.shards[0]
	on, err := a.d.declared.with(once(24, 1000), func(int32) bool { return false })
	must(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s.applying.Lock()
	err = s.setWindows(ended, on.sorted(), on)
	s.applying.Unlock()
	if !penstock.Is(err, penstock.Unavailable) {
		t.Fatal(err)
	}
	declare(t, a.d, once(24, 1000))
	a.store(t, "once", numbered(0, 7)...)
	if got := fatesOf(t, a.d); got != "stored 7, duplicate 5, dead 0, parked 0, dropped 0, expired 0" {
		t.Fatal(got)
	}
}

// A run that is damaged while it is in use costs a batch one more attempt.
func TestIdentitiesAreDamagedInUse(t *testing.T) {
	a := newAccounts(t, once(24, 1000))
	a.store(t, "once", numbered(0, 300)...)
	a.d = reopen(t, a.d)
	eachFile(t, filepath.Join(a.d.shards[0].dir, "ids"), func(b []byte) []byte { return make([]byte, len(b)) })
	b := a.feeder.batch("once", numbered(0, 301)...)
	set := 0
	a.d.o.Trace.SetAside = func(_, what string, _ error) {
		if what == "ids" {
			set++
		}
	}
	if err := a.d.shards[0].Apply(t.Context(), b); !penstock.Is(err, penstock.Unavailable) || set != 1 {
		t.Fatal(set, err)
	}
	apply(t, a.d, b)
	if got := fatesOf(t, a.d); got != "stored 301, duplicate 300, dead 0, parked 0, dropped 0, expired 0" {
		t.Fatal(got)
	}
	balanced(t, a.d)
}
