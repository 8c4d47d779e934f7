package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"penstock"
	"penstock/internal/jsonscan"
)

// readable are the built-in columns that a view can read.
var readable = map[string]penstock.ColumnType{
	"id": penstock.Text, "key": penstock.Text, "time": penstock.Timestamp, "received_at": penstock.Timestamp,
}

// groupNames are names that a group's column cannot have: parameters of the views API, and the column that says when a window begins.
var groupNames = [...]string{"from", "to", "every", "order", "limit", "cursor", "after", "timeout", "member", penstock.TimeColumn}

// field returns what a text names: a column of the stream, what is built in, or a path, whose values are read as loose.
func (r *viewReader) field(text string, loose penstock.ColumnType) (penstock.Field, error) {
	if i := slices.IndexFunc(r.columns, func(c penstock.Column) bool { return c.Name == text }); i >= 0 {
		return penstock.Field{Column: r.columns[i]}, nil
	}
	if kind, ok := readable[text]; ok {
		return penstock.Field{Column: penstock.Column{Name: text, Type: kind}}, nil
	}
	if slices.Contains(builtIn[:], text) {
		return penstock.Field{}, fmt.Errorf("%s cannot be read by views; for a member of that name declare a column with its path", text)
	}
	if lower := strings.ToLower(text); lower != text && r.isColumn(lower) {
		return penstock.Field{}, fmt.Errorf("the column is %s; for a member that is spelled %s declare a column with its path", lower, text)
	}
	path, err := jsonscan.ParsePath(text)
	if err != nil || slices.ContainsFunc(path, isOdd) {
		return penstock.Field{}, fmt.Errorf("%q is neither a column nor a path such as geo.country; for a member whose name has other characters than letters, "+
			"digits and _ declare a column with its path", text)
	}
	return penstock.Field{Column: penstock.Column{Name: path.String(), Type: loose, Path: path.String()}, Loose: true}, nil
}

func (r *viewReader) isColumn(name string) bool {
	_, ok := readable[name]
	return ok || slices.ContainsFunc(r.columns, func(c penstock.Column) bool { return c.Name == name })
}

// isOdd reports whether a name has characters that an expression could mean: price-cost.
func isOdd(name string) bool {
	return strings.ContainsFunc(name, func(c rune) bool {
		return c != '_' && c != '.' && c != '\\' && !unicode.IsLetter(c) && !unicode.IsMark(c) && !unicode.IsDigit(c)
	})
}

// groupField returns a field by which rows are grouped, with the name of its column in the view.
func (r *viewReader) groupField(text string) (penstock.Field, error) {
	f, err := r.field(text, penstock.Text)
	if err != nil {
		return f, err
	}
	if f.Type == penstock.JSON {
		return f, fmt.Errorf("%s is json, in which one value can be written in several ways: declare a column for the part of it that is meant", text)
	}
	if f.Loose {
		path, _ := jsonscan.ParsePath(f.Path) // field has read it
		if f.Name = columnNameOf(path); f.Name == "" {
			return f, fmt.Errorf("no column can have the name of %s: declare one with that path", text)
		}
	}
	return f, nil
}

// group reads the fields by which rows are grouped.
func (r *viewReader) group() {
	if n := len(r.text.Group); n > maxGroup {
		r.note(r.at+".group", "%d fields, at most %d may be", n, maxGroup)
		return
	}
	for i, text := range r.text.Group {
		at := fmt.Sprintf("%s.group[%d]", r.at, i)
		f, err := r.groupField(text)
		if err == nil {
			err = r.groupName(f, text)
		}
		if err != nil {
			r.note(at, "%v", err)
			continue
		}
		r.view.Group = append(r.view.Group, f)
	}
}

// groupName checks the name of a group's column, which text has led to.
func (r *viewReader) groupName(f penstock.Field, text string) error {
	switch name := f.Name; {
	case name == penstock.TimeColumn:
		return errors.New("time says when a window begins: window: 1h groups by time")
	case slices.Contains(groupNames[:], name):
		return fmt.Errorf("%s is a parameter of the views API: declare a column of another name with the path %s", name, cmp.Or(f.Path, text))
	case slices.ContainsFunc(r.view.Group, func(f penstock.Field) bool { return f.Name == name }):
		return fmt.Errorf("the column %s is there twice", name)
	}
	return nil
}

// member returns who is ranked.
func (r *viewReader) member(text string) (penstock.Field, error) {
	f, err := r.groupField(text)
	if err != nil || f.Name == "member" {
		return f, err
	}
	if f.Name == scoreColumn {
		return f, fmt.Errorf("%s is what the score's column is called: declare a column of another name with that path", text)
	}
	return f, r.groupName(f, text)
}

// lookalikes returns the paths of views that differ from a column by a slip of the pen.
func (c *Config) lookalikes() []string {
	var all []string
	for _, v := range c.views() {
		var names []string
		for _, column := range streamOf(v.Stream, c.Streams[v.Stream]).Columns {
			names = append(names, column.Name)
		}
		fields := slices.Clone(v.Group)
		for _, m := range v.Measures {
			fields = append(fields, m.Of)
		}
		for _, f := range fields {
			near := didYouMean(f.Path, names)
			text := fmt.Sprintf("views.%s: %s is no column of %s, so it is read as a path%s", v.Name, f.Path, v.Stream, near)
			if f.Loose && near != "" && !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
	}
	return all
}
