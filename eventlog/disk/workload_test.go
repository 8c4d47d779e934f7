package disk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"penstock"
	"penstock/internal/checksum"
	"penstock/internal/vfs"
)

// rig is where workloads live: a file system that is recorded, and what the callers know.
type rig struct {
	fs    vfs.FS // of the processes; may have faults, or lie
	mem   *vfs.Memory
	trace *vfs.Trace
	led   *ledger
	o     Options
	r     *rand.Rand
	seed  uint64
	calls atomic.Int64
}

// newRig returns a rig on an empty file system of that size, whose processes see what wrap makes of it.
func newRig(seed uint64, size penstock.Bytes, wrap func(vfs.FS) vfs.FS) *rig {
	mem := vfs.NewMemory(size)
	fs, trace := vfs.Record(mem)
	if wrap != nil {
		fs = wrap(fs)
	}
	o := tinyOptions()
	o.HighWater = -1
	g := &rig{fs: fs, mem: mem, trace: trace, led: newLedger(), o: o, seed: seed, r: rand.New(rand.NewPCG(seed, 1))}
	g.o.SegmentSize = penstock.Bytes(900 + g.r.IntN(1200))
	return g
}

// now returns the step of the trace, 0 if there is none.
func (g *rig) now() int {
	if g.trace == nil {
		return 0
	}
	return g.trace.Len()
}

// process is a life of a log.
type process struct {
	*rig
	log  *Log
	dead *atomic.Bool
}

// start opens the log. It returns nil if that fails, as faults may make it.
func (g *rig) start() *process {
	var dead atomic.Bool
	fs := vfs.Watch(g.fs, func(vfs.Op) error {
		if dead.Load() {
			return syscall.EIO
		}
		return nil
	})
	l, err := Open(fs, testDir, g.o)
	if err != nil {
		return nil
	}
	return &process{g, l, &dead}
}

// kill ends the process where it is: it changes nothing any more.
func (p *process) kill() {
	p.dead.Store(true)
	_ = p.log.Close()
}

func (p *process) close() { _ = p.log.Close() }

// append appends blocks of a caller, one after the other, each of up to 20 records.
func (p *process) append(caller byte, n int) {
	for range n {
		call := p.calls.Add(1)
		name := fmt.Sprintf("%c%05d", caller, call)
		_ = p.put(name, p.block(name, "clicks", 1+rand.New(rand.NewPCG(p.seed, uint64(call))).IntN(20)))
	}
}

// block makes a block some of whose records are long or replays, and some of which come from a producer.
func (g *rig) block(name, stream string, n int) *penstock.Block {
	bb := penstock.NewBlockBuilder(penstock.NewPartitioner(g.o.Cluster))
	bb.Reset(penstock.DefaultTenant, stream, 1, 0)
	if n%3 == 0 {
		bb.Produced(penstock.Producer{Name: "p", Seq: uint64(g.calls.Load())})
	}
	sums := checksum.NewHasher(g.o.Cluster).Stream(penstock.DefaultTenant, stream)
	for i := range n {
		e := penstock.Event{ID: fmt.Appendf(nil, "%s-%d", name, i), Body: fmt.Appendf(nil, `{"n":%d,"text":"%s"}`, i, strings.Repeat("x", n*7%90))}
		if i%4 == 3 {
			e.ReplayOf = penstock.Position{Epoch: 1, Offset: 7}
		}
		e.Key = e.ID[:len(e.ID)/2]
		e.Sum = sums.Sum(e.Key, e.ID, e.Body)
		bb.Add(e)
	}
	return bb.Take()
}

func (p *process) put(name string, b *penstock.Block) error {
	e := p.led.add(name, b)
	err := p.log.Append(context.Background(), b)
	p.led.answered(e, b, err, p.now())
	return err
}

