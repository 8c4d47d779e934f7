package embedded

import (
	"context"
	"strings"

	"penstock"
	"penstock/internal/fate"
)

// recall fills the book and the index of identities with what the files hold. The newest file is attached to be written.
func (s *shard) recall(ctx context.Context) error {
	const op = "read ledger"
	names := map[int32]streamKey{}
	for key, r := range s.known {
		names[r.ID] = key
	}
	if err := s.recallLanes(ctx, names); err != nil {
		return s.outage(op, err)
	}
	if err := s.recallProducers(ctx, names); err != nil {
		return s.outage(op, err)
	}
	if err := s.recallLetters(ctx, names); err != nil {
		return s.outage(op, err)
	}
	return s.outageOrNil(op, s.recallIdentities(ctx, s.known))
}

// each runs a query and calls f for each row.
func (s *shard) each(ctx context.Context, query string, f func(scan func(...any) error) error) error {
	return s.conn.each(ctx, query, f)
}

func (c conn) each(ctx context.Context, query string, f func(scan func(...any) error) error) error {
	rows, err := c.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// latest is the condition that keeps the newest row of each group: what was added last holds.
func latest(group string) string {
	return " QUALIFY row_number() OVER (PARTITION BY " + group + " ORDER BY rowid DESC) = 1"
}

// recallLanes reads the tallies. The newest file has those of all lanes: it began with what the one before ended with.
func (s *shard) recallLanes(ctx context.Context, names map[int32]streamKey) error {
	query := "SELECT _stream, _partition, arg_max(ordinal, rowid), arg_max(tally, rowid) FROM " + s.newest().table(batchesTable) + " GROUP BY ALL"
	err := s.each(ctx, query, func(scan func(...any) error) error {
		var stream int32
		var p penstock.Partition
		var next int64
		var text []byte
		if err := scan(&stream, &p, &next, &text); err != nil {
			return err
		}
		t, err := decodeTally(text)
		lane := penstock.Lane{Tenant: names[stream].tenant, Stream: names[stream].name, Partition: p}
		s.book.Recall(lane, t)
		s.ordinals[lane] = next
		return err
	})
	if oldest := s.list()[0]; err != nil || oldest.number != s.manifest.First {
		return err
	}
	// The file that counted rows as expired may have been set aside, and come again from the log, which knows nothing of that.
	gone, err := s.goneBefore(ctx, s.list()[0], names)
	for lane, rows := range gone {
		t := s.book.Tally(lane)
		t[penstock.FateStored] = t[penstock.FateStored].Minus(rows)
		t[penstock.FateExpired] = t[penstock.FateExpired].Plus(rows)
		s.book.Recall(lane, t)
	}
	return err
}

func (s *shard) recallProducers(ctx context.Context, names map[int32]streamKey) error {
	query := "SELECT _stream, _partition, producer, seq, item FROM " + s.newest().table(producersTable) + latest("_stream, _partition, producer")
	return s.each(ctx, query, func(scan func(...any) error) error {
		var stream int32
		var l fate.ProducerLane
		var seq int64
		var m fate.Mark
		if err := scan(&stream, &l.Partition, &l.Producer, &seq, &m.Item); err != nil {
			return err
		}
		m.Seq = uint64(seq)
		l.Tenant, l.Stream = names[stream].tenant, names[stream].name
		s.book.RecallProducer(l, m)
		return nil
	})
}

// recallLetters reads the letters that are open or parked, in order.
func (s *shard) recallLetters(ctx context.Context, names map[int32]streamKey) error {
	query := s.lettersNow("_stream, _partition, _epoch, _offset, key, _sum, state") +
		" WHERE state IN ('open', 'parked') ORDER BY _partition, _epoch, _offset"
	return s.each(ctx, query, func(scan func(...any) error) error {
		var stream int32
		var at penstock.Place
		var key []byte
		var sum int64
		var state penstock.LetterState
		if err := scan(&stream, &at.Partition, &at.Position.Epoch, &at.Position.Offset, &key, &sum, &state); err != nil {
			return err
		}
		name := names[stream]
		l := fate.Letter{
			Lane: penstock.Lane{Tenant: name.tenant, Stream: name.name, Partition: at.Partition},
			Key:  string(key), Sum: penstock.Checksum(sum), Parked: state == penstock.LetterParked,
		}
		s.book.RecallLetter(at, l)
		return nil
	})
}

// lettersNow returns a query for columns of the shard's letters as they are now: each once, with its latest state and reason.
func (s *shard) lettersNow(columns string) string {
	var letters, settled []string
	files := s.list()
	for i, f := range files {
		order := ", " + itoa(f.number) + " AS file, rowid AS nth FROM "
		if f.letters.Load() || i == len(files)-1 {
			letters = append(letters, "SELECT *"+order+f.table(lettersTable))
		}
		if f.settled.Load() || i == len(files)-1 {
			settled = append(settled, "SELECT *"+order+f.table(settledTable))
		}
	}
	all := "(" + strings.Join(letters, " UNION ALL ") + ")"
	if len(letters) > 1 { // a letter that was taken over from a file before is there twice
		all = newestOf(all)
	}
	return "SELECT " + columns + " FROM (SELECT l.* REPLACE (coalesce(s.state, l.state) AS state, coalesce(s.since, l.since) AS since," +
		" coalesce(s.reason, l.reason) AS reason, coalesce(s.detail, l.detail) AS detail) FROM " +
		all + " l LEFT JOIN " + newestOf("(SELECT * REPLACE ("+latestText("reason")+", "+latestText("detail")+") FROM ("+
		strings.Join(settled, " UNION ALL ")+"))") + " s USING (_partition, _epoch, _offset))"
}

// latestText is the last text of a column that a letter was given: who drops a letter gives it none.
func latestText(column string) string {
	return "last_value(nullif(" + column + ", '') IGNORE NULLS) OVER (PARTITION BY _partition, _epoch, _offset ORDER BY file, nth" +
		" ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS " + column
}

// newestOf keeps of the rows of a letter the one that was added last.
func newestOf(rows string) string {
	return "(SELECT * FROM " + rows + " QUALIFY row_number() OVER (PARTITION BY _partition, _epoch, _offset ORDER BY file DESC, nth DESC) = 1)"
}
