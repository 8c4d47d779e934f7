package consumer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
	"penstock/internal/vfs"
)

// lives is a sequence of processes, one after the other, with the same log, stores and marks.
type lives struct {
	*rig
	stores  []*strictStore // of shards
	files   *vfs.Memory
	options Options

	runs    []*life
	started int
}

// life is a consumer of one process.
type life struct {
	store  *strictStore
	cancel func()
	ended  chan bool // whether it died, then closed
}

// mortal is a marker that a dead process does not write to.
type mortal struct {
	*MarkFile
	store *strictStore
}

func (m mortal) Save(mark Mark) error {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	if m.store.dead {
		return nil
	}
	return m.MarkFile.Save(mark)
}

// newLives makes as many shards, which share the partitions.
func newLives(t *testing.T, shards int) *lives {
	l := &lives{rig: newRig(t, Options{}), files: vfs.NewMemory(0)}
	for i := range shards {
		var held []penstock.Partition
		for p := i; p < cluster.Partitions; p += shards {
			held = append(held, penstock.Partition(p))
		}
		l.stores = append(l.stores, newStrictStore(held...))
	}
	return l
}

// begin starts a process.
func (l *lives) begin() {
	l.Helper()
	l.started++
	l.runs = nil
	for i, s := range l.stores {
		s.dead = false
		file, err := OpenMarkFile(l.files, fmt.Sprintf("shard-%d", i))
		if err != nil {
			l.Fatal(err)
		}
		o := l.options
		o.Reader, o.Store, o.Marker = l.log, s, mortal{file, s}
		ctx, cancel := context.WithCancel(l.Context())
		chance := rand.New(rand.NewPCG(uint64(l.started), uint64(i)))
		draw := func(below time.Duration) time.Duration { return time.Duration(chance.Int64N(int64(below))) }
		run := &life{store: s, cancel: cancel, ended: make(chan bool, 1)}
		l.runs = append(l.runs, run)
		go func() {
			defer close(run.ended)
			defer func() { run.ended <- recover() != nil }()
			c := New(o)
			c.draw = draw
			_ = c.Run(ctx)
		}()
	}
}

// kill ends the process: nothing that it does from now on has an effect.
func (l *lives) kill() {
	for _, run := range l.runs {
		run.store.mu.Lock()
		run.store.dead = true
		run.store.mu.Unlock()
	}
	l.end()
}

// end waits for the process to stop, which it does in good order unless it is dead.
func (l *lives) end() {
	for _, run := range l.runs {
		run.cancel()
	}
	for _, run := range l.runs {
		<-run.ended
		for range run.ended {
		}
	}
}

// live waits until the process dies by itself, or everything is settled, or a time has passed. If it died it is buried.
func (l *lives) live(most time.Duration) (died bool) {
	for until := time.Now().Add(most); ; sleep(l.Context(), 5*time.Millisecond) {
		synctest.Wait()
		for _, run := range l.runs {
			if dead := run.store.isDead(); dead {
				l.kill()
				return true
			}
		}
		if !time.Now().Before(until) || l.settled() == l.events {
			return false
		}
	}
}

func (l *lives) settled() (n int) {
	for _, s := range l.stores {
		n += s.settled()
	}
	return n
}

func (s *strictStore) isDead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

// restarts begins processes until everything is settled, and returns how many had to be started after the first.
func (l *lives) restarts(most int) int {
	l.Helper()
	l.started = 0
	for l.begin(); l.live(time.Hour); l.begin() {
		if l.started == most+1 {
			l.Fatalf("%d of %d events are settled after %d restarts", l.settled(), l.events, most)
		}
	}
	l.end()
	return l.started - 1
}
