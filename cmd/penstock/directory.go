package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"penstock"
)

// directory is the set of streams that the door accepts. It is read for every request and replaced as a whole.
type directory struct {
	auto    bool                          // a stream is made by its first use, and stays
	declare func([]penstock.Stream) error // called with all streams before a change takes effect; nil: nothing to do

	current atomic.Pointer[streamSet]

	mu sync.Mutex // held while streams change
}

// streamSet never changes.
type streamSet struct {
	byName     map[string]*penstock.Stream
	configured map[string]bool // those that the configuration names
}

func newDirectory(configured []penstock.Stream, auto bool, declare func([]penstock.Stream) error) *directory {
	d := &directory{auto: auto, declare: declare}
	d.publish(configured, namesOf(configured))
	return d
}

// Stream implements penstock.Streams.
func (d *directory) Stream(_, name string) (*penstock.Stream, error) {
	if s := d.current.Load().byName[name]; s != nil {
		return s, nil
	}
	if err := penstock.CheckStreamName(name); err != nil {
		return nil, err
	}
	if !d.auto {
		return nil, &penstock.Error{Code: penstock.NotFound, Op: "find stream", Reason: "unknown_stream", Err: fmt.Errorf("there is no stream %s", name)}
	}
	if len(d.current.Load().byName) >= penstock.MaxStreams {
		return nil, tooManyStreams()
	}
	s := streamOf(name, defaultStream())
	return &s, nil
}

// Use implements penstock.Streams. A stream that was removed meanwhile stays removed: requests that are under way end as they began.
func (d *directory) Use(_ string, s *penstock.Stream) error {
	if !d.auto || d.current.Load().byName[s.Name] != nil {
		return nil
	}
	return d.add(*s)
}

func tooManyStreams() error {
	return &penstock.Error{Code: penstock.Overloaded, Op: "make stream", Reason: "cardinality",
		Err: fmt.Errorf("there are %d streams, and no more can be made", penstock.MaxStreams)}
}

// add makes a stream by its first use.
func (d *directory) add(s penstock.Stream) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.current.Load()
	if known.byName[s.Name] != nil {
		return nil
	}
	if len(known.byName) >= penstock.MaxStreams {
		return tooManyStreams()
	}
	return d.replace(append(d.list(), s), known.configured)
}

// set replaces the configured streams. In a directory that makes streams by first use, all others stay as they are.
// On an error nothing has changed.
func (d *directory) set(configured []penstock.Stream) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := configured
	if d.auto {
		all = union(configured, d.list())
	}
	return d.replace(all, namesOf(configured))
}

// replace lets declare object before all streams are published. The mutex is held.
func (d *directory) replace(all []penstock.Stream, configured map[string]bool) error {
	if d.declare != nil {
		if err := d.declare(all); err != nil {
			return err
		}
	}
	d.publish(all, configured)
	return nil
}

func (d *directory) publish(all []penstock.Stream, configured map[string]bool) {
	set := &streamSet{byName: make(map[string]*penstock.Stream, len(all)), configured: configured}
	for _, s := range all {
		set.byName[s.Name] = &s
	}
	d.current.Store(set)
}

// list returns the streams in the order of their names.
func (d *directory) list() []penstock.Stream {
	byName := d.current.Load().byName
	all := make([]penstock.Stream, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, *byName[name])
	}
	return all
}

// label returns the name under which metrics count a stream: clients make streams by first use, and may not make series.
func (d *directory) label(name string) string {
	if d.current.Load().configured[name] {
		return name
	}
	return "other"
}

// configured returns the names that the configuration has, in order.
func (d *directory) configured() []string {
	return slices.Sorted(maps.Keys(d.current.Load().configured))
}

func namesOf(streams []penstock.Stream) map[string]bool {
	names := make(map[string]bool, len(streams))
	for _, s := range streams {
		names[s.Name] = true
	}
	return names
}

// union returns the streams of a and those of b that a does not name, in the order of their names.
func union(a, b []penstock.Stream) []penstock.Stream {
	all, names := slices.Clone(a), namesOf(a)
	for _, s := range b {
		if !names[s.Name] {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b penstock.Stream) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
