package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"penstock"
	"penstock/internal/failpoint"
)

// Users see views: one for each stream, in the instance's own catalog, over the tables of all files of all shards. What
// the shared tables hold is joined once, in internal.events, so that a new file changes one view and not a thousand.

// viewAll makes all views anew. The caller holds declaring, or nobody else has the database yet.
func (d *Database) viewAll(ctx context.Context) error {
	if err := d.viewShared(ctx); err != nil {
		return err
	}
	for _, r := range *d.streams.Load() {
		if err := d.viewStream(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// viewShared makes the view of all shared tables.
func (d *Database) viewShared(ctx context.Context) error {
	var parts []string
	for _, s := range d.shards {
		for _, f := range s.list() {
			parts = append(parts, "SELECT "+baseNames("")+" FROM "+f.table(sharedTable))
		}
	}
	return d.view(ctx, "internal.events", parts)
}

// viewStream makes the view of one stream. Files that lack one of its columns have NULL there.
func (d *Database) viewStream(ctx context.Context, r registered) error {
	live := r.live()
	where := ""
	if cutoff := (*d.hidden.Load())[r.ID]; cutoff > 0 {
		where = " AND _log_time >= " + timestamp(cutoff)
	}
	var parts []string
	if r.Shared {
		parts = append(parts, "SELECT _epoch, "+shown(live, nil)+" FROM internal.events WHERE _stream = "+fmt.Sprint(r.ID)+where)
	}
	for _, s := range d.shards {
		for _, f := range s.list() {
			have, ok := f.columns(ownTable(r.ID))
			if !ok {
				continue
			}
			parts = append(parts, "SELECT _epoch, "+shown(live, have)+" FROM "+f.table(ownTable(r.ID))+" WHERE true"+where)
		}
	}
	names := make([]string, 0, len(live))
	for _, c := range live {
		names = append(names, c.Name)
	}
	// A question that needs no column at all, as count(*), reads the first one of a union: _epoch takes next to nothing.
	return d.view(ctx, "main."+ident(r.Name), []string{"SELECT " + shown(live, names) + " FROM (" + strings.Join(parts, " UNION ALL ") + ")"})
}

func (d *Database) view(ctx context.Context, name string, parts []string) error {
	err := d.catalog.exec(ctx, "CREATE OR REPLACE VIEW memory."+name+" AS "+strings.Join(parts, " UNION ALL "))
	return penstock.Wrap(penstock.Unavailable, "make view "+name, err)
}

// viewTyped makes the views of the streams that have tables of their own: a file came or went.
func (d *Database) viewTyped(ctx context.Context) error {
	for _, r := range *d.streams.Load() {
		if len(r.Columns) == 0 {
			continue
		}
		if err := d.viewStream(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// baseNames lists the columns of every table of rows.
func baseNames(prefix string) string {
	names := make([]string, 0, declaredColumns)
	for _, c := range baseColumns() {
		names = append(names, prefix+ident(c.name))
	}
	return strings.Join(names, ", ")
}

// shown lists what a stream's view shows: id to _offset, _replay_of, and the declared columns, those of them that the
// table does not have as NULL.
func shown(live []penstock.Column, have []string) string {
	names := []string{
		"id", "key", "time", "received_at", "data", "_partition", "_epoch", "_offset", "_replay_of",
	}
	for _, c := range live {
		if slices.Contains(have, c.Name) {
			names = append(names, ident(c.Name))
		} else {
			names = append(names, "CAST(NULL AS "+sqlType(c)+") AS "+ident(c.Name))
		}
	}
	return strings.Join(names, ", ")
}

// timestamp returns a moment as SQL writes it.
func timestamp(m penstock.Micros) string {
	return "make_timestamptz(" + fmt.Sprint(int64(m)) + ")"
}

// roll begins a new file of a shard if the batch needs one, and makes the views that show it: rows come only after that.
func (d *Database) roll(ctx context.Context, s *shard, b penstock.Batch) error {
	d.declaring.Lock()
	defer d.declaring.Unlock()
	if s.rollDue(b) {
		d.unshown.Store(true)
		if err := s.roll(ctx, d.streams.Load().sorted()); err != nil {
			return err
		}
	}
	if !d.unshown.Load() {
		return nil
	}
	failpoint.Hit("file.dir-synced")
	if err := errors.Join(d.viewShared(ctx), d.viewTyped(ctx), d.showModels(ctx)); err != nil {
		return err
	}
	failpoint.Hit("file.viewed")
	d.unshown.Store(false)
	return nil
}

// roll begins a new file.
func (s *shard) roll(ctx context.Context, streams []registered) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	if s.closed {
		return s.ended("begin file")
	}
	if !s.merging.TryLock() {
		return nil // what is being written there belongs to this file: the next batch tries again
	}
	defer s.merging.Unlock()
	if err := s.checkpoint(ctx); isBusy(err) || penstock.Is(err, penstock.Full) {
		return nil // the next batch tries again, this one goes where the last one went
	} else if err != nil {
		return err
	}
	f, err := s.addFile(ctx, streams)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files = append(s.files, f)
	return nil
}
