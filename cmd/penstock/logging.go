package main

import (
	"fmt"
	"io"
	"log/slog"
	"unicode/utf8"
)

// newLogger returns the server's log: text for a person at a terminal, JSON for everything else. Values are cut, since some
// of them quote what a client sent; both forms escape control characters.
func newLogger(w io.Writer, terminal bool, level slog.Level) *slog.Logger {
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: cutValue}
	if terminal {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

// maxLogged is how many bytes of a value are logged.
const maxLogged = 256

func cutValue(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(cutText(a.Value.String()))
	case slog.KindTime:
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	case slog.KindDuration:
		a.Value = slog.StringValue(a.Value.Duration().String())
	case slog.KindAny:
		if list, ok := a.Value.Any().([]string); ok {
			short := make([]string, len(list))
			for i, text := range list {
				short[i] = cutText(text)
			}
			a.Value = slog.AnyValue(short)
		} else {
			a.Value = slog.StringValue(cutText(fmt.Sprint(a.Value.Any())))
		}
	}
	return a
}

// cutText shortens a text at a character.
func cutText(s string) string {
	if len(s) <= maxLogged {
		return s
	}
	end := maxLogged - len("…")
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
