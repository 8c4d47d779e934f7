package embedded

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock"
)

// click is an event as clickViews sees it.
type click struct {
	Link *string `json:"link"`
	N    *int64  `json:"n"`
	key  string
	at   penstock.Micros
	log  penstock.Micros

	partition penstock.Partition
}

// clicksOf returns what is in batches, whether or not it is still stored.
func clicksOf(t *testing.T, blocks []*penstock.Block) []click {
	t.Helper()
	var all []click
	for _, b := range blocks {
		for r := range b.Records() {
			c := click{key: string(r.Key), at: r.Time, log: r.LogTime, partition: r.Partition}
			if err := json.Unmarshal(r.Body, &c); err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
	}
	return all
}

// perLink and board are what two of clickViews say of clicks.
func perLink(all []click) []string {
	type group struct {
		time penstock.Micros
		link string
	}
	count, sum := map[group]int64{}, map[group]*int64{}
	for _, c := range all {
		g := group{c.at / 60_000_000 * 60_000_000, "<nil>"}
		if c.Link != nil {
			g.link = *c.Link
		}
		count[g]++
		if c.N != nil {
			if sum[g] == nil {
				sum[g] = new(int64)
			}
			*sum[g] += *c.N
		}
	}
	lines := make([]string, 0, len(count))
	for g, n := range count {
		total := "<nil>"
		if sum[g] != nil {
			total = fmt.Sprint(*sum[g])
		}
		lines = append(lines, fmt.Sprintf("[%d %s %d %s]", g.time, g.link, n, total))
	}
	slices.Sort(lines)
	return lines
}

func board(all []click) []string {
	best := map[string]string{}
	highest := map[string]int64{}
	for _, c := range all {
		if _, ok := best[c.key]; !ok {
			best[c.key] = "<nil>"
		}
		if c.N != nil && (best[c.key] == "<nil>" || *c.N > highest[c.key]) {
			highest[c.key], best[c.key] = *c.N, fmt.Sprint(*c.N)
		}
	}
	lines := make([]string, 0, len(best))
	for key, n := range best {
		lines = append(lines, fmt.Sprintf("[%s %s]", key, n))
	}
	slices.Sort(lines)
	return lines
}

// linesOf returns the rows of a statement, sorted.
func linesOf(t *testing.T, d *Database, statement string) []string {
	t.Helper()
	lines := []string{}
	for _, row := range internalRows(t, d, statement) {
		lines = append(lines, fmt.Sprint(row))
	}
	slices.Sort(lines)
	return lines
}

const (
	perLinkNow = "SELECT epoch_us(time), link, clicks, total FROM per_link"
	boardNow   = "SELECT key, score FROM board"
)

func sameLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	more := slices.DeleteFunc(slices.Clone(got), func(line string) bool { return slices.Contains(want, line) })
	less := slices.DeleteFunc(slices.Clone(want), func(line string) bool { return slices.Contains(got, line) })
	t.Fatalf("%s: %d lines, want %d; it has\n%.1500s\nit lacks\n%.1500s", what, len(got), len(want), strings.Join(more, "\n"), strings.Join(less, "\n"))
}

// checkClicks checks the views against all that was ever applied.
func checkClicks(t *testing.T, d *Database, blocks []*penstock.Block) {
	t.Helper()
	all := clicksOf(t, blocks)
	sameLines(t, "per_link", linesOf(t, d, perLinkNow), perLink(all))
	sameLines(t, "board", linesOf(t, d, boardNow), board(all))
	if got, want := fmt.Sprint(internalRows(t, d, "SELECT clicks FROM everything")), len(slices.DeleteFunc(all, func(c click) bool { return c.N == nil || *c.N <= 50 })); got != fmt.Sprintf("[[%d]]", want) {
		t.Fatalf("everything: %s, want %d", got, want)
	}
}

// life is a database with views whose rows expire after three hours, in files of an hour.
type life struct {
	*testing.T
	d      *Database
	f      *feeder
	random *rand.Rand
	blocks []*penstock.Block
}

func newLife(t *testing.T, shards int, change func(*Options)) *life {
	t.Helper()
	o := clickOptions(shards)
	o.FileRows, o.Period, o.Streams[0].KeepRows, o.Idle = 0, time.Hour, 3*time.Hour, time.Hour
	if change != nil {
		change(&o)
	}
	l := &life{T: t, d: openDatabase(t, t.TempDir(), o), f: newFeeder(o.Cluster), random: rand.New(rand.NewPCG(uint64(shards), 2))}
	l.declare(clickViews()...)
	return l
}

func (l *life) declare(views ...penstock.View) {
	l.Helper()
	if err := l.d.DeclareViews(l.Context(), views); err != nil {
		l.Fatal(err)
	}
}

func (l *life) apply(hours float64) {
	l.Helper()
	l.f.logTime += penstock.Micros(hours * float64(hour))
	b := someClicks(l.f, l.random, 60)
	l.blocks = append(l.blocks, b.Blocks...)
	apply(l.T, l.d, b)
}

