package embedded

import (
	"context"
	"encoding/hex"
	"errors"
	"path/filepath"
	"strings"

	"penstock"
)

// bringForward moves what the oldest file holds and is needed without it into the newest one, counts its rows as expired, and
// makes that safe. Done again, after a crash before the file was gone, it changes nothing. It returns false if the file cannot go yet.
func (s *shard) bringForward(ctx context.Context, f, next *file) (bool, error) {
	post := s.post(nil)
	defer post.end()
	if err := s.expire(ctx, next, post); err != nil {
		return false, s.outage("expire "+filepath.Base(f.path), err)
	}
	if err := s.keepLetters(ctx, f, post); err != nil {
		return false, s.outage("keep letters of "+filepath.Base(f.path), err)
	}
	post.close()
	if s.ledger.batches.used > 0 || s.ledger.letters.used > 0 {
		if err := s.carry(ctx, post); err != nil {
			return false, err
		}
	}
	if !s.unsafe {
		return true, nil
	}
	err := s.checkpoint(ctx) // a write-ahead log that cannot be replayed costs what came since, and the log does not have this
	if isBusy(err) {
		return false, nil
	}
	return err == nil, err
}

// expire counts the rows of all files before one as expired.
func (s *shard) expire(ctx context.Context, f *file, post *posting) error {
	names := map[int32]streamKey{}
	for key, r := range post.streams {
		names[r.ID] = key
	}
	gone, err := s.goneBefore(ctx, f, names)
	for lane, rows := range gone {
		post.page.Expire(lane, rows)
	}
	return err
}

// goneBefore returns the rows of all files before one, as that says it, without those that are counted as expired already.
func (s *shard) goneBefore(ctx context.Context, f *file, names map[int32]streamKey) (map[penstock.Lane]penstock.Total, error) {
	gone := map[penstock.Lane]penstock.Total{}
	query := "SELECT _stream, _partition, tally FROM " + f.table(batchesTable) + " WHERE carried"
	err := s.each(ctx, query, func(scan func(...any) error) error {
		var stream int32
		var text []byte
		lane := penstock.Lane{}
		if err := scan(&stream, &lane.Partition, &text); err != nil {
			return err
		}
		lane.Tenant, lane.Stream = names[stream].tenant, names[stream].name
		t, err := decodeTally(text)
		rows := t[penstock.FateStored].Plus(t[penstock.FateExpired]).Minus(s.book.Tally(lane)[penstock.FateExpired])
		if rows.Events > 0 {
			gone[lane] = rows
		}
		return err
	})
	return gone, err
}

// keepLetters writes the letters of a file that are open or parked into the newest file, unless they are there already.
func (s *shard) keepLetters(ctx context.Context, f *file, post *posting) error {
	query := s.lettersNow(letterColumns) + " WHERE file = " + itoa(f.number) + " AND state IN ('open', 'parked') ORDER BY _partition, _epoch, _offset"
	return s.each(ctx, query, func(scan func(...any) error) error {
		l, err := scanLetter(scan, post.streams)
		id := post.streams[streamKey{penstock.DefaultTenant, l.Stream}].ID
		r := recordOf(l)
		s.ledger.addLetter(id, &r, letterRow{l.State, penstock.Condemned{Reason: l.Reason, Detail: l.Detail}, false, l.Since})
		return err
	})
}

// lettersFromBefore returns the numbers of the files that hold letters which arose before a file, and are open or parked.
func (s *shard) lettersFromBefore(ctx context.Context, f *file) ([]int, error) {
	var places []string
	for p, at := range f.from {
		places = append(places, "("+itoa(int(p))+", "+itoa(int(at.Epoch))+", "+itoa(int(at.Offset))+")")
	}
	if len(places) == 0 {
		return nil, nil
	}
	query := "SELECT DISTINCT file FROM (" + s.lettersNow("*") + " WHERE state IN ('open', 'parked')) JOIN (VALUES " + strings.Join(places, ", ") +
		") AS c(p, e, o) ON p = _partition WHERE (_epoch, _offset) < (e, o) ORDER BY file"
	var numbers []int
	err := s.each(ctx, query, func(scan func(...any) error) error {
		var n int
		err := scan(&n)
		numbers = append(numbers, n)
		return err
	})
	return numbers, err
}

// begin writes what a new file has to know of the time before it, within the transaction that makes it.
func (s *shard) begin(ctx context.Context, f *file) error {
	if s.ids == nil {
		return nil // it is the first
	}
	streams := *s.db.streams.Load()
	var lanes, producers []string
	for lane, t := range s.book.Tallies() {
		at := f.state.Positions[lane.Partition]
		lanes = append(lanes, integers(int64(streams[streamKey{lane.Tenant, lane.Stream}].ID), int64(lane.Partition), int64(at.Epoch), int64(at.Offset),
			s.ordinals[lane])+", "+"from_hex('"+hex.EncodeToString(encodeTally(t))+"')"+", true")
	}
	for lane, m := range s.book.Producers() {
		producers = append(producers, integers(int64(streams[streamKey{lane.Tenant, lane.Stream}].ID), int64(lane.Partition))+", "+quote(lane.Producer)+", "+
			integers(int64(m.Seq), int64(m.Item)))
	}
	return errors.Join(s.insert(ctx, f.table(batchesTable), lanes), s.insert(ctx, f.table(producersTable), producers))
}

// insert adds rows, given as SQL, to a table.
func (s *shard) insert(ctx context.Context, table string, rows []string) error {
	const most = 500 // in a statement
	for ; len(rows) > 0; rows = rows[min(most, len(rows)):] {
		if err := s.conn.exec(ctx, "INSERT INTO "+table+" VALUES ("+strings.Join(rows[:min(most, len(rows))], "), (")+")"); err != nil {
			return err
		}
	}
	return nil
}