// together appends n blocks of a caller in one call, which makes them share a flush.
func (p *process) together(caller byte, n int) {
	var blocks []*penstock.Block
	var all []*known
	for range n {
		name := fmt.Sprintf("%c%05d", caller, p.calls.Add(1))
		blocks = append(blocks, p.block(name, "clicks", 1+n%3))
		all = append(all, p.led.add(name, blocks[len(blocks)-1]))
	}
	err := p.log.Append(context.Background(), blocks...)
	for i, e := range all {
		p.led.answered(e, blocks[i], err, p.now())
	}
}

// look reads the log: what readers were shown must stay.
func (p *process) look() {
	name := fmt.Sprintf("y%05d", p.calls.Add(1))
	b := testBlock(name, 1)
	if p.put(name, b) != nil {
		return
	}
	s := newSurvey()
	if err := s.read(p.log, p.led, b); err == nil {
		p.led.seen(s.places, p.now())
	}
}

func (p *process) retain(part float64) {
	safe := p.led.halfSafe(part)
	p.led.retained(safe, p.now())
	_ = p.log.Retain(context.Background(), safe)
}

// workload is a script of processes. It goes on through errors as callers do.
type workload struct {
	name string
	size penstock.Bytes // of the disk; 0: without bound
	run  func(g *rig)
}

// workloads are the lives whose every moment loses power.
func workloads() []workload {
	return []workload{
		{"first start", 0, firstStart},
		{"plain appends", 0, plainAppends},
		{"groups and rolls", 0, groupsAndRolls},
		{"retention", 0, retention},
		{"full disk", 24_000, fullDisk},
		{"failed flush", 0, failedFlush},
		{"failed write", 0, failedWrite},
		{"kills", 0, kills},
		{"compressed", 0, compressed},
		{"new epoch", 0, newEpoch},
		{"idle", 0, idle},
		{"many lanes", 0, manyLanes},
		{"clock jumps", 0, clockJumps},
	}
}

func firstStart(g *rig) {
	g.start().close()
	if p := g.start(); p != nil {
		p.append('a', 2)
		p.kill()
	}
}

func plainAppends(g *rig) {
	g.o.SegmentSize = 1 << 15
	for range 2 {
		if p := g.start(); p != nil {
			p.append('a', 5)
			p.together('b', 5)
			p.append('a', 5)
			p.close()
		}
	}
}

func groupsAndRolls(g *rig) {
	g.o.SegmentSize = 4096
	for range 2 {
		p := g.start()
		if p == nil {
			continue
		}
		var wg sync.WaitGroup
		for c := range 6 {
			wg.Go(func() { p.append('a'+byte(c), 5) })
		}
		wg.Wait()
		p.kill()
	}
}

func retention(g *rig) {
	g.o.Keep = 1
	for range 4 {
		if p := g.start(); p != nil {
			p.append('a', 4)
			p.retain(0.6)
			p.append('a', 2)
			p.retain(0.9)
			p.close()
		}
	}
}

func fullDisk(g *rig) {
	g.o.Keep, g.o.Reserve, g.o.HighWater = 1, 2048, 3000
	for life := range 3 {
		p := g.start()
		if p == nil {
			continue
		}
		for n := 0; n < 200; n++ {
			name := fmt.Sprintf("a%05d", g.calls.Add(1))
			if err := p.put(name, g.block(name, "clicks", 20)); err != nil {
				break
			}
		}
		if life > 0 {
			p.retain(0.7)
			p.log.w.space.stale()
			p.append('a', 3)
		}
		p.close()
	}
}

// faulty gives the rig's processes a fault from now on, until the next.
func (g *rig) faulty(f vfs.Fault) (end func()) {
	whole := g.fs
	g.fs, _ = vfs.Faulty(whole, f)
	return func() { g.fs = whole }
}

func failedFlush(g *rig) {
	for _, kind := range []vfs.Kind{vfs.OpDatasync, vfs.OpSync, vfs.OpSyncDir} {
		end := g.faulty(vfs.Fault{Kind: kind, Nth: 3 + g.r.IntN(4), Err: syscall.EIO})
		if p := g.start(); p != nil {
			p.append('a', 12)
			p.kill()
		}
		end()
		if p := g.start(); p != nil {
			p.look()
			p.append('a', 3)
			p.close()
		}
	}
}

