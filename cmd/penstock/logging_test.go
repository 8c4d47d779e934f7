package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// hostile is a value as a client may send it: a line of its own, an escape sequence, bytes that are no text, and far too long.
var hostile = "\n{\"level\":\"ERROR\"}\x1b[31m\xff\x00" + strings.Repeat("ä", 1<<20)

func TestRow103LogLines(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(&out, false, slog.LevelInfo)
	log.Warn("something", "text", hostile, "error", errors.New(hostile), "list", []string{hostile, "b"}, "pause", 3*time.Second, "n", 7)
	line := strings.TrimSuffix(out.String(), "\n")
	if strings.ContainsAny(line, "\n\x1b\x00") || !utf8.ValidString(line) || len(line) > 4000 {
		t.Fatalf("%d bytes: %.300q", len(line), line)
	}
	var got struct {
		Level, Msg, Text, Error, Pause string
		List                           []string
		N                              int
		Time                           time.Time
	}
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatal(err)
	}
	if got.Level != "WARN" || got.Msg != "something" || got.Pause != "3s" || got.N != 7 || got.List[1] != "b" {
		t.Errorf("%+v", got)
	}
	for _, value := range []string{got.Text, got.Error, got.List[0]} {
		if !strings.HasPrefix(value, "\n{\"level\"") || !strings.HasSuffix(value, "…") || len(value) > maxLogged+2*len("\uFFFD") {
			t.Errorf("%d bytes: %q", len(value), value)
		}
	}
}

func TestLogForATerminalEscapesToo(t *testing.T) {
	var out bytes.Buffer
	newLogger(&out, true, slog.LevelInfo).Info("something", "text", hostile)
	if line := strings.TrimSuffix(out.String(), "\n"); strings.ContainsAny(line, "\n\x1b\x00") || len(line) > 1000 {
		t.Errorf("%d bytes: %.300q", len(line), line)
	}
}

func TestLogLevel(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(&out, false, slog.LevelError)
	log.Warn("quiet")
	if out.Len() > 0 {
		t.Errorf("%s", out.String())
	}
}
