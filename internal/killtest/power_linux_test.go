package killtest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

var (
	powerRounds = flag.Int("power-rounds", 1, "how often each file system loses power")
	powerKinds  = flag.Int("power-kinds", 0, "how many of the kinds of file systems lose power")
	mutant      = flag.String("mutant", "", "no_fsync or no_dirsync: lose power under a program with this fault, which must be found")
)

// withinNamespace is set for the process that may mount.
const withinNamespace = "PENSTOCK_TEST_MOUNTS"

// TestPowerLoss runs the program on file systems that lose power (FS_IOC_SHUTDOWN without flushing the log): what was not synced is
// lost as it is then. It needs -power-kinds: make power and make torture run it. The mounts and all processes
// are in namespaces of their own, so they go with the test however it ends.
// It holds C-POWER on real file systems.
func TestPowerLoss(t *testing.T) {
	switch {
	case *powerKinds == 0:
		return
	case os.Getenv(withinNamespace) == "":
		enterNamespace(t)
		return
	}
	if err := do(t.Context(), "mount", "-t", "proc", "proc", "/proc"); err != nil {
		t.Fatal(err)
	}
	var all Sum
	for seed := range passes() {
		for _, v := range variants[:min(*powerKinds, len(variants))] {
			losePower(t, v, seed, &all)
		}
		if t.Failed() {
			break
		}
	}
	if *mutant != "" { // its rounds prove something about the test alone
		fmt.Println(all.Torture("control"))
		return
	}
	fmt.Println(all.Torture("power"))
}

// enterNamespace runs the test once more, as the first process of namespaces of mounts and of processes.
func enterNamespace(t *testing.T) {
	if missing := missingForMounts(); missing != "" {
		fmt.Fprintf(os.Stderr, "LEFT OUT: loss of power on real file systems: %s\n", missing)
		return
	}
	o := []string{"-program", *program}
	if *program == "" {
		o[1] = build(t, mutantTag()...)
	}
	c := exec.CommandContext(t.Context(), os.Args[0], append(os.Args[1:], append(o, "-test.run=^TestPowerLoss$", "-test.v")...)...)
	c.Env = append(os.Environ(), withinNamespace+"=1")
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	runtime.LockOSThread() // whose end would be the child's
	defer runtime.UnlockOSThread()
	c.SysProcAttr = &syscall.SysProcAttr{
		Unshareflags: syscall.CLONE_NEWNS, // and its mounts are private
		Cloneflags:   syscall.CLONE_NEWPID,
		Pdeathsig:    syscall.SIGKILL,
	}
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
}

// missingForMounts names what a machine lacks.
func missingForMounts() string {
	if os.Geteuid() != 0 {
		return "it takes root"
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return "there are no loop devices"
	}
	for _, v := range variants[:min(*powerKinds, len(variants))] {
		if _, err := exec.LookPath(v.mkfs[0]); err != nil {
			return "there is no " + v.mkfs[0]
		}
	}
	return ""
}

// losePower is a run on one file system.
func losePower(t *testing.T, v variant, seed uint64, all *Sum) {
	t.Run(v.name, func(t *testing.T) {
		vol := newVolume(t, v)
		checkLoss(t.Context(), t, vol)
		sum, err := report(t, Options{
			Program: *program, Dir: newDir(t), Rounds: *powerRounds, Seed: seed, Poison: *poison, Events: 50_000,
			Fail: vol.losePower, Data: filepath.Join(vol.dir, "data"),
		})
		switch {
		case *mutant != "":
			found := err != nil || sum.Problems > 0
			fmt.Printf("mutant %s: found %t after %d rounds, %d problems, %v\n", *mutant, found, sum.Rounds, sum.Problems, err)
			if !found {
				t.Errorf("%s passed", *mutant)
			}
		case err != nil:
			t.Error(err)
			sum.Problems++
		}
		all.Add(sum)
	})
}

func mutantTag() []string {
	if *mutant == "" {
		return nil
	}
	return []string{"mutant_" + *mutant}
}

// checkLoss fails unless a file system that lost power keeps what was synced and not what was not: else the rounds prove nothing.
func checkLoss(ctx context.Context, t *testing.T, vol *volume) {
	t.Helper()
	kept, lost := filepath.Join(vol.dir, "kept"), filepath.Join(vol.dir, "lost")
	for _, name := range []string{kept, lost} {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("text"); err != nil {
			t.Fatal(err)
		}
		if name == kept {
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := vol.shutDown(); err != nil {
		t.Fatal(err)
	}
	if err := vol.mountAgain(ctx); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(kept); err != nil || string(text) != "text" {
		t.Fatalf("what was synced is lost: %q, %v", text, err)
	}
	if text, err := os.ReadFile(lost); err == nil && string(text) == "text" {
		t.Fatal("what was not synced is not lost")
	}
}
