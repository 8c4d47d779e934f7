package embedded

import (
	"database/sql"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"penstock"
)

// A ledger that a start cannot read is damage like any other: its file is set aside, and comes again from the log with all that it says.
func TestDamagedLedgerIsRebuilt(t *testing.T) {
	t.Parallel()
	a := newAccounts(t, ledgerStreams()...)
	for n := range 3 {
		a.hour(t)
		for i := range 5 {
			b := a.feeder.batch("once", event{id: fmt.Sprint("made ", n, i), key: fmt.Sprint(i)})
			b.Blocks[0].Producer = penstock.Producer{Name: fmt.Sprint("producer-", i), Seq: uint64(100*i + n)}
			a.blocks = append(a.blocks, b.Blocks...)
			apply(t, a.d, b)
		}
	}
	a.store(t, "typed", event{id: "bad at last", key: "c", body: `{"n":"one"}`}, event{id: "worse", key: "d", body: `{"n":{}}`})
	tallies, letters, producers := talliesOf(t, a.d), lettersOf(t, a.d), producersOf(t, a.d)
	if len(letters) != 5 || len(producers) < 5 {
		t.Fatal(letters, producers)
	}
	if err := a.d.Close(); err != nil {
		t.Fatal(err)
	}
	numbers := numbersOf(t, a.d, 0)
	newest := numbers[len(numbers)-1]
	for _, c := range []struct {
		table  tableName
		number int
	}{{batchesTable, newest}, {producersTable, newest}, {lettersTable, newest}, {lettersTable, numbers[0]}} {
		t.Run(fmt.Sprint(c.table, " of file ", c.number), func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(a.d.dir)); err != nil {
				t.Fatal(err)
			}
			spoilTable(t, filePath(filepath.Join(dir, "shard-0"), c.number), c.table)
			var set []string
			o := a.d.o
			o.Trace.SetAside = func(_, file string, _ error) { set = append(set, file) }
			d := openDatabase(t, dir, o)
			if len(set) == 0 || !slices.ContainsFunc(set, func(name string) bool { return name[:len(fileName(c.number))] == fileName(c.number) }) {
				t.Fatalf("set aside: %v", set)
			}
			a.again(t, d)
			for range 2 {
				if got := talliesOf(t, d); !maps.Equal(got, tallies) {
					t.Errorf("tallies %v, want %v", got, tallies)
				}
				if got := lettersOf(t, d); !slices.Equal(got, letters) {
					t.Errorf("letters %v, want %v", got, letters)
				}
				if got := producersOf(t, d); !slices.Equal(got, producers) {
					t.Errorf("producers %v, want %v", got, producers)
				}
				balanced(t, d)
				d = reopen(t, d)
			}
		})
	}
}

// lettersOf returns where the letters of all shards are, and what became of them.
func lettersOf(t *testing.T, d *Database) []string {
	t.Helper()
	var all []string
	for _, s := range d.Shards() {
		letters, err := s.(penstock.DeadLetters).Letters(t.Context(), penstock.LetterQuery{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range letters {
			all = append(all, fmt.Sprint(l.Partition, l.Position, l.ID, l.Reason, l.State, l.Since))
		}
	}
	return all
}

// producersOf returns how far each producer came, as the newest file says.
func producersOf(t *testing.T, d *Database) []string {
	t.Helper()
	var all []string
	s := d.shards[0]
	err := s.each(t.Context(), "SELECT producer, _partition, max(seq) FROM "+s.newest().table(producersTable)+" GROUP BY ALL ORDER BY ALL",
		func(scan func(...any) error) error {
			var name string
			var partition, seq int64
			err := scan(&name, &partition, &seq)
			all = append(all, fmt.Sprint(name, partition, seq))
			return err
		})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// spoilTable changes a byte in each block of a file that holds some of a table.
func spoilTable(t *testing.T, path string, table tableName) {
	t.Helper()
	const headers, blockSize, checksum = 3 * 4096, 256 << 10, 8
	var places []int64
	db, err := sql.Open("duckdb", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT min(block_id * "+itoa(blockSize)+" + block_offset) FROM pragma_storage_info('"+string(table)+
		"') WHERE persistent AND block_id >= 0 GROUP BY block_id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var at int64
		if err := rows.Scan(&at); err != nil {
			t.Fatal(err)
		}
		places = append(places, at)
	}
	if err := rows.Err(); err != nil || len(places) == 0 {
		t.Fatalf("%s has no blocks of %s: %v", filepath.Base(path), table, err)
	}
	rows.Close()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range places {
		raw[headers+checksum+at] ^= 1
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
