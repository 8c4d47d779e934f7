package dedup

import (
	"iter"

	"penstock"
)

// Batch is what is decided together. Nothing of it is in the index before Commit.
type Batch struct {
	x      *Index
	open   bool
	err    error // why it cannot be
	from   int   // entries of the table before it
	lanes  []*lane
	second []uint32 // newest log second, by partition
	warm   uint64   // of no meaning: what Expect read

	lane *lane // of the last record
	room page
}

// Added is what a batch adds to a lane.
type Added struct {
	Lane  penstock.Lane
	First int64 // ordinal of the first identity
	Next  int64 // of the one after the last
}

// Begin starts a batch, the only one until it is committed or aborted. If the table is full and the one before it is still being
// written, it waits for that. An error in doing so comes from Seen.
func (x *Index) Begin() *Batch {
	b := &x.batch
	b.Abort()
	b.open, b.err = true, x.makeRoom()
	b.from = x.active.n
	b.second = append(b.second[:0], x.second...) // written only by this goroutine
	return b
}

// Expect reads the memory that Seen will ask for, for all of some identities at a time: one after the other, each would have to wait for it. It is of
// use for 30 to 100 of them.
func (b *Batch) Expect(ids []penstock.Identity) {
	x := b.x
	x.shelf.RLock()
	defer x.shelf.RUnlock()
	for i := range ids {
		k := keyOf(&ids[i], 0)
		b.warm += x.active.slots[x.active.home(k)]
		if x.frozen != nil {
			b.warm += x.frozen.slots[x.frozen.home(k)]
		}
		for _, s := range x.shelves[k.section()] {
			if len(s.filter) > 0 {
				b.warm += s.filter.block(k.b)[0]
			}
		}
	}
}

// Seen reports whether an identity counts as seen at that log time, which never goes back within a partition. If it does not, it is noted with the next
// ordinal of its lane, unless the stream remembers nothing. After an error the batch is to be aborted: Unavailable may pass;
// Corrupt means that a run is damaged, and ends with opening again, which discards the runs.
func (b *Batch) Seen(name penstock.Lane, id penstock.Identity, logTime penstock.Micros) (bool, error) {
	if b.err != nil {
		return false, b.err
	}
	l := b.lane
	if l == nil || l.partition != name.Partition || l.stream.name != name.Stream || l.stream.tenant != name.Tenant {
		if l = b.find(name); l == nil {
			return false, b.err
		}
	}
	second := secondOf(logTime)
	b.second[name.Partition] = max(b.second[name.Partition], second)
	if !l.stream.on {
		return false, nil
	}
	k := keyOf(&id, l.number())
	slot, found := b.x.active.find(k)
	if found == nil {
		old, ok, err := b.x.lookUp(k, &b.room)
		if err != nil {
			b.err = err
			return false, err
		}
		if ok {
			found = &old
		}
	}
	if found != nil && l.stream.counts(mark{found.ordinal, found.second}, second, l.next) {
		return true, nil
	}
	b.note(l, slot, entry{k, second, l.next})
	return false, nil
}

// find makes a lane the batch's present one.
func (b *Batch) find(name penstock.Lane) *lane {
	if b.err = b.x.check(name); b.err != nil {
		return nil
	}
	if l := b.lane; l != nil && l.stream.name == name.Stream && l.stream.tenant == name.Tenant {
		b.lane = b.x.laneOf(l.stream, name.Partition)
	} else {
		b.lane = b.x.lane(name)
	}
	return b.lane
}

func (b *Batch) note(l *lane, slot int, e entry) {
	if !l.inBatch {
		l.inBatch, l.first, l.before = true, l.next, l.last
		b.lanes = append(b.lanes, l)
	}
	b.x.active.add(slot, e)
	l.next++
	l.last = max(l.last, e.second)
}

// Added yields what the batch adds, lane by lane, as the store has to keep it.
func (b *Batch) Added() iter.Seq[Added] {
	return func(yield func(Added) bool) {
		for _, l := range b.lanes {
			if !yield(Added{penstock.Lane{Tenant: l.stream.tenant, Stream: l.stream.name, Partition: l.partition}, l.first, l.next}) {
				return
			}
		}
	}
}

// Commit makes the batch part of the index: the store has it.
func (b *Batch) Commit() {
	x := b.x
	if !b.open {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, l := range b.lanes {
		x.touch(l)
		l.note(l.next, l.last)
		l.inBatch = false
	}
	copy(x.second, b.second)
	x.usual = x.active.n - b.from
	x.keep()
	b.end()
}

// Abort forgets the batch, if it has not ended yet.
func (b *Batch) Abort() {
	if !b.open {
		return
	}
	b.x.active.cut(b.from)
	for _, l := range b.lanes {
		l.next, l.last, l.inBatch = l.first, l.before, false
	}
	b.end()
}

func (b *Batch) end() {
	b.open, b.lanes = false, b.lanes[:0]
	b.err = penstock.Errorf(penstock.Internal, "decide batch", "the batch has ended")
}
