package killtest

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"penstock"
	"penstock/internal/check"
)

// page is the rows behind a place, in the order of their places.
const page = `select stream, id, key, cast(data as varchar), _partition, _epoch, _offset, epoch_us(time), epoch_us(received_at), _replay_of from %s
where %s and (_partition > %d or _partition = %d and (_epoch > %d or _epoch = %d and _offset > %d))
order by _partition, _epoch, _offset limit %d`

// misread counts rows whose columns are not what their events say.
const misread = `select count(*) from %s where %s and
(json_extract_string(data, '$.amount') <> cast(amount as varchar) or json_extract_string(data, '$.country') <> country)`

// ofClients is the condition that selects the events of the clients from first to last.
func ofClients(first, last uint32) string {
	return fmt.Sprintf("(id >= '%s' and id < '%s')", check.EventID(first, 0), check.EventID(last+1, 0))
}

// rows yields the rows that a condition selects, in the order of their places.
func (t *tester) rows(ctx context.Context, where string) iter.Seq2[*check.Entry, error] {
	return func(yield func(*check.Entry, error) bool) {
		last := check.Entry{}
		for started := false; ; started = true {
			offset := int64(last.Offset)
			if !started {
				offset = -1
			}
			table, err := t.ask().SQL(ctx, fmt.Sprintf(page, everything(), where, last.Partition, last.Partition, last.Epoch, last.Epoch, offset, t.pageRows))
			if err != nil {
				yield(nil, err)
				return
			}
			for _, row := range table.Rows {
				if last, err = entryOf(row); err != nil {
					yield(nil, err)
					return
				}
				if !yield(&last, nil) {
					return
				}
			}
			if len(table.Rows) < t.pageRows {
				return
			}
		}
	}
}

func entryOf(row []any) (check.Entry, error) {
	if len(row) != 10 {
		return check.Entry{}, penstock.Errorf(penstock.Internal, "read rows", "%d columns", len(row))
	}
	var place [5]int64
	for i := range place {
		n, ok := row[4+i].(json.Number)
		v, err := n.Int64()
		if !ok || err != nil {
			return check.Entry{}, penstock.Errorf(penstock.Internal, "read rows", "%v is no place and no times", row[4:])
		}
		place[i] = v
	}
	text := func(i int) string { s, _ := row[i].(string); return s } // NULL is told from what was sent by the event itself
	e := check.Entry{
		Partition: penstock.Partition(place[0]), Epoch: penstock.Epoch(place[1]), Offset: penstock.Offset(place[2]),
		Stream: text(0), ID: text(1), Key: text(2), Body: check.Text(text(3)), Time: penstock.Micros(place[3]), ReceivedAt: penstock.Micros(place[4]),
	}
	if of := text(9); of != "" {
		if _, err := fmt.Sscanf(of, "%d:%d", &e.ReplayOf.Epoch, &e.ReplayOf.Offset); err != nil {
			return check.Entry{}, penstock.Errorf(penstock.Internal, "read rows", "%q is no position", of)
		}
	}
	return e, nil
}

// judgeRound judges the events of one round by their rows and letters, counts those of all, and judges what views say of all.
func (t *tester) judgeRound(ctx context.Context, r *Round, writers []*writer) error {
	first, last := writers[0].client, writers[len(writers)-1].client
	where := ofClients(first, last)
	var history []check.Record
	for _, w := range writers {
		history = append(history, w.attempts...)
	}
	if err := t.recountReleased(ctx, first); err != nil {
		return err
	}
	v, err := check.Judge(check.Run{
		Config: check.Config{Seed: t.Seed}, Rows: t.noting(t.rows(ctx, where)), Models: t.models(), Views: t.viewRows(ctx, writers), Counted: t.recount, Letters: t.lettersOf(ctx, first, last),
		History: func(yield func(*check.Record, error) bool) {
			for i := range history {
				if !yield(&history[i], nil) {
					return
				}
			}
		},
	})
	if err != nil {
		return err
	}
	r.take(v)
	if err := t.countMisread(ctx, r, where); err != nil {
		return err
	}
	if err := t.audit(ctx, r); err != nil {
		return err
	}
	return t.countRows(ctx, r)
}

// countRows compares the number of all rows with what it should be.
func (t *tester) countRows(ctx context.Context, r *Round) error {
	total, err := t.countAll(ctx)
	if err != nil {
		return err
	}
	if r.Total = total; total != t.total+r.Stored {
		r.Problems = append(r.Problems, fmt.Sprintf("%d rows were stored before and %d in this round, SQL counts %d", t.total, r.Stored, total))
	}
	t.total = total
	return nil
}

func (t *tester) countAll(ctx context.Context) (int64, error) {
	return t.ask().Number(ctx, "select count(*) from "+everything())
}

func (t *tester) countMisread(ctx context.Context, r *Round, where string) error {
	n, err := t.ask().Number(ctx, fmt.Sprintf(misread, everything(), where))
	if err == nil && n != 0 {
		r.Problems = append(r.Problems, fmt.Sprintf("%d rows have a column that is not their event's", n))
	}
	return err
}

// audit asks the server what became of all events. It has to know, since nothing is behind.
func (t *tester) audit(ctx context.Context, r *Round) error {
	a, err := t.tallies(ctx)
	if err == nil && !a.OK {
		r.Problems = append(r.Problems, fmt.Sprintf("the audit is not content: %+v", a))
	}
	return err
}
