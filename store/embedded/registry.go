package embedded

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"penstock"
)

// registered is a stream that the shards know. Every shard keeps all of them, in its newest file.
type registered struct {
	ID     int32  `json:"-"`
	Tenant string `json:"tenant"`
	Name   string `json:"name"`

	IDField    string              `json:"id_field,omitempty"`
	KeyField   string              `json:"key_field,omitempty"`
	TimeField  string              `json:"time_field,omitempty"`
	KeepRows   time.Duration       `json:"keep_rows,omitempty"` // nanoseconds
	Durability penstock.Durability `json:"durability,omitempty"`

	// Columns are those of the stream's own table, in its order. One that was removed has no path: rows keep NULL there.
	Columns []penstock.Column `json:"columns,omitempty"`
	// Shared says that rows may stand in the shared table: the stream had no columns once.
	Shared bool `json:"shared,omitempty"`
}

// table returns where new rows of the stream go.
func (r registered) table() tableName {
	if len(r.Columns) == 0 {
		return sharedTable
	}
	return ownTable(r.ID)
}

// live returns the columns that queries show.
func (r registered) live() []penstock.Column {
	return slices.DeleteFunc(slices.Clone(r.Columns), func(c penstock.Column) bool { return c.Path == "" })
}

// stream returns the stream as the vocabulary has it.
func (r registered) stream() penstock.Stream {
	return penstock.Stream{
		Name: r.Name, IDField: r.IDField, KeyField: r.KeyField, TimeField: r.TimeField,
		Columns: r.live(), KeepRows: r.KeepRows, Durability: r.Durability,
	}
}

// streamKey finds a stream.
type streamKey struct{ tenant, name string }

// registry is all streams. It never changes: a change makes a new one.
type registry map[streamKey]registered

func (g registry) sorted() []registered {
	all := make([]registered, 0, len(g))
	for _, r := range g {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b registered) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// nextID returns a number that no stream has.
func (g registry) nextID() int32 {
	next := int32(1)
	for _, r := range g {
		next = max(next, r.ID+1)
	}
	return next
}

// with returns the registry with a stream as it is declared now, and whether that changes anything. It fails with
// Conflict for a change that rows of before could not follow; empty says that there are none.
func (g registry) with(s penstock.Stream, empty func(int32) bool) (registry, bool, error) {
	key := streamKey{penstock.DefaultTenant, s.Name}
	old, known := g[key]
	next := registered{
		ID: old.ID, Tenant: key.tenant, Name: s.Name, IDField: s.IDField, KeyField: s.KeyField, TimeField: s.TimeField,
		KeepRows: s.KeepRows, Durability: s.Durability, Columns: s.Columns, Shared: old.Shared,
	}
	if !known {
		next.ID = g.nextID()
	} else if err := next.follow(old, empty); err != nil {
		return nil, false, err
	}
	next.Shared = next.Shared || len(next.Columns) == 0
	if known && equal(next, old) {
		return g, false, nil
	}
	all := registry{}
	typed := 0
	for k, r := range g {
		all[k] = r
	}
	all[key] = next
	for _, r := range all {
		if len(r.Columns) > 0 {
			typed++
		}
	}
	if typed > maxTypedStreams {
		return nil, false, penstock.Errorf(penstock.Conflict, "declare stream "+s.Name,
			"at most %d streams may declare columns", maxTypedStreams)
	}
	return all, true, nil
}

// follow completes next with the columns that its table has from before, and refuses what rows cannot follow.
func (next *registered) follow(old registered, empty func(int32) bool) error {
	op := "declare stream " + next.Name
	if next.KeyField != old.KeyField && !empty(old.ID) {
		return penstock.Errorf(penstock.Conflict, op, "key_field is %q and was %q, by which stored events are spread: make a new stream",
			next.KeyField, old.KeyField)
	}
	columns := slices.Clone(old.Columns)
	for i := range columns {
		columns[i].Path = ""
	}
	for _, c := range next.Columns {
		at := slices.IndexFunc(columns, func(o penstock.Column) bool { return o.Name == c.Name })
		if at < 0 {
			columns = append(columns, c)
			continue
		}
		if o := columns[at]; sqlType(o) != sqlType(c) {
			return penstock.Errorf(penstock.Conflict, op, "column %s is %s and was %s: make a new stream", c.Name, sqlType(c), sqlType(o))
		}
		columns[at] = c
	}
	next.Columns = columns
	return nil
}

func equal(a, b registered) bool {
	columns := slices.Equal(a.Columns, b.Columns)
	a.Columns, b.Columns = nil, nil
	return columns && fmt.Sprint(a) == fmt.Sprint(b)
}

// putStreams writes streams to a file, within the caller's transaction.
func putStreams(ctx context.Context, c conn, f *file, streams []registered) error {
	for _, r := range streams {
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if _, err := c.ExecContext(ctx, "DELETE FROM "+f.table("streams")+" WHERE id = ?", r.ID); err != nil {
			return err
		}
		if _, err := c.ExecContext(ctx, "INSERT INTO "+f.table("streams")+" VALUES (?, ?)", r.ID, string(text)); err != nil {
			return err
		}
		if err := f.putTable(ctx, c, r); err != nil {
			return err
		}
	}
	return nil
}

// putTable makes the stream's own table, or adds the columns that it lacks.
func (f *file) putTable(ctx context.Context, c conn, r registered) error {
	if len(r.Columns) == 0 {
		return nil
	}
	have, exists := f.tables[r.table()]
	if !exists {
		return c.exec(ctx, createTable(f.table(r.table()), r.Columns))
	}
	for _, column := range r.Columns {
		if slices.Contains(have, column.Name) {
			continue
		}
		if err := c.exec(ctx, "ALTER TABLE "+f.table(r.table())+" ADD COLUMN "+ident(column.Name)+" "+sqlType(column)); err != nil {
			return err
		}
	}
	return nil
}

// loadStreams reads the streams that a file keeps into g.
func (f *file) loadStreams(ctx context.Context, c conn, g registry) error {
	rows, err := c.QueryContext(ctx, "SELECT id, stream FROM "+f.table("streams"))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r registered
		var text string
		if err := rows.Scan(&r.ID, &text); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			return err
		}
		key := streamKey{r.Tenant, r.Name}
		if known, ok := g[key]; ok && known.ID != r.ID {
			return penstock.Errorf(penstock.Conflict, "read streams", "stream %s has number %d in one shard and %d in another", r.Name, known.ID, r.ID)
		}
		g[key] = r
	}
	return rows.Err()
}
