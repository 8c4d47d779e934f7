package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"penstock"
)

// What a view keeps no longer is left out of its answers first, and deleted later, by Tend. A window is past its time when its end is; a
// group of a view without windows when its last change is, in whatever partition. Such a group goes as a whole or not at all: if it changed again
// when some of its states were gone, the others would count. Those that have states in a sealed file wait until these are brought forward, for
// which it is time when half of all groups do.

// keptWindows is the condition for states of windows that end at a log time or later.
func (m model) keptWindows(oldest penstock.Micros) string {
	return "_time >= " + timestamp(oldest-penstock.Micros(m.View.Window.Microseconds()))
}

// hiddenAtOnce is how much of log time passes at most until an answer leaves out what is past its time, beside the time until retention looks.
const hiddenAtOnce = 30 * time.Second

// viewCutoffs returns the log times before which models keep nothing from now on, and the models for which that changes.
func (d *Database) viewCutoffs(now penstock.Micros) (cutoffs, []model) {
	old, next := *d.hiddenStates.Load(), cutoffs{}
	var changed []model
	for id, m := range d.allModels() {
		if keep := m.View.Keep; keep > 0 {
			next[id] = max(0, now-penstock.Micros(keep.Microseconds()))
			step := penstock.Micros(min(keep/100, hiddenAtOnce).Microseconds())
			if at := old[id]; at <= next[id] && next[id]-at < step {
				next[id] = at
			}
		}
		if next[id] != old[id] {
			changed = append(changed, m)
		}
	}
	return next, changed
}

// hideStates leaves what is past its time out of answers. The caller holds declaring.
func (d *Database) hideStates(ctx context.Context, now penstock.Micros) error {
	before := d.hiddenStates.Load()
	next, changed := d.viewCutoffs(now)
	d.hiddenStates.Store(&next)
	shown := d.shownViews.Load()
	for _, m := range changed {
		if shown.ready[m.View.Name].ID != m.ID {
			continue
		}
		if err := d.showModel(ctx, m); err != nil {
			d.hiddenStates.Store(before) // the next time begins there again
			return err
		}
	}
	d.goneStates.Store(&next)
	return nil
}

// How much is done in one piece of work: windows' states that are deleted, groups that are looked through.
const (
	expiredAtOnce = 100_000
	sweptAtOnce   = 500_000
)

// expireWindows deletes some of the states of windows that are past their time from the newest file, and reports whether there are more.
func (s *shard) expireWindows(ctx context.Context, m model) (bool, error) {
	gone := (*s.db.goneStates.Load())[m.ID]
	if m.View.Window == 0 || gone == 0 || s.swept[m.ID] >= gone {
		return false, nil
	}
	s.merging.Lock()
	defer s.merging.Unlock()
	c, table, err := s.newestStates(ctx, m.ID)
	if err != nil || table == "" {
		return false, err
	}
	defer c.Close()
	result, err := c.ExecContext(ctx, fmt.Sprintf("DELETE FROM %[1]s WHERE rowid IN (SELECT rowid FROM %[1]s WHERE NOT (%[2]s) LIMIT %[3]d)",
		table, m.keptWindows(gone), expiredAtOnce))
	if err != nil {
		return false, s.outage("delete windows of view "+m.View.Name, err)
	}
	n, err := result.RowsAffected()
	if n > 0 {
		s.wrote(0)
	}
	if err == nil && n < expiredAtOnce {
		s.swept[m.ID] = gone
	}
	return n == expiredAtOnce, err
}

// sweep is how far groups of a model were looked through for those that are past their time. Each part of it reads the whole table, so that the next
// one waits until a twentieth of the time to keep has passed.
type sweep struct {
	gone         penstock.Micros
	parts, at    int
	groups, held int64 // that were seen; that are past their time, with states in sealed files
}

// expireGroups looks through a part of the groups of views without windows for those that are past their time, deletes them, and reports whether
// there are more parts.
func (d *Database) expireGroups(ctx context.Context) (bool, error) {
	more := false
	all := []error{d.finishDying(ctx)}
	for id, gone := range *d.goneStates.Load() {
		m, ok := d.allModels()[id]
		if !ok || !m.built() || m.View.Window > 0 || len(m.View.Group) == 0 || gone == 0 || d.gathering(id) {
			continue
		}
		part, err := d.nextPart(ctx, m, gone)
		if err == nil && part.at == part.parts {
			continue
		}
		if err == nil {
			err = d.deleteGroups(ctx, m, &part)
		}
		if err != nil {
			all = append(all, penstock.Wrap(penstock.CodeOf(err), "delete groups of view "+m.View.Name, err))
			continue
		}
		if part.at++; part.at == part.parts && 2*part.held > part.groups {
			d.gather(id)
			part, more = sweep{}, true
		}
		d.sweeps[id] = part
		more = more || part.at < part.parts
	}
	return more, errors.Join(all...)
}

