//go:build failpoints

package main

import (
	"time"

	"penstock/store/embedded"
)

// hurried lets happen in seconds what else takes a day: the tests of failpoints wait for it.
func hurried(o embedded.Options) embedded.Options {
	o.Period, o.Checkpoint, o.Idle = time.Second, 256<<10, 100*time.Millisecond
	return o
}
