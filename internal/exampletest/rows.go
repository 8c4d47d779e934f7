package exampletest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"penstock/client"
)

// Row is what a row of an answer has to be, by column. It has no others.
type Row map[string]Want

// A Cell is what the events of a row have in common.
type Cell struct {
	Time  time.Time // the beginning of their window; zero: rows have none
	Group string
}

// Table says what rows a view has of events.
type Table[E any] struct {
	Group string               // the group's column; "": none
	Cell  func(E) Cell         // where an event counts; nil: all are one row
	Row   func(of []E) Row     // the measures of the events of a cell, and other columns
	Order func(of []E) float64 // rows with the largest come first; nil: by time and group alone
}

// Rows returns what an answer has to be, in its order. The events are those that happened, each once.
func (t Table[E]) Rows(events []E) []Row {
	cells := map[Cell][]E{}
	for _, e := range events {
		var c Cell
		if t.Cell != nil {
			c = t.Cell(e)
		}
		cells[c] = append(cells[c], e)
	}
	order := make([]Cell, 0, len(cells))
	for c := range cells {
		order = append(order, c)
	}
	slices.SortFunc(order, func(a, b Cell) int {
		if t.Order != nil {
			if c := cmp.Compare(t.Order(cells[b]), t.Order(cells[a])); c != 0 {
				return c
			}
		}
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Group, b.Group))
	})
	rows := make([]Row, len(order))
	for i, c := range order {
		rows[i] = t.Row(cells[c])
		if t.Group != "" {
			rows[i][t.Group] = Text(c.Group)
		}
		if !c.Time.IsZero() {
			rows[i]["time"] = Time(c.Time)
		}
	}
	return rows
}

// Of returns f of each event.
func Of[E, V any](events []E, f func(E) V) []V {
	all := make([]V, len(events))
	for i, e := range events {
		all[i] = f(e)
	}
	return all
}

// Those returns the events for which f is true, in their order.
func Those[E any](events []E, f func(E) bool) []E {
	var some []E
	for _, e := range events {
		if f(e) {
			some = append(some, e)
		}
	}
	return some
}

// Sum returns the sum of f over events.
func Sum[E any](events []E, f func(E) int64) int64 {
	var sum int64
	for _, e := range events {
		sum += f(e)
	}
	return sum
}

// Different returns how many values are different.
func Different[V comparable](values []V) int {
	seen := map[V]struct{}{}
	for _, v := range values {
		seen[v] = struct{}{}
	}
	return len(seen)
}

// A Question is asked of a view.
type Question struct {
	What  string // for people
	View  client.ViewQuery
	First int   // how many rows are asked for, in one page; 0: all, page by page
	Want  []Row // all of them, in the order of the answer
}

// Ask asks questions and compares the answers, which contain all that was sent.
func (s *Server) Ask(ctx context.Context, questions ...Question) error {
	after, err := s.After(ctx)
	if err != nil {
		return err
	}
	for _, q := range questions {
		q.View.After = after
		if q.First > 0 {
			q.View.Limit, q.Want = q.First, q.Want[:min(q.First, len(q.Want))]
		}
		var got []json.RawMessage
		for page, err := range s.Client.ViewPages(ctx, q.View) {
			if err != nil {
				return fmt.Errorf("%s: ask %s: %w", q.What, q.View.View, err)
			}
			if got = append(got, page.Rows...); q.First > 0 {
				break
			}
		}
		if err := s.compare(q.What, got, q.Want); err != nil {
			return err
		}
	}
	return nil
}

// SQL asks a question of SQL and compares its rows, in their order. They contain all that was sent.
func (s *Server) SQL(ctx context.Context, what, query string, want []Row) error {
	after, err := s.After(ctx)
	if err != nil {
		return err
	}
	rows, err := s.Client.Query(ctx, client.Query{SQL: query, After: after})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer rows.Close()
	var got []json.RawMessage
	for {
		values, err := rows.NextRaw()
		if errors.Is(err, io.EOF) {
			return s.compare(what, got, want)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		object := map[string]json.RawMessage{}
		for i, column := range rows.Columns() {
			object[column.Name] = values[i]
		}
		line, err := json.Marshal(object)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		got = append(got, line)
	}
}

func (s *Server) compare(what string, got []json.RawMessage, want []Row) error {
	if err := Compare(got, want); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	s.Step("%s: %d rows are right", what, len(want))
	return nil
}

// Compare holds rows against those that are wanted, of which there has to be one.
func Compare(got []json.RawMessage, want []Row) error {
	if len(want) == 0 {
		return fmt.Errorf("no rows are wanted: this would hold nothing")
	}
	for i := range min(len(got), len(want)) {
		if err := want[i].judge(got[i]); err != nil {
			return fmt.Errorf("row %d: %w: %s", i+1, err, got[i])
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d rows instead of %d", len(got), len(want))
	}
	return nil
}

func (r Row) judge(got json.RawMessage) error {
	var have map[string]json.RawMessage
	if err := json.Unmarshal(got, &have); err != nil {
		return err
	}
	for _, name := range sortedNames(r) {
		value, ok := have[name]
		if !ok {
			return fmt.Errorf("%s is missing", name)
		}
		if err := r[name](value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(have) != len(r) {
		return fmt.Errorf("%d columns instead of %d", len(have), len(r))
	}
	return nil
}

func sortedNames(r Row) []string {
	var names []string
	for name := range r {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
