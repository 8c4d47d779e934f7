package dedup

import (
	"errors"
	"slices"
	"time"
)

// merger is one merge under way.
type merger struct {
	x       *Index
	inputs  []*run // oldest first
	w       *writer
	readers []reader // newest first
	keep    byLane
	left    byLane   // what was left out: the ordinal after it
	second  []uint32 // newest log second when the merge began, by partition
	footer  footer
	leftOut int64
	swapped int // sections that are in use
}

func newMerger(x *Index, inputs []*run, w *writer) *merger {
	m := &merger{x: x, inputs: inputs, w: w, footer: newFooter(), readers: make([]reader, len(inputs))}
	x.mu.Lock()
	m.keep, m.left, m.second = x.horizonLocked(), x.lanesLocked(), slices.Clone(x.second)
	x.mu.Unlock()
	for i := range m.readers {
		m.readers[i].buf = make([]byte, readPages*pageSize)
	}
	return m
}

// byLane holds a mark for each lane, by stream number and partition.
type byLane [][]mark

func (b byLane) of(lane uint32) *mark { return &b[lane>>laneBits][lane&(1<<laneBits-1)] }

// lanesLocked returns room for a mark of every lane.
func (x *Index) lanesLocked() byLane {
	b := make(byLane, len(x.byID))
	for i := range b {
		b[i] = make([]mark, x.o.Partitions)
	}
	return b
}

// horizonLocked tells what may count again: ordinals from one on whose log second is at least so much.
func (x *Index) horizonLocked() byLane {
	keep := x.lanesLocked()
	for i, s := range x.byID {
		if s == nil || !s.known {
			continue
		}
		for p, l := range s.lanes {
			switch {
			case l == nil:
			case !s.on:
				keep[i][p] = mark{l.have, 1<<32 - 1}
			default:
				keep[i][p] = mark{l.have - s.share, uint32(max(0, int64(x.second[p])-s.window))}
			}
		}
	}
	return keep
}

func (m *merger) all() error {
	for _, in := range m.inputs {
		f, err := in.reread(m.x.o.History)
		if err != nil {
			return m.x.distrust(in, err)
		}
		m.footer.merge(f)
	}
	for i := range sections {
		if m.x.stopping() {
			return errStopped
		}
		began := time.Now()
		if err := m.section(i); err != nil {
			return err
		}
		made, err := m.w.endSection(i)
		if err != nil {
			return err
		}
		m.swap(i, made)
		m.x.settle(m.w.run.last) // a large merge takes long, and small runs would pile up behind it
		if m.w.total >= restingMerge {
			m.x.rest(2 * time.Since(began))
		}
	}
	return m.finish()
}

// section writes the entries of one section: of each key the newest, if it may still count.
func (m *merger) section(number int) error {
	for i := range m.readers {
		in := m.inputs[len(m.inputs)-1-i]
		m.readers[i].begin(in, number)
		if err := m.readers[i].next(); err != nil {
			return m.x.distrust(in, err)
		}
	}
	for {
		least := -1
		for i := range m.readers {
			r := &m.readers[i]
			if r.done {
				continue
			}
			if least < 0 || r.entry.compare(m.readers[least].entry.key) < 0 {
				least = i
			}
		}
		if least < 0 {
			return nil
		}
		e := m.readers[least].entry
		if err := m.pass(e.key); err != nil {
			return err
		}
		if !m.mayCount(&e) {
			continue
		}
		if err := m.w.add(&e); err != nil {
			return err
		}
	}
}

// pass moves all readers on that stand at a key.
func (m *merger) pass(k key) error {
	for i := range m.readers {
		r := &m.readers[i]
		if r.done || r.entry.key != k {
			continue
		}
		if err := r.next(); err != nil {
			return m.x.distrust(r.of.run, err)
		}
	}
	return nil
}

// mayCount reports whether an entry is to be kept, and remembers what is not.
func (m *merger) mayCount(e *entry) bool {
	from := m.keep.of(e.lane)
	if e.ordinal >= from.ordinal && e.second >= from.second {
		return true
	}
	m.leftOut++
	if left := m.left.of(e.lane); e.ordinal >= left.ordinal {
		*left = mark{e.ordinal + 1, e.second}
	}
	return false
}

// finish makes the run durable, with what was left out of it.
func (m *merger) finish() error {
	for number, l := range m.footer.lanes {
		if left := *m.left.of(number); left.ordinal > l.left.ordinal {
			l.left = left
		}
		l.second = max(l.second, m.second[number&(1<<laneBits-1)])
		m.footer.lanes[number] = l
	}
	if err := m.x.finish(m.w, m.footer); err != nil {
		return err
	}
	m.x.mu.Lock()
	defer m.x.mu.Unlock()
	for number, state := range m.footer.lanes {
		l := m.x.byID[number>>laneBits].lanes[number&(1<<laneBits-1)]
		if state.left.ordinal > l.left.ordinal {
			l.left = state.left
		}
	}
	return nil
}

// swap puts a section in the place of the inputs'.
func (m *merger) swap(number int, made *section) {
	m.x.shelf.Lock()
	defer m.x.shelf.Unlock()
	m.x.replace(number, m.w.run, made, m.inputs...)
	m.swapped = number + 1
}

// replace puts sections, newest first, where those of other runs are, between what is newer and what is older than the tables of r.
func (x *Index) replace(number int, r *run, made *section, gone ...*run) {
	var shelf []*section
	for _, s := range x.shelves[number] {
		if made != nil && s.run.last < r.first {
			shelf, made = append(shelf, made), nil
		}
		if !slices.Contains(gone, s.run) {
			shelf = append(shelf, s)
		}
	}
	if made != nil {
		shelf = append(shelf, made)
	}
	x.shelves[number] = shelf
}

// revert puts the inputs' sections back in place. If one cannot be read the index cannot answer any more.
func (m *merger) revert() error {
	for i := range m.swapped {
		var back []*section
		for _, in := range m.inputs {
			s, err := in.load(i)
			if err != nil {
				return m.breakDown(m.x.distrust(in, err))
			}
			back = append(back, s)
		}
		m.x.shelf.Lock()
		m.x.replace(i, m.w.run, nil, m.w.run)
		for _, s := range back {
			if s != nil {
				m.x.replace(i, s.run, s)
			}
		}
		m.x.shelf.Unlock()
	}
	return nil
}

func (m *merger) breakDown(err error) error {
	m.x.shelf.Lock()
	defer m.x.shelf.Unlock()
	m.x.broken = errors.Join(m.x.broken, err)
	return err
}
