package embedded

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"penstock"
	"penstock/internal/failpoint"
)

// Retain removes files of which no row is to be kept any more, hides rows that are past their stream's time in files that
// stay, and makes shards safe that have come to rest. Time is log time: that of the newest row.
func (d *Database) Retain(ctx context.Context) error {
	d.declaring.Lock()
	defer d.declaring.Unlock()
	now := d.logTime()
	err := errors.Join(d.hideExpired(ctx, now), d.hideStates(ctx, now))
	for _, s := range d.shards {
		s.expiring.Store(int64(d.lastExpired(s, now)))
		err = errors.Join(err, d.removeExpired(ctx, s, now))
		s.rest(ctx)
	}
	return err
}

// logTime returns the log time of the newest row.
func (d *Database) logTime() penstock.Micros {
	var now penstock.Micros
	d.eachState(func(st state) { now = max(now, st.LogTime) })
	return now
}

// rest checkpoints a shard whose last commit is a while ago.
func (s *shard) rest(ctx context.Context) {
	s.applying.Lock()
	defer s.applying.Unlock()
	if !s.closed && s.unsafe && time.Since(s.committed) >= s.db.o.Idle {
		s.tryCheckpoint(ctx)
	}
}

// hideExpired moves the time before which a stream's rows are hidden. It changes the view only once a hundredth of the
// time to keep, or a minute, has passed, since a new view costs every query that it has to be read.
func (d *Database) hideExpired(ctx context.Context, now penstock.Micros) error {
	before := d.hidden.Load()
	next, changed := d.cutoffs(now)
	d.hidden.Store(&next)
	for _, r := range changed {
		if err := d.viewStream(ctx, r); err != nil {
			d.hidden.Store(before) // the next time begins there again
			return err
		}
	}
	return nil
}

// cutoffs are the log times before which rows are hidden, by stream. It never changes: a change makes a new one.
type cutoffs map[int32]penstock.Micros

// cutoffs returns what is hidden from now on, and the streams for which that changes.
func (d *Database) cutoffs(now penstock.Micros) (cutoffs, []registered) {
	old, next := *d.hidden.Load(), cutoffs{}
	var changed []registered
	for _, r := range *d.streams.Load() {
		if r.KeepRows > 0 {
			next[r.ID] = max(0, now-penstock.Micros(r.KeepRows.Microseconds()))
			step := penstock.Micros(min(r.KeepRows/100, time.Minute).Microseconds())
			if at := old[r.ID]; at <= next[r.ID] && next[r.ID]-at < step {
				next[r.ID] = at
			}
		}
		if next[r.ID] != old[r.ID] {
			changed = append(changed, r)
		}
	}
	return next, changed
}

// removeExpired removes the shard's oldest files while all their rows are past their time, and Tend has brought forward what views need of
// them. The newest file stays.
func (d *Database) removeExpired(ctx context.Context, s *shard, now penstock.Micros) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	for files := s.list(); len(files) > 1 && d.expired(s, files[0], now) && s.taken(files[0]); files = s.list() {
		ready, err := s.bringForward(ctx, files[0], files[1])
		if err != nil || !ready {
			return err
		}
		failpoint.Hit("expire.brought-forward")
		if err := d.remove(ctx, s, files[0]); err != nil {
			return err
		}
	}
	return nil
}

// lastExpired returns the last file that is to be removed once the states of views in it, and in those before it, are brought forward; 0: there
// is none.
func (d *Database) lastExpired(s *shard, now penstock.Micros) int {
	last, files := 0, s.list()
	for _, f := range files[:len(files)-1] {
		if !d.expired(s, f, now) {
			break
		}
		last = f.number
	}
	return last
}

// expired reports whether every stream that has rows in the file keeps them for less than their age, and none of its
// identities counts any more.
func (d *Database) expired(s *shard, f *file, now penstock.Micros) bool {
	if f.state.LogTime+max(d.streams.Load().longestWindow(), d.declared.longestWindow()) >= now {
		return false
	}
	keep := map[int32]time.Duration{}
	for _, r := range *d.streams.Load() {
		keep[r.ID] = r.KeepRows
	}
	for id, rows := range f.state.Rows {
		if rows > 0 && (keep[id] <= 0 || f.state.LogTime+penstock.Micros(keep[id].Microseconds()) >= now) {
			return false
		}
	}
	return true
}

// remove takes a file out of the views, then out of the instance, then off the disk. Queries that run keep what they read;
// one that has only read the views so far is asked again.
func (d *Database) remove(ctx context.Context, s *shard, f *file) error {
	op := "remove " + filepath.Base(f.path)
	letters, err := s.lettersFromBefore(ctx, s.list()[1])
	if err != nil {
		return s.outage(op, err)
	}
	s.mu.Lock()
	s.files = s.files[1:]
	s.mu.Unlock()
	d.unshown.Store(true)
	if err := errors.Join(d.viewShared(ctx), d.viewTyped(ctx), d.showModels(ctx)); err != nil {
		return err
	}
	d.unshown.Store(false)
	d.removed.Add(1)
	if err := d.catalog.exec(ctx, "DETACH "+f.alias); err != nil {
		return s.outage(op, err)
	}
	next := manifest{First: f.number + 1, Gaps: slices.DeleteFunc(slices.Clone(s.manifest.Gaps), func(n int) bool { return n <= f.number+1 }), Letters: letters, States: s.holdsTaken(f)}
	if err := s.writeManifest(next); err != nil {
		return err
	}
	failpoint.Hit("expire.pointed")
	if err := errors.Join(s.drop(ctx, f), syncDir(s.dir)); err != nil {
		return s.outage(op, err)
	}
	failpoint.Hit("expire.removed")
	if d.o.Trace.Removed != nil {
		d.o.Trace.Removed(s.spec.Name, filepath.Base(f.path), f.state.rows())
	}
	return nil
}
