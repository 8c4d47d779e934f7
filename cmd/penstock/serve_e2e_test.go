package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const oneStream = "streams:\n  clicks:\n    key_field: link\n    columns: {link: text, ms: bigint}\n"

func TestEventsBecomeRowsAndStay(t *testing.T) {
	dir := configured(t, oneStream)
	s := serve(t, dir)
	receipt := s.accept("clicks", `{"id":"1","link":"home","ms":12}`)
	if got := s.sql("select id, key, link, ms from clicks", receipt); got != `[["1","home","home",12]]` {
		t.Errorf("rows %s", got)
	}
	receipt = s.accept("clicks", `[{"id":"2","link":"home","ms":9},{"id":"3","link":"about","ms":30},{"id":"4","ms":"x"}]`)
	const count = "select count(*), sum(ms) from clicks"
	if got := s.sql(count, receipt); got != `[[3,51]]` {
		t.Errorf("after a batch with a bad item: %s", got)
	}
	a := s.post("clicks?wait=applied&timeout=20s", `{"id":"5","ms":1}`)
	if a.status != http.StatusOK || a.json["applied"] != true {
		t.Errorf("wait=applied: %d %s", a.status, a.body)
	}
	if got := s.sql(count, ""); got != `[[4,52]]` {
		t.Errorf("after wait=applied: %s", got)
	}
	s.expect("unknown stream", s.post("orders", `{}`), http.StatusNotFound, "unknown_stream")
	s.stop()

	s = serve(t, dir)
	if got := s.sql(count, receipt); got != `[[4,52]]` {
		t.Errorf("after a restart: %s", got)
	}
	receipt = s.accept("clicks", `{"id":"6","ms":100}`)
	if got := s.sql(count, receipt); got != `[[5,152]]` {
		t.Errorf("after a restart and one more: %s", got)
	}
	for line := range strings.Lines(s.log.String()) {
		var entry struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Level == "" || entry.Msg == "" {
			t.Errorf("a line of the log is not one: %q", line)
		}
	}
}

// TestSecondProcessIsToldWhoHasTheDirectory holds C-LOCK.
func TestSecondProcessIsToldWhoHasTheDirectory(t *testing.T) {
	dir := configured(t, oneStream)
	s := serve(t, dir)
	for _, args := range [][]string{{"serve", "-c", "penstock.yaml"}, {"serve", "--roles", "ingest"}, {"dev", "--listen", "127.0.0.1:0"}} {
		status, _, stderr := command(t, dir, args...)
		if status != exitInUse || !strings.Contains(stderr, fmt.Sprintf("process %d", s.PID())) {
			t.Errorf("%v: status %d, %s", args, status, stderr)
		}
	}
	s.Kill()
	serve(t, dir) // the lock went with the process
}

