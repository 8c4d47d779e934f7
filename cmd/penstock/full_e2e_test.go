package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// smallLog has segments of 128 KiB and keeps none of them that the store has.
const smallLog = "log: {url: \"disk:\", max: 1MiB, keep: 1ms}\nstreams: {clicks: }\n"

// bodies returns n batches of about 50 KB that compress badly, each with ids of its own.
func bodies(n int) []string {
	all := make([]string, n)
	for i := range all {
		var b strings.Builder
		for j := range 100 {
			fmt.Fprintf(&b, "{\"id\":\"%d-%d\",\"text\":%q}\n", i, j, randomHex(200))
		}
		all[i] = b.String()
	}
	return all
}

// TestFullLogRefusesUntilTheStoreHasWhatItHolds holds C-FULL of the real program.
func TestFullLogRefusesUntilTheStoreHasWhatItHolds(t *testing.T) {
	dir := configured(t, smallLog)
	s := serve(t, dir, "--roles", "ingest")
	accepted := 0
	var a answer
	for _, body := range bodies(100) {
		if a = s.post("clicks", body); a.status != http.StatusAccepted {
			break
		}
		accepted += 100
	}
	s.expect("a full log", a, http.StatusServiceUnavailable, "log_full")
	if a.json["outcome"] != "not_stored" || a.header.Get("Retry-After") == "" || accepted < 500 {
		t.Errorf("after %d events: %v %s", accepted, a.header, a.body)
	}
	a = s.get("/readyz")
	s.expect("ready", a, http.StatusServiceUnavailable, "not_ready")
	if !strings.Contains(string(a.body), `"ingest":{"ready":false,"reason":"log_full"}`) {
		t.Errorf("ready: %s", a.body)
	}
	s.stop()

	// The full log can be opened and read; what the store has then makes room.
	s = serve(t, dir, "--roles", "consumer,query")
	if err := s.probe().WaitDrained(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.stop()
	s = serve(t, dir)
	receipt := s.accept("clicks", `{"id":"last"}`)
	if got, want := s.sql("select count(*), count(distinct id) from clicks", receipt), fmt.Sprintf("[[%d,%[1]d]]", accepted+1); got != want {
		t.Errorf("rows %s, want %s", got, want)
	}
	s.stop()

	// A shard that lacks what the log has given up is refused, with the range, until that is accepted.
	if err := os.RemoveAll(filepath.Join(dir, "data", "shard-0")); err != nil {
		t.Fatal(err)
	}
	status, _, stderr := command(t, dir, "serve", "-c", "penstock.yaml")
	if status != exitFailed || !strings.Contains(stderr, "--accept-gap") || !strings.Contains(stderr, "partition ") {
		t.Errorf("status %d, %s", status, stderr)
	}
	s = serve(t, dir, "--accept-gap")
	receipt = s.accept("clicks", `{"id":"after the gap"}`)
	if got := s.sql("select count(*) from clicks where id in ('last', 'after the gap')", receipt); got != "[[2]]" {
		t.Errorf("rows %s", got)
	}
}
