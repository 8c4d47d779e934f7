package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

func TestEveryCommandExplainsItself(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden {
			return
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: %q", c.CommandPath(), c.Short)
		}
		if text := c.UsageString(); strings.Contains(text, "url-file") {
			t.Errorf("%s shows what is for parent processes alone", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(&program{env: envOf(nil)}))
	for _, line := range []string{"send", "tail", "sql", "view ls", "view show", "view rank", "lag", "audit", "dlq ls", "dlq show", "dlq replay", "dlq drop", "log verify", "log dump", "config init", "config validate", "config plan", "config show", "config schema"} {
		o := offlineCommand(t, append(strings.Fields(line), "--help")...)
		if o.status != exitDone || !strings.Contains(o.stdout, "\nExamples:\n  penstock "+line) && !strings.Contains(o.stdout, "\n  penstock "+line) {
			t.Errorf("%s: %+v", line, o)
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if o := offlineCommand(t, "completion", shell); o.status != exitDone || len(o.stdout) < 1000 || o.stderr != "" {
			t.Errorf("%s: %d, %d bytes, %q", shell, o.status, len(o.stdout), o.stderr)
		}
	}
}

func TestNotesGoAroundTheProgress(t *testing.T) {
	var out bytes.Buffer
	n := &noteWriter{w: &out}
	n.draw("12345")
	n.draw("123")
	n.note("line %d", 7)
	n.draw("1")
	n.end()
	n.retry(errReading, time.Second)
	n.retry(errReading, time.Second)
	n.clear()
	n.retry(errReading, time.Second)
	want := "\r12345\r123  \r   \rline 7\n\r1\r \r" + strings.Repeat("penstock: the disk is gone; trying again\n", 2)
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestProgress(t *testing.T) {
	var a tally
	a.begin(3_000_000)
	if got := a.progress("clicks", 1000, time.Second); got != "clicks  0 acked, 0/s" {
		t.Error(got)
	}
	a.settle(250, 1_500_000, 2)
	if got := a.progress("clicks", 1000, 2*time.Second); got != "clicks  ██████░░░░░░░░░░░░░░░░░░  25%  1,500,000 acked, 750,000/s, 2 rejected, ETA 6s" {
		t.Error(got)
	}
	if got := a.progress("clicks", 0, 2*time.Second); got != "clicks  1,500,000 acked, 750,000/s, 2 rejected" {
		t.Error(got)
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -999: "-999", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestWideTablesAreCut(t *testing.T) {
	var out bytes.Buffer
	table := &table{columns: []string{"a", "b"}}
	table.add("x", strings.Repeat("y", 100))
	if err := table.writeLines(&out, 40); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 40 {
			t.Errorf("%d characters: %s", n, line)
		}
	}
}