func TestReadyHealthMetrics(t *testing.T) {
	s := serve(t, configured(t, oneStream))
	a := s.get("/readyz")
	roles, _ := json.Marshal(a.json["roles"])
	if want := `{"consumer":{"ready":true},"ingest":{"ready":true},"query":{"ready":true}}`; a.status != 200 || string(roles) != want {
		t.Errorf("readyz: %d %s", a.status, a.body)
	}
	s.expect("healthz", s.get("/healthz"), http.StatusOK, "")
	if v := s.get("/version"); v.status != 200 || v.json["go"] == nil || v.json["version"] == nil {
		t.Errorf("version: %d %s", v.status, v.body)
	}
	if c := s.get("/v1/cluster"); c.status != 200 || c.json["partitions"] != 64.0 || len(fmt.Sprint(c.json["id"])) != 32 || len(fmt.Sprint(c.json["partition_key"])) != 32 {
		t.Errorf("cluster: %d %s", c.status, c.body)
	}
	s.expect("profiles", s.get("/debug/pprof/"), http.StatusNotFound, "not_found")

	receipt := s.accept("clicks", `[{"id":"1"},{"id":"2"}]`)
	s.sql("select 1", receipt)
	s.post("clicks", `[{"id":"3"},{"id":""}]`)
	s.post("secret_name", `{}`)
	s.get("/v1/streams/other_secret/events?key=k")
	text := string(s.get("/metrics").body)
	for _, want := range []string{
		`penstock_events_accepted_total{stream="clicks"} 3`, `penstock_events_rejected_total{code="bad_id",stream="clicks"} 1`,
		`penstock_events_rejected_total{code="unknown_stream",stream="other"} 1`,
		"penstock_append_seconds_count 2", "penstock_fsync_seconds_count", `penstock_lag_events{store="shard-0"}`,
		`penstock_lag_seconds{store="shard-0"}`, `penstock_applied_events_total{store="shard-0"}`, "penstock_apply_seconds_count",
		"penstock_batch_rows_count", `penstock_stale_total{store="shard-0"} 0`, "penstock_in_flight_bytes 0", "penstock_log_bytes",
		"penstock_log_max_bytes 2.147483648e+10", `penstock_dedup_window_seconds{stream="clicks"} 86400`, `penstock_duplicates_total{stream="clicks"} 0`, "penstock_build_info{", "go_goroutines",
		"penstock_unclean_start 0", "penstock_queries_total{code=\"ok\"}",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if strings.Contains(text, "secret") {
		t.Error("a name that came from a client is in the metrics")
	}
}

func TestTokensAndScopes(t *testing.T) {
	tokens := "tokens:\n"
	for _, scope := range []string{"write", "read", "admin"} {
		tokens += fmt.Sprintf("  - {name: %s, secret: %s-0123456789abcdef, allow: [%s]}\n", scope, scope, scope)
	}
	s := serve(t, configured(t, tokens+oneStream))
	for _, c := range []struct {
		name, method, path       string
		none, write, read, admin int
	}{
		{"health", "GET", "/healthz", 200, 200, 200, 200},
		{"ready", "GET", "/readyz", 200, 200, 200, 200},
		{"post", "POST", "/v1/streams/clicks/events", 401, 202, 403, 202},
		{"streams", "GET", "/v1/streams", 401, 403, 200, 200},
		{"sql", "POST", "/v1/sql", 401, 403, 200, 200},
		{"lag", "GET", "/v1/lag", 401, 403, 200, 200},
		{"metrics", "GET", "/metrics", 401, 403, 200, 200},
		{"version", "GET", "/version", 401, 403, 200, 200},
		{"cluster", "GET", "/v1/cluster", 401, 403, 403, 200},
	} {
		body := ""
		if c.method == "POST" {
			body = `{"query":"select 1"}`
		}
		for token, want := range map[string]int{"": c.none, "write": c.write, "read": c.read, "admin": c.admin} {
			if s.token = token; token != "" {
				s.token += "-0123456789abcdef"
			}
			if a := s.do(c.method, c.path, body, "Content-Type", "application/json"); a.status != want {
				t.Errorf("%s with %q: %d %s, want %d", c.name, token, a.status, a.body, want)
			}
		}
	}
	if log := s.log.String(); strings.Contains(log, "0123456789abcdef") {
		t.Errorf("a secret is in the log: %s", log)
	}
}

func TestHangupAppliesTheFileAgain(t *testing.T) {
	dir := configured(t, oneStream)
	s := serve(t, dir)
	receipt := s.accept("clicks", `{"id":"1","link":"a","ms":1}`)
	s.sql("select 1", receipt)
	reload := func(config, says string) {
		t.Helper()
		before := len(s.log.String())
		configure(t, dir, config)
		if err := syscall.Kill(s.PID(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		s.eventually(says, func() bool { return strings.Contains(s.log.String()[before:], says) })
	}
	reload("streams:\n  clicks:\n    key_field: link\n    columns: {link: text, ms: bigint, country: text}\n  orders:\n", "configuration applied")
	receipt = s.accept("clicks", `{"id":"2","link":"a","ms":1,"country":"DE"}`)
	s.accept("orders", `{"id":"1"}`)
	if got := s.sql("select id, country from clicks order by id", receipt); got != `[["1",null],["2","DE"]]` {
		t.Errorf("with the new column: %s", got)
	}

	const kept = "the one before stays"
	reload(strings.Replace(oneStream, "ms: bigint", "ms: text", 1), kept)
	reload(strings.Replace(oneStream, "key_field: link", "key_field: ms", 1), kept)
	reload(oneStream+"partitions: 8\n", kept)
	reload("streams: {clicks: {colunms: {}}}\n", "penstock.yaml:3: streams.clicks")
	receipt = s.accept("orders", `{"id":"2"}`)

	// Streams that are removed can be read, and nothing more comes in. A token shuts out who has none.
	reload(oneStream+"limits: {batch: 10}\ntokens: [{name: all, secret: 0123456789abcdef, allow: [admin]}]\n", "takes effect at the next start")
	s.expect("without a token", s.get("/v1/streams"), http.StatusUnauthorized, "unauthorized")
	s.token = "0123456789abcdef"
	s.expect("a removed stream", s.post("orders", `{}`), http.StatusNotFound, "unknown_stream")
	if got := s.sql("select count(*) from orders", receipt); got != "[[2]]" {
		t.Errorf("orders: %s", got)
	}
	// Rows can be seen a moment before their number is published; a receipt is reached after both.
	if got := s.sql("select name, configured, stored from penstock.streams order by name", receipt); got != `[["clicks",true,2],["orders",false,2]]` {
		t.Errorf("streams %s", got)
	}
}

func TestWhatWasChosenOnceIsRefusedAtTheStart(t *testing.T) {
	dir := configured(t, oneStream)
	s := serve(t, dir)
	s.sql("select 1", s.accept("clicks", `{"id":"1","link":"a","ms":1}`))
	s.stop()
	for config, says := range map[string]string{
		oneStream + "partitions: 8\n":                                          "partitions are 8 here and 64 there",
		oneStream + "cluster: {id: 000102030405060708090a0b0c0d0e0f}\n":        "cluster is",
		oneStream + "store: [\"duckdb:shard-0\", \"duckdb:shard-1\"]\n":        "store",
		strings.Replace(oneStream, "ms: bigint", "ms: text", 1):                "column ms",
		strings.Replace(oneStream, "key_field: link", "key_field: country", 1): "key_field",
	} {
		configure(t, dir, config)
		status, _, stderr := command(t, dir, "serve", "-c", "penstock.yaml")
		if status != exitFailed || !strings.Contains(stderr, says) {
			t.Errorf("%s: status %d, %s", says, status, stderr)
		}
	}
	if status, _, stderr := command(t, dir, "serve", "-c", "missing.yaml"); status != exitNotFound {
		t.Errorf("a missing file: status %d, %s", status, stderr)
	}
	if status, _, stderr := command(t, dir, "serve", "--roles", "ingestt"); status != exitUsage || !strings.Contains(stderr, "did you mean") {
		t.Errorf("a misspelt role: status %d, %s", status, stderr)
	}
	configure(t, dir, oneStream)
	s = serve(t, dir) // none of it did harm
	if got := s.sql("select id from clicks", ""); got != `[["1"]]` {
		t.Errorf("rows %s", got)
	}
}

// TestLogThatIsOlderThanTheStoreIsRefused holds C-RESTORE for an older log.
func TestLogThatIsOlderThanTheStoreIsRefused(t *testing.T) {
	dir := configured(t, oneStream)
	s := serve(t, dir)
	s.sql("select 1", s.accept("clicks", `[{"id":"1"},{"id":"2"}]`))
	s.stop()
	if err := os.RemoveAll(filepath.Join(dir, "data", logDir)); err != nil {
		t.Fatal(err)
	}
	status, _, stderr := command(t, dir, "serve", "-c", "penstock.yaml")
	if status != exitFailed || !strings.Contains(stderr, "--accept-log-rollback") {
		t.Fatalf("status %d, %s", status, stderr)
	}
	s = serve(t, dir, "--accept-log-rollback")
	receipt := s.accept("clicks", `[{"id":"1"},{"id":"3"}]`)
	if got := s.sql("select id, _epoch from clicks order by id, _epoch", receipt); got != `[["1",1],["2",1],["3",2]]` {
		t.Errorf("rows %s", got)
	}
	s.stop()
	s = serve(t, dir) // it is needed only once
	if got := s.sql("select count(*) from clicks", ""); got != "[[3]]" {
		t.Errorf("rows %s", got)
	}
}

func TestDoorAloneNeedsNoShards(t *testing.T) {
	dir := configured(t, oneStream)
	s := serve(t, dir, "--roles", "ingest")
	if a := s.get("/readyz"); a.status != 200 || strings.Contains(string(a.body), "consumer") {
		t.Errorf("readyz: %d %s", a.status, a.body)
	}
	s.accept("clicks", `[{"id":"1","ms":7},{"id":"2"}]`)
	s.expect("sql", s.do("POST", "/v1/sql", "select 1"), http.StatusNotFound, "not_found")
	s.stop()
	if _, err := os.Stat(filepath.Join(dir, "data", "shard-0")); !os.IsNotExist(err) {
		t.Errorf("a shard was opened: %v", err)
	}
	s = serve(t, dir)
	s.eventually("both events", func() bool { return s.sql("select count(*), sum(ms) from clicks", "") == "[[2,7]]" })
}

func TestDebugListenerOfTheProgram(t *testing.T) {
	s := serve(t, configured(t, oneStream), "--debug-listen", "127.0.0.1:0")
	if !strings.Contains(s.log.String(), "/debug/pprof/") {
		t.Errorf("no address is named: %s", s.log)
	}
	status, _, stderr := command(t, configured(t, oneStream), "serve", "--debug-listen", "0.0.0.0:0")
	if status != exitUsage || !strings.Contains(stderr, "this machine alone") {
		t.Errorf("status %d, %s", status, stderr)
	}
}
