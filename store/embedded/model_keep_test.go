package embedded

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock"
)

// keptViews are views that keep two hours, with windows and without.
func keptViews() []penstock.View {
	views := clickViews()
	for i := range views {
		views[i].Keep = 2 * time.Hour
	}
	return views
}

// checkKept checks that the views have what changed in the last two hours, and nothing that is a minute older.
func (l *life) checkKept() {
	l.Helper()
	all := clicksOf(l.T, l.blocks)
	now := penstock.Micros(0)
	for _, c := range all {
		now = max(now, c.log)
	}
	for _, limit := range []struct {
		before penstock.Micros
		there  bool
	}{{now - 2*hour, true}, {now - 2*hour - 61_000_000, false}} {
		lines := perLink(slices.DeleteFunc(slices.Clone(all), func(c click) bool { return c.at/60_000_000*60_000_000+60_000_000 < limit.before }))
		last := map[string]penstock.Micros{}
		for _, c := range all {
			last[c.key] = max(last[c.key], c.log)
		}
		members := []string{}
		for key, at := range last {
			if at >= limit.before {
				members = append(members, "["+key+"]")
			}
		}
		slices.Sort(members)
		l.compare("per_link", linesOf(l.T, l.d, perLinkNow), lines, limit.there)
		l.compare("board", linesOf(l.T, l.d, "SELECT key FROM board"), members, limit.there)
	}
}

// compare fails if a view lacks one of the lines, or has others.
func (l *life) compare(view string, got, lines []string, there bool) {
	l.Helper()
	if !there {
		got, lines = lines, got
	}
	for _, line := range lines {
		if !slices.Contains(got, line) {
			l.Fatalf("%s, there %t: %s", view, there, line)
		}
	}
}

