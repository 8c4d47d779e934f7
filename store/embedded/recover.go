package embedded

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"penstock"
	"penstock/internal/vfs"
)

// What cannot be read is set aside under another name, never deleted, and comes again from the log where that reaches:
// rows are written with the position of the log up to which they go, so a shard that stands at an older position reads
// on from there and ends with the same rows.

// asides are files to be set aside. As an error they tell Open to do so, and to begin again with a new instance.
type asides []aside

type aside struct {
	shard *shard
	path  string
	why   error
}

// Error names the files.
func (a asides) Error() string {
	var names []string
	for _, one := range a {
		names = append(names, fmt.Sprintf("%s: %v", one.path, one.why))
	}
	return strings.Join(names, "; ")
}

// run renames the files, the last first, so that a crash in between leaves a shard that opens. Nothing has them open.
func (a asides) run() error {
	for i := len(a) - 1; i >= 0; i-- {
		if _, err := os.Stat(a[i].path); err != nil {
			continue
		}
		path := fmt.Sprintf("%s.damaged-%s", a[i].path, time.Now().UTC().Format("20060102T150405.000000000"))
		if err := os.Rename(a[i].path, path); err != nil {
			return penstock.Wrap(penstock.Unavailable, "set aside "+a[i].path, err)
		}
		if err := syncDir(a[i].shard.dir); err != nil {
			return penstock.Wrap(penstock.Unavailable, "set aside "+a[i].path, err)
		}
		if trace := a[i].shard.db.o.Trace.SetAside; trace != nil {
			trace(a[i].shard.spec.Name, filepath.Base(path), a[i].why)
		}
	}
	return nil
}

// mend decides what to do about what a survey found: nothing, files to be set aside, or a refusal, with Conflict.
func (s *shard) mend(v *survey) (asides, error) {
	var away asides
	for _, number := range v.logs {
		// Without its log a file is as its last checkpoint left it, and nothing that the log has given up is newer.
		away = append(away, aside{s, filePath(s.dir, number) + ".wal", v.damaged[number]})
	}
	if len(away) > 0 {
		return away, nil
	}
	for _, h := range v.holes() {
		missing, err := s.missing(h.start)
		if err != nil {
			return nil, err
		}
		more, err := s.logHas(h.end)
		if err != nil {
			return nil, err
		}
		whole := len(missing) == 0 || more // all that is left of it comes again from the log, and what follows it with it
		last := h.next - 1
		if whole {
			last = v.last
		}
		missing = append(missing, v.giveUp(h.number, last)...)
		if len(missing) > 0 && !s.db.o.AcceptGap {
			return nil, &penstock.Error{Code: penstock.Conflict, Op: "open " + filePath(s.dir, h.number), Reason: "gap", Err: fmt.Errorf(
				"%w. The log no longer holds all that came from there on: %s. Restore the file from a backup, or go on without its rows: --accept-gap",
				h.why, strings.Join(missing, ", "))}
		}
		if whole {
			return append(away, s.asideFrom(h.number, last, h.why)...), nil
		}
		v.manifest.Gaps = append(v.manifest.Gaps, h.next)
		away = append(away, s.asideFrom(h.number, last, h.why)...)
	}
	return away, nil
}

// asideFrom sets aside a range of files.
func (s *shard) asideFrom(first, last int, why error) asides {
	var away asides
	for n := first; n <= last; n++ {
		for _, path := range withLogs(filePath(s.dir, n)) {
			if _, err := os.Stat(path); err == nil {
				away = append(away, aside{s, path, why})
			}
		}
	}
	return away
}

// logHas reports whether the log holds something that lies before the given positions; before nil: before the end.
func (s *shard) logHas(end penstock.Positions) (bool, error) {
	first, err := s.db.o.LogFirst()
	if err != nil || end == nil {
		return end == nil, err
	}
	for p := range s.owned {
		if first[p].Less(end[p]) {
			return true, nil
		}
	}
	return false, nil
}

// openShards brings the shards up. Nothing of any of them is changed before all have been looked at.
func (d *Database) openShards(ctx context.Context) error {
	surveys := make([]*survey, len(d.shards))
	var away asides
	for i, s := range d.shards {
		if err := s.connect(ctx); err != nil {
			return err
		}
		v, err := s.look(ctx)
		if err != nil {
			return err
		}
		more, err := s.mend(v)
		if err != nil {
			return err
		}
		if f := v.newest(); f != nil {
			s.position = f.state.Positions
		}
		away, surveys[i] = append(away, more...), v
	}
	if len(away) > 0 {
		// What was given up is written first: it is true whatever is renamed.
		for i, s := range d.shards {
			if err := s.writeManifest(surveys[i].manifest); err != nil {
				return err
			}
		}
		return away
	}
	if err := d.checkGaps(); err != nil {
		return err
	}
	for i, s := range d.shards {
		if err := s.start(ctx, surveys[i]); err != nil {
			return s.startAgain(surveys[i], err)
		}
	}
	return nil
}

// startAgain decides what to do about a shard whose files could be looked at, but not read as far as a start needs. Unless the
// error says which one is damaged, it is the newest: DuckDB had to read that again to bring it up to date.
func (s *shard) startAgain(v *survey, err error) error {
	if v.last == 0 || !isDamaged(err) || passing(err) {
		return err
	}
	number := v.last
	for _, f := range s.list() {
		if f.mentioned(err.Error()) {
			number = f.number
		}
	}
	v.damaged[number] = err
	delete(v.files, number)
	away, refused := s.mend(v)
	if refused != nil {
		return refused
	}
	return away
}

