package embedded

import (
	"context"
	"fmt"
	"strings"

	"penstock"
)

// A rebuild counts a view anew beside the version that answers. What that says of a group and window in a partition can be counted anew only if
// all rows that it counted there are stored: if the first of them was logged after all that are lost to retention, and not before the time before which
// rows were hidden when the rebuild counted. What reaches back further is taken over as it is, once everything stored is counted: in one
// transaction of the newest file the rebuild's own states of these groups and windows go, and the older version's come. Both are read at one moment,
// and what batches add from then on goes to the tables of both. A changed definition takes nothing over: it starts at the oldest stored row.

// Rebuild begins to count a view anew, beside the version that answers until the new one has everything. Tend does the work. It fails with
// NotFound if there is no such view, with Unavailable while it is built for the first time, and with Conflict if another version of it is being
// built already, both with reason view_building.
func (d *Database) Rebuild(ctx context.Context, name string) error {
	d.declaring.Lock()
	defer d.declaring.Unlock()
	shown, err := d.shownModel(name)
	if err != nil {
		return err
	}
	for _, m := range d.allModels() {
		if m.View.Name == name && m.ID > shown.ID {
			return &penstock.Error{
				Code: penstock.Conflict, Op: "rebuild view " + name, Reason: "view_building", Err: fmt.Errorf("version %d of it is being built already", m.Version),
			}
		}
	}
	next := model{ID: d.nextModel(), Version: shown.Version + 1, View: shown.View, Columns: shown.Columns, Origin: shown.ID, From: shown.ID}
	return d.adopt(ctx, []model{next}, nil)
}

// inherit takes over what a rebuild that has counted everything else cannot count itself, and reports whether it did.
func (s *shard) inherit(ctx context.Context, id int32) (bool, error) {
	m, ok := s.keptModels()[id]
	if !ok || m.From == 0 || len(m.Todo) > 0 {
		return false, nil
	}
	origin, ok := s.keptModels()[m.From]
	if ok && !origin.built() {
		return false, nil // it comes to that
	}
	s.merging.Lock()
	defer s.merging.Unlock()
	c, err := s.db.engine.conn(ctx)
	if err != nil {
		return false, err
	}
	defer c.Close()
	err = s.rewrite(ctx, c, m.ID, func() (func(*model), error) {
		taken := m.Taken
		found := int64(0)
		if ok {
			var err error
			if found, taken, err = s.replace(ctx, c, origin, m); err != nil {
				return nil, err
			}
		}
		return func(m *model) {
			m.From, m.Taken = 0, max(m.Taken, taken)
			if found > 0 {
				m.hold(s.newest().number, taken)
				s.logged += penstock.Bytes(found * stateBytes)
			}
		}, nil
	})
	return err == nil, s.outageOrNil("take over states of view "+m.View.Name, err)
}

// replace puts the origin's states of all that reaches back in the place of the rebuild's. It returns how many there are, and the last sealed file
// whose states of the rebuild are in the newest one then.
func (s *shard) replace(ctx context.Context, c conn, origin, m model) (found int64, taken int, err error) {
	taken = m.Taken
	before := m.Unseen
	if m.Lost > 0 {
		before = max(before, m.Lost+1)
	}
	if before == 0 {
		return 0, taken, nil // nothing is lost
	}
	older := "(" + strings.Join(s.states(origin), " UNION ALL ") + ")"
	err = c.exec(ctx, "CREATE OR REPLACE TEMP TABLE inherited AS SELECT * FROM ("+origin.mergedFrom(older, 1)+") WHERE _since < "+timestamp(before))
	if err != nil {
		return 0, taken, err
	}
	if err := c.QueryRowContext(ctx, "SELECT count(*) FROM inherited").Scan(&found); err != nil || found == 0 {
		return 0, taken, err
	}
	newest := s.newest()
	table := newest.table(modelTable(m.ID))
	var same []string
	for _, key := range m.keys() {
		same = append(same, fmt.Sprintf("i.%[1]s IS NOT DISTINCT FROM t.%[1]s", key))
	}
	there := "EXISTS (SELECT 1 FROM inherited i WHERE " + strings.Join(same, " AND ") + ")"
	statements := []string{"DELETE FROM " + table + " t WHERE " + there}
	if mine := s.states(m); len(mine) > 1 { // a sealed file cannot be changed: what it has is written anew
		sealed := "(" + strings.Join(mine[:len(mine)-1], " UNION ALL ") + ") t WHERE NOT " + there
		statements = append(statements, "INSERT INTO "+table+" "+m.mergedFrom(sealed, 1)+" ORDER BY "+m.sorting())
		taken = newest.number - 1
	}
	statements = append(statements, fmt.Sprintf("INSERT INTO %s SELECT * REPLACE (%d AS %s) FROM inherited ORDER BY %s", table, levelFor(found, s.db.o.MergeRows), levelColumn, m.sorting()),
		"DROP TABLE inherited")
	return found, taken, c.exec(ctx, statements...)
}
