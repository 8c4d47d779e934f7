//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// Enabled says whether the points are in the program.
const Enabled = true

// present is what the environment asks for.
var present = sync.OnceValue(func() *plan {
	p, err := parse(os.Getenv(Variable))
	if err != nil {
		panic(err)
	}
	return p
})

// Hit does what is asked for at a point, if anything is.
func Hit(name string) { _ = present().come(name) }

// Fail does the same, and returns an error where one is asked for.
func Fail(name string) error { return present().come(name) }

// come counts, and acts when it is time.
func (p *plan) come(name string) error {
	what, due := p.due(name)
	if !due {
		return nil
	}
	switch what.kind {
	case "kill":
		fmt.Fprintln(os.Stderr, "failpoint:", name)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // it takes effect at once, but not for this goroutine to rely on
	case "panic":
		panic("failpoint: " + name)
	case "sleep":
		time.Sleep(what.pause)
	case "error":
		return fmt.Errorf("failpoint: %s", name)
	}
	return nil
}
