package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// contents returns the files of a file system by name.
func contents(m *Memory) map[string]string {
	all := map[string]string{}
	for name, f := range m.names {
		all[name] = string(f.data)
	}
	return all
}

// churn makes random changes.
func churn(t *testing.T, fsys FS, r *rand.Rand) {
	t.Helper()
	name := func() string { return fmt.Sprintf("d%d/f%d", r.IntN(2), r.IntN(3)) }
	var err error
	switch r.IntN(8) {
	case 0:
		_, err = fsys.Create(name())
	case 1:
		err = fsys.Rename("d0/f1", "d0/f2")
	case 2:
		err = fsys.Remove(name())
	case 3:
		err = fsys.SyncDir(fmt.Sprintf("d%d", r.IntN(2)))
	default:
		var f File
		if f, err = fsys.Edit(name()); err != nil {
			break
		}
		switch r.IntN(4) {
		case 0:
			err = f.Sync()
		case 1:
			err = errors.Join(f.Truncate(r.Int64N(3000)), f.Allocate(r.Int64N(3000)))
		default:
			_, err = f.WriteAt(bytes.Repeat([]byte{byte(1 + r.IntN(255))}, 1+r.IntN(1500)), r.Int64N(2000))
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
}

// Every moment of a trace is as it was: what was synced, and everything.
func TestTraceGoesBack(t *testing.T) {
	for seed := range uint64(20) {
		m := NewMemory(0)
		fsys, trace := Record(m)
		r := rand.New(rand.NewPCG(seed, 1))
		type was struct{ synced, everything map[string]string }
		moments := map[int]was{}
		for range 200 {
			moments[trace.Len()] = was{contents(m.CrashClone(0)), contents(m)}
			churn(t, fsys, r)
		}
		moments[trace.Len()] = was{contents(m.CrashClone(0)), contents(m)}
		for n, moment := range trace.Moments() {
			want, ok := moments[n]
			for how, state := range moment.States(r) {
				if ok && how == "synced" && !maps.Equal(contents(state), want.synced) || ok && how == "everything" && !maps.Equal(contents(state), want.everything) {
					t.Fatalf("seed %d, step %d, %s: %q", seed, n, how, contents(state))
				}
			}
		}
	}
}

// The states of a moment are those that a loss of power may leave, each step by itself.
func TestStatesOfAMoment(t *testing.T) {
	fsys, trace := Record(NewMemory(0))
	f, err := fsys.Create("d/a")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{f.Allocate(1024), f.Sync(), fsys.SyncDir("d")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, at := range []int64{0, 100, 300} {
		if _, err := f.WriteAt(bytes.Repeat([]byte{'1' + byte(i)}, 400), at); err != nil {
			t.Fatal(err)
		}
	}
	var last *Moment
	for _, m := range trace.Moments() {
		last = m
	}
	got := map[string][]string{}
	for how, state := range last.States(rand.New(rand.NewPCG(1, 1))) {
		data := []byte(contents(state)["d/a"])
		text := ""
		for _, at := range []int{50, 200, 450, 600} {
			text += string(max(data[at], '0'))
		}
		got[how] = append(got[how], text)
	}
	for how, want := range map[string][]string{
		"synced": {"0000"}, "everything": {"1233"}, "everything but write": {"0233", "1133", "1220"}, "torn": {"1230"},
	} {
		if !slices.Equal(got[how], want) {
			t.Errorf("%s: %v, want %v", how, got[how], want)
		}
	}
	if len(got["some"]) != 8 || len(got["random sectors"]) != 4 {
		t.Errorf("%v", got)
	}
}

func TestDroppedSyncs(t *testing.T) {
	m := NewMemory(0)
	lying := Watch(m, func(op Op) error {
		if op.Kind == OpSync {
			return ErrDropped
		}
		return nil
	})
	if err := errors.Join(WriteFile(lying, "d/a", []byte("x")), lying.SyncDir("d")); err != nil {
		t.Fatal(err)
	}
	if got := contents(m.CrashClone(0)); got["d/a"] != "" || len(got) != 1 {
		t.Errorf("%q survive, of which nothing but the name was synced", got)
	}
}
