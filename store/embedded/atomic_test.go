package embedded

import "testing"

// The position cannot be written: then no row is there and no identity is noted either, and the batch, applied again, has its effect once.
// It holds C-ONCE.
func TestRowsIdentitiesAndPositionAreOne(t *testing.T) {
	o := Options{Cluster: testCluster(2), Shards: deal(2, 1)}
	d := openDatabase(t, t.TempDir(), o)
	f := newFeeder(o.Cluster)
	apply(t, d, f.batch("plain", event{id: "before"}))
	stood := positionsOf(t, d)

	s := d.shards[0]
	table := s.newest().table("state")
	rename := func(from, to string) {
		t.Helper()
		if err := s.conn.exec(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to); err != nil {
			t.Fatal(err)
		}
	}
	rename(table, "elsewhere")
	b := f.batch("plain", event{id: "a", key: "k"}, event{id: "b", key: "k"})
	if err := s.Apply(t.Context(), b); err == nil {
		t.Fatal("a batch was applied whose position has no place")
	}
	rename(s.newest().table("elsewhere"), "state")
	expect(t, d, "select count(*) from plain", "[[1]]")
	if at := positionsOf(t, d); !at.Reached(stood) || !stood.Reached(at) {
		t.Errorf("it stood at %v, and stands at %v", stood, at)
	}
	apply(t, d, b)
	d = reopen(t, d)
	expect(t, d, "select id from plain order by id", "[[a] [b] [before]]")
}
