package embedded

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"penstock"
)

// Whatever is lost comes again while the log has it, and what is set aside keeps its bytes.
func TestRecoverFromTheLog(t *testing.T) {
	t.Parallel()
	whole := newPast(t)
	for _, name := range []string{fileName(1), fileName(2), fileName(3), fileName(3) + ".wal"} {
		for kind, harm := range harms() {
			t.Run(name+" "+kind, func(t *testing.T) {
				p := whole.copy(t)
				sum := p.harm(t, name, harm)
				set := 0
				p.o.Trace.SetAside = func(string, string, error) { set++ }
				d := openDatabase(t, p.dir, p.o)
				if !positionsOf(t, d).Reached(safeOf(t, d)) {
					t.Fatalf("it is safe up to %v and stands at %v", safeOf(t, d), positionsOf(t, d))
				}
				p.feed(t, d)
				p.check(t, d, every)
				d = reopen(t, d)
				p.check(t, d, every)
				kept := slices.Collect(maps.Values(contents(t, p.dir)))
				if set > 0 && sum != "" && !slices.Contains(kept, sum) {
					t.Fatalf("what was set aside has other bytes: %v", filesOf(t, p.dir))
				}
			})
		}
	}
}

// What the log no longer has is named, and nothing is changed until it is given up.
func TestRecoverWithoutTheLog(t *testing.T) {
	t.Parallel()
	kept := newPast(t)
	none := penstock.Positions{}
	for i, c := range []struct {
		name  string
		first penstock.Positions // of the log
		want  func(*penstock.Record) bool
	}{
		{fileName(1), kept.ends[0], without(none, kept.ends[0])},
		{fileName(1), kept.ends[1], without(none, kept.ends[0])},
		{fileName(2), kept.ends[1], without(kept.ends[0], kept.ends[1])},
		{fileName(2), kept.safe, without(kept.ends[0], kept.ends[1])},
		{fileName(3), kept.safe, without(kept.ends[1], kept.safe)},
	} {
		for n, kind := range slices.Sorted(maps.Keys(harms())) {
			if i < 4 && (i+n)%2 > 0 && !whole() {
				continue // the two cases of a file share the ways to lose it
			}
			if kind == "empty" && c.name == fileName(3) {
				continue // it is taken for one that was never finished: see TestRecoverUnfinished
			}
			t.Run(c.name+" "+kind, func(t *testing.T) {
				p := kept.copy(t)
				p.trimmed(c.first)
				p.harm(t, c.name, harms()[kind])
				if c.name == fileName(3) { // without it, its log says nothing
					p.harm(t, c.name+".wal", func([]byte) []byte { return nil })
				}
				before := contents(t, p.dir)
				_, err := Open(t.Context(), p.dir, p.o)
				if !penstock.Is(err, penstock.Conflict) || reasonOf(err) != "gap" || !strings.Contains(err.Error(), "partition 1 from ") {
					t.Fatalf("opened: %v", err)
				}
				if after := contents(t, p.dir); !sameFiles(before, after) {
					t.Fatalf("the refusal changed files: %v", after)
				}
				p.o.AcceptGap = true
				d := openDatabase(t, p.dir, p.o)
				p.feed(t, d)
				p.check(t, d, c.want)
				d = reopen(t, d)
				p.check(t, d, c.want)
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				// What was given up once need not be given up again.
				p.o.AcceptGap = false
				d = openDatabase(t, p.dir, p.o)
				p.check(t, d, c.want)
			})
		}
	}
}

