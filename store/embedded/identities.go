package embedded

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"penstock"
	"penstock/internal/dedup"
	"penstock/internal/vfs"
)

// Identities need no place of their own: each that got an ordinal belongs to a row or to a letter, which says so, and is a hash of
// its stream, key and id. Rows of a lane, in the order of the log, have its ordinals in turn; batches say which was the next at some positions.

// recallIdentities opens the index of identities, and gives it what its own files lack.
func (s *shard) recallIdentities(ctx context.Context, known registry) error {
	ids, err := dedup.Open(dedup.Options{
		FS: vfs.OS(), Dir: filepath.Join(s.dir, "ids"), History: s.db.o.Cluster.ID + " " + s.spec.Name, Partitions: s.db.o.Cluster.Partitions,
		Trace: s.identitiesTrace(),
	}, s.ordinals)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.ids = ids
	s.mu.Unlock()
	if _, err := s.remember(known.sorted()); err != nil {
		return err
	}
	err = s.restoreAll(ctx, known)
	s.complete = err == nil
	return err
}

// identitiesTrace passes on what happens to the index.
func (s *shard) identitiesTrace() dedup.Trace {
	report := func(f func(string, error)) func(error) {
		if f == nil {
			return nil
		}
		return func(err error) { f(s.spec.Name, err) }
	}
	return dedup.Trace{Discarded: report(s.db.o.Trace.IdentitiesDiscarded), Failed: report(s.db.o.Trace.IdentitiesFailed)}
}

// restoreAll gives the index all that it lacks.
func (s *shard) restoreAll(ctx context.Context, known registry) error {
	files := s.list()
	for len(files) > 1 && files[0].state.LogTime+known.longestWindow() < s.logTime() {
		files = files[1:]
	}
	starts, err := s.starts(ctx, files, known)
	if err != nil || len(starts) == 0 {
		return err
	}
	for _, f := range files {
		if err := s.restore(ctx, f, starts); err != nil {
			return err
		}
	}
	return nil
}

// start is where the identities of a lane begin that the index lacks.
type start struct {
	stream  int32
	lane    penstock.Lane
	from    penstock.Position
	ordinal int64 // of the first identity there
}

// starts returns the lanes of which the index lacks something that is in one of the files, which are the newest ones.
func (s *shard) starts(ctx context.Context, files []*file, known registry) ([]*start, error) {
	names := map[int32]streamKey{}
	for key, r := range known {
		names[r.ID] = key
	}
	var lacking []string
	for lane, next := range s.ordinals {
		if covered := s.ids.Covered(lane); covered < next {
			id := known[streamKey{lane.Tenant, lane.Stream}].ID
			lacking = append(lacking, "("+itoa(int(id))+", "+itoa(int(lane.Partition))+", "+itoa(int(covered))+")")
		}
	}
	if len(lacking) == 0 {
		return nil, nil
	}
	var batches []string
	for _, f := range files {
		batches = append(batches, "SELECT *, "+itoa(f.number)+" AS file, rowid AS nth FROM "+f.table(batchesTable))
	}
	// Of each lane the last row at which the index was not lacking yet; if there is none, what was carried over into the first of the files; if
	// nothing was, the lane begins in them.
	query := "SELECT s, p, coalesce(max(" + rowOrder + ") FILTER (ordinal <= o), min(" + rowOrder + ") FILTER (carried AND file = " + itoa(files[0].number) + ")) AS row FROM (" +
		strings.Join(batches, " UNION ALL ") + ") JOIN (VALUES " + strings.Join(lacking, ", ") + ") AS c(s, p, o) ON s = _stream AND p = _partition GROUP BY s, p"
	query = "SELECT s, p, coalesce(row[3], 0), coalesce(row[4], 0), coalesce(row[5], 0) FROM (" + query + ")"
	var all []*start
	err := s.each(ctx, query, func(scan func(...any) error) error {
		var one start
		err := scan(&one.stream, &one.lane.Partition, &one.from.Epoch, &one.from.Offset, &one.ordinal)
		one.lane.Tenant, one.lane.Stream = names[one.stream].tenant, names[one.stream].name
		all = append(all, &one)
		return err
	})
	return all, err
}

// rowOrder compares rows of batches by when they were added, and brings along what is wanted of them.
const rowOrder = "[file, nth, _epoch, _offset, ordinal]"

// restore gives the index the identities of a file, and moves the starts on.
func (s *shard) restore(ctx context.Context, f *file, starts []*start) error {
	if !slices.ContainsFunc(starts, func(one *start) bool { return one.from.Less(f.state.Positions[one.lane.Partition]) }) {
		return nil
	}
	r := restorer{shard: s, lanes: map[laneID]*start{}}
	for _, one := range starts {
		r.lanes[laneID{one.stream, one.lane.Partition}] = one
	}
	return errors.Join(s.each(ctx, s.identitiesFrom(f, starts), r.take), r.flush())
}

