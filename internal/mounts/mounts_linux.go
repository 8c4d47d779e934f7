// Package mounts lets tests mount file systems: they run once more as the first process of namespaces of mounts and of processes, all of
// which go with the test however it ends.
package mounts

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// within is set for the process that may mount.
const within = "PENSTOCK_TEST_MOUNTS"

// Inside reports whether this process is in namespaces that Enter made.
func Inside() bool { return os.Getenv(within) != "" }

// Missing names what the machine lacks for mounts, by root, with these programs; "" if it lacks nothing.
func Missing(programs ...string) string {
	if os.Geteuid() != 0 {
		return "it takes root"
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return "there are no loop devices"
	}
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			return "there is no " + name
		}
	}
	return ""
}

// Enter runs this test executable once more within namespaces of its own, with flags beside those that it has, and waits for it.
func Enter(ctx context.Context, flags ...string) error {
	c := exec.CommandContext(ctx, os.Args[0], append(os.Args[1:], flags...)...)
	c.Env = append(os.Environ(), within+"=1")
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	runtime.LockOSThread() // whose end would be the child's
	defer runtime.UnlockOSThread()
	c.SysProcAttr = &syscall.SysProcAttr{
		Unshareflags: syscall.CLONE_NEWNS, // and its mounts are private
		Cloneflags:   syscall.CLONE_NEWPID,
		Pdeathsig:    syscall.SIGKILL,
	}
	return c.Run()
}

// ShowProcesses makes /proc show the processes of the namespace. A test calls it first.
func ShowProcesses(ctx context.Context) error { return Do(ctx, "mount", "-t", "proc", "proc", "/proc") }

// Do runs a command; its error has what the command said.
func Do(ctx context.Context, command ...string) error {
	if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, out)
	}
	return nil
}