func failedWrite(g *rig) {
	for _, err := range []error{vfs.ErrShort, syscall.ENOSPC, syscall.EIO} {
		for _, kind := range []vfs.Kind{vfs.OpWrite, vfs.OpTruncate} {
			end := g.faulty(vfs.Fault{Kind: vfs.OpWrite, Nth: 6 + g.r.IntN(3), Err: err})
			endToo := func() {}
			if kind == vfs.OpTruncate { // so that it cannot be cut back either
				endToo = g.faulty(vfs.Fault{Kind: kind, Nth: 1, Err: syscall.EIO})
			}
			if p := g.start(); p != nil {
				p.append('a', 3)
				for range 3 {
					p.together('b', 4)
				}
				p.append('a', 2)
				p.close()
			}
			endToo()
			end()
		}
	}
}

func kills(g *rig) {
	for i := range 8 {
		if p := g.start(); p != nil {
			p.append('a', i%4)
			if i%2 == 0 {
				p.look()
			}
			p.kill()
		}
	}
}

func compressed(g *rig) {
	g.o.SegmentSize = 1 << 14
	p := g.start()
	if p == nil {
		return
	}
	for i := range 8 {
		name := fmt.Sprintf("a%05d", g.calls.Add(1))
		_ = p.put(name, g.block(name, "clicks", 20+40*i))
	}
	p.kill()
	if p := g.start(); p != nil {
		p.append('a', 2)
		p.close()
	}
}

func newEpoch(g *rig) {
	for _, renew := range []bool{false, true, false, true} {
		g.o.NewEpoch = renew
		if p := g.start(); p != nil {
			p.append('a', 3)
			p.kill()
		}
	}
	g.o.NewEpoch = false
}

// idle waits for the commit frames that an idle log writes.
func idle(g *rig) {
	wrote := make(chan struct{}, 100)
	whole := g.fs
	g.fs = vfs.Watch(whole, func(op vfs.Op) error {
		if op.Kind == vfs.OpDatasync {
			wrote <- struct{}{}
		}
		return nil
	})
	if p := g.start(); p != nil {
		for range 2 {
			p.append('a', 2)
			for range 3 { // two of the blocks, one of the commit frame
				<-wrote
			}
		}
		p.append('a', 1)
		p.kill()
	}
	g.fs = whole
	if p := g.start(); p != nil {
		p.append('a', 1)
		p.close()
	}
}

// manyLanes has more totals in its commit frames than a sector holds.
func manyLanes(g *rig) {
	for range 3 {
		p := g.start()
		if p == nil {
			continue
		}
		for i := range 8 {
			name := fmt.Sprintf("a%05d", g.calls.Add(1))
			_ = p.put(name, g.block(name, fmt.Sprint("stream", i%12), 6))
		}
		p.kill()
	}
}

func clockJumps(g *rig) {
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	g.o.Keep = 1000 * time.Hour
	for _, jump := range []time.Duration{0, time.Hour, -24 * time.Hour, 87600 * time.Hour, 0} {
		g.o.Now = func() time.Time { return began.Add(jump) }
		if p := g.start(); p != nil {
			p.append('a', 3)
			p.retain(1)
			p.close()
		}
	}
}

// without drops all operations of these kinds on files of that name pattern, as a build does that forgot them.
func without(pattern string, kinds ...vfs.Kind) func(vfs.FS) vfs.FS {
	return func(fs vfs.FS) vfs.FS {
		return vfs.Watch(fs, func(op vfs.Op) error {
			if ok, _ := filepath.Match(pattern, filepath.Base(op.Name)); ok && slices.Contains(kinds, op.Kind) {
				return vfs.ErrDropped
			}
			return nil
		})
	}
}
