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

// history is what the callers of a log know.
type history struct {
	mu      sync.Mutex
	acked   []string           // blocks that are stored, in order
	refused []string           // blocks that surely are not
	places  map[string][]found // of the acknowledged records
	safe    penstock.Positions // what Retain was called with
}

func (h *history) append(t *testing.T, l *Log, name string) {
	b := testBlock(name, 3)
	err := l.Append(t.Context(), b)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch penstock.CodeOf(err) {
	case "":
		h.acked = append(h.acked, name)
		for r := range b.Records() {
			h.places[name] = append(h.places[name], found{string(r.ID), r.Partition, r.Position})
		}
	case penstock.Full, penstock.Unavailable, penstock.Overloaded:
		h.refused = append(h.refused, name)
	case penstock.Unknown:
	default:
		t.Errorf("Append: %v", err)
	}
}

func (h *history) clone() *history {
	h.mu.Lock()
	defer h.mu.Unlock()
	return &history{acked: slices.Clone(h.acked), refused: slices.Clone(h.refused), places: h.places, safe: h.safe}
}

// script is a life of a log: three processes, several segments, retention. It goes on through errors as callers do.
func script(t *testing.T, fs vfs.FS, h *history) {
	o := tinyOptions()
	o.Keep = 1
	for life := range 3 {
		l, err := Open(fs, testDir, o)
		if err != nil {
			continue
		}
		for i := range 5 {
			h.append(t, l, fmt.Sprintf("%d%d", life, i))
		}
		h.mu.Lock()
		h.safe = penstock.Positions{}
		for _, name := range h.acked[:len(h.acked)/2] {
			for _, r := range h.places[name] {
				h.safe.Raise(penstock.Positions{r.partition: {Epoch: r.position.Epoch, Offset: r.position.Offset + 1}})
			}
		}
		safe := h.safe
		h.mu.Unlock()
		_ = l.Retain(t.Context(), safe)
		h.append(t, l, fmt.Sprintf("%d5", life))
		_ = l.Close()
	}
}

// check opens what is left and compares.
func (h *history) check(t *testing.T, fs vfs.FS) {
	t.Helper()
	o, damages := watchDamage(tinyOptions())
	l, err := Open(fs, testDir, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer l.Close()
	records := readAll(t, l)
	got := names(t, dropRemoved(records, h.safe), -1)
	for _, name := range h.acked {
		for _, r := range h.places[name] {
			if !r.position.Less(h.safe[r.partition]) && !slices.Contains(records, r) {
				t.Fatalf("%s at %v was acknowledged and is lost; the log holds %v", r.id, r.position, got)
			}
		}
	}
	for _, name := range got {
		n := len(slices.DeleteFunc(slices.Clone(records), func(r found) bool { return r.id[:len(r.id)-2] != name }))
		if n != 3 && !slices.Contains(h.acked, name) {
			t.Fatalf("%d of 3 records of %s, which may be there or not", n, name)
		}
	}
	for _, name := range h.refused {
		if slices.Contains(got, name) {
			t.Fatalf("%s was refused and is there", name)
		}
	}
	if !slices.IsSorted(got) {
		t.Fatalf("the log holds %v", got)
	}
	if len(*damages) > 0 {
		t.Fatalf("damages: %v", *damages)
	}
}

// dropRemoved leaves out what retention may have taken.
func dropRemoved(records []found, safe penstock.Positions) []found {
	return slices.DeleteFunc(slices.Clone(records), func(r found) bool { return r.position.Less(safe[r.partition]) })
}

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

// TestCrash loses power before each operation that changes something, in several ways.
func TestCrash(t *testing.T) {
	type moment struct {
		op      vfs.Op
		history *history
		left    []*vfs.Memory
	}
	var mu sync.Mutex
	var moments []moment
	fs := vfs.NewMemory(0)
	h := &history{places: map[string][]found{}}
	script(t, vfs.Watch(fs, func(op vfs.Op) error {
		if !op.Changes() {
			return nil
		}
		m := moment{op: op, history: h.clone()}
		for seed := range uint64(6) {
			m.left = append(m.left, fs.CrashClone(seed))
		}
		// The file of the next segment is made in the background: meanwhile Retain may have been called.
		m.history.safe = h.clone().safe
		mu.Lock()
		defer mu.Unlock()
		moments = append(moments, m)
		return nil
	}), h)
	if len(h.acked) != 18 || len(moments) < 100 {
		t.Fatalf("%d blocks, %d operations", len(h.acked), len(moments))
	}
	for i, m := range moments {
		for seed, left := range m.left {
			t.Run(fmt.Sprintf("%d/%v/%d", i, m.op.Kind, seed), func(t *testing.T) {
				m.history.check(t, left)
				// What recovery made must itself survive.
				m.history.check(t, left.CrashClone(uint64(seed)))
			})
		}
	}
}

// TestFaults fails the n-th call of each kind, until there is no n-th, then loses power.
func TestFaults(t *testing.T) {
	for _, kind := range []vfs.Kind{vfs.OpCreate, vfs.OpOpen, vfs.OpEdit, vfs.OpLock, vfs.OpMkdir, vfs.OpList, vfs.OpRename,
		vfs.OpRemove, vfs.OpSyncDir, vfs.OpFree, vfs.OpRead, vfs.OpWrite, vfs.OpSync, vfs.OpDatasync, vfs.OpAllocate,
		vfs.OpTruncate, vfs.OpSize} {
		for _, err := range []error{syscall.EIO, syscall.ENOSPC, vfs.ErrShort} {
			if err == vfs.ErrShort && kind != vfs.OpWrite {
				continue
			}
			t.Run(fmt.Sprint(kind, " ", err), func(t *testing.T) { failEach(t, kind, err) })
		}
	}
}

func failEach(t *testing.T, kind vfs.Kind, err error) {
	for n := 1; ; n++ {
		for _, ever := range []bool{false, true} {
			fs := vfs.NewMemory(0)
			faulty, struck := vfs.Faulty(fs, vfs.Fault{Kind: kind, Nth: n, Err: err, Ever: ever})
			h := &history{places: map[string][]found{}}
			script(t, faulty, h)
			if !struck() {
				return
			}
			for seed := range uint64(4) {
				h.check(t, fs.CrashClone(seed))
			}
			if t.Failed() {
				t.Fatalf("call %d, ever %v", n, ever)
			}
		}
	}
}
