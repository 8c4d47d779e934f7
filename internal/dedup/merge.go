package dedup

import (
	"errors"
	"path/filepath"
	"slices"
	"time"

	"penstock"
	"penstock/internal/failpoint"
)

// mergeSoon wakes the merger.
func (x *Index) mergeSoon() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

func (x *Index) mergeLoop() {
	for {
		select {
		case <-x.stop:
			return
		case <-x.wake:
			x.settle(0)
		case done := <-x.ask:
			x.settle(0)
			close(done)
		}
	}
}

func (x *Index) stopping() bool {
	select {
	case <-x.stop:
		return true
	default:
		return false
	}
}

// restingMerge is how many identities make a merge so long that whoever applies batches would feel it.
const restingMerge = 1 << 22

// rest leaves processor and disk to others for a while, unless runs have piled up.
func (x *Index) rest(d time.Duration) {
	if x.runCount() >= maxRuns/2 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-x.stop:
	}
}

// settle merges runs until there is nothing to merge among those that begin behind a table.
func (x *Index) settle(behind uint64) {
	for !x.stopping() {
		x.shelf.RLock()
		var runs []*run
		for _, r := range x.runs {
			if r.first > behind {
				runs = append(runs, r)
			}
		}
		x.shelf.RUnlock()
		sizes := make([]int64, len(runs))
		for i, r := range runs {
			sizes[i] = r.ids
		}
		from := plan(sizes, behind == 0)
		if from == len(runs) {
			return
		}
		err := x.merge(runs[from:])
		if errors.Is(err, errStopped) {
			return
		}
		x.mu.Lock()
		x.failed = err
		x.mu.Unlock()
		if err != nil {
			x.report(err)
			return
		}
	}
}

// plan returns from which run on all are merged, given their sizes from the oldest on; their number: none. The oldest of all is merged when the others have
// its size, a large one when they have a quarter of it, so that what can never count again is bounded; the others when about four are of a size.
func plan(sizes []int64, all bool) int {
	from, newer := len(sizes), int64(0)
	for i := len(sizes) - 1; i >= 0; i-- {
		switch {
		case i == len(sizes)-1:
		case i == 0 && all:
			if newer >= sizes[i] || sizes[i] >= largeRun && 4*newer >= sizes[i] {
				from = i
			}
		case 2*newer >= 5*sizes[i]:
			from = i
		}
		newer += sizes[i]
	}
	return from
}

// largeRun is how many identities make a run so large that it matters how many of them can never count again.
const largeRun = 1 << 25

var errStopped = errors.New("the index is being closed")

// merge makes one run of several that follow one another. Each section is used as soon as it is there.
func (x *Index) merge(inputs []*run) error {
	const op = "merge identities"
	first, last := inputs[0].first, inputs[len(inputs)-1].last
	r := &run{name: filepath.Join(x.o.Dir, fileName(first, last)+tempSuffix), first: first, last: last}
	total, size := 0, penstock.Bytes(0)
	for _, in := range inputs {
		total += int(in.ids)
		size += penstock.Bytes(in.size)
	}
	free, _, err := x.o.FS.Free(x.o.Dir)
	if err != nil {
		return penstock.Wrap(penstock.Unavailable, op, err)
	}
	if free < size+size/4 { // each attempt would fill the disk before it fails
		return penstock.Errorf(penstock.Unavailable, op, "%d bytes are free, which is too few for a run of %d", free, size)
	}
	w, err := newWriter(x.o.FS, r, x.o.History, total)
	if err != nil {
		return penstock.Wrap(penstock.Unavailable, op, err)
	}
	m := newMerger(x, inputs, w)
	err = m.all()
	if err != nil {
		err = x.abandon(r, errors.Join(err, m.revert()))
		if errors.Is(err, errStopped) {
			return errStopped
		}
		return penstock.Wrap(penstock.Unavailable, op, err)
	}
	x.shelf.Lock()
	at := slices.Index(x.runs, inputs[0])
	x.runs = slices.Replace(x.runs, at, at+len(inputs), r)
	x.shelf.Unlock() // from here on nobody reads the inputs
	for _, in := range inputs {
		err = errors.Join(err, in.file.Close(), x.o.FS.Remove(in.name))
		failpoint.Hit("ids.merged")
	}
	x.tell(Written{Inputs: len(inputs), IDs: r.ids, LeftOut: m.leftOut, Bytes: penstock.Bytes(r.size)})
	return penstock.Wrap(penstock.Unavailable, op, err)
}
