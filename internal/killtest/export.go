package killtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math"
	"os/exec"

	"penstock"
	"penstock/internal/check"
)

// exportRows writes all rows into the run's directory, a partition at a time.
func (t *tester) exportRows(ctx context.Context) error {
	return exportAll(t, check.RowsExport, func(yield func(*check.Entry, error) bool) {
		for p := range partitions {
			for row, err := range t.rows(ctx, fmt.Sprintf("_partition = %d", p)) {
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	})
}

// exportLetters writes all dead letters into it.
func (t *tester) exportLetters(ctx context.Context) error {
	return exportAll(t, check.LettersExport, t.lettersOf(ctx, 0, math.MaxUint32))
}

// exportAudit writes what the server's audit says into it.
func (t *tester) exportAudit(ctx context.Context) error {
	a, err := t.tallies(ctx)
	if err != nil {
		return err
	}
	e, err := t.recorder.Dir().Export(check.AuditExport)
	if err != nil {
		return err
	}
	defer e.Close()
	for _, s := range a.Streams {
		if err := e.Write(s); err != nil {
			return err
		}
	}
	return e.Close()
}

func exportAll[T any](t *tester, name check.Final, lines iter.Seq2[T, error]) error {
	e, err := t.recorder.Dir().Export(name)
	if err != nil {
		return err
	}
	defer e.Close()
	for line, err := range lines {
		if err == nil {
			err = e.Write(line)
		}
		if err != nil {
			return err
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
	c := exec.CommandContext(ctx, t.Program, "log", "dump", t.data(), "-o", "json")
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
