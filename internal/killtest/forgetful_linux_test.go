package killtest

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
)

// forgetful is a file system in memory that promises no more than POSIX does: what a file holds survives a loss of power once the file
// was synced, its name once its directory was. Kernels do more: on ext4, XFS and Btrfs a new file that is synced takes its name along.
type forgetful struct {
	mu     sync.Mutex
	nodes  map[uint64]*node // those that the kernel knows
	last   uint64           // the youngest node's number
	opened map[uint64][]string
	off    bool // power is lost: nothing more is taken or answered
}

// node is a file or a directory.
type node struct {
	number uint64
	known  uint64     // how often the kernel was told of it
	names  *directory // nil: a file
	*content
}

// directory is the names in one. A loss of power leaves kept, and of pending what chance decides.
type directory struct {
	now, kept map[string]*node
	pending   []change // since the directory was synced
}

// change is one change of names: of appears as to, and from is gone. Either may be empty.
type change struct {
	from, to string
	of       *node
}

func (c change) apply(names map[string]*node) {
	delete(names, c.from)
	if c.to != "" {
		names[c.to] = c.of
	}
}

func (d *directory) change(c change) {
	c.apply(d.now)
	d.pending = append(d.pending, c)
}

func (d *directory) sync() { d.kept, d.pending = maps.Clone(d.now), nil }

// rootNumber is what the kernel calls the uppermost directory.
const rootNumber = 1

func newForgetful() *forgetful {
	f := &forgetful{nodes: map[uint64]*node{}, opened: map[uint64][]string{}}
	f.newDirectory()
	return f
}

func (f *forgetful) newNode() *node {
	f.last++
	n := &node{number: f.last, content: &content{}}
	f.nodes[n.number] = n
	return n
}

func (f *forgetful) newDirectory() *node {
	n := f.newNode()
	n.names = &directory{now: map[string]*node{}, kept: map[string]*node{}}
	return n
}

// forget drops a node that the kernel no longer knows; names may still lead to it.
func (f *forgetful) forget(n *node, times uint64) {
	if n.known -= min(times, n.known); n.known == 0 && n.number != rootNumber {
		delete(f.nodes, n.number)
	}
}

// chance decides what survives a loss of power of what was not synced.
type chance struct {
	random      *rand.Rand
	names, data float64 // how likely each change of a name survives, and each block of a file
	torn        float64 // how likely a block that does so does so in part
}

// nothing survives of what was not synced.
func nothing(random *rand.Rand) chance { return chance{random: random} }

// some survives: as on a file system that writes names first, or data first, or in no order.
func some(random *rand.Rand) chance {
	draw := func() float64 { return float64(random.IntN(3)) / 2 }
	return chance{random: random, names: draw(), data: draw(), torn: 0.1}
}

func (c chance) keeps(likely float64) bool { return c.random.Float64() < likely }

// loseUnsynced ends the file system at this moment and returns what is left.
func (f *forgetful) loseUnsynced(c chance) *forgetful {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.off = true
	after := &forgetful{nodes: map[uint64]*node{}, opened: map[uint64][]string{}}
	after.survivor(f.nodes[rootNumber], c, map[*node]*node{})
	return after
}

// survivor adds what is left of a node and all below it.
func (f *forgetful) survivor(n *node, c chance, done map[*node]*node) *node {
	if done[n] != nil {
		return done[n]
	}
	left := f.newNode()
	done[n] = left
	if n.names == nil {
		left.content = n.survivor(c)
		return left
	}
	names := maps.Clone(n.names.kept)
	for _, one := range n.names.pending {
		if c.keeps(c.names) {
			one.apply(names)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		names[name] = f.survivor(names[name], c, done)
	}
	left.names = &directory{now: names}
	left.names.sync()
	return left
}

// block is what survives a loss of power or not, but for torn ones, of which a few sectors do.
type block [blockSize]byte

const (
	blockSize  = 4096
	sectorSize = 512
)

// content is the bytes of a file.
type content struct {
	size, keptSize int64
	now, kept      map[int64]*block // zeros where there is none; one that both have is not written to
	dirty          map[int64]struct{}
}

func (c *content) sync() {
	if c.kept == nil {
		c.kept = map[int64]*block{}
	}
	for i := range c.dirty {
		if b := c.now[i]; b != nil {
			c.kept[i] = b
		} else {
			delete(c.kept, i)
		}
	}
	c.keptSize, c.dirty = c.size, nil
}

// read fills a buffer and returns the part of it that the file has.
func (c *content) read(to []byte, at int64) []byte {
	to = to[:max(0, min(int64(len(to)), c.size-at))]
	for done := 0; done < len(to); {
		part := to[done:min(len(to), done+blockSize-int((at+int64(done))%blockSize))]
		if b := c.now[(at+int64(done))/blockSize]; b != nil {
			copy(part, b[(at+int64(done))%blockSize:])
		} else {
			clear(part)
		}
		done += len(part)
	}
	return to
}

func (c *content) write(from []byte, at int64) {
	for len(from) > 0 {
		n := copy(c.change(at / blockSize)[at%blockSize:], from)
		from, at = from[n:], at+int64(n)
		c.size = max(c.size, at)
	}
}

// change returns a block that may be written to.
func (c *content) change(i int64) *block {
	if c.now == nil {
		c.now = map[int64]*block{}
	}
	b := c.now[i]
	if _, dirty := c.dirty[i]; dirty && b != nil {
		return b
	}
	own := &block{}
	if b != nil {
		*own = *b
	}
	c.now[i] = own
	c.touch(i)
	return own
}

func (c *content) touch(i int64) {
	if c.dirty == nil {
		c.dirty = map[int64]struct{}{}
	}
	c.dirty[i] = struct{}{}
}

// resize cuts or extends the file.
func (c *content) resize(size int64) {
	if size < c.size {
		for i := range c.now {
			if i*blockSize >= size {
				delete(c.now, i)
				c.touch(i)
			}
		}
		if last := size / blockSize; c.now[last] != nil {
			clear(c.change(last)[size%blockSize:])
		}
	}
	c.size = size
}

// survivor returns what is left of the bytes.
func (c *content) survivor(chance chance) *content {
	left := &content{size: c.keptSize, now: maps.Clone(c.kept)}
	if chance.keeps(chance.data) {
		left.size = c.size
	}
	for _, i := range slices.Sorted(maps.Keys(c.dirty)) {
		if !chance.keeps(chance.data) {
			continue
		}
		sectors := blockSize / sectorSize
		if chance.keeps(chance.torn) {
			sectors = chance.random.IntN(sectors)
		}
		mixed := left.change(i)
		if b := c.now[i]; b != nil {
			copy(mixed[:sectors*sectorSize], b[:])
		} else {
			clear(mixed[:sectors*sectorSize])
		}
	}
	size := left.size
	left.size = max(c.size, c.keptSize)
	left.resize(size) // nothing beyond the end comes back when it grows
	left.kept, left.keptSize, left.dirty = maps.Clone(left.now), left.size, nil
	return left
}
