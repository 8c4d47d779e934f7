package embedded

import (
	"context"
	"fmt"
	"strings"

	"penstock"
)

// Events implements penstock.Querier. It reads the files of the one shard that holds the key, oldest first, and stops at
// the limit; row groups whose offsets lie outside the range are not read.
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
		found, err = s.events(ctx, keyScan{query: q, stream: r.ID, partition: p, hidden: (*d.hidden.Load())[r.ID]})
		return err
	})
	return found, err
}

// events runs a scan over all files.
func (s *shard) events(ctx context.Context, k keyScan) ([]penstock.Row, error) {
	c, err := s.db.engine.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var found []penstock.Row
	for _, f := range s.list() {
		for _, table := range []tableName{sharedTable, ownTable(k.stream)} {
			if _, ok := f.columns(table); !ok || len(found) >= k.query.Limit {
				continue
			}
			k.table, k.limit = f.table(table), k.query.Limit-len(found)
			more, err := k.run(ctx, c)
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
	}
	return found, nil
}

// keyScan looks for the events of a key in one table.
type keyScan struct {
	query     penstock.KeyQuery
	stream    int32
	partition penstock.Partition
	hidden    penstock.Micros // log time before which rows are not shown
	table     string
	limit     int
}

func (k keyScan) run(ctx context.Context, c conn) ([]penstock.Row, error) {
	text, args := k.statement()
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

func (k keyScan) statement() (string, []any) {
	var where strings.Builder
	fmt.Fprintf(&where, "_stream = %d AND _partition = %d AND key = ?", k.stream, k.partition)
	args := []any{k.query.Key}
	if after := k.query.After; after != (penstock.Position{}) {
		fmt.Fprintf(&where, " AND (_epoch > %d OR _epoch = %d AND _offset > %d)", after.Epoch, after.Epoch, after.Offset)
	}
	if k.hidden > 0 {
		where.WriteString(" AND _log_time >= " + timestamp(k.hidden))
	}
	if k.query.From != 0 {
		where.WriteString(" AND time >= " + timestamp(k.query.From))
	}
	if k.query.To != 0 {
		where.WriteString(" AND time < " + timestamp(k.query.To))
	}
	return "SELECT id, epoch_us(time), epoch_us(received_at), CAST(data AS VARCHAR), _epoch, _offset, coalesce(_replay_of, '0:0') FROM " + k.table +
		" WHERE " + where.String() + fmt.Sprintf(" ORDER BY _epoch, _offset LIMIT %d", k.limit), args
}

// parsePosition reads what penstock.Position.String writes.
func parsePosition(text string) (penstock.Position, error) {
	var at penstock.Position
	if _, err := fmt.Sscanf(text, "%d:%d", &at.Epoch, &at.Offset); err != nil {
		return at, penstock.Wrap(penstock.Corrupt, "read position "+text, err)
	}
	return at, nil
}
