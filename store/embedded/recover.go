package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"penstock"
)

// What cannot be read is set aside under another name, never deleted, and comes again from the log where that reaches:
// rows are written with the position of the log up to which they go, so a shard that stands at an older position reads
// on from there and ends with the same rows.

// errSetAside tells Open to begin again, with a new instance, without the file that was set aside.
var errSetAside = errors.New("a file was set aside")

// open attaches the shard's files and adds the streams that they know to known.
func (s *shard) open(ctx context.Context, known registry) error {
	began := time.Now()
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return penstock.Wrap(penstock.Unavailable, "open shard "+s.spec.Name, err)
	}
	var err error
	if s.conn, err = s.db.engine.conn(ctx); err != nil {
		return penstock.Wrap(penstock.Internal, "open shard "+s.spec.Name, err)
	}
	if err := s.conn.exec(ctx, "USE memory.internal"); err != nil { // for what shard.views makes
		return penstock.Wrap(penstock.Internal, "open shard "+s.spec.Name, err)
	}
	numbers, err := listFiles(s.dir)
	if err != nil {
		return penstock.Wrap(penstock.Unavailable, "open shard "+s.spec.Name, err)
	}
	for i, number := range numbers {
		if err := s.openFile(ctx, number, i == len(numbers)-1); err != nil {
			return err
		}
	}
	if len(s.files) == 0 {
		f, err := s.addFile(ctx, nil)
		if err != nil {
			return err
		}
		s.files = append(s.files, f)
	}
	s.known = registry{}
	if err := s.newest().loadStreams(ctx, s.conn, s.known); err != nil {
		return s.outage("read streams", err)
	}
	if err := known.merge(s.known); err != nil {
		return err
	}
	s.position = s.newest().state.Positions
	// What DuckDB replayed from its log is brought into the file, so that it is safe and need not be replayed again.
	if err := s.checkpoint(ctx); err != nil {
		return err
	}
	if s.db.o.Trace.Opened != nil {
		s.db.o.Trace.Opened(s.spec.Name, len(s.files), time.Since(began))
	}
	return nil
}

// openFile attaches a file, the newest to be written. A file that was never finished is removed.
func (s *shard) openFile(ctx context.Context, number int, newest bool) error {
	f := s.file(number)
	_, noLog := os.Stat(f.path + ".wal")
	readOnly := !newest && errors.Is(noLog, os.ErrNotExist)
	err := attach(ctx, s.conn, f, readOnly)
	if err != nil {
		return s.damaged(f, newest, err)
	}
	var finished bool
	err = s.conn.QueryRowContext(ctx, "SELECT count(*) > 0 FROM duckdb_tables() WHERE database_name = ? AND table_name = 'identity'",
		f.alias).Scan(&finished)
	if err == nil && !finished && newest {
		return s.drop(ctx, f)
	}
	if err != nil || !finished {
		return s.damaged(f, newest, errors.Join(err, errors.New("it has no identity")))
	}
	id, err := f.load(ctx, s.conn)
	if penstock.Is(err, penstock.Conflict) {
		return err
	}
	if err != nil {
		return s.damaged(f, newest, err)
	}
	if err := s.check(id); err != nil {
		return err
	}
	if f.state.Rows == nil {
		f.state.Rows = map[int32]int64{}
	}
	if f.state.Positions == nil {
		f.state.Positions = penstock.Positions{}
	}
	s.files = append(s.files, f)
	return nil
}

// damaged decides what to do about a file that cannot be read. It returns errSetAside when Open can go on without it.
func (s *shard) damaged(f *file, newest bool, err error) error {
	if passing(err) {
		return penstock.Wrap(penstock.Unavailable, "open "+f.path, err)
	}
	if _, stat := os.Stat(f.path + ".wal"); stat == nil {
		// Without its log the file is as its last checkpoint left it, and nothing that the log has given up is newer.
		return s.setAside(f.path+".wal", err)
	}
	start := penstock.Positions{}
	if len(s.files) > 0 {
		start = s.files[len(s.files)-1].state.Positions
	}
	missing, boundsErr := s.missing(start)
	switch {
	case boundsErr != nil:
		return boundsErr
	case newest, len(missing) > 0 && s.db.o.AcceptGap:
		return s.setAside(f.path, err)
	case len(missing) > 0:
		return penstock.Errorf(penstock.Conflict, "open "+f.path, "%w; the log no longer holds what it held: %s. "+
			"Restore the file from a backup, or go on without its rows: --accept-gap", err, strings.Join(missing, ", "))
	}
	// All of it comes again from the log, and what follows it with it.
	return s.setAsideFrom(f.number, err)
}

// passing reports whether an error says nothing about the file.
func passing(err error) bool {
	if isOutOfMemory(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	text := err.Error()
	for _, sign := range []string{"lock on file", "Permission", "Too many open files", "No space left", "Read-only file system"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// setAside renames a file so that nothing opens it again.
func (s *shard) setAside(path string, why error) error {
	aside := fmt.Sprintf("%s.damaged-%s", path, time.Now().UTC().Format("20060102T150405.000000000"))
	if err := os.Rename(path, aside); err != nil {
		return penstock.Wrap(penstock.Unavailable, "set aside "+path, err)
	}
	if err := syncDir(s.dir); err != nil {
		return penstock.Wrap(penstock.Unavailable, "set aside "+path, err)
	}
	if s.db.o.Trace.SetAside != nil {
		s.db.o.Trace.SetAside(s.spec.Name, filepath.Base(aside), why)
	}
	return errSetAside
}

// setAsideFrom sets aside a file and all that follow it, the newest first, so that a crash in between leaves a shard that
// opens.
func (s *shard) setAsideFrom(number int, why error) error {
	numbers, err := listFiles(s.dir)
	if err != nil {
		return penstock.Wrap(penstock.Unavailable, "set aside files", err)
	}
	for i := len(numbers) - 1; i >= 0 && numbers[i] >= number; i-- {
		for _, path := range []string{filePath(s.dir, numbers[i]) + ".wal", filePath(s.dir, numbers[i])} {
			if _, err := os.Stat(path); err != nil {
				continue
			}
			if err := s.setAside(path, why); !errors.Is(err, errSetAside) {
				return err
			}
		}
	}
	return errSetAside
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

// checkGaps refuses shards that stand before the log's oldest record, since what lies between is lost for them, or with
// AcceptGap moves them there.
func (d *Database) checkGaps(ctx context.Context) error {
	for _, s := range d.shards {
		missing, err := s.missing(s.position)
		if err != nil {
			return err
		}
		if len(missing) == 0 {
			continue
		}
		if !d.o.AcceptGap {
			return &penstock.Error{Code: penstock.Conflict, Op: "open shard " + s.spec.Name, Reason: "gap", Err: fmt.Errorf(
				"the log no longer holds %s. Restore a newer backup of the shard, or go on without those events: --accept-gap",
				strings.Join(missing, ", "))}
		}
		if err := s.skipTo(ctx); err != nil {
			return err
		}
	}
	return nil
}

// skipTo moves the shard's positions up to the oldest that the log has.
func (s *shard) skipTo(ctx context.Context) error {
	first, err := s.db.o.LogFirst()
	if err != nil {
		return err
	}
	next := s.newest().state.clone()
	for p := range s.owned {
		next.Positions.Raise(penstock.Positions{p: first[p]})
	}
	f := s.newest()
	if err := s.conn.transaction(ctx, func() error { return f.putState(ctx, s.conn, next) }); err != nil {
		return s.outage("skip a gap", err)
	}
	s.publish(next)
	return s.checkpoint(ctx)
}
