package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"penstock"
)

// takeStates brings the states of a file that is to be removed, or whose groups are to be deleted, forward into the newest file, for one model, and
// reports whether it did.
func (s *shard) takeStates(ctx context.Context) (bool, error) {
	files := s.list()
	for _, f := range files[:len(files)-1] {
		for _, m := range s.keptModels().sorted() {
			if !s.isNeeded(f, m) && (m.Taken >= f.number || s.gathered[m.ID] < f.number) {
				continue
			}
			if err := s.takeModel(ctx, f, m); err != nil {
				return false, s.outage("bring states of view "+m.View.Name+" forward", err)
			}
			return true, nil
		}
	}
	return false, nil
}

// isNeeded reports whether a file that is to be removed has what a model needs without it.
func (s *shard) isNeeded(f *file, m model) bool {
	return int64(f.number) <= s.expiring.Load() && (m.Taken < f.number || m.Lost < s.lostWith(f, m))
}

// lostWith returns up to which log time rows of a model's stream are gone when a file is.
func (s *shard) lostWith(f *file, m model) penstock.Micros {
	if r := (*s.db.streams.Load())[streamKey{penstock.DefaultTenant, m.View.Stream}]; f.state.Rows[r.ID] > 0 {
		return f.state.LogTime
	}
	return 0
}

// taken reports whether nobody needs the states of a file any more that is to be removed. The caller holds applying.
func (s *shard) taken(f *file) bool {
	for _, m := range s.models {
		if s.isNeeded(f, m) {
			return false
		}
	}
	return true
}

// takeModel adds the states that a sealed file has of a model to the newest one, and says there that it did, in one transaction. Batches go on
// meanwhile.
func (s *shard) takeModel(ctx context.Context, f *file, m model) error {
	s.merging.Lock()
	defer s.merging.Unlock()
	c, err := s.db.engine.conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	newest, added := s.newest(), int64(0)
	_, has := f.columns(modelTable(m.ID))
	has = has && m.Taken < f.number
	return s.rewrite(ctx, c, m.ID, func() (func(*model), error) {
		if has {
			from := f.table(modelTable(m.ID)) + s.whatStays(m)
			if err := c.QueryRowContext(ctx, "SELECT count(*) FROM "+from).Scan(&added); err != nil {
				return nil, err
			}
			into := "INSERT INTO " + newest.table(modelTable(m.ID)) + " "
			if err := c.exec(ctx, into+m.mergedFrom(from, levelFor(added, s.db.o.MergeRows))+" ORDER BY "+m.sorting()); err != nil {
				return nil, err
			}
		}
		return func(m *model) {
			m.Taken = max(m.Taken, f.number)
			if added > 0 {
				m.hold(newest.number, f.number)
			}
			if int64(f.number) <= s.expiring.Load() {
				m.Lost = max(m.Lost, s.lostWith(f, *m))
			}
			s.logged += penstock.Bytes(added * stateBytes)
		}, nil
	})
}

// whatStays is the condition for states that are not past their time for good.
func (s *shard) whatStays(m model) string {
	if gone := (*s.db.goneStates.Load())[m.ID]; gone > 0 && m.View.Window > 0 {
		return " WHERE " + m.keptWindows(gone)
	}
	return ""
}

// errGone says that a model was removed meanwhile.
var errGone = errors.New("the view is there no more")

// rewrite changes states of a model in the newest file, by a connection of its own beside batches, and then what is known of the model, in one
// transaction: only its end holds up batches. The caller holds merging.
func (s *shard) rewrite(ctx context.Context, c conn, id int32, states func() (func(*model), error)) error {
	var next models
	applying := false
	err := c.transaction(ctx, func() error {
		how, err := states()
		if err != nil {
			return err
		}
		s.applying.Lock()
		applying = true
		m, ok := s.models[id]
		if !ok || s.closed {
			return errGone
		}
		how(&m)
		put, err := m.put(s.newest())
		next = s.models.with(m)
		if err != nil {
			return err
		}
		return c.exec(ctx, put...)
	})
	if applying {
		defer s.applying.Unlock()
	}
	switch {
	case errors.Is(err, errGone):
		return nil
	case err != nil && applying:
		return s.unsure(ctx, fmt.Sprint("write states of model ", id), err)
	case err != nil:
		return err
	}
	s.unsafe = true
	s.setModels(next)
	return nil
}

// hold notes that a file has got states of older files, up to which all were brought forward.
func (m *model) hold(newest, taken int) {
	m.Holds = slices.DeleteFunc(slices.Clone(m.Holds), func(n int) bool { return n <= taken || n == newest })
	m.Holds = append(m.Holds, newest)
}

// holdsTaken returns the numbers of the files that may hold states of files that were removed, when one is removed now. The caller holds applying.
func (s *shard) holdsTaken(f *file) []int {
	all := slices.Clone(s.manifest.States)
	for _, m := range s.models {
		all = append(all, m.Holds...)
	}
	all = slices.DeleteFunc(all, func(n int) bool { return n <= f.number })
	slices.Sort(all)
	return slices.Compact(all)
}
