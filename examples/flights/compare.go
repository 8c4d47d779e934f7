package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"time"
)

// questions are asked of the server and of the file, word for word. Whatever they return is whole numbers and text, so
// that the answers can be compared as they are printed. The last one covers every value of every row.
var questions = []struct{ name, query string }{
	{"totals", "select count(*), count(distinct id), sum(delay), sum(distance), min(delay), max(delay)," +
		" count(distinct origin), count(distinct destination) from flights"},
	{"first and last", "select cast(min(epoch(date)) as bigint), cast(max(epoch(date)) as bigint) from flights"},
	{"per origin", "select origin, count(*), sum(delay), sum(distance), max(delay) from flights group by origin order by origin"},
	{"per destination", "select destination, count(*), sum(delay), sum(distance) from flights group by destination order by destination"},
	{"per month", "select month(date), count(*), sum(delay) from flights group by month(date) order by month(date)"},
	{"longest delays", "select cast(id as bigint), origin, destination, delay from flights order by delay desc, cast(id as bigint) limit 100"},
	{"every value", "select sum(cast(md5_number_lower(concat_ws('|', cast(id as varchar), cast(cast(epoch(date) as bigint) as varchar)," +
		" cast(delay as varchar), cast(distance as varchar), origin, destination)) as hugeint)) from flights"},
}

// compare asks everything of both and fails at the first difference.
func (e *example) compare(ctx context.Context) error {
	for _, q := range questions {
		server, err := e.askServer(ctx, q.query)
		if err != nil {
			return fmt.Errorf("%s: ask server: %w", q.name, err)
		}
		file, err := e.askFile(ctx, q.query)
		if err != nil {
			return fmt.Errorf("%s: ask file: %w", q.name, err)
		}
		if len(server) != len(file) {
			return fmt.Errorf("%s: %d rows from the server, %d from the file", q.name, len(server), len(file))
		}
		for i := range file {
			if fmt.Sprint(server[i]) != fmt.Sprint(file[i]) {
				return fmt.Errorf("%s, row %d: the server says %v, the file %v", q.name, i+1, server[i], file[i])
			}
		}
		e.server.Step("%s: %d rows agree", q.name, len(file))
	}
	return nil
}

// askServer returns the rows that penstock sql prints.
func (e *example) askServer(ctx context.Context, query string) ([][]string, error) {
	c := e.command(ctx, "sql", "-o", "csv", query)
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	rows, reading := csv.NewReader(out).ReadAll()
	if err := c.Wait(); err != nil {
		return nil, fmt.Errorf("penstock sql: %w", err)
	}
	if reading != nil || len(rows) == 0 {
		return nil, fmt.Errorf("read csv: %d rows, %w", len(rows), reading)
	}
	return rows[1:], nil
}

func (e *example) askFile(ctx context.Context, query string) ([][]string, error) {
	rows, err := e.db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all [][]string
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]string, len(names))
		for i, v := range values {
			row[i] = fmt.Sprint(v)
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// drain waits until penstock lag says that nothing is behind.
func (e *example) drain(ctx context.Context) error {
	for {
		out, err := e.command(ctx, "lag", "-o", "json").Output()
		if err != nil {
			return fmt.Errorf("penstock lag: %w", err)
		}
		var lag struct{ Events *int64 }
		if err := json.Unmarshal(out, &lag); err != nil || lag.Events == nil {
			return fmt.Errorf("penstock lag: %.200s: %v", out, err)
		}
		if *lag.Events == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