func sameFiles(a, b map[string]string) bool {
	for name, sum := range a {
		if b[name] != sum {
			return false
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok && !strings.HasPrefix(name, "tmp") {
			return false
		}
	}
	return true
}

// The log has some of what a file held: it is rebuilt as far as that goes.
func TestRecoverInPart(t *testing.T) {
	p := newPast(t)
	middle := penstock.Positions{}
	for partition, at := range p.ends[1] {
		middle[partition] = penstock.Position{Epoch: 1, Offset: (p.ends[0][partition].Offset + at.Offset) / 2}
	}
	p.trimmed(middle)
	p.harm(t, fileName(2), func(b []byte) []byte { return b[:1000] })
	if _, err := Open(t.Context(), p.dir, p.o); !penstock.Is(err, penstock.Conflict) {
		t.Fatal(err)
	}
	p.o.AcceptGap = true
	d := openDatabase(t, p.dir, p.o)
	p.feed(t, d)
	p.check(t, d, without(p.ends[0], middle))
}

// All files are gone, or the directory.
func TestRecoverEverything(t *testing.T) {
	whole := newPast(t)
	for _, keep := range []bool{true, false} {
		p := whole.copy(t)
		if keep {
			for _, name := range []string{fileName(1), fileName(2), fileName(3), fileName(3) + ".wal"} {
				p.harm(t, name, func([]byte) []byte { return nil })
			}
		} else if err := os.RemoveAll(p.path("")); err != nil {
			t.Fatal(err)
		}
		p.trimmed(p.ends[0])
		if _, err := Open(t.Context(), p.dir, p.o); !penstock.Is(err, penstock.Conflict) || reasonOf(err) != "gap" {
			t.Fatal(err)
		}
		p.trimmed(nil)
		d := openDatabase(t, p.dir, p.o)
		p.feed(t, d)
		p.check(t, d, every)
		d = reopen(t, d)
		p.check(t, d, every)
	}
}

// A manifest that cannot be read is made anew from what is there; what no file is named like is left alone.
func TestRecoverManifest(t *testing.T) {
	whole := newPast(t)
	for kind, harm := range harms() {
		p := whole.copy(t)
		if kind == "cut" {
			harm = func(b []byte) []byte { return b[:5] }
		}
		p.harm(t, manifestName, harm)
		for _, name := range []string{"1.duckdb", "00000002.duckdb.damaged-20260101T000000.0", "README", "00000009.duckdb.old"} {
			if err := os.WriteFile(p.path(name), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d := openDatabase(t, p.dir, p.o)
		p.check(t, d, every)
		if m, err := readManifest(p.path("")); err != nil || m == nil || m.First != 1 || len(m.Gaps) > 0 {
			t.Fatalf("%s: %+v %v", kind, m, err)
		}
	}
}

// The files of tmp are what queries of a process that is gone left.
func TestRecoverTemporaryFiles(t *testing.T) {
	p := newPast(t)
	if err := errors.Join(os.MkdirAll(filepath.Join(p.dir, "tmp"), 0o700), os.WriteFile(filepath.Join(p.dir, "tmp", "duckdb_temp_block-1.block"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	d := openDatabase(t, p.dir, p.o)
	p.check(t, d, every)
	if _, err := os.Stat(filepath.Join(p.dir, "tmp", "duckdb_temp_block-1.block")); err == nil {
		t.Fatal("it is still there")
	}
}

// Shards that would lie upon each other, or outside, are refused.
func TestOptionsAreChecked(t *testing.T) {
	one := []penstock.Partition{0}
	for _, shards := range [][]ShardSpec{
		{{"tmp", one}}, {{"", one}}, {{"..", one}}, {{"a/b", one}}, {{"a", one}, {"a", []penstock.Partition{1}}},
		{{"a", one}, {"b", one}}, {{"a", []penstock.Partition{4}}},
	} {
		dir := t.TempDir()
		if _, err := Open(t.Context(), dir, Options{Cluster: testCluster(4), Shards: shards}); !penstock.Is(err, penstock.Invalid) {
			t.Errorf("%v: %v", shards, err)
		}
		if left := contents(t, dir); len(left) > 0 {
			t.Errorf("%v: left %v", shards, left)
		}
	}
}

// What ended while a file was being made leaves nothing behind.
func TestRecoverUnfinished(t *testing.T) {
	whole := newPast(t)
	for kind, make := range map[string]func(t *testing.T, path string){
		"empty": func(t *testing.T, path string) {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"headers": func(t *testing.T, path string) { duckFile(t, path) },
		"no identity": func(t *testing.T, path string) {
			duckFile(t, path, "CREATE TABLE f.events (a INT)", "CREATE TABLE f.state (state VARCHAR)")
		},
	} {
		t.Run(kind, func(t *testing.T) {
			p := whole.copy(t)
			make(t, p.path(fileName(4)))
			if err := os.WriteFile(p.path(fileName(4))+".wal", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			p.trimmed(p.safe)
			p.o.FileRows = 1
			d := openDatabase(t, p.dir, p.o)
			p.check(t, d, every)
			for _, name := range filesOf(t, p.dir) {
				if strings.Contains(name, "damaged") || strings.Contains(name, fileName(4)) {
					t.Fatalf("%s is there", name)
				}
			}
			f := newFeeder(p.o.Cluster)
			f.next = positionsOf(t, d)
			apply(t, d, f.batch("clicks", event{id: "new"}))
			d = reopen(t, d)
			expect(t, d, "select count(*) from clicks where id = 'new'", "[[1]]")
		})
	}
}

// duckFile makes a file of DuckDB, attached as f to the statements.
func duckFile(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, s := range slices.Concat([]string{"ATTACH " + quote(path) + " AS f (STORAGE_VERSION 'v1.5.0')"}, statements, []string{"DETACH f"}) {
		if _, err := conn.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// What belongs elsewhere, or to a newer version, is refused and stays as it is.
func TestRefusesWhatIsNotIts(t *testing.T) {
	whole := newPast(t)
	other := whole.o.Cluster
	for name, change := range map[string]func(t *testing.T, p *past){
		"cluster":    func(_ *testing.T, p *past) { other.ID = strings.Repeat("cd", 16); p.o.Cluster = other },
		"key":        func(_ *testing.T, p *past) { p.o.Cluster.Key = penstock.PartitionKey{8} },
		"partitions": func(_ *testing.T, p *past) { p.o.Cluster.Partitions, p.o.Shards = 8, deal(8, 1) },
		"owned":      func(_ *testing.T, p *past) { p.o.Shards = deal(4, 2) },
		"shard": func(t *testing.T, p *past) {
			p.o.Shards[0].Name = "shard-9"
			if err := os.Rename(p.path(""), filepath.Join(p.dir, "shard-9")); err != nil {
				t.Fatal(err)
			}
		},
		"format":   func(t *testing.T, p *past) { duckFile(t, p.path(fileName(3)), "UPDATE f.identity SET format = 2") },
		"features": func(t *testing.T, p *past) { duckFile(t, p.path(fileName(1)), "UPDATE f.identity SET features = 1") },
		"number": func(t *testing.T, p *past) {
			if err := os.Rename(p.path(fileName(1)), p.path(fileName(4))); err != nil {
				t.Fatal(err)
			}
		},
		"duckdb, newest": func(t *testing.T, p *past) { p.harm(t, fileName(3), newerDuckDB) },
		"duckdb, sealed": func(t *testing.T, p *past) { p.harm(t, fileName(1), newerDuckDB) },
		"manifest's features": func(t *testing.T, p *past) {
			p.harm(t, manifestName, func([]byte) []byte {
				text, err := manifest{Version: 1, Features: []string{"x"}, First: 1}.encode()
				if err != nil {
					t.Error(err)
				}
				return text
			})
		},
		"manifest": func(t *testing.T, p *past) {
			p.harm(t, manifestName, func([]byte) []byte {
				text, err := manifest{Version: 2, First: 9}.encode()
				if err != nil {
					t.Error(err)
				}
				return text
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := whole.copy(t)
			p.o.Shards = slices.Clone(p.o.Shards)
			p.o.AcceptGap = true
			change(t, p)
			before := contents(t, p.dir)
			_, err := Open(t.Context(), p.dir, p.o)
			if !penstock.Is(err, penstock.Conflict) || strings.Contains(err.Error(), "\x00") {
				t.Fatalf("opened: %v", err)
			}
			if after := contents(t, p.dir); !sameFiles(before, after) {
				t.Fatalf("the refusal changed files: %v, before %v", after, before)
			}
		})
	}
}

// newerDuckDB gives a file the version number of a DuckDB to come, and the header its checksum.
func newerDuckDB(raw []byte) []byte {
	const versionAt, header = 12, 4096
	binary.LittleEndian.PutUint64(raw[versionAt:], 9999)
	sum := uint64(5381)
	for at := 8; at < header; at += 8 {
		sum ^= binary.LittleEndian.Uint64(raw[at:]) * 0xbf58476d1ce4e5b9
	}
	binary.LittleEndian.PutUint64(raw, sum)
	return raw
}

// After any single fault the shard opens, and ends with the rows of the log, or says which block it cannot read.
func TestRecoverFromAnything(t *testing.T) {
	t.Parallel()
	whole := newPast(t)
	random := rand.New(rand.NewPCG(11, 12))
	names := []string{fileName(1), fileName(2), fileName(3), fileName(3) + ".wal"}
	rounds := 40
	if testing.Short() {
		rounds = 20
	}
	for i := range rounds {
		p := whole.copy(t)
		name := names[random.IntN(len(names))]
		var what string
		p.harm(t, name, func(b []byte) []byte {
			b, what = anyHarm(random, b)
			return b
		})
		d, err := Open(t.Context(), p.dir, p.o)
		if err != nil {
			t.Fatalf("round %d, %s, %s: %v", i, name, what, err)
		}
		damaged := 0
		d.o.Trace.Damaged = func(shard, file string, _ error) {
			damaged++
			if shard != "shard-0" || file != name {
				t.Errorf("round %d, %s, %s: it says %s of %s", i, name, what, file, shard)
			}
		}
		p.feed(t, d)
		if _, err := tryQuery(t, d, "select * from clicks union all select *, 0 from plain"); penstock.Is(err, penstock.Corrupt) && damaged == 1 {
			what = "" // a block of rows: said so
		}
		if what != "" {
			p.check(t, d, every)
		}
		if err := d.Close(); err != nil {
			t.Fatalf("round %d, %s, %s: %v", i, name, what, err)
		}
	}
}

// anyHarm changes some bytes.
func anyHarm(random *rand.Rand, b []byte) ([]byte, string) {
	at := random.IntN(len(b))
	switch random.IntN(5) {
	case 0:
		at = random.IntN(min(len(b), 3*4096))
		b[at] ^= 1 << random.IntN(8)
		return b, fmt.Sprint("a bit of a header at ", at)
	case 1:
		return b[:at], fmt.Sprint("cut at ", at)
	case 2:
		for i := range b[at:min(len(b), at+1+random.IntN(5000))] {
			b[at+i] = byte(random.Uint32())
		}
		return b, fmt.Sprint("garbage at ", at)
	case 3:
		clear(b[at&^4095 : min(len(b), at&^4095+4096)])
		return b, fmt.Sprint("a page of zeros at ", at&^4095)
	}
	b[at] ^= 1 << random.IntN(8)
	return b, fmt.Sprint("a bit at ", at)
}

// What is safe stands in the file: a write-ahead log that is lost costs nothing of it, whatever was read beside it.
func TestSafeSurvivesWithoutTheLog(t *testing.T) {
	t.Parallel()
	o := Options{
		Cluster: testCluster(4), Shards: deal(4, 2), FileRows: 120, Checkpoint: 3000, Streams: []penstock.Stream{clicks()},
	}
	dir := t.TempDir()
	d := openDatabase(t, dir, o)
	f := newFeeder(o.Cluster)
	readers := startReaders(t, d)
	moved := 0
	last := penstock.Positions{}
	var blocks []*penstock.Block
	for i := range 60 {
		var events []event
		for j := range 10 {
			events = append(events, event{id: fmt.Sprintf("%d-%d", i, j), body: `{"n":1}`})
		}
		b := f.batch("clicks", events...)
		blocks = append(blocks, b.Blocks...)
		apply(t, d, b)
		if i%20 == 10 {
			declare(t, d, clicks(bigint("n"), bigint(fmt.Sprint("n", i))))
		}
		safe := safeOf(t, d)
		if !safe.Reached(last) || !positionsOf(t, d).Reached(safe) {
			t.Fatalf("safe up to %v, then %v, at %v", last, safe, positionsOf(t, d))
		}
		if !last.Reached(safe) {
			moved++
		}
		last = safe
		if i%6 != 5 {
			continue
		}
		crashed := t.TempDir()
		if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		for _, name := range filesOf(t, crashed) {
			if strings.HasSuffix(name, ".wal") {
				os.Remove(name)
			}
		}
		o.Streams = nil
		c := openDatabase(t, crashed, o)
		if at := positionsOf(t, c); !at.Reached(safe) {
			t.Fatalf("round %d: it was safe up to %v, without its log it stands at %v", i, safe, at)
		}
		apply(t, c, penstock.Batch{From: positionsOf(t, c), Next: f.next.Clone(), Blocks: blocks})
		expect(t, c, "select count(*), count(distinct id), sum((data->>'n')::int) from clicks", fmt.Sprintf("[[%d %d %d]]", 10*(i+1), 10*(i+1), 10*(i+1)))
		c.Close()
	}
	if readers.stop(); moved < 10 {
		t.Fatalf("beside readers, what is safe moved %d times in 60 batches", moved)
	}
}

// readers ask without pause.
type readers struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func startReaders(t *testing.T, d *Database) *readers {
	ctx, cancel := context.WithCancel(t.Context())
	r := &readers{cancel, make(chan struct{}, 2)}
	for range 2 {
		go func() {
			defer func() { r.done <- struct{}{} }()
			for ctx.Err() == nil {
				rows, err := d.Query(ctx, penstock.Query{SQL: "select c.id, count(*) from clicks c join clicks b on c.id <= b.id group by 1"})
				if err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
				rows.Close()
			}
		}()
	}
	return r
}

func (r *readers) stop() {
	r.cancel()
	<-r.done
	<-r.done
}