func (l *life) tend() { l.Helper(); tend(l.T, l.d) }

// age lets rows expire: files are removed when what views need of them is brought forward.
func (l *life) age() {
	l.Helper()
	retain(l.T, l.d)
	l.tend()
	retain(l.T, l.d)
}

// reopen opens a copy as a process would that comes after one that was killed now, in place of the database.
func (l *life) reopen() {
	l.Helper()
	dir := filepath.Join(l.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(l.d.dir)); err != nil {
		l.Fatal(err)
	}
	o := l.d.o
	o.Streams = nil
	if err := l.d.Close(); err != nil {
		l.Fatal(err)
	}
	l.d = openDatabase(l.T, dir, o)
}

// What was counted stays counted when its rows go, whenever the process ends.
func TestViewsOutliveRows(t *testing.T) {
	for _, shards := range []int{1, 2} {
		t.Run(fmt.Sprint(shards), func(t *testing.T) {
			l := newLife(t, shards, nil)
			l.tend()
			for i := range 36 {
				l.apply(0.3)
				if i%4 == 3 {
					l.age()
					checkClicks(t, l.d, l.blocks)
				}
			}
			if numbers := numbersOf(t, l.d, 0); numbers[0] < 5 {
				t.Fatalf("files %v are there still", numbers)
			}
			l.apply(1.5)
			retain(t, l.d)
			for _, s := range l.d.shards { // as far as a process may come that is killed
				for took := true; took; {
					var err error
					if took, err = s.takeStates(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			checkClicks(t, l.d, l.blocks)
			l.reopen()
			checkClicks(t, l.d, l.blocks)
			l.age()
			checkClicks(t, l.d, l.blocks)
			l.reopen()
			checkClicks(t, l.d, l.blocks)
			l.apply(0)
			l.tend()
			checkClicks(t, l.d, l.blocks)
		})
	}
}

// A file that holds what rows came to that are gone is missed: the log cannot bring that again.
func TestViewsMissTheirFile(t *testing.T) {
	l := newLife(t, 1, nil)
	l.tend()
	for range 12 {
		l.apply(0.5)
	}
	l.age()
	l.apply(1) // a file behind the one that holds it
	m, err := readManifest(l.d.shards[0].dir)
	if err != nil || len(m.States) != 1 {
		t.Fatalf("%+v %v", m, err)
	}
	path := filePath(l.d.shards[0].dir, m.States[0])
	o := l.d.o
	if err := l.d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), l.d.dir, o); !penstock.Is(err, penstock.Conflict) || !strings.Contains(err.Error(), "what views counted in file") {
		t.Fatal(err)
	}
	o.AcceptGap = true
	l.d = openDatabase(t, l.d.dir, o)
	l.declare(clickViews()...)
	l.tend()
	recount(t, l.d)
}

// A rebuild recounts what it can and takes over the rest, while batches come, files begin and rows expire.
func TestRebuild(t *testing.T) {
	for _, shards := range []int{1, 2} {
		t.Run(fmt.Sprint(shards), func(t *testing.T) {
			l := newLife(t, shards, nil)
			for i := range 20 {
				l.apply(0.3)
				if i%5 == 4 {
					l.age()
				}
			}
			checkClicks(t, l.d, l.blocks)
			for round := range 3 {
				for _, v := range clickViews() {
					if err := l.d.Rebuild(t.Context(), v.Name); err != nil {
						t.Fatal(err)
					}
					if err := l.d.Rebuild(t.Context(), v.Name); !penstock.Is(err, penstock.Conflict) {
						t.Fatalf("twice at once: %v", err)
					}
				}
				for more, i := true, 0; more; i++ {
					if i < 8 {
						l.apply(0.25)
					}
					checkClicks(t, l.d, l.blocks)
					if i%2 == round%2 {
						retain(t, l.d)
					}
					if i == 1 && round == 1 {
						l.reopen()
					}
					var err error
					if more, err = l.d.Tend(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				checkClicks(t, l.d, l.blocks)
				states, err := l.d.ViewStates(t.Context())
				if err != nil || len(states) != 3 || states[0].Version != round+2 || states[0].Rebuilds || states[0].Rows == 0 {
					t.Fatalf("%+v %v", states, err)
				}
			}
			l.reopen()
			l.age()
			checkClicks(t, l.d, l.blocks)
		})
	}
}

// What differs from the rows is right again after a rebuild where all rows are stored; what reaches back stays as it is.
func TestRebuildMends(t *testing.T) {
	l := newLife(t, 1, nil)
	for range 20 {
		l.apply(0.3)
	}
	l.age()
	s := l.d.shards[0]
	m := l.d.shownViews.Load().ready["per_link"]
	// What it says of each group, window and partition is one too many.
	keys := strings.Join(m.keys(), ", ")
	if err := s.conn.exec(t.Context(), "INSERT INTO "+s.newest().table(modelTable(m.ID))+" (_level, _since, _changed, m0, "+keys+
		") SELECT 0, max(_since), max(_changed), 1, "+keys+" FROM "+l.d.from(m)+" GROUP BY "+keys); err != nil {
		t.Fatal(err)
	}
	if err := l.d.Rebuild(t.Context(), "per_link"); err != nil {
		t.Fatal(err)
	}
	l.tend()
	m = l.d.shownViews.Load().ready["per_link"]
	before := max(m.Lost+1, m.Unseen)
	if m.Lost == 0 || m.Version != 2 {
		t.Fatalf("%+v", m)
	}
	type group struct {
		at        penstock.Micros
		link      string
		partition penstock.Partition
	}
	since, rows := map[group]penstock.Micros{}, map[string]int{}
	for _, c := range clicksOf(t, l.blocks) {
		g := group{c.at / 60_000_000 * 60_000_000, "<nil>", c.partition}
		if c.Link != nil {
			g.link = *c.Link
		}
		if old, ok := since[g]; !ok || c.log < old {
			since[g] = c.log
		}
		rows[fmt.Sprint(g.at, " ", g.link)]++
	}
	taken := 0
	for g, at := range since {
		if at < before {
			rows[fmt.Sprint(g.at, " ", g.link)]++
			taken++
		}
	}
	var want []string
	for g, n := range rows {
		want = append(want, fmt.Sprintf("[%s %d]", g, n))
	}
	slices.Sort(want)
	sameLines(t, "per_link", linesOf(t, l.d, "SELECT epoch_us(time), link, clicks FROM per_link"), want)
	if taken == 0 || taken == len(since) {
		t.Fatalf("%d of %d are taken over", taken, len(since))
	}
}

// A view that began empty is rebuilt from where it began.
func TestRebuildFromNow(t *testing.T) {
	l := newLife(t, 2, nil)
	l.apply(0.5)
	late := clickViews()[0]
	late.Name, late.FromNow = "late", true
	l.declare(append(clickViews(), late)...)
	l.tend()
	from := len(l.blocks)
	for range 4 {
		l.apply(0.5)
	}
	want := perLink(clicksOf(t, l.blocks[from:]))
	for range 2 {
		sameLines(t, "late", linesOf(t, l.d, strings.Replace(perLinkNow, "per_link", "late", 1)), want)
		if err := l.d.Rebuild(t.Context(), "late"); err != nil {
			t.Fatal(err)
		}
		l.tend()
	}
}

// A rebuild of what is not there, or not yet.
func TestRebuildRefuses(t *testing.T) {
	l := newLife(t, 1, nil)
	if err := l.d.Rebuild(t.Context(), "nothing"); !penstock.Is(err, penstock.NotFound) || reasonOf(err) != "unknown_view" {
		t.Fatal(err)
	}
	l.apply(0)
	other := clickViews()[0]
	other.Name = "other"
	l.declare(other)
	if err := l.d.Rebuild(t.Context(), "other"); !penstock.Is(err, penstock.Unavailable) || reasonOf(err) != "view_building" {
		t.Fatal(err)
	}
}

// Files that cannot be read come again from the log, and what views counted of their rows with them: once, whatever was being built.
func TestViewsAfterDamage(t *testing.T) {
	for _, stage := range []string{"built", "building", "rebuilding", "replaced"} {
		for back := range 3 {
			t.Run(fmt.Sprint(stage, " ", back), func(t *testing.T) {
				l := newLife(t, 1, func(o *Options) { o.Streams[0].KeepRows, o.FileRows = 0, 150 })
				if stage == "building" {
					l.declare()
				}
				for range 8 {
					l.apply(0.05)
				}
				if stage == "building" {
					l.declare(clickViews()...)
				}
				for i := range 8 {
					l.apply(0.05)
					if i == 2 && (stage == "rebuilding" || stage == "replaced") {
						l.tend()
						if err := l.d.Rebuild(t.Context(), "board"); err != nil {
							t.Fatal(err)
						}
					}
					if i%4 == 1 || stage == "replaced" {
						if _, err := l.d.Tend(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
				}
				files := numbersOf(t, l.d, 0)
				path := filePath(l.d.shards[0].dir, files[len(files)-1-back])
				o, dir := l.d.o, l.d.dir
				if err := l.d.Close(); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte("nothing"), 0o600); err != nil {
					t.Fatal(err)
				}
				l.d = openDatabase(t, dir, o)
				if at := positionsOf(t, l.d); at.Reached(l.f.next) {
					t.Fatal("nothing is lost")
				}
				l.declare(clickViews()...)
				if back == 1 {
					l.tend()
				}
				apply(t, l.d, penstock.Batch{From: positionsOf(t, l.d), Next: l.f.next.Clone(), Blocks: l.blocks})
				l.tend()
				checkClicks(t, l.d, l.blocks)
				recount(t, l.d)
			})
		}
	}
}
