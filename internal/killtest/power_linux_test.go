package killtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"penstock/internal/load/child"
	"penstock/internal/mounts"
)

var (
	powerRounds = flag.Int("power-rounds", 1, "how often each file system loses power")
	powerKinds  = flag.Int("power-kinds", 0, "how many of the kinds of file systems lose power")
	forget      = flag.Int("forget-rounds", 0, "how often a file system loses power that promises no more than POSIX")
	mutant      = flag.String("mutant", "", "no_fsync or no_dirsync: lose power under a program with this fault, which must be found")
)

// TestPowerLoss runs the program on file systems that lose power (FS_IOC_SHUTDOWN without flushing the log): what was not synced is
// lost as it is then. It needs -power-kinds: make power and make torture run it. The mounts and all processes
// are in namespaces of their own, so they go with the test however it ends.
// It holds C-POWER on real file systems.
func TestPowerLoss(t *testing.T) {
	switch {
	case *powerKinds == 0:
		return
	case !mounts.Inside():
		enterNamespace(t)
		return
	}
	all := losses(t, func(seed uint64, all *Sum) {
		for _, v := range variants[:min(*powerKinds, len(variants))] {
			t.Run(v.name, func(t *testing.T) {
				vol := newVolume(t, v)
				checkLoss(t.Context(), t, vol)
				run(t, vol, Options{Rounds: *powerRounds, Seed: seed}, all)
			})
		}
	})
	fmt.Println(all.Torture(kind("power")))
}

// TestPowerLossForgets runs the program on a file system that forgets all that POSIX lets it forget, names above all. It needs -forget-rounds.
// It holds C-POWER where a file system does not do more than it must.
func TestPowerLossForgets(t *testing.T) {
	switch {
	case *forget == 0:
		return
	case !mounts.Inside():
		enterNamespace(t)
		return
	}
	all := losses(t, func(seed uint64, all *Sum) {
		for _, k := range forgettings {
			t.Run(k.name, func(t *testing.T) {
				checkForgets(t)
				run(t, newDrive(t, k.survives, seed), Options{Rounds: *forget, Seed: seed}, all)
			})
		}
	})
	fmt.Println(all.Torture(kind("power_posix")))
}

// losses makes passes, in the namespaces; one with a program that has a fault.
func losses(t *testing.T, pass func(seed uint64, all *Sum)) Sum {
	if err := mounts.ShowProcesses(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all Sum
	for seed := range passes() {
		if pass(seed, &all); t.Failed() || *mutant != "" {
			break
		}
	}
	return all
}

// kind is what the rounds are counted as: those of a program with a fault prove something about the test alone.
func kind(name string) string {
	if *mutant != "" {
		return "control"
	}
	return name
}

// enterNamespace runs the test once more, as the first process of namespaces of mounts and of processes.
func enterNamespace(t *testing.T) {
	missing := missingForMounts()
	if t.Name() == "TestPowerLossForgets" {
		missing = missingForDrives()
	}
	if missing != "" {
		fmt.Fprintf(os.Stderr, "LEFT OUT: loss of power on real file systems: %s\n", missing)
		return
	}
	o := []string{"-program", *program}
	if *program == "" {
		o[1] = build(t, mutantTag()...)
	}
	if err := mounts.Enter(t.Context(), append(o, "-test.run=^"+t.Name()+"$", "-test.v")...); err != nil {
		t.Fatal(err)
	}
}

// missingForMounts names what a machine lacks.
func missingForMounts() string {
	var programs []string
	for _, v := range variants[:min(*powerKinds, len(variants))] {
		programs = append(programs, v.mkfs[0])
	}
	return mounts.Missing(programs...)
}

// run is a run on one medium.
func run(t *testing.T, m medium, o Options, all *Sum) {
	o.Program, o.Dir, o.Poison, o.Events, o.Data = *program, newDir(t), *poison, 50_000, filepath.Join(m.path(), "data")
	o.Fail = func(ctx context.Context, server *child.Process) error { return losePower(ctx, m, server) }
	sum, err := report(t, o)
	switch {
	case *mutant != "":
		found := err != nil || sum.Problems > 0
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		fmt.Printf("mutant %s: found %t after %d rounds, %d problems, %v\n", *mutant, found, sum.Rounds, sum.Problems, err)
		if !found {
			t.Errorf("%s passed", *mutant)
		}
	case err != nil:
		t.Error(err)
		sum.Problems++
	}
	all.Add(sum)
}

func mutantTag() []string {
	if *mutant == "" {
		return nil
	}
	return []string{"mutant_" + *mutant}
}

// checkLoss fails unless a medium that lost power keeps what was synced and not what was not: else the rounds prove nothing.
func checkLoss(ctx context.Context, t *testing.T, m medium) {
	t.Helper()
	kept, lost := filepath.Join(m.path(), "kept"), filepath.Join(m.path(), "lost")
	write(t, kept, true)
	syncDir(t, m.path())
	write(t, lost, false)
	if err := m.shutDown(); err != nil {
		t.Fatal(err)
	}
	if err := m.mountAgain(ctx); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(kept); err != nil || string(text) != "text" {
		t.Fatalf("what was synced is lost: %q, %v", text, err)
	}
	if text, err := os.ReadFile(lost); err == nil && string(text) == "text" {
		t.Fatal("what was not synced is not lost")
	}
}

func write(t *testing.T, name string, synced bool) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("text"); err != nil {
		t.Fatal(err)
	}
	if synced {
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
}

func syncDir(t *testing.T, dir string) {
	t.Helper()
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
}
