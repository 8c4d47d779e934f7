package embedded

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"penstock"
)

// found is what became of an event, under the place at which it was accepted.
type found struct {
	place penstock.Place
	fate  penstock.Fate
	sum   penstock.Checksum
}

// Find calls yield for everything that became of the events of a stream between the positions of each partition, to excluded, as of
// one moment of each shard and in any order: with the place at which the event was accepted, its fate, and its checksum, taken
// again of the bytes that are there. A row is FateStored, a letter FateDead, FateParked or FateDropped. An event that was replayed
// is its row, under the place of its letter. Rows that are hidden for their age are there until their file goes. All partitions are
// applied up to their positions.
func (d *Database) Find(
	ctx context.Context, stream string, from, to penstock.Positions, yield func(penstock.Place, penstock.Fate, penstock.Checksum),
) error {
	ctx, end := d.running.begin(ctx)
	defer end()
	r, ok := (*d.streams.Load())[streamKey{penstock.DefaultTenant, stream}]
	if !ok {
		return nil
	}
	for _, s := range d.shards {
		within := span{penstock.Positions{}, penstock.Positions{}}
		for p := range s.owned {
			if from[p].Less(to[p]) {
				within.from[p], within.to[p] = from[p], to[p]
			}
		}
		if len(within.to) == 0 {
			continue
		}
		var all []found
		err := d.steady(ctx, func() (err error) {
			all, err = s.find(ctx, r, within)
			return err
		})
		if err != nil {
			return err
		}
		for _, one := range all {
			yield(one.place, one.fate, one.sum)
		}
	}
	return nil
}

// span is what lies between positions, of the same partitions.
type span struct{ from, to penstock.Positions }

// sql returns the span as a table of SQL: partition, epochs and offsets.
func (s span) sql() string {
	var all []string
	for p, from := range s.from {
		to := s.to[p]
		all = append(all, "("+integers(int64(p), int64(from.Epoch), int64(from.Offset), int64(to.Epoch), int64(to.Offset))+")")
	}
	return "(VALUES " + strings.Join(all, ", ") + ") AS span(p, e1, o1, e2, o2)"
}

// offsets returns a condition by which DuckDB leaves out row groups: what it holds for is too much, and never too little.
func (s span) offsets() string {
	lo, hi := penstock.Offset(1<<63-1), penstock.Offset(0)
	for p, from := range s.from {
		to := s.to[p]
		if from.Epoch != to.Epoch && (from != penstock.Position{} || to.Epoch != 1) {
			return "true"
		}
		lo, hi = min(lo, from.Offset), max(hi, to.Offset)
	}
	return fmt.Sprintf("_offset >= %d AND _offset < %d", lo, hi)
}

// meets reports whether a sealed file may hold something of the span that was a row at once.
func (s span) meets(f *file) bool {
	for p, from := range s.from {
		if from.Less(f.state.Positions[p]) && f.from[p].Less(s.to[p]) {
			return true
		}
	}
	return false
}

// The place at which a row was accepted: its own, or that of the letter which it was.
const (
	acceptedEpoch  = "CASE WHEN _replay_of IS NULL THEN _epoch ELSE CAST(split_part(_replay_of, ':', 1) AS INTEGER) END"
	acceptedOffset = "CASE WHEN _replay_of IS NULL THEN _offset ELSE CAST(split_part(_replay_of, ':', 2) AS BIGINT) END"
)

// findings returns the query for a stream's rows and letters in a span.
func (s *shard) findings(r registered, within span) string {
	var parts []string
	files := s.list()
	for i, f := range files {
		late := f.settled.Load() || i == len(files)-1 // it may have rows that were letters
		if !late && !within.meets(f) {
			continue
		}
		for _, table := range []tableName{sharedTable, ownTable(r.ID)} {
			if _, ok := f.columns(table); !ok {
				continue
			}
			rows := "SELECT _partition AS p, " + acceptedEpoch + " AS e, " + acceptedOffset + " AS o, 'row' AS what, encode(coalesce(key, '')) AS k, encode(id) AS i," +
				" encode(CAST(data AS VARCHAR)) AS b FROM " + f.table(table) + " WHERE _stream = " + itoa(int(r.ID))
			parts = append(parts, rows+" AND _replay_of IS NULL AND "+within.offsets())
			if late {
				parts = append(parts, rows+" AND _replay_of IS NOT NULL")
			}
		}
	}
	parts = append(parts, s.lettersNow("_partition, _epoch, _offset, state, key, id, body")+" WHERE _stream = "+itoa(int(r.ID))+" AND state <> 'replayed'")
	return "SELECT all_of.p, e, o, what, k, i, b FROM (" + strings.Join(parts, " UNION ALL ") + ") AS all_of JOIN " + within.sql() +
		" ON all_of.p = span.p WHERE (e, o) >= (e1, o1) AND (e, o) < (e2, o2)"
}

