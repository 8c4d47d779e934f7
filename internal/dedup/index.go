package dedup

import (
	"errors"
	"slices"
	"sync"
	"time"

	"penstock"
)

// Index tells whether an identity counts as seen. Window, Memory and Covered may be called concurrently with everything; the other methods by one
// goroutine at a time.
type Index struct {
	o       Options
	streams map[streamName]*stream
	byID    []*stream // by number
	batch   Batch
	active  *table
	touched []*lane // have entries in active
	flush   *flush  // the last one that was begun
	tables  uint64  // number of the last table that was full
	usual   int     // identities that the last batch added
	closed  bool

	stop    chan struct{}
	wake    chan struct{}      // the merger looks for work
	ask     chan chan struct{} // it does so, and closes what it got
	running sync.WaitGroup

	mu     sync.Mutex
	second []uint32 // newest log second, by partition
	failed error    // merging's last error
	held   Stats    // of active

	shelf   sync.RWMutex
	frozen  *table               // is being written
	shelves [sections][]*section // newest first
	runs    []*run               // oldest first
	broken  error                // what cannot be mended in this process
}

// Open loads the runs. next is, for each lane, the ordinal that follows its newest identity in the store: the store is the truth. Runs that are
// damaged, incomplete, of another history, or that hold an ordinal the store does not have are discarded, all of them. It fails only if
// the directory cannot be read or changed.
//
// What follows is SetWindow for each stream, then Restore of each lane from Covered on, then batches.
func Open(o Options, next map[penstock.Lane]int64) (*Index, error) {
	o = o.withDefaults()
	x := &Index{o: o, wake: make(chan struct{}, 1), ask: make(chan chan struct{})}
	x.reset()
	if err := o.FS.MkdirAll(o.Dir); err != nil {
		return nil, penstock.Wrap(penstock.Unavailable, "open identities", err)
	}
	if err := x.load(next); err != nil {
		if err := x.discard(err); err != nil {
			return nil, err
		}
		x.reset()
	}
	for l, n := range next {
		if err := x.check(l); err != nil {
			return nil, errors.Join(err, x.closeRuns())
		}
		x.lane(l).next = n
	}
	x.resume()
	return x, nil
}

// pause ends what runs in the background; resume goes on with it.
func (x *Index) pause() {
	close(x.stop)
	x.running.Wait()
}

func (x *Index) resume() {
	x.stop = make(chan struct{})
	x.running.Go(x.mergeLoop)
	x.mergeSoon()
}

// reset empties what is in memory.
func (x *Index) reset() {
	x.streams, x.byID = map[streamName]*stream{}, nil
	x.active, x.touched, x.tables = newTable(x.o.TableIDs), nil, 0
	x.second = make([]uint32, x.o.Partitions)
	x.batch = Batch{x: x}
}

func (x *Index) check(l penstock.Lane) error {
	if int(l.Partition) >= x.o.Partitions {
		return penstock.Errorf(penstock.Invalid, "find lane", "partition %d is not below %d", l.Partition, x.o.Partitions)
	}
	return nil
}

func (x *Index) stream(n streamName) *stream {
	s := x.streams[n]
	if s == nil {
		s = &stream{tenant: n.tenant, name: n.name, number: uint32(len(x.byID)), lanes: make([]*lane, x.o.Partitions)}
		x.mu.Lock()
		x.streams[n] = s
		x.byID = append(x.byID, s)
		x.mu.Unlock()
	}
	return s
}

// laneOf returns the lane of a stream in a partition, which is made if there is none.
func (x *Index) laneOf(s *stream, p penstock.Partition) *lane {
	l := s.lanes[p]
	if l == nil {
		l = &lane{stream: s, partition: p}
		x.mu.Lock()
		s.lanes[p] = l
		x.mu.Unlock()
	}
	return l
}

// lane returns a lane, which is made if there is none.
func (x *Index) lane(l penstock.Lane) *lane {
	return x.laneOf(x.stream(streamName{l.Tenant, l.Stream}), l.Partition)
}

// SetWindow says what a stream remembers; the zero Dedup: nothing. It must not be called within a batch. It returns false if the
// new window reaches back to what was left out under an older one: then the index has forgotten everything, and every lane has to be
// restored from 0 on.
func (x *Index) SetWindow(tenant, name string, d penstock.Dedup) (complete bool, err error) {
	s := x.stream(streamName{tenant, name})
	window, share := int64(d.Window/time.Second), d.Share(x.o.Partitions)
	if s.known && s.on == d.On() && s.window == window && s.share == share {
		return true, nil
	}
	x.pause() // a merge goes by the windows that were in force when it began
	defer x.resume()
	x.mu.Lock()
	s.known, s.on, s.window, s.share = true, d.On(), window, share
	lacks := slices.ContainsFunc(s.lanes, x.lacks)
	x.mu.Unlock()
	if lacks {
		return false, x.forget()
	}
	return true, nil
}

// lacks reports whether something that counts was left out of a lane.
func (x *Index) lacks(l *lane) bool {
	if l == nil || l.left.ordinal == 0 {
		return false
	}
	newest := mark{l.left.ordinal - 1, l.left.second}
	return l.stream.counts(newest, max(x.second[l.partition], newest.second), l.next)
}

// Covered returns the ordinal from which on Restore is needed for a lane.
func (x *Index) Covered(l penstock.Lane) int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.streams[streamName{l.Tenant, l.Stream}]
	if s == nil || int(l.Partition) >= len(s.lanes) || s.lanes[l.Partition] == nil {
		return 0
	}
	return s.lanes[l.Partition].have
}

// Restore adds packed identities of a lane that the store holds; the first one has the given ordinal. Those of a lane come in ascending order, before
// the next batch; there may be gaps where identities can never count again. What lies below Covered is passed over.
func (x *Index) Restore(name penstock.Lane, first int64, packed []byte) error {
	const op = "restore identities"
	if err := x.check(name); err != nil {
		return err
	}
	n := int64(len(packed) / PackedSize)
	l := x.lane(name)
	if len(packed)%PackedSize != 0 || first < 0 || first+n > l.next {
		return penstock.Errorf(penstock.Corrupt, op, "%s/%s %d: %d bytes from ordinal %d on do not end by %d",
			name.Tenant, name.Stream, name.Partition, len(packed), first, l.next)
	}
	if !l.stream.on || first+n <= l.base {
		return nil
	}
	if first < l.have && l.have != l.base {
		return penstock.Errorf(penstock.Internal, op, "%s/%s %d: ordinal %d comes after %d", name.Tenant, name.Stream, name.Partition, first, l.have)
	}
	for packed = packed[max(0, l.have-first)*PackedSize:]; len(packed) > 0; {
		if err := x.makeRoom(); err != nil {
			return err
		}
		part := packed[:min(len(packed), chunkEntries*PackedSize)]
		packed = packed[len(part):]
		x.restore(l, first+n-int64(len(packed)+len(part))/PackedSize, part)
	}
	return nil
}