// identitiesFrom returns the query for the identities of a file from the starts on, lane by lane in their order.
func (s *shard) identitiesFrom(f *file, starts []*start) string {
	var values []string
	low, newest := starts[0].from, penstock.Epoch(0)
	for _, one := range starts {
		values = append(values, "("+itoa(int(one.stream))+", "+itoa(int(one.lane.Partition))+", "+itoa(int(one.from.Epoch))+", "+itoa(int(one.from.Offset))+")")
		low = penstock.Position{Epoch: min(low.Epoch, one.from.Epoch), Offset: min(low.Offset, one.from.Offset)}
	}
	for _, at := range s.position {
		newest = max(newest, at.Epoch)
	}
	where := " WHERE _indexed"
	if low.Epoch == newest { // offsets of an older epoch say nothing about those of a newer one
		where += " AND _offset >= " + itoa(int(low.Offset)) // by this DuckDB leaves out row groups
	}
	parts := []string{"SELECT _stream, _partition, _epoch, _offset, _log_time AS logged, key, id FROM " + f.table(lettersTable) + where}
	for table := range *f.tables.Load() {
		if table.ofModels() {
			continue
		}
		parts = append(parts, "SELECT _stream, _partition, _epoch, _offset, epoch_us(_log_time) AS logged, encode(coalesce(key, '')) AS key, encode(id) AS id FROM "+
			f.table(table)+where)
	}
	return "SELECT _stream, _partition, logged, key, id FROM (" + strings.Join(parts, " UNION ALL ") + ") JOIN (VALUES " + strings.Join(values, ", ") +
		") AS c(s, p, e, o) ON s = _stream AND p = _partition WHERE (_epoch, _offset) >= (e, o) ORDER BY _stream, _partition, _epoch, _offset"
}

// laneID is a lane as the tables have it.
type laneID struct {
	stream    int32
	partition penstock.Partition
}

// restorer hands identities over to the index, some of a lane at a time.
type restorer struct {
	shard  *shard
	lanes  map[laneID]*start
	of     *start // whose identities are packed
	packed []byte
}

const restoredAtOnce = 1 << 20 // bytes

// take adds a row of identitiesFrom.
func (r *restorer) take(scan func(...any) error) error {
	var lane laneID
	var at penstock.Micros
	var key, id []byte
	if err := scan(&lane.stream, &lane.partition, &at, &key, &id); err != nil {
		return err
	}
	if one := r.lanes[lane]; one != r.of || len(r.packed) >= restoredAtOnce {
		if err := r.flush(); err != nil {
			return err
		}
		r.of = one
	}
	r.packed = dedup.AppendPacked(r.packed, r.shard.db.partitioner.IdentityOf(r.of.lane.Tenant, r.of.lane.Stream, key, id), at)
	return nil
}

// flush hands over what is packed.
func (r *restorer) flush() error {
	if r.of == nil || len(r.packed) == 0 {
		return nil
	}
	err := r.shard.ids.Restore(r.of.lane, r.of.ordinal, r.packed)
	r.of.ordinal += int64(len(r.packed) / dedup.PackedSize)
	r.packed = r.packed[:0]
	return err
}

// completeIdentities opens the index again if it did not get all that it should have: what it lacks would not be recognised.
func (s *shard) completeIdentities(ctx context.Context, known registry) error {
	if s.complete {
		return nil
	}
	_ = s.ids.Close() // of no consequence: the files have everything
	return s.outageOrNil("read identities", s.recallIdentities(ctx, known))
}

// setWindows tells the index how long streams are remembered from now on, and gives it what it lacks then.
func (s *shard) setWindows(ctx context.Context, streams []registered, known registry) error {
	if err := s.completeIdentities(ctx, known); err != nil {
		return err
	}
	s.complete = false
	whole, err := s.remember(streams)
	for lane, next := range s.ordinals { // those of a stream that remembered nothing were left out
		at := slices.IndexFunc(streams, func(r registered) bool { return r.Name == lane.Stream && r.Dedup.On() })
		whole = whole && (at < 0 || s.ids.Covered(lane) >= next)
	}
	if err == nil && !whole {
		err = s.restoreAll(ctx, known)
	}
	s.complete = err == nil
	return s.outageOrNil("read identities", err)
}

// mendIdentities makes the index anew if a posting failed since it is damaged: the files have all that it had.
func (s *shard) mendIdentities(ctx context.Context, p *posting, err error) error {
	if !penstock.Is(p.failed, penstock.Corrupt) {
		return err
	}
	if trace := s.db.o.Trace.SetAside; trace != nil {
		trace(s.spec.Name, "ids", err)
	}
	s.complete = false
	return penstock.Wrap(penstock.Unavailable, "look up identities", errors.Join(err, s.completeIdentities(ctx, *s.db.streams.Load())))
}

// remember tells the index how long each of the streams is remembered. It returns false if all has to be restored for that.
func (s *shard) remember(streams []registered) (complete bool, err error) {
	complete = true
	for _, r := range streams {
		whole, failed := s.ids.SetWindow(r.Tenant, r.Name, r.Dedup)
		complete, err = complete && whole, errors.Join(err, failed)
	}
	return complete, err
}

// longestWindow is how long an identity counts at most, whatever its stream.
func (g registry) longestWindow() penstock.Micros {
	var longest penstock.Micros
	for _, r := range g {
		longest = max(longest, penstock.Micros(r.Dedup.Window.Microseconds()))
	}
	return longest
}
