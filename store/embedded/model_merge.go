package embedded

import (
	"context"
	"fmt"
	"strings"

	"penstock"
	"penstock/internal/delta"
)

// Rows of batches are merged when there are Options.MergeRows of them, and what comes of it, with other such rows, when there is as much again
// as a higher level has: so each state is merged about as often as the table has grown by mergeFactor.
const mergeFactor = 4

// levelFor returns the level of a merge that so many rows go into.
func levelFor(rows, from int64) int {
	level := 1
	for size := from * mergeFactor; rows > size; size *= mergeFactor {
		level++
	}
	return level
}

// due returns up to which level rows are to be merged, by how many each level has, which is the level of what comes of it, too; false
// if nothing is due.
func due(rows map[int]int64, from int64) (level int, ok bool) {
	if rows[0] < from {
		return 0, false
	}
	sum := rows[0]
	for {
		to := levelFor(sum, from)
		var next int64
		for l, n := range rows {
			if l <= to {
				next += n
			}
		}
		if next == sum {
			return to, true
		}
		sum = next
	}
}

// newestStates returns the table of a model's states in the newest file, "" if there is none, and a connection to change it by. The caller holds
// merging.
func (s *shard) newestStates(ctx context.Context, id int32) (c conn, table string, err error) {
	f := s.newest()
	if _, ok := f.columns(modelTable(id)); !ok {
		return c, "", nil
	}
	c, err = s.db.engine.conn(ctx)
	return c, f.table(modelTable(id)), err
}

// mergeModels merges states of a model in the shard's newest file, if there is enough to merge, and reports whether it did. Batches go on meanwhile: they only
// add rows, and what they add while this runs is left alone.
func (s *shard) mergeModels(ctx context.Context, m model) (bool, error) {
	s.mu.RLock()
	unmerged, known := s.unmerged[m.ID]
	s.mu.RUnlock()
	if known && unmerged < s.db.o.MergeRows {
		return false, nil
	}
	s.merging.Lock()
	defer s.merging.Unlock()
	c, table, err := s.newestStates(ctx, m.ID)
	if err != nil || table == "" {
		return false, err
	}
	defer c.Close()
	rows := map[int]int64{}
	err = c.each(ctx, "SELECT "+levelColumn+", count(*) FROM "+table+" GROUP BY ALL", func(scan func(...any) error) error {
		var level int
		var n int64
		err := scan(&level, &n)
		rows[level] = n
		return err
	})
	s.mu.Lock()
	s.unmerged[m.ID] += rows[0] - unmerged // what came meanwhile is counted or not, and merged with the next
	s.mu.Unlock()
	level, ok := due(rows, s.db.o.MergeRows)
	if err != nil || !ok {
		return false, err
	}
	if err := c.transaction(ctx, func() error { return c.exec(ctx, m.merge(table, level)...) }); err != nil {
		return false, err
	}
	s.mu.Lock()
	s.unmerged[m.ID] -= rows[0]
	s.mu.Unlock()
	var moved int64
	for l, n := range rows {
		if l <= level {
			moved += n
		}
	}
	s.wrote(moved)
	return true, nil
}

// stateBytes is about what a state that was merged takes in the write-ahead log.
const stateBytes = 100

// wrote notes that states were written beside batches, so that they are brought into the file like those.
func (s *shard) wrote(states int64) {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.unsafe = true
	s.logged += penstock.Bytes(states * stateBytes)
}

// merge returns the statements that merge the rows of a table up to a level.
func (m model) merge(table string, level int) []string {
	where := fmt.Sprintf(" WHERE %s <= %d", levelColumn, level)
	return []string{
		"CREATE OR REPLACE TEMP TABLE merging AS " + m.mergedFrom(table+where, level),
		"DELETE FROM " + table + where,
		"INSERT INTO " + table + " SELECT * FROM merging ORDER BY " + m.sorting(),
		"DROP TABLE merging",
	}
}

// keys lists the columns that states of a group have in common.
func (m model) keys() []string {
	keys := []string{"_partition"}
	for i := range m.View.Group {
		keys = append(keys, groupName(i))
	}
	return append(keys, "_time")
}

// sorting is the order in which states are stored, so that those of a group in different windows are near each other.
func (m model) sorting() string {
	by := m.keys()
	return strings.Join(append(by[1:len(by):len(by)], by[0]), ", ")
}

// mergedFrom returns the states of a table, or of what else FROM takes, with those of a group and window as one, in SQL.
func (m model) mergedFrom(from string, level int) string {
	columns := []string{"_partition", fmt.Sprint(level) + " AS " + levelColumn, "min(_since) AS _since", "max(_changed) AS _changed", "_time"}
	for i := range m.View.Group {
		columns = append(columns, groupName(i))
	}
	for _, c := range delta.Columns(&m.View) {
		columns = append(columns, merged(c)+" AS "+c.Name)
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM " + from + " GROUP BY " + strings.Join(m.keys(), ", ")
}
