package killtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os/exec"
	"path/filepath"

	"penstock"
	"penstock/internal/check"
)

// page is the rows behind a place, in the order of their places.
const page = `select id, key, cast(data as varchar), _partition, _epoch, _offset from ` + stream + `
where %s and (_partition > %d or _partition = %d and (_epoch > %d or _epoch = %d and _offset > %d))
order by _partition, _epoch, _offset limit %d`

// misread counts rows whose columns are not what their events say.
const misread = `select count(*) from ` + stream + ` where %s and
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
			table, err := t.ask().SQL(ctx, fmt.Sprintf(page, where, last.Partition, last.Partition, last.Epoch, last.Epoch, offset, t.pageRows))
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
	if len(row) != 6 {
		return check.Entry{}, penstock.Errorf(penstock.Internal, "read rows", "%d columns", len(row))
	}
	var place [3]int64
	for i := range place {
		n, ok := row[3+i].(json.Number)
		v, err := n.Int64()
		if !ok || err != nil {
			return check.Entry{}, penstock.Errorf(penstock.Internal, "read rows", "%v is no place", row[3:])
		}
		place[i] = v
	}
	text := func(i int) string { s, _ := row[i].(string); return s } // NULL is told from what was sent by the event itself
	return check.Entry{
		Partition: penstock.Partition(place[0]), Epoch: penstock.Epoch(place[1]), Offset: penstock.Offset(place[2]),
		Stream: stream, ID: text(0), Key: text(1), Body: check.Text(text(2)),
	}, nil
}

// judgeRound judges the events of one round by their rows, and counts those of all.
func (t *tester) judgeRound(ctx context.Context, r *Round, writers []*writer) error {
	where := ofClients(writers[0].client, writers[len(writers)-1].client)
	var history []check.Record
	for _, w := range writers {
		history = append(history, w.attempts...)
	}
	v, err := check.Judge(check.Run{
		Config: check.Config{Seed: t.Seed}, Rows: t.rows(ctx, where),
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
	total, err := t.ask().Number(ctx, "select count(*) from "+stream)
	if err != nil {
		return err
	}
	if r.Total = total; total != t.total+r.Stored {
		r.Problems = append(r.Problems, fmt.Sprintf("%d rows were stored before and %d in this round, SQL counts %d", t.total, r.Stored, total))
	}
	t.total = total
	return nil
}

// take notes what a verdict says.
func (r *Round) take(v *check.Verdict) {
	r.Stored = v.Counts.Rows
	for _, x := range v.Violations {
		r.Problems = append(r.Problems, fmt.Sprintf("%s %s: %s", x.Property, x.Class, x.Sentence))
	}
	for class, n := range v.Classes {
		r.Problems = append(r.Problems, fmt.Sprintf("%s: %d in all", class, n))
	}
}

func (t *tester) countMisread(ctx context.Context, r *Round, where string) error {
	n, err := t.ask().Number(ctx, fmt.Sprintf(misread, where))
	if err == nil && n != 0 {
		r.Problems = append(r.Problems, fmt.Sprintf("%d rows have a column that is not their event's", n))
	}
	return err
}

// exportRows writes all rows into the run's directory, a partition at a time.
func (t *tester) exportRows(ctx context.Context) error {
	e, err := t.recorder.Dir().Export(check.RowsExport)
	if err != nil {
		return err
	}
	defer e.Close()
	for p := range partitions {
		for row, err := range t.rows(ctx, fmt.Sprintf("_partition = %d", p)) {
			if err == nil {
				err = e.Write(row)
			}
			if err != nil {
				return err
			}
		}
	}
	return e.Close()
}

// exportLog writes what the log holds into the run's directory, as the offline command reads it after the server has stopped.
func (t *tester) exportLog(ctx context.Context) error {
	e, err := t.recorder.Dir().Export(check.LogExport)
	if err != nil {
		return err
	}
	defer e.Close()
	c := exec.CommandContext(ctx, t.Program, "log", "dump", filepath.Join(t.Dir, "data"), "-o", "json")
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return penstock.Wrap(penstock.Internal, "dump log", err)
	}
	reading := copyRecords(e, out)
	_, _ = io.Copy(io.Discard, out) // an error means that it has ended
	if err := c.Wait(); err != nil {
		return penstock.Wrap(penstock.Internal, "dump log", fmt.Errorf("%w: %s", err, said.Bytes()))
	}
	if reading != nil {
		return reading
	}
	return e.Close()
}

// copyRecords turns the lines of a dump into lines of an export.
func copyRecords(to *check.Export, from io.Reader) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var r struct {
			Stream    string
			Partition penstock.Partition
			Position  string
			ReplayOf  penstock.Position `json:"replay_of"`
			ID, Key   string
			Body      string
		}
		err := json.Unmarshal(lines.Bytes(), &r)
		e := check.Entry{Partition: r.Partition, Stream: r.Stream, ID: r.ID, Key: r.Key, Body: check.Text(r.Body), ReplayOf: r.ReplayOf}
		if err == nil {
			_, err = fmt.Sscanf(r.Position, "%d:%d", &e.Epoch, &e.Offset)
		}
		if err != nil {
			return penstock.Errorf(penstock.Internal, "read dump", "%.200s: %w", lines.Bytes(), err)
		}
		if err := to.Write(e); err != nil {
			return err
		}
	}
	return penstock.Wrap(penstock.Internal, "read dump", lines.Err())
}
