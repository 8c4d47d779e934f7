package main

import (
	"os"
	"path/filepath"
	"strings"
)

// maxHistory is how many statements a prompt remembers.
const maxHistory = 1000

// history is what was typed at prompts, this one and earlier ones. It implements term.History; it keeps whole statements
// in place of the lines that the terminal reports. Losing it is no error.
type history struct {
	entries []string // the newest last
	file    string   // "" if there is no place for one
}

// openHistory reads the statements of earlier prompts from penstock/history in the directory for state
// (https://specifications.freedesktop.org/basedir-spec).
func openHistory(env func(string) (string, bool)) *history {
	dir, _ := env("XDG_STATE_HOME")
	if home, _ := env("HOME"); dir == "" && home != "" {
		dir = filepath.Join(home, ".local", "state")
	}
	if dir == "" {
		return &history{}
	}
	h := &history{file: filepath.Join(dir, "penstock", "history")}
	if text, err := os.ReadFile(h.file); err == nil {
		h.entries = strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
		h.entries = h.entries[max(0, len(h.entries)-maxHistory):]
	}
	return h
}

// remember adds a statement as one line.
func (h *history) remember(statement string) {
	line := strings.Join(strings.FieldsFunc(statement, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	if len(h.entries) > 0 && h.entries[len(h.entries)-1] == line {
		return
	}
	h.entries = append(h.entries, line)
	h.entries = h.entries[max(0, len(h.entries)-maxHistory):]
	if h.file != "" {
		h.write()
	}
}

// write replaces the file. It holds what people asked about their data, so only its owner may read it.
func (h *history) write() {
	if os.MkdirAll(filepath.Dir(h.file), 0o700) == nil {
		_ = os.WriteFile(h.file, []byte(strings.Join(h.entries, "\n")+"\n"), 0o600)
	}
}

// Add implements term.History. Lines are parts of statements, which remember adds whole.
func (h *history) Add(string) {}

// Len implements term.History.
func (h *history) Len() int { return len(h.entries) }

// At implements term.History: 0 is the newest.
func (h *history) At(i int) string { return h.entries[len(h.entries)-1-i] }
