// Package failpoint names moments at which a test may end the process, hold it up, or let a step fail. Without the build tag failpoints
// nothing of it is left in the program: the calls are empty and vanish.
//
// With the tag the environment variable PENSTOCK_FAILPOINTS says what happens where, and at which time that the point is come by:
//
//	PENSTOCK_FAILPOINTS="log.before-sync=kill@3 store.before-commit=error roll.named=sleep:50ms@2"
//
// kill is SIGKILL to the process itself, panic panics, sleep goes on after that time, and error is returned by Fail; Hit knows no error
// and goes on. Without @n it happens each time. A variable that cannot be read ends the program, at the first point.
package failpoint

import "slices"

// Variable is the environment variable.
const Variable = "PENSTOCK_FAILPOINTS"

// points are all that the program comes by, in the order of an event's way.
var points = [...]string{
	"log.before-write", "log.written", "log.synced", "log.published",
	"roll.written", "roll.synced", "roll.named", "roll.done",
	"door.appended",
	"consumer.marked", "consumer.applied",
	"store.before-commit", "store.committed", "store.before-checkpoint", "store.checkpointed",
	"file.made", "file.dir-synced", "file.viewed",
	"ids.written", "ids.named", "ids.merged",
	"retain.pointed", "retain.removed",
	"expire.brought-forward", "expire.pointed", "expire.removed",
	"recover.before-rewrite", "recover.rewritten",
	"replay.appended",
}

// Points returns the names of all points.
func Points() []string { return slices.Clone(points[:]) }
