package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func dev(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	return start(t, dir, append([]string{"dev", "--listen", "127.0.0.1:0"}, args...)...)
}

func TestDevMakesStreamsAndKeepsThem(t *testing.T) {
	dir := t.TempDir()
	s := dev(t, dir)
	receipt := s.accept("order", `{"id":"1","key":"k"}`)
	if got := s.sql(`select id, key from "order"`, receipt); got != `[["1","k"]]` {
		t.Errorf("rows %s", got)
	}
	s.expect("a reserved name", s.post("penstock", `{}`), http.StatusBadRequest, "bad_stream")
	s.expect("reading makes no stream", s.get("/v1/streams/visits/events?key=k"), http.StatusNotFound, "unknown_stream")
	s.expect("an item that is refused", s.post("visits", `{"id":""}`), http.StatusUnprocessableEntity, "bad_id")
	s.expect("a body that is refused", s.post("visits", `{"id":`), http.StatusBadRequest, "bad_json")
	s.expect("what would be stored", s.post("visits?debug=1", `{"id":"1"}`), http.StatusOK, "")
	s.expect("none of them makes a stream", s.get("/v1/streams/visits"), http.StatusNotFound, "unknown_stream")
	if text := string(s.get("/metrics").body); strings.Contains(text, `"order"`) {
		t.Error("a stream that a client made is in the metrics")
	}
	s.stop()
	if _, err := os.Stat(filepath.Join(dir, "penstock-data", clusterName)); err != nil {
		t.Errorf("the data directory: %v", err)
	}

	s = dev(t, dir)
	if a := s.get("/v1/streams/order"); a.status != 200 || a.json["stored"] != 1.0 {
		t.Errorf("after a restart: %d %s", a.status, a.body)
	}
	s.accept("order", `{"id":"2"}`)
	s.stop()

	// A file must name what dev has made. Until then its rows can be read.
	if err := os.Rename(filepath.Join(dir, "penstock-data"), filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	configure(t, dir, "streams: {visits: }\n")
	s = serve(t, dir)
	s.expect("a stream that the file does not name", s.post("order", `{}`), http.StatusNotFound, "unknown_stream")
	s.eventually("its rows", func() bool { return s.sql(`select count(*) from "order"`, "") == "[[2]]" })
	if !strings.Contains(s.log.String(), "config init --from") {
		t.Errorf("nothing is said: %s", s.log)
	}
}

func TestDevAppliesTheFileWhenItIsSaved(t *testing.T) {
	dir := t.TempDir()
	s := dev(t, dir)
	s.accept("visits", `{"id":"1"}`)
	logs := func(text string) func() bool { return func() bool { return strings.Contains(s.log.String(), text) } }

	configure(t, dir, oneStream)
	s.eventually("the file is applied", logs("configuration applied"))
	receipt := s.accept("clicks", `{"id":"1","link":"a","ms":5}`)
	if got := s.sql("select key, link, ms from clicks", receipt); got != `[["a","a",5]]` {
		t.Errorf("rows %s", got)
	}
	configure(t, dir, "streams:\n  clicks:\n    colums: {}\n")
	s.eventually("the mistake", logs("penstock.yaml:5: streams.clicks"))
	receipt = s.accept("clicks", `{"id":"2","link":"b","ms":6}`)
	if got := s.sql("select sum(ms) from clicks", receipt); got != `[[11]]` {
		t.Errorf("the one before does not hold any more: %s", got)
	}
	s.accept("visits", `{"id":"2"}`)
	s.accept("more", `{"id":"1"}`)
	s.stop()
}

// TestDevInMemory holds C-MEM.
func TestDevInMemory(t *testing.T) {
	dir := t.TempDir()
	s := dev(t, dir, "--memory")
	a := s.post("clicks?wait=applied&timeout=20s", `[{"id":"1"},{"id":"2"}]`)
	if a.status != http.StatusOK || a.json["durable"] != false || a.json["durability"] != "memory" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if got := s.sql("select count(*) from clicks", ""); got != "[[2]]" {
		t.Errorf("rows %s", got)
	}
	if a := s.post("clicks", `{"id":"3"}`); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	s.Kill() // what it leaves behind is nobody's

	s = dev(t, dir, "--memory")
	if a := s.get("/v1/streams"); string(a.body) != "{\"streams\":[]}\n" {
		t.Errorf("after a restart: %s", a.body)
	}
	s.stop()
	if entries, err := os.ReadDir(filepath.Join(dir, "penstock-data")); err != nil || len(entries) != 1 {
		t.Errorf("it left %v (%v)", entries, err)
	}
}

func TestDevDemoHasAHotKey(t *testing.T) {
	s := dev(t, t.TempDir(), "--demo")
	counts := func() (all, hot int64) {
		table, err := s.probe().SQL(t.Context(), "select count(*), count(*) filter (key = 'launch') from clicks")
		if err != nil { // the stream is not there yet
			return 0, 0
		}
		for i, n := range []*int64{&all, &hot} {
			if *n, err = table.Rows[0][i].(json.Number).Int64(); err != nil {
				t.Fatal(err)
			}
		}
		return all, hot
	}
	s.eventually("a hot key", func() bool { all, hot := counts(); return all > 20 && hot > all/4 })
	s.stop()
}

func TestDevSaysWhatToDoNext(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, self, "dev", "--listen", "127.0.0.1:0", "--data", "here")
	c.Dir, c.Cancel, c.WaitDelay = t.TempDir(), func() error { return c.Process.Kill() }, time.Second
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	text := ""
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.Contains(text, " tail "); {
		text += lines.Text() + "\n"
	}
	for _, want := range []string{"  data  " + filepath.Join(c.Dir, "here"), "  URL   http://127.0.0.1:", "  curl http://127.0.0.1:", " sql --url "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
}
