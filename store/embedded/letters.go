package embedded

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"penstock"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Tallies implements penstock.Auditor.
func (s *shard) Tallies(context.Context) (map[penstock.Lane]penstock.Tally, penstock.Positions, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	at := penstock.Positions{}
	for p := range s.owned {
		at[p] = s.position[p]
	}
	return s.book.Tallies(), at, nil
}

// letterColumns are those that scanLetter reads, in its order.
const letterColumns = "_stream, _partition, _epoch, _offset, id, key, time, received_at, _log_time, body, flags, _sum, reason, detail, state, since"

// Letters implements penstock.DeadLetters.
func (s *shard) Letters(ctx context.Context, q penstock.LetterQuery) ([]penstock.Letter, error) {
	ctx, end := s.db.running.begin(ctx)
	defer end()
	var found []penstock.Letter
	err := s.db.steady(ctx, func() (err error) {
		found, err = s.letters(ctx, q)
		return err
	})
	return found, err
}

// steady runs a query over files, again if one of them was removed meanwhile.
func (d *Database) steady(ctx context.Context, query func() error) error {
	for {
		removed := d.removed.Load()
		err := query()
		if err != nil && ctx.Err() == nil && removed != d.removed.Load() {
			continue
		}
		return d.report(queryError(ctx, err))
	}
}

