package disk

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"

	"penstock"
	"penstock/internal/vfs"
)

func asError(err error, e **penstock.Error) bool { return errors.As(err, e) }

func watchDamage(o Options) (Options, *[]Damage) {
	var mu sync.Mutex
	all := &[]Damage{}
	o.Trace.Damaged = func(d Damage) {
		mu.Lock()
		defer mu.Unlock()
		*all = append(*all, d)
	}
	return o, all
}

// life is one process of a long chain of them, with what was there when it began.
type life struct {
	mem *vfs.Memory
	led *ledger
	o   Options
}

// chain returns the beginnings of n lives, each of which goes on with what the one before left, and operates as live does.
func chain(seed uint64, n int) []life {
	g := newRig(seed, 0, nil)
	g.o.Keep = 1
	var lives []life
	for range n {
		lives = append(lives, life{g.mem.CrashClone(1), g.led.asOf(g.trace.Len(), nil), g.o})
		g.live(len(lives), nil)
	}
	return lives
}

// live is a process that appends, retains, appends and ends, every other time by being killed. It goes on through errors as callers do.
func (g *rig) live(nth int, after func(*process)) {
	p := g.start()
	if p == nil {
		return
	}
	p.append('a', 2)
	p.together('b', 2+nth%4)
	p.retain(0.7)
	p.append('a', 2)
	if after != nil {
		after(p)
	}
	if nth%2 == 0 {
		p.kill()
		return
	}
	p.close()
}

// strike is a fault that remembers the file that it struck: after a failed flush nobody may write to that file, or flush it, any more.
type strike struct {
	vfs.Fault

	mu     sync.Mutex
	seen   int
	over   bool  // there is room again, or the disk works
	file   int64 // whose flush failed
	broken []finding
}

func (s *strike) before(op vfs.Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != 0 && op.File == s.file && slices.Contains([]vfs.Kind{vfs.OpWrite, vfs.OpSync, vfs.OpDatasync}, op.Kind) {
		s.broken = append(s.broken, problemf("%v after a failed flush of that file", op))
	}
	if op.Kind != s.Kind {
		return nil
	}
	s.seen++
	if s.over || s.seen != s.Nth && !(s.Ever && s.seen > s.Nth) {
		return nil
	}
	if op.Kind == vfs.OpSync || op.Kind == vfs.OpDatasync {
		s.file = op.File
	}
	return s.Err
}

func (s *strike) end() (struck bool, broken []finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	return s.seen >= s.Nth, s.broken
}

// fail gives a life a fault and looks at what a loss of power leaves of it; then the fault is over, a thousand more events come, and
// another process, which was told of them, has to have everything. It reports whether the fault struck.
func (lf life) fail(seed uint64, nth int, fault vfs.Fault) (found []finding, struck bool) {
	mem := lf.mem.CrashClone(1)
	s := &strike{Fault: fault}
	g := newRig(seed, 0, nil)
	g.mem, g.fs, g.o = mem, vfs.Watch(mem, s.before), lf.o
	g.trace, g.led = nil, lf.led.asOf(0, nil)
	g.calls.Store(int64(10_000))
	var broken []finding
	g.live(nth, func(p *process) {
		struck, broken = s.end() // the same process goes on where it can
		p.append('a', 2)
	})
	if over, more := s.end(); over {
		struck, broken = true, more
	}
	if !struck {
		return nil, false
	}
	found = append(found, broken...)
	for _, seed := range []uint64{0, 2 + seed} {
		led := g.led.asOf(0, nil)
		found = append(found, led.judge(openAndLook(mem.CrashClone(seed), g.o, led, "z00001"), 0)...)
	}
	p := g.start()
	if p == nil {
		return append(found, problemf("it does not start when the fault is over")), true
	}
	for range 10 {
		name := fmt.Sprintf("a%05d", g.calls.Add(1))
		if err := p.put(name, g.block(name, "clicks", 100)); err != nil {
			found = append(found, problemf("when the fault is over: %v", err))
		}
	}
	p.close()
	led := g.led.asOf(0, nil)
	return append(found, led.judge(openAndLook(mem.CrashClone(0), g.o, led, "z00002"), 0)...), true
}

// TestFaults fails the n-th operation of each kind, for every n: once, or from then on. A long run has two hundred lives, so that there
// are at least as many of each. It holds C-WRITE and C-FSYNC.
func TestFaults(t *testing.T) {
	tortured(t, "faults", 250, func(k *torture) {
		chains, n := 1, 2
		switch {
		case testing.Short():
			n = 1
		case k.long:
			chains, n = 10, 20
		}
		for range chains {
			lives := chain(k.seed, n)
			for kind, errs := range faultsOf() {
				for _, err := range errs {
					if !k.failEach(lives, kind, err) {
						return
					}
				}
			}
			if k.seed++; k.long && k.over() {
				return
			}
		}
	})
}

// faultsOf returns what operations of each kind fail with.
func faultsOf() map[vfs.Kind][]error {
	some, full := []error{syscall.EIO}, []error{syscall.EIO, syscall.ENOSPC}
	return map[vfs.Kind][]error{
		vfs.OpOpen: some, vfs.OpEdit: some, vfs.OpList: some, vfs.OpRemove: some, vfs.OpFree: some, vfs.OpRead: some, vfs.OpTruncate: some,
		vfs.OpSize: some, vfs.OpCreate: full, vfs.OpLock: full, vfs.OpMkdir: full, vfs.OpRename: full, vfs.OpSyncDir: full, vfs.OpSync: full,
		vfs.OpDatasync: full, vfs.OpAllocate: full, vfs.OpWrite: {syscall.EIO, syscall.ENOSPC, vfs.ErrShort},
	}
}

// failEach fails every operation of a kind. It reports whether to go on.
func (k *torture) failEach(lives []life, kind vfs.Kind, err error) bool {
	for i, lf := range lives {
		for nth := 1; ; nth++ {
			struck := false
			for _, ever := range []bool{false, true} {
				var found []finding
				if found, struck = lf.fail(k.seed, i+1, vfs.Fault{Kind: kind, Nth: nth, Err: err, Ever: ever}); !struck {
					break
				}
				if !k.round(found, "life %d, %s %d: %v, ever %v", i+1, kind, nth, err, ever) {
					return false
				}
			}
			if !struck {
				break
			}
		}
	}
	return true
}
