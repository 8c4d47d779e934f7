package embedded

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock"
)

// ledgerStreams are a stream that keeps its rows for two hours and whose values may not fit, and one that recognises repeats.
func ledgerStreams() []penstock.Stream {
	return []penstock.Stream{
		kept("typed", 2, bigint("n")),
		{Name: "once", KeepRows: 2 * time.Hour, Dedup: penstock.Dedup{Window: time.Hour, MaxIDs: 1000}},
	}
}

// talliesOf returns the tallies of all shards.
func talliesOf(t *testing.T, d *Database) map[penstock.Lane]penstock.Tally {
	t.Helper()
	all := map[penstock.Lane]penstock.Tally{}
	for _, s := range d.Shards() {
		tallies, _, err := s.(penstock.Auditor).Tallies(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(all, tallies)
	}
	return all
}

// fatesOf returns the events of all lanes by fate.
func fatesOf(t *testing.T, d *Database) string {
	t.Helper()
	var sum penstock.Tally
	for _, tally := range talliesOf(t, d) {
		for i, one := range tally {
			sum[i] = sum[i].Plus(one)
		}
	}
	var text []string
	for i, one := range sum {
		text = append(text, fmt.Sprint([]string{"stored", "duplicate", "dead", "parked", "dropped", "expired"}[i], " ", one.Events))
	}
	return strings.Join(text, ", ")
}

// balanced compares the tallies with the rows and letters that are there.
func balanced(t *testing.T, d *Database) {
	t.Helper()
	there := map[penstock.Lane]penstock.Tally{}
	for _, s := range d.Streams() {
		err := d.Find(t.Context(), s.Name, nil, positionsOf(t, d), func(at penstock.Place, f penstock.Fate, sum penstock.Checksum) {
			lane := penstock.Lane{Tenant: penstock.DefaultTenant, Stream: s.Name, Partition: at.Partition}
			tally := there[lane]
			tally[f].Add(sum)
			there[lane] = tally
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for lane, tally := range talliesOf(t, d) {
		for _, f := range []penstock.Fate{penstock.FateStored, penstock.FateDead, penstock.FateParked} {
			if there[lane][f] != tally[f] {
				t.Errorf("%v: fate %d is told of %+v, and %+v is there", lane, f, tally[f], there[lane][f])
			}
		}
	}
}

// accounts is a shard with a file for each hour, and the log that feeds it.
type accounts struct {
	d      *Database
	feeder *feeder
	blocks []*penstock.Block
	n      int
}

func newAccounts(t *testing.T, streams ...penstock.Stream) *accounts {
	t.Helper()
	o := Options{Cluster: testCluster(4), Shards: deal(4, 1), Period: time.Hour, Streams: streams, Idle: time.Hour}
	return &accounts{d: openDatabase(t, t.TempDir(), o), feeder: newFeeder(o.Cluster)}
}

// store applies events of a stream.
func (a *accounts) store(t *testing.T, stream string, events ...event) {
	t.Helper()
	b := a.feeder.batch(stream, events...)
	a.blocks = append(a.blocks, b.Blocks...)
	apply(t, a.d, b)
}

// hour stores rows, repeats and one letter, and an hour passes.
func (a *accounts) hour(t *testing.T) {
	t.Helper()
	a.n++
	id := fmt.Sprint(a.n)
	a.store(t, "typed", event{id: id, key: "k", body: `{"n":1}`}, event{id: "x" + id, key: "k"}, event{id: "bad" + id, key: "b", body: `{"n":"one"}`})
	a.store(t, "once", event{id: id, key: "k"}, event{id: id, key: "k"}, event{id: fmt.Sprint(a.n - 1), key: "k"}, event{id: id})
	a.feeder.logTime += hour
}

// copied opens a copy of the files, as if the process had been killed now.
func (a *accounts) copied(t *testing.T, change func(dir string)) *Database {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(a.d.dir)); err != nil {
		t.Fatal(err)
	}
	o := a.d.o
	o.Streams = nil
	if change != nil {
		change(filepath.Join(dir, "shard-0"))
	}
	return openDatabase(t, dir, o)
}

// again hands the log to a database from where it stands.
func (a *accounts) again(t *testing.T, d *Database) {
	t.Helper()
	for _, b := range a.blocks {
		from, next := positionsOf(t, d), positionsOf(t, d)
		for _, g := range b.Groups {
			next.Raise(penstock.Positions{g.Partition: {Epoch: b.Epoch, Offset: g.End()}})
		}
		if !from.Reached(next) {
			apply(t, d, penstock.Batch{From: from, Next: next, Blocks: []*penstock.Block{b}})
		}
	}
}

// Rows whose file is removed become expired, once, whenever the process ends; letters and the rest stay what they are.
func TestRowsExpireOnce(t *testing.T) {
	a := newAccounts(t, ledgerStreams()...)
	for range 6 {
		a.hour(t)
	}
	balanced(t, a.d)
	if got := fatesOf(t, a.d); got != "stored 25, duplicate 11, dead 6, parked 0, dropped 0, expired 0" {
		t.Fatal(got)
	}
	s := a.d.shards[0]
	s.applying.Lock()
	ready, err := s.bringForward(t.Context(), s.list()[0], s.list()[1])
	s.applying.Unlock()
	if !ready || err != nil {
		t.Fatal(ready, err)
	}
	const want = "stored 12, duplicate 11, dead 6, parked 0, dropped 0, expired 13"
	killed := a.copied(t, nil) // between the transaction and the end of the file
	retain(t, a.d)
	for _, d := range []*Database{killed, a.d, a.copied(t, nil)} {
		retain(t, d)
		d = reopen(t, d)
		retain(t, d)
		if got := fatesOf(t, d); got != want {
			t.Fatal(got)
		}
		if got := numbersOf(t, d, 0); !slices.Equal(got, []int{4, 5, 6}) {
			t.Fatal(got)
		}
		balanced(t, d)
		var letters []string
		for i := range 6 {
			letters = append(letters, fmt.Sprintf("bad%d open bad_type: column n: want a number, not a string", i+1))
		}
		expectLetters(t, d, penstock.LetterQuery{}, letters...)
	}
}

// A write-ahead log that is lost takes nothing along that the files that were removed had alone.
func TestExpiryIsSafe(t *testing.T) {
	a := newAccounts(t, ledgerStreams()...)
	for range 6 {
		a.hour(t)
	}
	retain(t, a.d)
	d := a.copied(t, func(dir string) {
		if err := os.Remove(filepath.Join(dir, fileName(6)+".wal")); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	})
	a.again(t, d)
	if got, want := fmt.Sprint(talliesOf(t, d)), fmt.Sprint(talliesOf(t, a.d)); got != want {
		t.Fatalf("%s, was %s", got, want)
	}
	balanced(t, d)
}

// A write-ahead log that is lost, or cannot be replayed, takes no drop along: the log does not have it.
func TestDropIsSafe(t *testing.T) {
	halt := kept("typed", 2, bigint("n"))
	halt.HaltKey = true
	a := newAccounts(t, halt)
	a.store(t, "typed", event{id: "head", key: "k", body: `{"n":"one"}`}, event{id: "second", key: "k"})
	head := a.lettersOf(t)["head"]
	if n, err := a.d.Shards()[0].(penstock.DeadLetters).Drop(t.Context(), []penstock.Place{{Partition: head.Partition, Position: head.Position}}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	d := a.copied(t, func(dir string) {
		if err := os.Remove(filepath.Join(dir, fileName(1)+".wal")); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	})
	a.again(t, d)
	expect(t, d, "select list(id order by id) from typed", "[[[second]]]")
	if got := fatesOf(t, d); got != "stored 1, duplicate 0, dead 0, parked 0, dropped 1, expired 0" {
		t.Fatal(got)
	}
}

// The file that counted rows as expired is lost, and comes again from the log: they are expired nevertheless.
func TestExpiredAndRebuilt(t *testing.T) {
	a := newAccounts(t, ledgerStreams()...)
	for range 6 {
		a.store(t, "once", event{id: fmt.Sprint(a.n), key: "k"}, event{id: fmt.Sprint(a.n - 1), key: "k"})
		a.feeder.logTime += hour
		a.n++
	}
	retain(t, a.d)
	set := 0
	a.d.o.Trace.SetAside = func(string, string, error) { set++ }
	d := a.copied(t, func(dir string) { harmFile(t, filepath.Join(dir, fileName(6))) })
	a.again(t, d)
	if got, want := fmt.Sprint(talliesOf(t, d)), fmt.Sprint(talliesOf(t, a.d)); got != want || set == 0 {
		t.Fatalf("%d files set aside: %s, was %s", set, got, want)
	}
	balanced(t, d)
}

// harmFile cuts a file in half.
func harmFile(t *testing.T, path string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err := errors.Join(err, os.WriteFile(path, raw[:len(raw)/2], 0o600)); err != nil {
		t.Fatal(err)
	}
}

// A file that holds letters of files that are gone is not rebuilt as if the log had all of it.
func TestLettersOfRemovedFilesAreMissed(t *testing.T) {
	a := newAccounts(t, ledgerStreams()...)
	for range 6 {
		a.hour(t)
	}
	retain(t, a.d)
	if m, err := readManifest(a.d.shards[0].dir); err != nil || !slices.Equal(m.Letters, []int{6}) {
		t.Fatalf("%+v %v", m, err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(a.d.dir)); err != nil {
		t.Fatal(err)
	}
	harmFile(t, filepath.Join(dir, "shard-0", fileName(6)))
	o := a.d.o
	_, err := Open(t.Context(), dir, o)
	if !penstock.Is(err, penstock.Conflict) || reasonOf(err) != "gap" || !strings.Contains(err.Error(), "dead letters in file 6 of files that were removed") {
		t.Fatal(err)
	}
	o.AcceptGap = true
	d := openDatabase(t, dir, o)
	a.again(t, d)
	expectLetters(t, d, penstock.LetterQuery{ID: "bad3"})
	expectLetters(t, d, penstock.LetterQuery{ID: "bad4"}, "bad4 open bad_type: column n: want a number, not a string")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	o.AcceptGap = false
	openDatabase(t, dir, o) // what was given up once need not be given up again
}

// Letters that are carried on keep their state, and are replayed and dropped where they are then.
func TestLettersGoOn(t *testing.T) {
	halt := kept("typed", 2, bigint("n"))
	halt.HaltKey = true
	a := newAccounts(t, halt)
	a.store(t, "typed", event{id: "head", key: "k", body: `{"n":"one"}`}, event{id: "second", key: "k"}, event{id: "lone", key: "l", body: `{"n":"one"}`})
	a.feeder.logTime += hour
	lone := a.lettersOf(t)["lone"]
	a.store(t, "typed", event{id: "lone", key: "l", body: `{"n":"one"}`, replayOf: lone.Position})
	for range 5 {
		a.feeder.logTime += hour
		a.store(t, "typed", event{id: fmt.Sprint(a.n), key: "other"})
		a.n++
	}
	before := a.lettersOf(t)
	if before["lone"].Since == lone.Since {
		t.Fatalf("%+v", before["lone"])
	}
	retain(t, a.d)
	if got := numbersOf(t, a.d, 0); !slices.Equal(got, []int{5, 6, 7}) {
		t.Fatal(got)
	}
	a.d = reopen(t, a.d)
	if after := a.lettersOf(t); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Fatalf("%+v\nwas\n%+v", after, before)
	}
	halt.Columns = nil
	declare(t, a.d, halt)
	a.store(t, "typed", event{id: "third", key: "k"}, event{id: "head", key: "k", body: `{"n":"one"}`, replayOf: before["head"].Position})
	n, err := a.d.Shards()[0].(penstock.DeadLetters).Drop(t.Context(), []penstock.Place{{Partition: lone.Partition, Position: lone.Position}})
	if n != 1 || err != nil {
		t.Fatal(n, err)
	}
	expect(t, a.d, "select list(id order by id) from typed where key = 'k'", "[[[head second third]]]")
	for range 2 {
		balanced(t, a.d)
		if got := fatesOf(t, a.d); got != "stored 6, duplicate 0, dead 0, parked 0, dropped 1, expired 2" {
			t.Fatal(got)
		}
		a.d = reopen(t, a.d)
	}
}

// lettersOf returns the letters by id.
func (a *accounts) lettersOf(t *testing.T) map[string]penstock.Letter {
	t.Helper()
	all := map[string]penstock.Letter{}
	for _, s := range a.d.Shards() {
		letters, err := s.(penstock.DeadLetters).Letters(t.Context(), penstock.LetterQuery{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range letters {
			all[l.ID] = l
		}
	}
	return all
}

// What was parked in any number, in several files, is released in order; a drop right after a new file was begun has a time.
func TestManyAreReleased(t *testing.T) {
	halt := kept("typed", 0, bigint("n"))
	halt.HaltKey = true
	a := newAccounts(t, halt)
	a.store(t, "typed", event{id: "head", key: "k", body: `{"n":"one"}`})
	var want []string
	for range 3 {
		var events []event
		for range 700 {
			id := fmt.Sprintf("%05d", a.n)
			events, want = append(events, event{id: id, key: "k"}), append(want, id)
			a.n++
		}
		a.store(t, "typed", events...)
		a.feeder.logTime += hour
	}
	head := a.lettersOf(t)["head"]
	last := a.feeder.logTime - hour
	s := a.d.shards[0]
	if err := s.roll(t.Context(), a.d.streams.Load().sorted()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.d.viewShared(t.Context()), a.d.viewTyped(t.Context())); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Drop(t.Context(), []penstock.Place{{Partition: head.Partition, Position: head.Position}}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if got := a.lettersOf(t)["head"]; got.State != penstock.LetterDropped || got.Since != last {
		t.Fatalf("%+v, want it since %d", got, last)
	}
	expect(t, a.d, "select count(*), count(distinct id), min(id), max(id) from typed", fmt.Sprintf("[[2100 2100 %s %s]]", want[0], want[2099]))
	for range 2 {
		balanced(t, a.d)
		if got := fatesOf(t, a.d); got != "stored 2100, duplicate 0, dead 0, parked 0, dropped 1, expired 0" {
			t.Fatal(got)
		}
		a.d = reopen(t, a.d)
	}
}

// A COMMIT that fails may have been done: what the file says decides.
func TestUnknownIsSettled(t *testing.T) {
	a := newAccounts(t, ledgerStreams()...)
	a.hour(t)
	a.feeder.logTime -= hour
	s := a.d.shards[0]
	b := a.feeder.batch("once", event{id: "unknown", key: "k"})
	s.applying.Lock()
	defer s.applying.Unlock()
	post := s.post(nil)
	defer post.end()
	if err := post.batch(b); err != nil {
		t.Fatal(err)
	}
	lost := penstock.Errorf(penstock.Unknown, "commit", "no answer")
	if err := s.settle(t.Context(), post.next, lost); !penstock.Is(err, penstock.Unavailable) {
		t.Fatalf("it was not done: %v", err)
	}
	if err := s.commit(t.Context(), post); err != nil {
		t.Fatal(err)
	}
	if err := s.settle(t.Context(), post.next, lost); err != nil {
		t.Fatalf("it was done: %v", err)
	}
	if err := s.conn.exec(t.Context(), "ALTER TABLE "+s.newest().table("state")+" RENAME TO elsewhere"); err != nil {
		t.Fatal(err)
	}
	if err := s.settle(t.Context(), post.next, lost); !penstock.Is(err, penstock.Unknown) || s.doubt == nil {
		t.Fatalf("nobody can tell: %v", err)
	}
	if err := s.carry(t.Context(), post); !penstock.Is(err, penstock.Corrupt) {
		t.Fatalf("it went on: %v", err)
	}
}
