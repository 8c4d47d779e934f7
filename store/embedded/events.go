package embedded

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"penstock"
)

// Events implements penstock.Querier. It reads the one shard that holds the key, a range of offsets at a time, and stops at the
// limit; row groups whose offsets lie outside of the range are not read.
func (d *Database) Events(ctx context.Context, q penstock.KeyQuery) ([]penstock.Row, error) {
	ctx, end := d.running.begin(ctx)
	defer end()
	r, ok := (*d.streams.Load())[streamKey{penstock.DefaultTenant, q.Stream}]
	if !ok {
		return nil, penstock.Errorf(penstock.NotFound, "find events", "there is no stream %s", q.Stream)
	}
	p := d.partitioner.Of(penstock.DefaultTenant, q.Stream, []byte(q.Key), nil)
	s := d.holders[p]
	if s == nil {
		return nil, penstock.Errorf(penstock.NotOwner, "find events", "no shard here holds partition %d", p)
	}
	var found []penstock.Row
	err := d.steady(ctx, func() (err error) {
		behind(func() {
			found, err = s.events(ctx, keyScan{query: q, stream: r.ID, partition: p, hidden: (*d.hidden.Load())[r.ID]})
		})
		return err
	})
	return found, err
}

// events scans one range after the other until there are enough.
func (s *shard) events(ctx context.Context, k keyScan) ([]penstock.Row, error) {
	c, err := s.db.engine.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	end, err := s.Position(ctx, k.partition)
	if err != nil {
		return nil, err
	}
	var found []penstock.Row
	for r := range k.ranges(end) {
		k.since = s.since(k.partition, r)
		more, err := s.eventsWithin(ctx, c, k, r)
		if err != nil {
			return nil, err
		}
		if found = append(found, more...); len(found) >= k.query.Limit {
			return found[:k.query.Limit], nil
		}
	}
	return found, nil
}

// since returns a log time before which a range has no rows; 0 if none is known.
func (s *shard) since(p penstock.Partition, r offsets) penstock.Micros {
	if r.older {
		return 0
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.trail.since(p, penstock.Position{Epoch: r.epoch, Offset: r.from})
}

// eventsWithin scans a range, in all files: what was let go late lies in a newer one than its neighbours.
func (s *shard) eventsWithin(ctx context.Context, c conn, k keyScan, r offsets) ([]penstock.Row, error) {
	var found []penstock.Row
	for _, f := range s.list() {
		if !r.older && !(penstock.Position{Epoch: r.epoch, Offset: r.from}).Less(s.endOf(f, k.partition)) {
			continue
		}
		for _, table := range []tableName{sharedTable, ownTable(k.stream)} {
			if _, ok := f.columns(table); !ok {
				continue
			}
			more, err := k.run(ctx, c, f.table(table), r)
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
	}
	slices.SortFunc(found, func(a, b penstock.Row) int {
		if a.Position.Less(b.Position) != k.query.Newest {
			return -1
		}
		return 1
	})
	return found, nil
}

// endOf returns the position before which all rows of a partition in a file are.
func (s *shard) endOf(f *file, p penstock.Partition) penstock.Position {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return f.state.Positions[p]
}

// offsets is a range of a partition's positions: offsets of one epoch, or all epochs before that.
type offsets struct {
	epoch    penstock.Epoch
	older    bool
	from, to penstock.Offset // to is excluded
}

// ranges divides a partition that ends there, beginning with a few row groups.
func (k keyScan) ranges(end penstock.Position) iter.Seq[offsets] {
	const first, more = 8192, 8
	after := k.query.After
	if !k.query.Newest {
		return func(yield func(offsets) bool) {
			from := penstock.Offset(0)
			if after.Epoch == end.Epoch {
				from = after.Offset
			} else if !yield(offsets{epoch: end.Epoch, older: true}) {
				return
			}
			for size := penstock.Offset(first); from < end.Offset; size *= more {
				if !yield(offsets{epoch: end.Epoch, from: from, to: from + size}) {
					return
				}
				from += size
			}
		}
	}
	if after != (penstock.Position{}) && after.Less(end) {
		end = after
	}
	return func(yield func(offsets) bool) {
		for size, to := penstock.Offset(first), end.Offset; to > 0; size *= more {
			from := to - min(to, size)
			if !yield(offsets{epoch: end.Epoch, from: from, to: to}) {
				return
			}
			to = from
		}
		yield(offsets{epoch: end.Epoch, older: true})
	}
}

// keyScan looks for the events of a key in one table.
type keyScan struct {
	query     penstock.KeyQuery
	stream    int32
	partition penstock.Partition
	hidden    penstock.Micros // log time before which rows are not shown
	since     penstock.Micros // log time before which there are none in the range
}

func (k keyScan) run(ctx context.Context, c conn, table string, r offsets) ([]penstock.Row, error) {
	text, args := k.statement(table, r)
	result, err := c.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer result.Close()
	var found []penstock.Row
	for result.Next() {
		row := penstock.Row{Key: k.query.Key, Partition: k.partition}
		var body, replayOf string
		if err := result.Scan(&row.ID, &row.Time, &row.ReceivedAt, &body, &row.Position.Epoch, &row.Position.Offset, &replayOf); err != nil {
			return nil, err
		}
		if row.ReplayOf, err = parsePosition(replayOf); err != nil {
			return nil, err
		}
		row.Body = penstock.Raw(body)
		found = append(found, row)
	}
	return found, result.Err()
}

// joinless is a limit from which on DuckDB reads what it sorts with the rows it finds. Below it looks for the winners once more, by
// row numbers, in every row group: 40 ms over 10⁸ rows (its setting late_materialization_max_rows is 50).
const joinless = 51

func (k keyScan) statement(table string, r offsets) (string, []any) {
	var where strings.Builder
	fmt.Fprintf(&where, "_stream = %d AND _partition = %d AND key = ?", k.stream, k.partition)
	args := []any{k.query.Key}
	if r.older {
		fmt.Fprintf(&where, " AND _epoch < %d", r.epoch)
	} else {
		fmt.Fprintf(&where, " AND _epoch = %d AND _offset >= %d AND _offset < %d", r.epoch, r.from, r.to)
	}
	beyond, order := ">", "ASC"
	if k.query.Newest {
		beyond, order = "<", "DESC"
	}
	if after := k.query.After; after != (penstock.Position{}) {
		fmt.Fprintf(&where, " AND (_epoch %[1]s %[2]d OR _epoch = %[2]d AND _offset %[1]s %[3]d)", beyond, after.Epoch, after.Offset)
	}
	if since := max(k.hidden, k.since); since > 0 {
		where.WriteString(" AND _log_time >= " + timestamp(since))
	}
	if k.query.From != 0 {
		where.WriteString(" AND time >= " + timestamp(k.query.From))
	}
	if k.query.To != 0 {
		where.WriteString(" AND time < " + timestamp(k.query.To))
	}
	return "SELECT id, epoch_us(time), epoch_us(received_at), CAST(data AS VARCHAR), _epoch, _offset, coalesce(_replay_of, '0:0') FROM " + table +
		" WHERE " + where.String() + fmt.Sprintf(" ORDER BY _epoch %[1]s, _offset %[1]s LIMIT %[2]d", order, max(k.query.Limit, joinless)), args
}

// parsePosition reads what penstock.Position.String writes.
func parsePosition(text string) (penstock.Position, error) {
	var at penstock.Position
	if _, err := fmt.Sscanf(text, "%d:%d", &at.Epoch, &at.Offset); err != nil {
		return at, penstock.Wrap(penstock.Corrupt, "read position "+text, err)
	}
	return at, nil
}
