package embedded

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"penstock"
	"penstock/store/storetest"
)

// past is a shard with three files and a write-ahead log, as a process left them that was killed, and the log that fed it.
type past struct {
	o      Options
	dir    string
	blocks []*penstock.Block
	ends   []penstock.Positions // of the files; the last is where the log ends
	safe   penstock.Positions
}

func newPast(t *testing.T) *past {
	t.Helper()
	p := &past{o: Options{
		Cluster: testCluster(4), Shards: deal(4, 1), FileRows: 40,
		Streams: []penstock.Stream{clicks(bigint("n")), {Name: "plain"}},
	}, dir: t.TempDir()}
	live := t.TempDir()
	d := openDatabase(t, live, p.o)
	f := newFeeder(p.o.Cluster)
	for i := range 11 {
		var events []event
		for j := range 10 {
			events = append(events, event{id: fmt.Sprintf("%d-%d", i, j), key: fmt.Sprint(j), body: fmt.Sprintf(`{"n":%d}`, i)})
		}
		if i == 10 {
			p.safe = safeOf(t, d)
		}
		b := f.batch([]string{"clicks", "plain"}[i%2], events...)
		apply(t, d, b)
		p.blocks = append(p.blocks, b.Blocks...)
		if i == 3 || i == 7 || i == 10 {
			p.ends = append(p.ends, f.next.Clone())
		}
		if i == 9 {
			d.shards[0].applying.Lock()
			err := d.shards[0].checkpoint(t.Context())
			d.shards[0].applying.Unlock()
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.CopyFS(p.dir, os.DirFS(live)); err != nil {
		t.Fatal(err)
	}
	if len(d.shards[0].files) != 3 {
		t.Fatalf("%d files", len(d.shards[0].files))
	}
	return p
}

func safeOf(t *testing.T, d *Database) penstock.Positions {
	t.Helper()
	all := penstock.Positions{}
	for _, s := range d.Shards() {
		safe, err := s.Safe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all.Raise(safe)
	}
	return all
}

// copy returns a copy that may be harmed.
func (p *past) copy(t *testing.T) *past {
	t.Helper()
	c := *p
	c.dir = t.TempDir()
	if err := os.CopyFS(c.dir, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	return &c
}

// trimmed says that the log begins at the given positions.
func (p *past) trimmed(first penstock.Positions) {
	p.o.LogFirst = func() (penstock.Positions, error) { return first, nil }
}

// feed hands the log to the database, from where it stands.
func (p *past) feed(t *testing.T, d *Database) {
	t.Helper()
	apply(t, d, penstock.Batch{From: positionsOf(t, d), Next: p.ends[2], Blocks: p.blocks})
}

// check compares the rows with those of the log for which want says yes.
func (p *past) check(t *testing.T, d *Database, want func(*penstock.Record) bool) {
	t.Helper()
	rows := map[storetest.Row]int{}
	for _, r := range rowsOf(t, d) {
		rows[r]++
	}
	n := 0
	for _, b := range p.blocks {
		for r := range b.Records() {
			if !want(r) {
				continue
			}
			n++
			if rows[storetest.RowOf(r)] != 1 {
				t.Fatalf("%s %s: there %d times", r.Stream, r.ID, rows[storetest.RowOf(r)])
			}
		}
	}
	if len(rows) != n {
		t.Fatalf("%d rows, want %d", len(rows), n)
	}
}

func every(*penstock.Record) bool { return true }

// without says yes to the records outside of a range.
func without(from, to penstock.Positions) func(*penstock.Record) bool {
	return func(r *penstock.Record) bool {
		return r.Position.Less(from[r.Partition]) || !r.Position.Less(to[r.Partition])
	}
}

func (p *past) path(name string) string { return filepath.Join(p.dir, "shard-0", name) }

// contents returns the bytes of every file of a directory, by name.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(filepath.Join(dir, name))
		all[name] = fmt.Sprintf("%x", sha256.Sum256(raw))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// harms are ways to lose a file.
func harms() map[string]func([]byte) []byte {
	return map[string]func([]byte) []byte{
		"flip":    func(b []byte) []byte { b[min(40, len(b)/2)] ^= 4; return b },
		"cut":     func(b []byte) []byte { return b[:len(b)/2] },
		"empty":   func([]byte) []byte { return []byte{} },
		"garbage": func(b []byte) []byte { return bytes.Repeat([]byte("garbage!"), len(b)/8) },
		"zeros":   func(b []byte) []byte { return make([]byte, len(b)) },
		"missing": func([]byte) []byte { return nil },
	}
}

// harm changes a file and returns what it holds then; "" if it is missing.
func (p *past) harm(t *testing.T, name string, f func([]byte) []byte) string {
	t.Helper()
	raw, err := os.ReadFile(p.path(name))
	if err != nil {
		t.Fatal(err)
	}
	raw = f(raw)
	if raw == nil {
		if err := os.Remove(p.path(name)); err != nil {
			t.Fatal(err)
		}
		return ""
	}
	if err := os.WriteFile(p.path(name), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(raw))
}

func fileName(n int) string { return fmt.Sprintf("%08d.duckdb", n) }
