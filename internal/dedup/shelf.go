package dedup

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"penstock"
)

const (
	suffix     = ".ids"
	tempSuffix = ".tmp"
)

func fileName(first, last uint64) string { return fmt.Sprintf("%016d-%016d%s", first, last, suffix) }

// parseName reads the name of a run.
func parseName(name string) (first, last uint64, ok bool) {
	if _, err := fmt.Sscanf(name, "%016d-%016d"+suffix, &first, &last); err != nil {
		return 0, 0, false
	}
	return first, last, name == fileName(first, last) && first > 0 && first <= last
}

// lookUp looks for the newest entry of a key outside of the table that grows.
func (x *Index) lookUp(k key, room *page) (entry, bool, error) {
	x.shelf.RLock()
	defer x.shelf.RUnlock()
	if x.broken != nil {
		return entry{}, false, x.broken
	}
	if x.frozen != nil {
		if _, e := x.frozen.find(k); e != nil {
			return *e, true, nil
		}
	}
	for _, s := range x.shelves[k.section()] {
		e, found, err := s.find(k, room)
		if err != nil {
			return e, false, x.distrust(s.run, err)
		}
		if found {
			return e, true, nil
		}
	}
	return entry{}, false, nil
}

// distrust removes the name of a run that is damaged, so that the next Open finds it missing and discards the others.
func (x *Index) distrust(r *run, err error) error {
	if !penstock.Is(err, penstock.Corrupt) {
		return err
	}
	removed := x.o.FS.Remove(r.name)
	if errors.Is(removed, fs.ErrNotExist) {
		removed = nil
	}
	return errors.Join(err, removed, x.o.FS.SyncDir(x.o.Dir))
}

// load opens the runs of the directory.
func (x *Index) load(next map[penstock.Lane]int64) error {
	names, err := x.choose()
	if err != nil {
		return err
	}
	for _, name := range names {
		first, last, _ := parseName(name)
		r := &run{name: filepath.Join(x.o.Dir, name), first: first, last: last}
		if r.file, err = x.o.FS.Open(r.name); err != nil {
			return err
		}
		x.runs = append(x.runs, r)
		f, err := r.open(x.o.History)
		if err != nil {
			return err
		}
		if err := x.adopt(f, next); err != nil {
			return err
		}
		for i := range r.parts {
			s, err := r.load(i)
			if err != nil {
				return err
			}
			if s != nil {
				x.shelves[i] = slices.Insert(x.shelves[i], 0, s)
			}
		}
		x.tables = last
	}
	return nil
}

// choose returns the names of the runs that count, oldest first, after it removed what is left over from a crash.
func (x *Index) choose() ([]string, error) {
	all, err := x.o.FS.List(x.o.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	end := uint64(0)
	slices.SortFunc(all, func(a, b string) int { // by first table, and of these the one that reaches furthest
		if c := strings.Compare(a[:min(len(a), 16)], b[:min(len(b), 16)]); c != 0 {
			return c
		}
		return strings.Compare(b, a)
	})
	for _, name := range all {
		first, last, ok := parseName(name)
		switch {
		case strings.HasSuffix(name, suffix+tempSuffix), ok && last <= end:
			if err := x.o.FS.Remove(filepath.Join(x.o.Dir, name)); err != nil {
				return nil, err
			}
		case ok && first != end+1:
			return nil, penstock.Errorf(penstock.Corrupt, "read identities", "%s does not follow on table %d", name, end)
		case ok:
			names = append(names, name)
			end = last
		}
	}
	return names, nil
}

// adopt takes over what a run says about streams and lanes.
func (x *Index) adopt(f footer, next map[penstock.Lane]int64) error {
	contradicts := func(n streamName) error {
		return penstock.Errorf(penstock.Corrupt, "read identities", "the runs do not agree about stream %q", n.name)
	}
	for number, n := range f.streams {
		for uint32(len(x.byID)) <= number {
			if len(x.byID) > 1<<(32-laneBits) {
				return contradicts(n)
			}
			x.byID = append(x.byID, nil)
		}
		s := x.byID[number]
		if s == nil && x.streams[n] == nil {
			s = &stream{tenant: n.tenant, name: n.name, number: number, lanes: make([]*lane, x.o.Partitions)}
			x.byID[number], x.streams[n] = s, s
		}
		if s == nil || x.streams[n] != s {
			return contradicts(n)
		}
	}
	for number, state := range f.lanes {
		s, p := x.byID[number>>laneBits], penstock.Partition(number&(1<<laneBits-1))
		if int(p) >= x.o.Partitions {
			return contradicts(streamName{s.tenant, s.name})
		}
		if has := next[penstock.Lane{Tenant: s.tenant, Stream: s.name, Partition: p}]; state.next > has {
			return penstock.Errorf(penstock.Corrupt, "read identities", "%s/%s %d: the runs have ordinals below %d, the store below %d",
				s.tenant, s.name, p, state.next, has)
		}
		l := x.laneOf(s, p)
		l.have, l.marks = max(l.have, state.next), state.marks
		l.base = l.have
		if state.left.ordinal > l.left.ordinal {
			l.left = state.left
		}
		for _, m := range state.marks {
			l.last = max(l.last, m.second)
		}
		x.second[p] = max(x.second[p], state.second)
	}
	return nil
}

// discard removes all runs.
func (x *Index) discard(why error) error {
	if x.o.Trace.Discarded != nil {
		x.o.Trace.Discarded(why)
	}
	err := x.closeRuns()
	all, listed := x.o.FS.List(x.o.Dir)
	err = errors.Join(err, listed)
	for _, name := range all {
		if strings.HasSuffix(name, suffix) || strings.HasSuffix(name, suffix+tempSuffix) {
			err = errors.Join(err, x.o.FS.Remove(filepath.Join(x.o.Dir, name)))
		}
	}
	return penstock.Wrap(penstock.Unavailable, "discard identities", errors.Join(err, x.o.FS.SyncDir(x.o.Dir)))
}

func (x *Index) closeRuns() error {
	x.shelf.Lock()
	defer x.shelf.Unlock()
	var err error
	for _, r := range x.runs {
		err = errors.Join(err, r.file.Close())
	}
	x.runs, x.shelves, x.frozen = nil, [sections][]*section{}, nil
	return err
}
