package disk

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"testing"
	"time"

	"penstock/internal/vfs"
)

// TestCrashStates loses power at every moment of every workload, in every way that vfs.Moment.States knows: what was acknowledged is
// there, once, whole and in its place; what was refused is not; readers find no damage; the totals add up; and what recovery made
// survives the next loss of power.
// It holds C-DISK and C-POWER.
func TestCrashStates(t *testing.T) {
	tortured(t, "crash_states", 300, func(k *torture) {
		for _, w := range workloads() {
			g := newRig(k.seed, w.size, nil)
			w.run(g)
			c := &crashes{torture: k, workload: w.name, rig: g, seed: maphash.MakeSeed(), known: map[uint64]bool{}}
			began := time.Now()
			if !c.run() {
				return
			}
			t.Logf("%s: %d steps, %d states, %v", w.name, g.trace.Len(), c.states, time.Since(began))
		}
	})
}

// crashes goes through the crash states of a workload.
type crashes struct {
	*torture
	*rig
	workload string
	seed     maphash.Seed
	known    map[uint64]bool // states that were looked at, with what was known then
	states   int
}

// run looks at each different state once. It reports whether to go on.
func (c *crashes) run() bool {
	whole := 200
	if testing.Short() {
		whole = 20
	}
	for step, moment := range c.trace.Moments() {
		for how, state := range moment.States(c.torture.r) {
			if h := c.hash(state, step); !c.known[h] {
				c.known[h] = true
				if c.states++; c.states > whole && !c.some(32) {
					continue
				}
				if !c.round(lookAt(state, c.o, c.led, step, c.states), "%s, step %d after %s, %s", c.workload, step, moment.Last(), how) {
					return false
				}
			}
		}
	}
	return true
}

// lookAt opens a state and compares; of every fourth one also what a loss of power leaves of that.
func lookAt(state *vfs.Memory, o Options, led *ledger, step, nth int) []finding {
	led = led.asOf(step, nil)
	s := openAndLook(state, o, led, "z00001")
	found := led.judge(s, 0)
	if len(found) > 0 || nth%4 != 0 {
		return found
	}
	led = led.asOf(0, s.places)
	return led.judge(openAndLook(state.CrashClone(uint64(nth/4)%6), o, led, "z00002"), 0)
}

// hash tells states apart, and what was known when.
func (c *crashes) hash(state *vfs.Memory, step int) uint64 {
	var h maphash.Hash
	h.SetSeed(c.seed)
	names, err := state.List(testDir)
	if err != nil {
		panic(err) // Memory has no faults
	}
	for _, name := range names {
		data, err := vfs.ReadFile(state, testDir+"/"+name)
		if err != nil {
			panic(err)
		}
		_, _ = h.WriteString(name)
		_, _ = h.Write(data)
	}
	maphash.WriteComparable(&h, c.led.knownAt(step))
	return h.Sum64()
}

// knownAt counts what is known at a step.
func (led *ledger) knownAt(step int) (n [3]int) {
	led.mu.Lock()
	defer led.mu.Unlock()
	for _, e := range led.entries {
		if e.acked <= step {
			n[0]++
		}
		if e.refused <= step {
			n[1]++
		}
	}
	for _, s := range led.safe {
		if s.step <= step {
			n[2]++
		}
	}
	return n
}

// TestCrashDuringRecovery loses power while a process recovers from a loss of power, and while that recovers.
func TestCrashDuringRecovery(t *testing.T) {
	tortured(t, "crash_recovery", 150, func(k *torture) {
		for _, w := range workloads() {
			g := newRig(k.seed, w.size, nil)
			w.run(g)
			n := 1
			if k.long {
				n = 10
			}
			if !k.recoveries(w, g, n) {
				return
			}
		}
	})
}

// recoveries picks states of a workload, recovers from each, and goes through the crash states of that.
func (k *torture) recoveries(w workload, g *rig, n int) bool {
	for range n {
		state, step := g.pick(k.r)
		mem := state
		fs, trace := vfs.Record(mem)
		again := &rig{fs: fs, mem: mem, trace: trace, led: g.led.asOf(step, nil), o: g.o, r: k.r}
		again.calls.Store(10_000)
		for range 2 {
			if p := again.start(); p != nil {
				p.look()
				p.append('b', 1)
				p.kill()
			}
		}
		c := &crashes{torture: k, workload: fmt.Sprintf("%s, recovery from step %d", w.name, step), rig: again, seed: maphash.MakeSeed(), known: map[uint64]bool{}}
		if !c.run() {
			return false
		}
	}
	return true
}

// pick returns a crash state of a random moment.
func (g *rig) pick(r *rand.Rand) (state *vfs.Memory, step int) {
	want := r.IntN(g.trace.Len() + 1)
	for step, moment := range g.trace.Moments() {
		if step < want {
			continue
		}
		var all []*vfs.Memory
		for _, s := range moment.States(r) {
			all = append(all, s)
		}
		return all[r.IntN(len(all))], step
	}
	panic("no such step")
}

// TestCrashControls: a proof that passes whatever one does proves nothing. Each of these builds forgets something; the same search has
// to find that, within the states of a workload or two.
func TestCrashControls(t *testing.T) {
	for name, forget := range map[string]func(vfs.FS) vfs.FS{
		"flush of appends":           without("*", vfs.OpDatasync),
		"flush of a segment's names": without("*", vfs.OpSyncDir),
		"flush of new segments":      without("spare", vfs.OpSync),
		"flush of the manifest":      without("manifest.tmp", vfs.OpSync),
		"cut after a failed write":   without("*", vfs.OpTruncate),
	} {
		t.Run(name, func(t *testing.T) {
			rounds, found := 0, 0
			for _, w := range workloads() {
				g := newRig(1, w.size, forget)
				w.run(g)
				r := rand.New(rand.NewPCG(1, 2))
				for step, moment := range g.trace.Moments() {
					for _, state := range moment.States(r) {
						rounds++
						if found == 0 && len(lookAt(state, g.o, g.led, step, rounds)) > 0 {
							found = rounds
						}
					}
					if found > 0 {
						break
					}
				}
				if found > 0 {
					t.Logf("found in state %d, of %s", found, w.name)
					return
				}
			}
			t.Errorf("not found in %d states", rounds)
		})
	}
}