func (s *shard) letters(ctx context.Context, q penstock.LetterQuery) ([]penstock.Letter, error) {
	c, err := s.db.engine.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	where, args := letterFilter(q, *s.db.streams.Load())
	rows, err := c.QueryContext(ctx, s.lettersNow(letterColumns)+where+" ORDER BY _partition, _epoch, _offset LIMIT "+itoa(q.Limit), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []penstock.Letter
	for rows.Next() {
		l, err := scanLetter(rows.Scan, *s.db.streams.Load())
		if err != nil {
			return nil, penstock.Wrap(penstock.Internal, "read letter", err)
		}
		found = append(found, l)
	}
	return found, rows.Err()
}

// letterFilter returns the condition of a query, and its arguments.
func letterFilter(q penstock.LetterQuery, streams registry) (where string, args []any) {
	where = " WHERE true"
	add := func(condition string, values ...any) {
		where += " AND " + condition
		args = append(args, values...)
	}
	if q.Stream != "" {
		add("_stream = ?", streams[streamKey{penstock.DefaultTenant, q.Stream}].ID) // of a stream that is not known 0, which none has
	}
	if q.ID != "" {
		add("id = ?", []byte(q.ID))
	}
	if q.Reason != "" {
		add("reason = ?", string(q.Reason))
	}
	if q.State != "" {
		add("state = ?", string(q.State))
	}
	if q.After != (penstock.Place{}) {
		at := q.After.Position
		add("(_partition, _epoch, _offset) > (?, ?, ?)", int32(q.After.Partition), int32(at.Epoch), int64(at.Offset))
	}
	return where, args
}

// scanLetter reads a row of letterColumns.
func scanLetter(scan func(...any) error, streams registry) (penstock.Letter, error) {
	var l penstock.Letter
	var stream, flags int32
	var id, key, body []byte
	var logTime penstock.Micros
	var sum int64
	err := scan(&stream, &l.Partition, &l.Position.Epoch, &l.Position.Offset, &id, &key, &l.Time, &l.ReceivedAt, &logTime, &body, &flags, &sum,
		&l.Reason, &l.Detail, &l.State, &l.Since)
	for key, r := range streams {
		if r.ID == stream {
			l.Stream = key.name
		}
	}
	l.ID, l.Key, l.Body = string(id), string(key), penstock.Raw(body)
	l.Flags, l.Sum, l.LogTime = penstock.RecordFlags(flags), penstock.Checksum(sum), logTime
	return l, err
}

// recordOf returns the record that became a letter.
func recordOf(l penstock.Letter) penstock.Record {
	return penstock.Record{
		Event: penstock.Event{
			ID: []byte(l.ID), Key: []byte(l.Key), Time: l.Time, Body: []byte(l.Body), Flags: l.Flags, Sum: l.Sum,
		},
		Tenant: penstock.DefaultTenant, Stream: l.Stream, Partition: l.Partition, Position: l.Position, ReceivedAt: l.ReceivedAt, LogTime: l.LogTime,
	}
}

// Drop implements penstock.DeadLetters.
func (s *shard) Drop(ctx context.Context, places []penstock.Place) (int, error) {
	s.applying.Lock()
	defer s.applying.Unlock()
	if s.closed {
		return 0, s.ended("drop letters")
	}
	post := s.post(nil)
	defer post.end()
	dropped, now := 0, s.logTime()
	for _, at := range places {
		l, open := s.book.Open(at)
		if !open {
			continue
		}
		if err := post.use(l.Lane.Tenant, l.Lane.Stream); err != nil {
			return 0, err
		}
		was, err := post.page.Drop(at, now)
		if err != nil {
			return 0, err
		}
		if was {
			dropped++
		}
	}
	if dropped == 0 {
		return 0, nil
	}
	post.close()
	if err := s.carry(ctx, post); err != nil {
		return dropped, err
	}
	// The write-ahead log may be lost with its name, which DuckDB does not sync, or not be replayed with a torn end behind this. Rows come again
	// from the log, a drop would not.
	s.tryCheckpoint(ctx)
	return dropped, s.outageOrNil("sync directory", syncDir(s.dir))
}

// Parked implements fate.Sink. Each letter is asked for once.
func (p *posting) Parked(at penstock.Place) (*penstock.Record, penstock.Condemned, error) {
	const op = "read parked letter"
	l, ok := p.parked[at]
	if !ok {
		if err := p.fetch(at); err != nil {
			return nil, penstock.Condemned{}, p.shard.outage(op, err)
		}
		if l, ok = p.parked[at]; !ok {
			return nil, penstock.Condemned{}, p.shard.outage(op, fmt.Errorf("partition %d has none at %s", at.Partition, at.Position))
		}
	}
	delete(p.parked, at)
	return &l.record, l.why, nil
}

// fetch reads parked letters of a key, from one on: whoever asks for that asks for those behind it. The shard's own connection may be busy taking rows.
func (p *posting) fetch(at penstock.Place) error {
	const letters, bytes = 1000, 16 << 20
	l, _ := p.shard.book.Letter(at)
	query := fmt.Sprintf("%s WHERE _stream = %d AND _partition = %d AND key = from_hex('%x') AND state = 'parked' AND (_epoch, _offset) >= (%d, %d)"+
		" ORDER BY _epoch, _offset LIMIT %d", p.shard.lettersNow(letterColumns), p.streams[streamKey{l.Lane.Tenant, l.Lane.Stream}].ID, at.Partition, l.Key,
		at.Position.Epoch, at.Position.Offset, letters)
	c, err := p.shard.db.engine.conn(context.Background())
	if err != nil {
		return err
	}
	defer c.Close()
	size := 0
	err = c.each(context.Background(), query, func(scan func(...any) error) error {
		l, err := scanLetter(scan, p.streams)
		if err != nil {
			return err
		}
		r := recordOf(l)
		p.note(&r, penstock.Condemned{Reason: l.Reason, Detail: l.Detail})
		if size += len(r.Body); size >= bytes {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// errEnough ends a query whose other rows are not wanted yet.
var errEnough = errors.New("enough for now")

// parked is a letter of the batch in hand that waits.
type parked struct {
	record penstock.Record
	why    penstock.Condemned
}

// note keeps a parked record at hand, in case the same batch lets it go.
func (p *posting) note(r *penstock.Record, why penstock.Condemned) {
	if p.parked == nil {
		p.parked = map[penstock.Place]parked{}
	}
	p.parked[penstock.Place{Partition: r.Partition, Position: r.Position}] = parked{*r, why}
}
