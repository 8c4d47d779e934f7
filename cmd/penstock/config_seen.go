package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"

	"penstock"
	"penstock/client"
	"penstock/internal/jsonscan"
)

// The bounds of looking into the events of a stream.
const (
	maxLooked = 100_000 // events
	maxSeen   = 60      // columns
	maxNested = 4       // members within members
)

// seen is what the events of a stream have as members.
type seen struct {
	events  int64 // that were looked at
	columns []penstock.Column
}

// lookInto asks a server for the members of a stream's events that could be columns: those that have one type of plain value wherever
// they are there. A stream that declares columns needs no such advice.
func lookInto(ctx context.Context, c *client.Client, s penstock.Stream) (seen, error) {
	if len(s.Columns) > 0 {
		return seen{}, nil
	}
	rows, err := c.Query(ctx, client.Query{
		SQL: fmt.Sprintf(`select count(*), json_group_structure(data) from (select data from "%s" limit %d)`, s.Name, maxLooked),
	})
	if err != nil {
		return seen{}, err
	}
	defer rows.Close()
	row, err := rows.NextRaw()
	if errors.Is(err, io.EOF) || err == nil && len(row) != 2 {
		err = penstock.Errorf(penstock.Unknown, "look into events", "the answer is not what was asked for")
	}
	if err != nil {
		return seen{}, err
	}
	var found seen
	var structure any
	if err := errors.Join(json.Unmarshal(row[0], &found.events), json.Unmarshal(row[1], &structure)); err != nil {
		return seen{}, penstock.Wrap(penstock.Unknown, "look into events", err)
	}
	g := gathering{taken: map[string]bool{}, read: map[string]bool{}}
	for _, path := range []string{cmp.Or(s.IDField, "id"), cmp.Or(s.KeyField, "key"), cmp.Or(s.TimeField, "time")} {
		g.read[path] = true // these are columns anyway
	}
	for _, renamed := range []bool{false, true} { // a member whose name is a column's goes before one whose name becomes it
		object, _ := structure.(map[string]any) // of events without members it is none
		g.members(nil, object, renamed)
	}
	slices.SortFunc(g.columns, func(a, b penstock.Column) int { return cmp.Compare(a.Name, b.Name) })
	found.columns = g.columns
	return found, nil
}

// gathering turns the structure of events into columns.
type gathering struct {
	columns []penstock.Column
	taken   map[string]bool // names
	read    map[string]bool // paths that are columns already
}

// seenTypes are the database's words for what values were, and the types of column that take all such values.
var seenTypes = map[string]penstock.ColumnType{
	"VARCHAR": penstock.Text, "BOOLEAN": penstock.Boolean, "DOUBLE": penstock.Double,
	"UBIGINT": penstock.Bigint, "BIGINT": penstock.Bigint, "HUGEINT": penstock.Bigint,
}

// members adds the members of an object in the order of their names: those whose names are columns', or those that have to be renamed.
func (g *gathering) members(at jsonscan.Path, object map[string]any, renamed bool) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		path := append(slices.Clone(at), name)
		switch value := object[name].(type) {
		case map[string]any:
			if len(path) < maxNested {
				g.members(path, value, renamed)
			}
		case string:
			if name := columnNameOf(path); (name != path.String()) == renamed {
				g.add(path, name, seenTypes[value])
			}
		}
	}
}

func (g *gathering) add(path jsonscan.Path, name string, kind penstock.ColumnType) {
	text := path.String()
	if kind == "" || name == "" || g.taken[name] || g.read[text] || len(g.columns) == maxSeen {
		return
	}
	g.taken[name] = true
	g.columns = append(g.columns, penstock.Column{Name: name, Type: kind, Path: text})
}

// columnNameOf spells a path as the name of a column: userId is user_id. It returns "" if there is no such name.
func columnNameOf(path jsonscan.Path) string {
	var name strings.Builder
	before := '_'
	for _, c := range strings.Join(path, "_") {
		switch {
		case !unicode.IsPrint(c):
			return ""
		case c >= 'A' && c <= 'Z':
			if before >= 'a' && before <= 'z' || before >= '0' && before <= '9' {
				name.WriteByte('_')
			}
			name.WriteRune(unicode.ToLower(c))
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			name.WriteRune(c)
		default:
			name.WriteByte('_')
		}
		before = c
	}
	if text := name.String(); columnName.MatchString(text) && !slices.Contains(builtIn[:], text) {
		return text
	}
	return ""
}