// countOf returns how many states of a view are stored.
func (l *life) countOf(view string) int64 {
	l.Helper()
	states, err := l.d.ViewStates(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	for _, s := range states {
		if s.Name == view {
			return s.Rows
		}
	}
	return 0
}

// What a view keeps no longer is left out at once, and deleted by and by.
func TestKeep(t *testing.T) {
	for _, shards := range []int{1, 2} {
		t.Run(fmt.Sprint(shards), func(t *testing.T) {
			l := newLife(t, shards, func(o *Options) { o.Streams[0].KeepRows, o.Period = 0, 1000*time.Hour })
			l.declare(keptViews()...)
			l.tend()
			var most int64
			for i := range 40 {
				if i == 10 {
					l.f.logTime += 3 * hour // everything is past its time, but for what comes now
				}
				l.apply(0.2)
				retain(t, l.d)
				l.checkKept()
				l.tend()
				l.checkKept()
				if i == 9 {
					most = l.countOf("per_link")
				}
			}
			if n := l.countOf("per_link"); n > 2*most {
				t.Fatalf("%d states, after two hours there were %d", n, most)
			}
			// A member that is past its time is gone, and begins anew.
			l.f.logTime += 3 * hour
			apply(t, l.d, l.f.batch("clicks", event{id: "x", key: "new", body: `{"n":1}`}))
			l.age()
			if got := linesOf(t, l.d, boardNow); fmt.Sprint(got) != "[[new 1]]" || l.countOf("board") != 1 {
				t.Fatalf("%v, %d states", got, l.countOf("board"))
			}
			apply(t, l.d, l.f.batch("clicks", event{id: "y", key: "u1", body: `{"n":2}`}))
			if got := linesOf(t, l.d, boardNow); fmt.Sprint(got) != "[[new 1] [u1 2]]" {
				t.Fatal(got)
			}
			l.reopen()
			if got := linesOf(t, l.d, boardNow); fmt.Sprint(got) != "[[new 1] [u1 2]]" {
				t.Fatal(got)
			}
		})
	}
}

// Nothing is deleted, and no more left out, before retention has looked at log time.
func TestKeepWaitsForRetention(t *testing.T) {
	l := newLife(t, 1, nil)
	l.declare(keptViews()...)
	l.tend()
	l.apply(0)
	before := l.countOf("per_link")
	lines := linesOf(t, l.d, perLinkNow)
	l.f.logTime += 10 * hour
	l.apply(0)
	l.tend()
	if now := linesOf(t, l.d, perLinkNow); len(now) <= len(lines) || l.countOf("per_link") <= before {
		t.Fatalf("%d rows, were %d", len(now), len(lines))
	}
	// A view that keeps longer again shows what is still there.
	retain(t, l.d)
	if now := linesOf(t, l.d, perLinkNow); len(now) >= len(lines)+6 {
		t.Fatal(now)
	}
	l.declare(clickViews()...)
	l.tend()
	checkClicks(t, l.d, l.blocks)
}

// A group that has states in a sealed file goes as a whole, once they are brought forward.
func TestKeepOverFiles(t *testing.T) {
	l := newLife(t, 2, nil)
	l.declare(keptViews()...)
	l.tend()
	b := l.f.batch("clicks", event{id: "old", key: "old", body: `{"n":7}`})
	l.blocks = append(l.blocks, b.Blocks...)
	apply(t, l.d, b)
	for range 30 {
		l.apply(0.3)
		retain(t, l.d)
		l.tend()
		if l.f.logTime%hour < 20*60_000_000 {
			l.checkKept()
		}
	}
	if got := linesOf(t, l.d, "SELECT key FROM board WHERE key = 'old'"); len(got) > 0 {
		t.Fatal(got)
	}
	apply(t, l.d, l.f.batch("clicks", event{id: "again", key: "old", body: `{"n":1}`}))
	// It goes on from what it was, or anew, whether or not its states are deleted by now.
	if got := linesOf(t, l.d, "SELECT score FROM board WHERE key = 'old'"); fmt.Sprint(got) != "[[7]]" && fmt.Sprint(got) != "[[1]]" {
		t.Fatal(got)
	}
}

// Members that come and go leave nothing behind, though the rows are kept for ever, and the files that they were counted in.
func TestKeepOfMembersThatGo(t *testing.T) {
	l := newLife(t, 2, func(o *Options) { o.Streams[0].KeepRows = 0 })
	l.declare(keptViews()...)
	l.tend()
	want := map[string]int{}
	for i := range 40 {
		l.f.logTime += 20 * 60_000_000
		var events []event
		for j := range 40 { // each of them is there for an hour
			n := i*10 + j
			events = append(events, event{id: fmt.Sprint(i, "-", j), key: fmt.Sprint("m", n), body: fmt.Sprintf(`{"n":%d}`, i)})
			want[fmt.Sprint("m", n)] = i
		}
		apply(t, l.d, l.f.batch("clicks", events...))
		retain(t, l.d)
		l.tend()
	}
	alive := linesOf(t, l.d, boardNow)
	if len(alive) < 90 || len(alive) > 140 {
		t.Fatalf("%d members", len(alive))
	}
	for _, line := range alive {
		var key string
		var score int
		if _, err := fmt.Sscanf(strings.Trim(line, "[]"), "%s %d", &key, &score); err != nil || want[key] != score {
			t.Fatalf("%s, want %d", line, want[key])
		}
	}
	if n := l.countOf("board"); n > 800 {
		t.Fatalf("%d states of %d members, and %d that went", n, len(alive), len(want)-len(alive))
	}
	l.reopen()
	sameLines(t, "board", linesOf(t, l.d, boardNow), alive)
	if lost := l.d.shards[0].keptModels()[l.d.shownViews.Load().ready["board"].ID].Lost; lost != 0 {
		t.Fatalf("rows up to %d are said to be lost", lost)
	}
}

// A deletion that was done in some shards only is finished before anything else comes.
func TestKeepIsInterrupted(t *testing.T) {
	l := newLife(t, 2, func(o *Options) { o.Streams[0].KeepRows = 0 })
	l.declare(keptViews()...)
	l.tend()
	l.apply(0)
	if len(linesOf(t, l.d, boardNow)) < 10 {
		t.Fatal("few members")
	}
	m := l.d.shownViews.Load().ready["board"]
	gone := l.f.logTime + hour
	// As a process leaves it that is killed between two shards.
	first := l.d.shards[0]
	if err := first.change(t.Context(), m.ID, func(m *model) { m.Dying = gone }); err != nil {
		t.Fatal(err)
	}
	if err := first.conn.exec(t.Context(), "DELETE FROM "+first.newest().table(modelTable(m.ID))); err != nil {
		t.Fatal(err)
	}
	l.reopen()
	if got := linesOf(t, l.d, boardNow); len(got) > 0 {
		t.Fatalf("members with some of their states: %v", got)
	}
	if l.d.shards[0].keptModels()[m.ID].Dying != 0 {
		t.Fatal("it is not done")
	}
}

// sizeOf returns the bytes of a shard's files.
func sizeOf(t *testing.T, d *Database) int64 {
	t.Helper()
	var size int64
	for _, s := range d.shards {
		for _, f := range s.list() {
			for _, path := range withLogs(f.path) {
				if info, err := os.Stat(path); err == nil {
					size += info.Size()
				}
			}
		}
	}
	return size
}

// grouped applies an event for each of so many groups, and lets the shard rest: it makes a checkpoint.
func (l *life) grouped(groups int) {
	l.Helper()
	events := make([]event, groups)
	for i := range events {
		events[i] = event{id: fmt.Sprint(l.random.Int64()), key: fmt.Sprint("user", i), body: fmt.Sprintf(`{"link":"l%d"}`, i), time: l.f.logTime}
	}
	apply(l.T, l.d, l.f.batch("clicks", events...))
}

func newSpacious(t *testing.T) *life {
	t.Helper()
	return newLife(t, 1, func(o *Options) {
		o.Streams[0].KeepRows, o.Period, o.Idle, o.MergeRows, o.FileRows = 0, 1000*time.Hour, 1, 500, 1<<40
	})
}

// Merging the same groups again and again costs no space for good: what is beyond the rows stays as it was after the first merges.
func TestMergesGiveSpaceBack(t *testing.T) {
	with, without := newSpacious(t), newSpacious(t)
	without.declare()
	var first, last int64
	for i := range 50 {
		for _, l := range []*life{with, without} {
			l.grouped(700)
			l.tend()
			retain(t, l.d)
		}
		beyond := sizeOf(t, with.d) - sizeOf(t, without.d)
		if i < 10 {
			first = max(first, beyond)
		}
		if i >= 40 {
			last = max(last, beyond)
		}
	}
	t.Logf("views take %d bytes, and %d after forty more merges", first, last)
	if last > 2*first+1<<20 {
		t.Fatalf("views take %d bytes, and took %d", last, first)
	}
	if n := with.countOf("board"); n > 3*700 {
		t.Fatalf("%d states of 700 members", n)
	}
}

// So do versions that follow each other.
func TestVersionsGiveSpaceBack(t *testing.T) {
	l := newSpacious(t)
	l.grouped(5000)
	l.tend()
	var first, last int64
	for i := range 30 {
		if err := l.d.Rebuild(t.Context(), "board"); err != nil {
			t.Fatal(err)
		}
		l.tend()
		l.grouped(1)
		retain(t, l.d)
		if i == 4 {
			first = sizeOf(t, l.d)
		}
		last = sizeOf(t, l.d)
	}
	t.Logf("%d bytes after five versions, %d after thirty", first, last)
	if last > first*3/2 {
		t.Fatalf("%d bytes after thirty versions, %d after five", last, first)
	}
}
