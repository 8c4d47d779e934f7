package disk

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
	"penstock/internal/vfs"
)

// TestStalledDisk holds C-STALL: while a flush does not come back those who wait do so for five seconds, unless they have a patience of
// their own, and then others are refused; when it does, all goes on.
func TestStalledDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stalls atomic.Bool
		back := make(chan struct{})
		fs := vfs.Watch(vfs.NewMemory(0), func(op vfs.Op) error {
			if op.Kind == vfs.OpDatasync && stalls.Load() {
				<-back
			}
			return nil
		})
		l := mustOpen(t, fs, tinyOptions())
		mustAppend(t, l, "before")
		stalls.Store(true)
		waiting := make(chan error, 1)
		go func() { waiting <- l.Append(t.Context(), testBlock("waits", 3)) }()
		told := make(chan error, 1)
		go func() { told <- l.Append(context.Background(), testBlock("is told", 1)) }()
		<-time.After(stallAfter / 2)
		if err := l.Ready(0); err != nil {
			t.Errorf("after half of the time: %v", err)
		}
		<-time.After(stallAfter)
		if err := l.Ready(0); !penstock.Is(err, penstock.Overloaded) {
			t.Errorf("Ready: %v", err)
		}
		if err := l.Append(t.Context(), testBlock("late", 1)); !penstock.Is(err, penstock.Overloaded) {
			t.Errorf("Append: %v", err)
		}
		if err := <-told; !penstock.Is(err, penstock.Unknown) || !strings.Contains(err.Error(), "has not answered") {
			t.Errorf("who has no patience of its own: %v", err)
		}
		stalls.Store(false)
		close(back)
		if err := <-waiting; err != nil {
			t.Errorf("what waited: %v", err)
		}
		mustAppend(t, l, "after")
		if got := l.Stats(); got.Stalled != 0 {
			t.Errorf("stalled for %v", got.Stalled)
		}
		if err := l.Ready(0); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		mustClose(t, l)
	})
}
