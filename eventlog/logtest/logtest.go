// Package logtest is what every log must pass: a case for each sentence of the comments of penstock.Appender, Reader,
// Cursor, Retainer and Accountant, with an explanation for the person whose backend breaks it.
package logtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"penstock"
)

// Log is what the suite works on. A log that removes records itself does not implement Retainer, one that keeps no totals not
// Accountant; then the cases about these do not apply.
type Log interface {
	penstock.Appender
	penstock.Reader
	// Close refuses what comes and ends the cursors.
	Close() error
}

// Backend tells the suite how to open logs.
type Backend struct {
	Cluster penstock.Cluster // with at least four partitions
	// Open returns an empty log. The suite closes it; closing twice must do no harm.
	Open func(t *testing.T) Log
	// OpenSmall returns an empty log that is full with 1 MiB at most, and keeps nothing for its age. nil: the log has no
	// size.
	OpenSmall func(t *testing.T) Log
	// Reopen closes a log and opens what it had stored. nil: it stores nothing.
	Reopen func(t *testing.T, l Log) Log
}

// test is one sentence of the contract.
type test struct {
	name string
	why  string
	run  func(s *suite)
}

// Run checks a backend against the contract.
func Run(t *testing.T, b Backend) {
	for _, group := range [][]test{appendCases, cursorCases, boundsCases, retainCases, reopenCases, accountCases} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				t.Cleanup(func() {
					if t.Failed() {
						t.Log("why it matters: " + c.why)
					}
				})
				c.run(&suite{T: t, Backend: b, ctx: ctx})
			})
		}
	}
}

// suite is what a case works with. Its context ends after a minute, so that a log that never answers fails its case.
type suite struct {
	*testing.T
	Backend
	ctx context.Context
}

func (s *suite) open() Log {
	s.Helper()
	l := s.Backend.Open(s.T)
	s.Cleanup(func() { _ = l.Close() })
	return l
}

// block makes a block of n records with ids name-0, name-1, … that have no key, so they spread over the partitions.
func (s *suite) block(name string, n int) *penstock.Block {
	bb := penstock.NewBlockBuilder(penstock.NewPartitioner(s.Cluster))
	bb.Reset(penstock.DefaultTenant, "clicks", 7, 0)
	for i := range n {
		id := fmt.Sprintf("%s-%d", name, i)
		bb.Add(penstock.Event{ID: []byte(id), Time: penstock.Micros(i), Body: fmt.Appendf(nil, `{"id":%q}`, id)})
	}
	return bb.Take()
}

func (s *suite) append(l Log, blocks ...*penstock.Block) {
	s.Helper()
	if err := l.Append(s.ctx, blocks...); err != nil {
		s.Fatalf("Append: %v", err)
	}
}

// all returns the zero position, or the given one, of every partition.
func (s *suite) all() penstock.Positions {
	from := penstock.Positions{}
	for _, p := range penstock.All(s.Cluster.Partitions) {
		from[p] = penstock.Position{}
	}
	return from
}

func (s *suite) cursor(l Log, from penstock.Positions) penstock.Cursor {
	s.Helper()
	c, err := l.Open(s.ctx, from)
	if err != nil {
		s.Fatalf("Open: %v", err)
	}
	s.Cleanup(func() { _ = c.Close() })
	return c
}

// row is a record, copied.
type row struct {
	id, body, stream string
	partition        penstock.Partition
	position         penstock.Position
	logTime          penstock.Micros
}

// read returns records until there are n, and the Next of the last batch.
func (s *suite) read(c penstock.Cursor, n int, most penstock.Bytes) (rows []row, next penstock.Positions) {
	s.Helper()
	for len(rows) < n {
		b, err := c.Next(s.ctx, most)
		if err != nil {
			s.Fatalf("Next after %d of %d records: %v", len(rows), n, err)
		}
		got := rowsOf(b)
		if len(got) == 0 || len(got) != b.Len() {
			s.Fatalf("a batch of %d records, Len says %d", len(got), b.Len())
		}
		rows, next = append(rows, got...), b.Next
	}
	if len(rows) != n {
		s.Fatalf("%d records, want %d", len(rows), n)
	}
	return rows, next
}

func rowsOf(b penstock.Batch) []row {
	var rows []row
	for r := range b.Records() {
		rows = append(rows, row{string(r.ID), string(r.Body), r.Stream, r.Partition, r.Position, r.LogTime})
	}
	return rows
}

// ids counts the rows by id.
func ids(rows []row) map[string]int {
	seen := map[string]int{}
	for _, r := range rows {
		seen[r.id]++
	}
	return seen
}

func (s *suite) want(err error, codes ...penstock.Code) {
	s.Helper()
	for _, c := range codes {
		if err != nil && penstock.Is(err, c) {
			return
		}
	}
	s.Fatalf("error %v, want code %v", err, codes)
}

// ascending fails unless the positions of each partition grow and log time never goes back.
func (s *suite) ascending(rows []row) {
	s.Helper()
	last := map[penstock.Partition]row{}
	var now penstock.Micros
	for _, r := range rows {
		if before, ok := last[r.partition]; ok && !before.position.Less(r.position) {
			s.Fatalf("partition %d: %s at %v follows %s at %v", r.partition, r.id, r.position, before.id, before.position)
		}
		if r.logTime < now {
			s.Fatalf("log time went back from %v to %v at %s", now, r.logTime, r.id)
		}
		last[r.partition], now = r, r.logTime
	}
}