// nextPart returns which part of a model's groups is looked through next: none if at is parts.
func (d *Database) nextPart(ctx context.Context, m model, gone penstock.Micros) (sweep, error) {
	part := d.sweeps[m.ID]
	if part.gone > gone { // it keeps longer now
		part = sweep{}
	}
	if part.at < part.parts || part.parts > 0 && gone-part.gone < penstock.Micros(m.View.Keep.Microseconds()/20) {
		return part, nil
	}
	counted, err := d.countStates(ctx)
	return sweep{gone: gone, parts: int(counted[m.ID]/sweptAtOnce) + 1}, err
}

// gather lets the states that sealed files have of a model be brought forward.
func (d *Database) gather(id int32) {
	for _, s := range d.shards {
		s.gathered[id] = s.newest().number - 1
	}
}

// gathering reports whether that is not done yet.
func (d *Database) gathering(id int32) bool {
	for _, s := range d.shards {
		if m, ok := s.keptModels()[id]; ok && len(s.list()) > 1 && m.Taken < s.gathered[id] {
			return true
		}
	}
	return false
}

// finishDying deletes the groups that were being deleted when a shard failed or the process ended. Only the first shard knows of them.
func (d *Database) finishDying(ctx context.Context) error {
	for _, m := range d.shards[0].keptModels().sorted() {
		if m.Dying == 0 {
			continue
		}
		if err := d.deleteGroups(ctx, m, &sweep{gone: m.Dying, parts: 1}); err != nil {
			return err
		}
	}
	return nil
}

// deleteGroups deletes a part of the groups that are past their time, if no sealed file has states of them. Batches are held up while that is
// done in all shards, so that none of the groups comes back in between.
func (d *Database) deleteGroups(ctx context.Context, m model, part *sweep) error {
	for _, s := range d.shards {
		s.merging.Lock()
		defer s.merging.Unlock()
	}
	c, err := d.engine.conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	found, err := m.findExpired(ctx, c, d.from(m), part)
	if err != nil || found == 0 && m.Dying == 0 {
		return err
	}
	for _, s := range d.shards {
		s.applying.Lock()
		defer s.applying.Unlock()
		if s.closed || s.doubt != nil {
			return s.ended("delete groups")
		}
	}
	defer func() { _ = c.exec(context.WithoutCancel(ctx), "DROP TABLE IF EXISTS expiring") }()
	return d.deleteFound(ctx, c, m, part.gone)
}

// findExpired puts the groups that are past their time, and none of whose states is in a sealed file, on the connection's table expiring.
func (m model) findExpired(ctx context.Context, c conn, from string, part *sweep) (found int64, err error) {
	var keys, names []string
	for i := range m.View.Group {
		keys, names = append(keys, groupName(i)), append(names, fmt.Sprintf("%s AS k%d", groupName(i), i))
	}
	by := strings.Join(keys, ", ")
	statement := fmt.Sprintf("CREATE OR REPLACE TEMP TABLE expiring AS SELECT %s, max(_changed) < %s AS gone, bool_and(_newest) AS whole FROM %s WHERE hash(%s) %% %d = %d GROUP BY %s",
		strings.Join(names, ", "), timestamp(part.gone), from, by, part.parts, part.at, by)
	if err := c.exec(ctx, statement); err != nil {
		return 0, err
	}
	var groups, held int64
	row := c.QueryRowContext(ctx, "SELECT count(*), count(*) FILTER (gone AND NOT whole), count(*) FILTER (gone AND whole) FROM expiring")
	if err := row.Scan(&groups, &held, &found); err != nil {
		return 0, err
	}
	part.groups, part.held = part.groups+groups, part.held+held
	return found, c.exec(ctx, "DELETE FROM expiring WHERE NOT (gone AND whole)")
}

// deleteFound deletes the groups of the table expiring, but those that have changed since it was made. The caller holds applying of all shards.
func (d *Database) deleteFound(ctx context.Context, c conn, m model, gone penstock.Micros) error {
	var same []string
	for i := range m.View.Group {
		same = append(same, fmt.Sprintf("k%d IS NOT DISTINCT FROM %s", i, groupName(i)))
	}
	match := strings.Join(same, " AND ")
	changed := "SELECT 1 FROM " + d.from(m) + " WHERE _changed >= " + timestamp(gone) + " AND " + match
	if err := c.exec(ctx, "DELETE FROM expiring WHERE EXISTS ("+changed+")"); err != nil {
		return err
	}
	first := d.shards[0]
	if len(d.shards) > 1 {
		if err := first.changeLocked(ctx, m.ID, func(m *model) { m.Dying = gone }); err != nil {
			return err
		}
	}
	for _, s := range d.shards {
		f := s.newest()
		if _, ok := f.columns(modelTable(m.ID)); !ok {
			continue
		}
		if err := c.exec(ctx, "DELETE FROM "+f.table(modelTable(m.ID))+" WHERE EXISTS (SELECT 1 FROM expiring WHERE "+match+")"); err != nil {
			return err
		}
		s.unsafe = true
	}
	if len(d.shards) == 1 {
		return nil
	}
	return first.changeLocked(ctx, m.ID, func(m *model) { m.Dying = 0 })
}
