package main

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// expander replaces ${VARIABLE}, ${VARIABLE:default} and ${file:/path} within a value; $${ stands for ${ itself.
// It works on values that were parsed already, so that what it inserts is never read as YAML.
type expander struct {
	env   func(string) (string, bool)
	files *[]insertedFile // every file that was read
}

// insertedFile is a file whose contents became part of a value.
type insertedFile struct {
	path string
	mode fs.FileMode
	text string
}

func (x expander) expand(text string) (string, error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		if escaped, ok := strings.CutSuffix(before, "$"); found && ok {
			out.WriteString(escaped + "${")
			text = rest
			continue
		}
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", fmt.Errorf("${%s has no closing brace", name)
		}
		value, err := x.lookup(name)
		if err != nil {
			return "", err
		}
		out.WriteString(value)
		text = after
	}
}

// lookup returns what stands for the words between the braces.
func (x expander) lookup(name string) (string, error) {
	if path, ok := strings.CutPrefix(name, "file:"); ok {
		return x.readFile(path)
	}
	variable, fallback, hasFallback := strings.Cut(name, ":")
	if value, ok := x.env(variable); ok {
		return value, nil
	}
	if !hasFallback {
		return "", fmt.Errorf("the variable %s is not set; ${%s:default} gives a default", variable, variable)
	}
	return fallback, nil
}

// readFile returns a file's text without the line end that editors leave behind it.
func (x expander) readFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	value := strings.TrimRight(string(text), "\r\n")
	*x.files = append(*x.files, insertedFile{path, info.Mode(), value})
	return value, nil
}
