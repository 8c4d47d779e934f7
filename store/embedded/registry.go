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

	Version int `json:"version"` // 1, and one more with each change

	IDField    string              `json:"id_field,omitempty"`
	KeyField   string              `json:"key_field,omitempty"`
	TimeField  string              `json:"time_field,omitempty"`
	KeepRows   time.Duration       `json:"keep_rows,omitempty"` // nanoseconds
	Durability penstock.Durability `json:"durability,omitempty"`
	Dedup      penstock.Dedup      `json:"dedup,omitzero"`
	HaltKey    bool                `json:"halt_key,omitempty"`

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
		Columns: r.live(), KeepRows: r.KeepRows, Durability: r.Durability, Dedup: r.Dedup, HaltKey: r.HaltKey,
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

// since returns what differs from an older registry.
func (g registry) since(older registry) []registered {
	var changed []registered
	for key, r := range g {
		if old, known := older[key]; !known || !equal(r, old) {
			changed = append(changed, r)
		}
	}
	return changed
}

// with returns the registry with a stream as it is declared now. It fails with Conflict for a change that rows of before
// could not follow; empty says that there are none.
func (g registry) with(s penstock.Stream, empty func(int32) bool) (registry, error) {
	key := streamKey{penstock.DefaultTenant, s.Name}
	old, known := g[key]
	next := registered{
		ID: old.ID, Tenant: key.tenant, Name: s.Name, IDField: s.IDField, KeyField: s.KeyField, TimeField: s.TimeField,
		KeepRows: s.KeepRows, Durability: s.Durability, Dedup: s.Dedup, HaltKey: s.HaltKey, Columns: s.Columns, Shared: old.Shared,
	}
	if !known {
		next.ID = g.nextID()
	} else if err := next.follow(old, empty); err != nil {
		return nil, err
	}
	next.Shared = next.Shared || len(next.Columns) == 0
	next.Version = old.Version
	if known && equal(next, old) {
		return g, nil
	}
	next.Version++
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
		return nil, penstock.Errorf(penstock.Conflict, "declare stream "+s.Name,
			"at most %d streams may declare columns", maxTypedStreams)
	}
	return all, nil
}

// follow completes r with the columns that its table has from before, and refuses what rows cannot follow.
func (r *registered) follow(old registered, empty func(int32) bool) error {
	op := "declare stream " + r.Name
	if r.KeyField != old.KeyField && !empty(old.ID) {
		return penstock.Errorf(penstock.Conflict, op, "key_field is %q and was %q, by which stored events are spread: make a new stream",
			r.KeyField, old.KeyField)
	}
	columns := slices.Clone(old.Columns)
	for i := range columns {
		columns[i].Path = ""
	}
	for _, c := range r.Columns {
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
	r.Columns = columns
	return nil
}

func equal(a, b registered) bool {
	columns := slices.Equal(a.Columns, b.Columns)
	a.Columns, b.Columns = nil, nil
	return columns && fmt.Sprint(a) == fmt.Sprint(b)
}

// put writes streams to a file, within the caller's transaction, and notes the columns that its tables have then.
func (tables columnsByTable) put(ctx context.Context, c conn, f *file, streams []registered) error {
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
		if err := tables.putTable(ctx, c, f, r); err != nil {
			return err
		}
	}
	return nil
}

// putTable makes the stream's own table, or adds the columns that it lacks. What is there already, since a commit failed
// that did not, is left alone.
func (tables columnsByTable) putTable(ctx context.Context, c conn, f *file, r registered) error {
	if len(r.Columns) == 0 {
		return nil
	}
	columns := slices.Clone(tables[r.table()])
	if columns == nil {
		if err := c.exec(ctx, createTable(f.table(r.table()), r.Columns)); err != nil {
			return err
		}
	}
	for _, column := range r.Columns {
		if slices.Contains(columns, column.Name) {
			continue
		}
		columns = append(columns, column.Name)
		err := c.exec(ctx, "ALTER TABLE "+f.table(r.table())+" ADD COLUMN IF NOT EXISTS "+ident(column.Name)+" "+sqlType(column))
		if err != nil {
			return err
		}
	}
	tables[r.table()] = columns
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
		g[streamKey{r.Tenant, r.Name}] = r
	}
	return rows.Err()
}

// merge adds what a shard knows. Of two versions of a stream the later one holds: a change may have reached some shards only.
func (g registry) merge(from registry) error {
	for key, r := range from {
		known, ok := g[key]
		if ok && known.ID != r.ID {
			return penstock.Errorf(penstock.Conflict, "read streams", "stream %s has number %d in one shard and %d in another", r.Name, known.ID, r.ID)
		}
		if !ok || known.Version < r.Version {
			g[key] = r
		}
	}
	return nil
}
