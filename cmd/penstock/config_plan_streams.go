package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"penstock"
)

// streams compares the streams of the file with those that are there. A key_field may change while a stream is empty.
func (pl *plan) streams(present []penstock.Stream, empty map[string]bool) {
	byName := func(list []penstock.Stream, name string) int {
		return slices.IndexFunc(list, func(s penstock.Stream) bool { return s.Name == name })
	}
	wanted := pl.file.streams()
	for _, s := range wanted {
		at := "streams." + s.Name
		if i := byName(present, s.Name); i >= 0 {
			pl.stream(at, present[i], s, empty[s.Name])
		} else {
			pl.note(at, atOnce, "a new stream")
		}
	}
	for _, s := range present {
		if byName(wanted, s.Name) < 0 {
			pl.note("streams."+s.Name, atOnce,
				"removed: serve answers 404 unknown_stream, what was accepted is still stored, its table stays readable")
		}
	}
}

// stream compares a stream with what it would become.
func (pl *plan) stream(at string, was, is penstock.Stream, empty bool) {
	if a, b := cmp.Or(was.KeyField, "key"), cmp.Or(is.KeyField, "key"); a != b {
		if empty {
			pl.note(at+".key_field", atOnce, "%s (was %s); the stream is empty", b, a)
		} else {
			pl.note(at+".key_field", refused, "it is %s, by which events are spread: make a new stream", a)
		}
	}
	if a, b := cmp.Or(was.IDField, "id"), cmp.Or(is.IDField, "id"); a != b {
		pl.note(at+".id_field", atOnce, "%s (was %s): the window of repeated ids starts anew, an event that is sent before and after may count twice", b, a)
	}
	if a, b := cmp.Or(was.TimeField, "time"), cmp.Or(is.TimeField, "time"); a != b {
		pl.note(at+".time_field", atOnce, "%s (was %s), for events from then on", b, a)
	}
	if was.KeepRows != is.KeepRows {
		pl.keepRows(at+".keep_rows", was.KeepRows, is.KeepRows)
	}
	if a, b := cmp.Or(was.Durability, penstock.DurabilityDisk), cmp.Or(is.Durability, penstock.DurabilityDisk); a != b {
		what := "answers promise the disk again"
		if b == penstock.DurabilityMemory {
			what = `answers become 200 with "durable":false; what is in memory is lost with the process`
		}
		pl.note(at+".durability", atOnce, "%s (was %s): %s", b, a, what)
	}
	if was.Dedup != is.Dedup {
		pl.dedup(at+".dedup", was.Dedup, is.Dedup)
	}
	if a, b := poisonText(was.HaltKey), poisonText(is.HaltKey); a != b {
		pl.note(at+".on_poison", atOnce, "%s (was %s)", b, a)
	}
	pl.columns(at+".columns.", was.Columns, is.Columns)
}

func (pl *plan) dedup(at string, was, is penstock.Dedup) {
	what := ""
	switch {
	case !is.On():
		what = ": repeats become rows from then on"
	case was.On() && (is.Window < was.Window || is.MaxIDs < was.MaxIDs):
		what = ": older ids are forgotten"
	}
	pl.note(at, atOnce, "%s (was %s)%s", dedupText(is), dedupText(was), what)
}

// dedupText spells a window as files do.
func dedupText(d penstock.Dedup) string {
	if !d.On() {
		return "off"
	}
	return fmt.Sprintf("{window: %s, max_ids: %s}", Duration(d.Window), Count(d.MaxIDs))
}

func poisonText(halts bool) string {
	if halts {
		return haltKey
	}
	return skipPoison
}

func (pl *plan) keepRows(at string, was, is time.Duration) {
	if is > 0 && (was == 0 || is < was) {
		pl.note(at, atOnce, "%s (was %s): older rows are removed", keepText(is), keepText(was))
		return
	}
	pl.note(at, atOnce, "%s (was %s)", keepText(is), keepText(was))
}

func keepText(d time.Duration) string {
	if d == 0 {
		return "for ever"
	}
	return Duration(d).String()
}

func (pl *plan) columns(at string, was, is []penstock.Column) {
	find := func(list []penstock.Column, name string) *penstock.Column {
		if i := slices.IndexFunc(list, func(c penstock.Column) bool { return c.Name == name }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	for _, c := range is {
		old := find(was, c.Name)
		switch {
		case old == nil:
			pl.note(at+c.Name, atOnce, "a new column, %s; NULL in the rows that are there", typeText(c))
		case typeText(*old) != typeText(c):
			pl.note(at+c.Name, refused, "%s, and it is %s: make a new stream", typeText(c), typeText(*old))
		case old.Path != c.Path:
			pl.note(at+c.Name, atOnce, "read from %s (was %s), for events from then on", c.Path, old.Path)
		}
	}
	for _, c := range was {
		if find(is, c.Name) == nil {
			pl.note(at+c.Name, atOnce, "hidden: its values stay in the rows and in data")
		}
	}
}
