// Command verify judges a run again that was kept: go run ./internal/check/verify DIR. DIR is the directory of a run, or one that
// internal/killtest worked in, whose run is DIR/run. The verdict is written to standard output and, as verdict.json, into the run.
//
// The exit status is 0 if all holds, 1 if a promise was broken, 2 if there is no whole run to judge.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"penstock/internal/check"
)

const (
	holds    = 0
	broken   = 1
	unjudged = 2
)

func main() { os.Exit(verify(os.Args[1:], os.Stdout, os.Stderr)) }

func verify(args []string, stdout, stderr io.Writer) int {
	if len(args) != 1 {
		fmt.Fprintln(stderr, "usage: verify DIR")
		return unjudged
	}
	v, err := check.Verify(runIn(args[0]))
	if err != nil {
		fmt.Fprintln(stderr, "verify:", err)
		return unjudged
	}
	if _, err := io.WriteString(stdout, v.Table()); err != nil {
		fmt.Fprintln(stderr, "verify:", err)
		return unjudged
	}
	if !v.OK {
		return broken
	}
	return holds
}

// runIn returns dir/run if that is a directory, and otherwise dir.
func runIn(dir string) string {
	inside := filepath.Join(dir, "run")
	if info, err := os.Stat(inside); err == nil && info.IsDir() {
		return inside
	}
	return dir
}
