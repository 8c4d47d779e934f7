package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestSendIsSafeToRepeatAfterCtrlC interrupts the real program in the middle of its input and sends the whole of it again: every line is the
// same event as before.
func TestSendIsSafeToRepeatAfterCtrlC(t *testing.T) {
	const lines, first = 20_000, 5_000
	s := serve(t, configured(t, "streams: {clicks: {key_field: user}}\n"), "--fsync-delay", "50ms") // so that requests are under way when it ends
	var input strings.Builder
	for i := range lines {
		fmt.Fprintf(&input, "{\"user\":\"u%d\",\"n\":%d}\n", i%97, i/2) // half of the lines are the same as the one before, but for the user
	}
	whole := filepath.Join(t.TempDir(), "lines.ndjson")
	if err := os.WriteFile(whole, []byte(input.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	stored := func(what string) int {
		t.Helper()
		n, err := strconv.Atoi(strings.Trim(s.sql("select "+what+" from clicks", ""), "[]"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}

	interrupted, feed := startSend(t, s, "--batch", "100")
	head := strings.Join(strings.SplitAfterN(input.String(), "\n", first+1)[:first], "")
	if _, err := io.WriteString(feed, head); err != nil {
		t.Fatal(err)
	}
	s.eventually("some of the lines", func() bool { return stored("count(*)") >= first/5 })
	if err := interrupted.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = interrupted.Wait() // its status is what counts
	said := interrupted.Stderr.(*bytes.Buffer).String()
	if interrupted.ProcessState.ExitCode() != exitInterrupted || !strings.Contains(said, "sent again, they have the same ids") {
		t.Errorf("status %d, %s", interrupted.ProcessState.ExitCode(), said)
	}
	s.eventually("what was accepted", s.caughtUp)
	before := stored("count(distinct id)")
	t.Logf("%d of %d lines were accepted before the interrupt", before, first)
	if before == 0 || before > first {
		t.Fatalf("%d lines were accepted before the interrupt", before)
	}

	status, stdout, stderr := command(t, s.dir, "send", "clicks", "-f", whole, "--url", s.URL, "-o", "json")
	if status != exitDone || !strings.Contains(stdout, fmt.Sprintf(`{"sent":%d,"accepted":%d,"rejected":0,`, lines, lines)) {
		t.Fatalf("status %d, %s%s", status, stdout, stderr)
	}
	s.eventually("all of it", s.caughtUp)
	if got := stored("count(distinct id)"); got != lines {
		t.Errorf("%d lines became %d events, %d of them before the interrupt", lines, got, before)
	}
	if got := stored("count(*)"); got != lines {
		t.Errorf("%d lines became %d rows", lines, got)
	}
	if got := stored("count(distinct (id, key, data->>'n'))"); got != lines {
		t.Errorf("an id stands for more than one line: %d", got)
	}

	if status, _, stderr = command(t, s.dir, "send", "clicks", "-f", whole, "--url", s.URL, "--fresh", "-q"); status != exitDone {
		t.Fatalf("status %d, %s", status, stderr)
	}
	s.eventually("other events", s.caughtUp)
	if got := stored("count(distinct id)"); got != 2*lines {
		t.Errorf("with --fresh there are %d events", got)
	}
}

// startSend starts the program that sends what it is fed.
func startSend(t *testing.T, s *running, flags ...string) (*exec.Cmd, io.Writer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, append([]string{"send", "clicks", "--url", s.URL}, flags...)...)
	c.Stderr = &bytes.Buffer{}
	feed, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c, feed
}

// caughtUp reports whether the stores have all that was accepted.
func (s *running) caughtUp() bool {
	s.t.Helper()
	return s.get("/v1/lag").json["events"] == 0.0
}