// connect opens the connection by which the shard is written.
func (s *shard) connect(ctx context.Context) error {
	op := "open shard " + s.spec.Name
	err := vfs.OS().MkdirAll(s.dir)
	if err == nil {
		err = syncDir(filepath.Dir(s.dir)) // a process that made it may have ended before it came to this
	}
	if err != nil {
		return penstock.Wrap(penstock.Unavailable, op, err)
	}
	if s.conn, err = s.db.engine.conn(ctx); err != nil {
		return penstock.Wrap(penstock.Internal, op, err)
	}
	return penstock.Wrap(penstock.Internal, op, s.conn.exec(ctx, "USE memory.internal")) // for what shard.views makes
}

// start takes the files of a survey, in which nothing is wrong any more, and makes the newest one ready to be written.
func (s *shard) start(ctx context.Context, v *survey) error {
	began := time.Now()
	if err := s.writeManifest(v.manifest); err != nil {
		return err
	}
	for _, path := range v.remove {
		if err := removeIfThere(path); err != nil {
			return penstock.Wrap(penstock.Unavailable, "remove "+path, err)
		}
	}
	for n := v.manifest.First; n <= v.last; n++ {
		if f := v.files[n]; f != nil {
			s.files = append(s.files, f)
		}
	}
	if err := s.startNewest(ctx); err != nil {
		return err
	}
	if s.db.o.Trace.Opened != nil {
		s.db.o.Trace.Opened(s.spec.Name, len(s.files), time.Since(began))
	}
	return nil
}

// startNewest attaches the newest file to be written, or makes the first one.
func (s *shard) startNewest(ctx context.Context) error {
	if len(s.files) == 0 {
		f, err := s.addFile(ctx, nil)
		if err != nil {
			return err
		}
		s.files = append(s.files, f)
	} else if err := attach(ctx, s.conn, s.newest(), false); err != nil {
		return penstock.Wrap(penstock.Unavailable, "open "+s.newest().path, err)
	}
	s.position = s.newest().state.Positions
	if err := s.recall(ctx); err != nil {
		return err
	}
	if err := s.skipGap(ctx); err != nil {
		return err
	}
	// What DuckDB replayed from its log is brought into the file, so that it is safe and need not be replayed again. Without room for that
	// it has to be, and the log keeps what it has.
	err := s.checkpoint(ctx)
	if penstock.Is(err, penstock.Full) {
		s.unsafe, s.logged = true, s.db.o.Checkpoint
		return nil
	}
	return err
}

// missing names the ranges from the given positions on that the log no longer holds.
func (s *shard) missing(from penstock.Positions) ([]string, error) {
	first, err := s.db.o.LogFirst()
	if err != nil {
		return nil, err
	}
	var ranges []string
	for _, p := range s.Partitions() {
		oldest, ok := first[p]
		if !ok {
			continue
		}
		at := from[p]
		if at == (penstock.Position{}) {
			at.Epoch = 1
		}
		if at.Less(oldest) {
			ranges = append(ranges, fmt.Sprintf("partition %d from %s to %s", p, at, oldest))
		}
	}
	return ranges, nil
}

// checkGaps refuses shards that stand before the log's oldest record, since what lies between is lost for them. With
// AcceptGap they are moved there later.
func (d *Database) checkGaps() error {
	for _, s := range d.shards {
		missing, err := s.missing(s.position)
		if err != nil {
			return err
		}
		if len(missing) > 0 && !d.o.AcceptGap {
			return &penstock.Error{Code: penstock.Conflict, Op: "open shard " + s.spec.Name, Reason: "gap", Err: fmt.Errorf(
				"the log no longer holds %s. Restore a newer backup of the shard, or go on without those events: --accept-gap",
				strings.Join(missing, ", "))}
		}
	}
	return nil
}

// skipGap moves the shard's positions up to the oldest that the log has.
func (s *shard) skipGap(ctx context.Context) error {
	missing, err := s.missing(s.position)
	if err != nil || len(missing) == 0 {
		return err
	}
	first, err := s.db.o.LogFirst()
	if err != nil {
		return err
	}
	f := s.newest()
	next := f.state.clone()
	for p := range s.owned {
		next.Positions.Raise(penstock.Positions{p: first[p]})
	}
	if err := s.conn.transaction(ctx, func() error { return f.putState(ctx, s.conn, next) }); err != nil {
		return s.outage("skip a gap", err)
	}
	s.publish(next)
	return nil
}

// writeManifest writes the manifest if it says something new.
func (s *shard) writeManifest(m manifest) error {
	s.manifest = m
	old, err := readManifest(s.dir)
	if err == nil && old != nil && old.First == m.First && slices.Equal(old.Gaps, m.Gaps) && slices.Equal(old.Letters, m.Letters) && slices.Equal(old.States, m.States) {
		return nil
	}
	path := filepath.Join(s.dir, manifestName)
	if penstock.Is(err, penstock.Corrupt) {
		if err := (asides{{s, path, err}}).run(); err != nil {
			return err
		}
	}
	return penstock.Wrap(penstock.Unavailable, "write "+path, m.write(s.dir))
}
