package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// source says where a setting came from.
type source struct {
	name string // a file, a variable or a flag; "" for a default
	line int    // within a file
}

// String returns "file:line", the variable or the flag.
func (s source) String() string {
	switch {
	case s.name == "":
		return "default"
	case s.line == 0:
		return s.name
	}
	return fmt.Sprintf("%s:%d", s.name, s.line)
}

// mistake is one thing that is wrong with a configuration.
type mistake struct {
	source source
	path   string // of the setting, such as streams.clicks.keep_rows
	what   string
}

// String returns "source: setting: what", on one line.
func (m mistake) String() string {
	if m.path == "" {
		return m.source.String() + ": " + m.what
	}
	return m.source.String() + ": " + m.path + ": " + m.what
}

// mistakes is the error of a configuration: everything that is wrong with it, a line each.
type mistakes []mistake

// Error returns the mistakes in the order of their lines.
func (ms mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms.sorted() {
		lines[i] = m.String()
	}
	return strings.Join(lines, "\n")
}

// sorted returns the mistakes in the order of their lines.
func (ms mistakes) sorted() mistakes {
	sorted := slices.Clone(ms)
	slices.SortStableFunc(sorted, func(a, b mistake) int {
		return cmp.Or(cmp.Compare(a.source.name, b.source.name), cmp.Compare(a.source.line, b.source.line), cmp.Compare(a.path, b.path))
	})
	return sorted
}

// err returns nil if there is no mistake.
func (ms mistakes) err() error {
	if len(ms) == 0 {
		return nil
	}
	return ms
}

// errShape is the error of a value of the wrong kind.
func errShape(want string) error { return fmt.Errorf("want %s", want) }

// didYouMean returns `; did you mean "word"?` with the nearest of words, or "" if none is near.
func didYouMean(typed string, words []string) string {
	best, distance := "", min(3, len(typed)/2+1)
	for _, w := range words {
		if d := editDistance(typed, w); d < distance {
			best, distance = w, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// editDistance counts the insertions, deletions and replacements that turn a into b (Levenshtein 1966).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
