package main

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"penstock"
	"penstock/internal/predicate"
)

// The bounds of views.
const (
	maxViews    = 1000
	maxGroup    = 16 // fields that rows are grouped by
	maxMeasures = 64
	minWindow   = Duration(time.Second)
	minRepair   = Duration(time.Minute)
	day         = Duration(24 * time.Hour)
)

// views returns the configured views in the order of their names, as the parts know them, if Validate has passed them.
func (c *Config) views() []penstock.View {
	all := make([]penstock.View, 0, len(c.Views))
	for _, name := range slices.Sorted(maps.Keys(c.Views)) {
		all = append(all, c.view(name, nil))
	}
	return all
}

// view converts an entry, and tells k, if that is not nil, everything that is wrong with it.
func (c *Config) view(name string, k *checker) penstock.View {
	v := c.Views[name]
	r := viewReader{at: "views." + name, text: v, checker: k, isSure: true}
	_, r.hasWindow = c.sources[r.at+".window"]
	_, r.isBoard = c.sources[r.at+".leaderboard"]
	s, configured := c.Streams[v.Stream]
	for column, spec := range s.Columns {
		if _, err := columnOf(column, spec); err != nil {
			r.isSure = false
		}
	}
	r.columns = streamOf(v.Stream, s).Columns
	if !configured {
		r.isSure = false
		r.unknownStream(slices.Sorted(maps.Keys(c.Streams)))
	}
	r.view = penstock.View{
		Name: name, Stream: v.Stream, Keep: time.Duration(v.Keep), Repair: time.Duration(v.Repair), FromNow: v.From == fromNow,
	}
	r.read()
	return r.view
}

// viewReader turns the entry of a view into what the parts know.
type viewReader struct {
	at      string // the path of the entry
	text    ViewConfig
	columns []penstock.Column // of the stream
	isSure  bool              // columns are all that the stream has
	checker *checker          // that is told of mistakes; nil: none is
	view    penstock.View

	hasWindow, isBoard bool // what the entry names, be it empty
}

func (r *viewReader) note(path, format string, args ...any) {
	if r.checker != nil {
		r.checker.note(path, format, args...)
	}
}

// missing notes that a setting is not there, unless the mapping that it belongs to has a mistake already: its name may be misspelled.
func (r *viewReader) missing(mapping, setting, what string) {
	if r.checker != nil && !r.checker.isKnown(mapping) {
		r.note(join(mapping, setting), "%s", what)
	}
}

func (r *viewReader) unknownStream(known []string) {
	if r.text.Stream == "" {
		r.missing(r.at, "stream", "a stream is missing: the view counts its rows")
		return
	}
	r.note(r.at+".stream", "there is no stream %q under streams%s", r.text.Stream, didYouMean(r.text.Stream, known))
}

func (r *viewReader) read() {
	r.where()
	if r.isBoard || r.text.Leaderboard != (LeaderboardConfig{}) {
		r.leaderboard()
	} else {
		r.group()
		r.window()
		r.measures()
	}
	if k := r.text.Keep; k < 0 || k > 0 && k < max(minWindow, r.text.Window) {
		r.note(r.at+".keep", "%s: want at least %s, or 0, for ever", k, max(minWindow, r.text.Window))
	}
	if p := r.text.Repair; p != 0 && p < minRepair {
		r.note(r.at+".repair", "%s: want at least %s, or 0, only when asked", p, minRepair)
	}
	if from := r.text.From; from != fromStart && from != fromNow {
		r.note(r.at+".from", "%q is not %s or %s", from, fromStart, fromNow)
	}
}

// where reads the condition. While a column is not known what it says of one cannot be judged.
func (r *viewReader) where() {
	if r.text.Where == "" || !r.isSure {
		return
	}
	p, err := predicate.Parse(r.text.Where, r.columns)
	if err == nil {
		r.view.Where = p.String()
		return
	}
	var m *predicate.Mistake
	if !errors.As(err, &m) {
		r.note(r.at+".where", "%v", cause(err))
		return
	}
	line, column := placeIn(r.text.Where, m.Offset)
	if line == 1 && !strings.Contains(strings.TrimRight(r.text.Where, "\n"), "\n") {
		r.note(r.at+".where", "at column %d: %s", column, m.Message)
		return
	}
	r.note(r.at+".where", "at line %d, column %d of the condition: %s", line, column, m.Message)
}

// placeIn returns the line and the column of a byte, from 1; columns are characters.
func placeIn(text string, offset int) (line, column int) {
	before := text[:min(max(offset, 0), len(text))]
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
}

func (r *viewReader) window() {
	w := r.text.Window
	if w == 0 && !r.hasWindow {
		return
	}
	if w < minWindow || day%w != 0 && w%day != 0 || w%Duration(time.Microsecond) != 0 {
		r.note(r.at+".window", "%s: want at least %s, a part of a day such as 1m, 15m or 1h, or whole days", w, minWindow)
	}
	r.view.Window = time.Duration(w)
}

// leaderboard reads what stands in place of group, window and measures.
func (r *viewReader) leaderboard() {
	at := r.at + ".leaderboard"
	for _, other := range []struct {
		key   string
		named bool
	}{{"group", len(r.text.Group) > 0}, {"window", r.hasWindow}, {"measures", len(r.text.Measures) > 0}} {
		if other.named {
			r.note(r.at+"."+other.key, "a leaderboard has none: make another view for it")
		}
	}
	r.view.Board = true
	if r.text.Leaderboard.Member == "" {
		r.missing(at, "member", "a member is missing: the column or path that says who is ranked")
	} else if f, err := r.member(r.text.Leaderboard.Member); err != nil {
		r.note(at+".member", "%v", err)
	} else {
		r.view.Group = []penstock.Field{f}
	}
	if r.text.Leaderboard.Score == "" {
		r.missing(at, "score", "a score is missing: "+scoreForms)
	} else if m, err := r.score(r.text.Leaderboard.Score); err != nil {
		r.note(at+".score", "%v", err)
	} else {
		r.view.Measures = []penstock.Measure{m}
	}
}

// views checks all views.
func (k *checker) views() {
	if n := len(k.c.Views); n > maxViews {
		k.note("views", "%d views, at most %d may be", n, maxViews)
	}
	for _, name := range slices.Sorted(maps.Keys(k.c.Views)) {
		at := "views." + name
		if err := penstock.CheckStreamName(name); err != nil {
			k.note(at, "%s", strings.Replace(cause(err).Error(), "a stream's name", "a view's name", 1))
		}
		if _, taken := k.c.Streams[name]; taken {
			k.note(at, "a stream has this name: both would be the table %s", name)
		}
		k.c.view(name, k)
	}
}