func (s *shard) find(ctx context.Context, r registered, within span) ([]found, error) {
	c, err := s.db.engine.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	rows, err := c.QueryContext(ctx, s.findings(r, within))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	sums := s.sums.Stream(r.Tenant, r.Name)
	fates := map[string]penstock.Fate{
		"row": penstock.FateStored, string(penstock.LetterOpen): penstock.FateDead,
		string(penstock.LetterParked): penstock.FateParked, string(penstock.LetterDropped): penstock.FateDropped,
	}
	var all []found
	for rows.Next() {
		var one found
		var what string
		var key, id, body []byte
		if err := rows.Scan(&one.place.Partition, &one.place.Position.Epoch, &one.place.Position.Offset, &what, &key, &id, &body); err != nil {
			return nil, err
		}
		one.fate, one.sum = fates[what], sums.Sum(key, id, body)
		all = append(all, one)
	}
	return all, rows.Err()
}

// Repeats reports for each of the records, all of a stream, whether there is a row or a letter of the same key and id at an earlier
// position of its partition.
func (d *Database) Repeats(ctx context.Context, stream string, records []penstock.Record) ([]bool, error) {
	const most = 1000 // in a statement
	ctx, end := d.running.begin(ctx)
	defer end()
	answers := make([]bool, len(records))
	r, ok := (*d.streams.Load())[streamKey{penstock.DefaultTenant, stream}]
	if !ok {
		return answers, nil
	}
	for _, s := range d.shards {
		var asked []int
		for i := range records {
			if s.owned[records[i].Partition] {
				asked = append(asked, i)
			}
		}
		for some := range slices.Chunk(asked, most) {
			err := d.steady(ctx, func() error { return s.repeats(ctx, r, questions{records, some}, answers) })
			if err != nil {
				return nil, err
			}
		}
	}
	return answers, nil
}

// questions are some of a number of records.
type questions struct {
	records []penstock.Record
	some    []int
}

// sql returns the questions as a table of SQL: number, place, key and id, as bytes and, if they are such, as text.
func (q questions) sql() string {
	text := func(b []byte) string {
		if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
			return "NULL"
		}
		return quote(string(b))
	}
	all := make([]string, len(q.some))
	for i, n := range q.some {
		r := &q.records[n]
		all[i] = fmt.Sprintf("(%d, %d, %d, %d, from_hex('%x'), from_hex('%x'), %s, %s)",
			n, r.Partition, r.Position.Epoch, r.Position.Offset, r.Key, r.ID, text(r.Key), text(r.ID))
	}
	return "q(n, p, e, o, k, i, key_text, id_text) AS (VALUES " + strings.Join(all, ", ") + ")"
}

func (s *shard) repeats(ctx context.Context, r registered, q questions, answers []bool) error {
	c, err := s.db.engine.conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	parts := []string{"SELECT n FROM (" + s.lettersNow("_stream, _partition, _epoch, _offset, key, id") + ") JOIN q ON id = i AND key = k AND _partition = p" +
		" WHERE _stream = " + itoa(int(r.ID)) + " AND (_epoch, _offset) < (e, o)"}
	for _, f := range s.list() {
		for _, table := range []tableName{sharedTable, ownTable(r.ID)} {
			if _, ok := f.columns(table); ok {
				parts = append(parts, "SELECT n FROM (SELECT id, coalesce(key, '') AS key, _partition, "+acceptedEpoch+" AS _epoch, "+acceptedOffset+" AS _offset FROM "+
					f.table(table)+" WHERE _stream = "+itoa(int(r.ID))+") JOIN q ON id = id_text AND key = key_text AND _partition = p WHERE (_epoch, _offset) < (e, o)")
			}
		}
	}
	rows, err := c.QueryContext(ctx, "WITH "+q.sql()+" SELECT DISTINCT n FROM ("+strings.Join(parts, " UNION ALL ")+")")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return err
		}
		answers[n] = true
	}
	return rows.Err()
}
