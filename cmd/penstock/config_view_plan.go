package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"penstock"
	"penstock/internal/predicate"
)

// views compares the views of the file with those of another.
func (pl *plan) views(present *Config) {
	was, is := viewsOf(present), viewsOf(pl.file)
	for _, name := range slices.Sorted(maps.Keys(is)) {
		at, next := "views."+name, is[name]
		before, ok := was[name]
		switch {
		case !ok && next.FromNow:
			pl.note(at, atOnce, "a new view, of %s: it counts what comes from then on", next.Stream)
		case !ok:
			pl.note(at, atOnce, "a new view, of %s: it first counts what is stored", next.Stream)
		default:
			pl.view(at, before, next)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if _, ok := is[name]; !ok {
			pl.note("views."+name, atOnce, "removed, with what it counted")
		}
	}
}

// definedView is a view with what its condition reads: a path that has been declared since is another field.
type definedView struct {
	penstock.View
	reads []predicate.Operand
}

func viewsOf(c *Config) map[string]definedView {
	all := map[string]definedView{}
	for _, v := range c.views() {
		d := definedView{View: v}
		if p, err := predicate.Parse(v.Where, streamOf(v.Stream, c.Streams[v.Stream]).Columns); err == nil {
			d.reads = p.Operands()
			for i := range d.reads {
				d.reads[i].At = 0
			}
		}
		all[v.Name] = d
	}
	return all
}

// view compares a view with what it would become.
func (pl *plan) view(at string, was, is definedView) {
	if parts := differingParts(was, is); len(parts) > 0 {
		pl.note(at, atOnce, "%s: a new version, which is built beside the old one", strings.Join(parts, ", "))
	}
	if was.Keep != is.Keep {
		what := ""
		if is.Keep > 0 && (was.Keep == 0 || is.Keep < was.Keep) {
			what = ": what is older is removed"
		}
		pl.note(at+".keep", atOnce, "%s (was %s)%s", keepText(is.Keep), keepText(was.Keep), what)
	}
	if was.Repair != is.Repair {
		pl.note(at+".repair", atOnce, "%s (was %s)", repairText(is.Repair), repairText(was.Repair))
	}
	if was.FromNow != is.FromNow {
		pl.note(at+".from", atOnce, "of no effect: the view is there")
	}
}

// differingParts names what makes another view of it.
func differingParts(was, is definedView) []string {
	var parts []string
	for _, part := range []struct {
		name    string
		a, b    any
		present bool
	}{
		{"stream", was.Stream, is.Stream, true},
		{"where", []any{was.Where, was.reads}, []any{is.Where, is.reads}, true},
		{"leaderboard", was.Board, is.Board, was.Board != is.Board},
		{"leaderboard", []any{was.Group, was.Measures}, []any{is.Group, is.Measures}, was.Board && is.Board},
		{"group", was.Group, is.Group, !was.Board && !is.Board},
		{"window", was.Window, is.Window, !was.Board && !is.Board},
		{"measures", was.Measures, is.Measures, !was.Board && !is.Board},
	} {
		if part.present && !reflect.DeepEqual(part.a, part.b) {
			parts = append(parts, part.name)
		}
	}
	return parts
}

func repairText(d time.Duration) string {
	if d == 0 {
		return "only when asked"
	}
	return fmt.Sprintf("every %s", Duration(d))
}
