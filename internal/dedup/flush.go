package dedup

import (
	"errors"
	"path/filepath"
	"slices"

	"penstock"
	"penstock/internal/failpoint"
)

// flush is the writing of a table, in a goroutine of its own.
type flush struct {
	table  *table
	number uint64
	footer footer
	done   chan struct{}
	err    error // when done is closed
}

// makeRoom makes the table a run if it is full, or would be after another batch like the last one. It waits while the table before is being written, and fails if that cannot be.
func (x *Index) makeRoom() error {
	if x.closed {
		return penstock.Errorf(penstock.Unavailable, "decide batch", "the index is closed")
	}
	if x.active.n+min(x.usual, x.o.TableIDs/2) < x.o.TableIDs {
		return nil
	}
	if err := x.crowded(); err != nil {
		return err
	}
	if err := x.settleFlush(); err != nil {
		return err
	}
	x.freeze()
	return nil
}

// crowded waits for the merger if there are very many runs, and returns its error if there still are.
func (x *Index) crowded() error {
	if x.runCount() < maxRuns {
		return nil
	}
	done := make(chan struct{})
	x.ask <- done
	<-done
	if x.runCount() < maxRuns {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.failed
}

func (x *Index) runCount() int {
	x.shelf.RLock()
	defer x.shelf.RUnlock()
	return len(x.runs)
}

// settleFlush waits until the last full table is a run. If that failed, it tries once more.
func (x *Index) settleFlush() error {
	if x.flush == nil {
		return nil
	}
	<-x.flush.done
	if x.flush.err != nil {
		x.startFlush(&flush{table: x.flush.table, number: x.flush.number, footer: x.flush.footer})
		<-x.flush.done
	}
	return x.flush.err
}

// freeze puts an empty table in place of the full one, and begins to write that.
func (x *Index) freeze() {
	x.tables++
	f := &flush{table: x.active, number: x.tables, footer: newFooter()}
	x.mu.Lock()
	for _, l := range x.touched {
		l.touched = false
		f.footer.streams[l.stream.number] = streamName{l.stream.tenant, l.stream.name}
		f.footer.lanes[l.number()] = laneState{next: l.have, second: x.second[l.partition], marks: slices.Clone(l.marks)}
	}
	x.touched = nil
	x.active = x.emptyTable()
	x.keep()
	x.mu.Unlock()
	x.shelf.Lock()
	x.frozen = f.table
	x.shelf.Unlock()
	x.startFlush(f)
}

// emptyTable returns the table that became a run, for which nobody asks any more, or the first one beside the active one.
func (x *Index) emptyTable() *table {
	if x.flush == nil {
		return newTable(x.o.TableIDs)
	}
	x.flush.table.empty()
	return x.flush.table
}

func (x *Index) startFlush(f *flush) {
	f.done = make(chan struct{})
	x.flush = f
	x.running.Go(func() {
		defer close(f.done)
		if f.err = x.write(f); f.err != nil {
			f.err = penstock.Wrap(penstock.Unavailable, "write identities", f.err)
			x.report(f.err)
			return
		}
		x.mergeSoon()
	})
}

// write makes a run of a table and puts it in the table's place.
func (x *Index) write(f *flush) error {
	order, ends := f.table.sorted()
	r := &run{name: filepath.Join(x.o.Dir, fileName(f.number, f.number)+tempSuffix), first: f.number, last: f.number}
	w, err := newWriter(x.o.FS, r, x.o.History, len(order))
	if err != nil {
		return err
	}
	var made [sections]*section
	from := 0
	for i, end := range ends {
		part := order[from:end]
		from = end
		for _, e := range part {
			if err := w.add(f.table.at(e.index)); err != nil {
				return x.abandon(r, err)
			}
		}
		if made[i], err = w.endSection(i); err != nil {
			return x.abandon(r, err)
		}
	}
	if err := x.finish(w, f.footer); err != nil {
		return x.abandon(r, err)
	}
	x.shelf.Lock()
	for i, s := range made {
		if s != nil {
			x.shelves[i] = slices.Insert(x.shelves[i], 0, s)
		}
	}
	x.runs = append(x.runs, r)
	x.frozen = nil
	x.shelf.Unlock()
	x.tell(Written{IDs: r.ids, Bytes: penstock.Bytes(r.size)})
	return nil
}

// finish makes a run durable under its name.
func (x *Index) finish(w *writer, f footer) error {
	if err := w.finish(f); err != nil {
		return err
	}
	failpoint.Hit("ids.written")
	name := filepath.Join(x.o.Dir, fileName(w.run.first, w.run.last))
	if err := x.o.FS.Rename(w.run.name, name); err != nil {
		return err
	}
	failpoint.Hit("ids.named")
	w.run.name = name
	return x.o.FS.SyncDir(x.o.Dir)
}

// abandon removes what was written of a run.
func (x *Index) abandon(r *run, why error) error {
	return errors.Join(why, r.file.Close(), x.o.FS.Remove(r.name))
}

func (x *Index) tell(w Written) {
	if x.o.Trace.Written != nil {
		x.o.Trace.Written(w)
	}
}

func (x *Index) report(err error) {
	if x.o.Trace.Failed != nil {
		x.o.Trace.Failed(err)
	}
}

// Close writes what is in memory, so that less has to be restored, and closes the runs. An error is of no consequence: the store has everything.
// Batches that come later fail with Unavailable.
func (x *Index) Close() error {
	if x.closed {
		return nil
	}
	x.closed = true
	x.batch.Abort()
	err := x.settleFlush()
	if err == nil && x.active.n > 0 {
		x.freeze()
		err = x.settleFlush()
	}
	x.pause()
	return errors.Join(err, x.closeRuns())
}

// forget empties the index, with its runs. Nothing may run in the background.
func (x *Index) forget() error {
	err := x.discard(penstock.Errorf(penstock.Conflict, "widen window", "what was left out counts again"))
	x.active, x.touched, x.tables, x.flush = newTable(x.o.TableIDs), nil, 0, nil
	x.mu.Lock()
	defer x.mu.Unlock()
	x.keep()
	for _, s := range x.streams {
		for _, l := range s.lanes {
			if l != nil {
				l.have, l.base, l.marks, l.left, l.touched = 0, 0, nil, mark{}, false
			}
		}
	}
	return err
}
