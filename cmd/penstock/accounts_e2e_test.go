package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// balanced fails unless `penstock audit` ends with 0 and counts what is expected of a stream.
func (s *running) balanced(stream, counts string) {
	s.t.Helper()
	status, stdout, stderr := command(s.t, s.dir, "audit", "-o", "json", "--url", s.URL)
	if status != exitDone || !strings.Contains(stdout, `{"stream":"`+stream+`",`+counts) {
		s.t.Errorf("audit: status %d, %s%s, want %s", status, stdout, stderr, counts)
	}
}

// TestRepeatsAreStoredOnce holds C-DUP across whatever ends the process.
func TestRepeatsAreStoredOnce(t *testing.T) {
	dir := configured(t, oneStream)
	const body = `[{"id":"1","link":"a","ms":1},{"id":"2","link":"b","ms":2},{"id":"3","ms":3}]`
	const count = "select count(*), count(distinct id), sum(ms) from clicks"
	s := serve(t, dir)
	s.accept("clicks", body)
	if got := s.sql(count, s.accept("clicks", body)); got != "[[3,3,6]]" {
		t.Errorf("a repeat: %s", got)
	}
	s.stop()
	s = serve(t, dir)
	if got := s.sql(count, s.accept("clicks", body)); got != "[[3,3,6]]" {
		t.Errorf("after a restart: %s", got)
	}
	s.Kill()
	s = serve(t, dir)
	receipt := s.accept("clicks", body)
	if got := s.sql(count, receipt); got != "[[3,3,6]]" {
		t.Errorf("after a kill: %s", got)
	}
	// Another key is another event, other content under the same key and id is not.
	receipt = s.accept("clicks", `[{"id":"1","link":"other","ms":10},{"id":"1","link":"a","ms":100}]`)
	if got := s.sql(count, receipt); got != "[[4,3,16]]" {
		t.Errorf("another key: %s", got)
	}
	s.balanced("clicks", `"accepted":14,"stored":4,"duplicates":10,"dead":0,"dropped":0,"expired":0,"pending":0,"missing":0,"checksum_ok":true`)
	info := s.get("/v1/streams/clicks")
	if info.json["duplicates"] != 10.0 || info.json["dedup_window_seconds"] != 86400.0 || info.json["warning"] != nil {
		t.Errorf("stream: %s", info.body)
	}
	if text := string(s.get("/metrics").body); !strings.Contains(text, `penstock_duplicates_total{stream="clicks"} 10`) {
		t.Error("the metrics do not count repeats")
	}
}

// TestRepeatedRequestsAreStoredOnce holds C-DUP for events without an id of their own, whose request has one.
func TestRepeatedRequestsAreStoredOnce(t *testing.T) {
	dir := configured(t, "streams: {clicks: {key_field: link}, raw: {dedup: off}}\n")
	s := serve(t, dir)
	send := func(stream, body string, headers ...string) string {
		t.Helper()
		a := s.do(http.MethodPost, "/v1/streams/"+stream+"/events", body, append([]string{"Content-Type", "application/json"}, headers...)...)
		if a.status != http.StatusAccepted {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return fmt.Sprint(a.json["receipt"])
	}
	const body = `[{"link":"a"},{"link":"a"},{"link":"b"}]`
	var receipt string
	for range 2 {
		receipt = send("clicks", body, "Idempotency-Key", "request-1")
	}
	s.sql("select 1", receipt)
	s.Kill()
	s = serve(t, dir)
	receipt = send("clicks", body, "Idempotency-Key", "request-1")
	if got := s.sql("select count(*) from clicks", receipt); got != "[[3]]" {
		t.Errorf("the same Idempotency-Key: %s", got)
	}
	if got := s.sql("select count(*) from clicks", send("clicks", body, "Idempotency-Key", "request-2")); got != "[[6]]" {
		t.Errorf("another Idempotency-Key: %s", got)
	}
	// A producer's numbers need no window.
	for _, number := range []string{"1", "1", "2", "1", "2"} {
		receipt = send("raw", body, "Penstock-Producer", "sensor-1/"+number)
	}
	s.sql("select 1", receipt)
	s.stop()
	s = serve(t, dir)
	receipt = send("raw", body, "Penstock-Producer", "sensor-1/2")
	if got := s.sql("select count(*) from raw", receipt); got != "[[6]]" {
		t.Errorf("a producer's repeats: %s", got)
	}
	if got := s.sql("select count(*) from raw", send("raw", body, "Penstock-Producer", "sensor-1/3")); got != "[[9]]" {
		t.Errorf("a producer's next request: %s", got)
	}
	s.balanced("clicks", `"accepted":12,"stored":6,"duplicates":6,`)
	s.balanced("raw", `"accepted":21,"stored":9,"duplicates":12,`)
}

// behind accepts events with only the door running, and then lets a store with other columns apply them.
func behind(t *testing.T, accepted, applied, stream string, bodies ...string) *running {
	t.Helper()
	dir := configured(t, accepted)
	s := serve(t, dir, "--roles", "ingest")
	for _, body := range bodies {
		s.accept(stream, body)
	}
	s.stop()
	configure(t, dir, applied)
	s = serve(t, dir)
	s.eventually("all is applied", s.caughtUp)
	return s
}

// TestDeadLettersOfTheProgram holds C-POISON and C-REPLAY: what cannot be a row is listed, shown, replayed once it can, or dropped.
func TestDeadLettersOfTheProgram(t *testing.T) {
	s := behind(t, "streams: {orders: }\n", "streams: {orders: {columns: {n: bigint}}}\n", "orders",
		`[{"id":"o1","key":"k","n":1},{"id":"o2","key":"k","n":"two"},{"id":"o3","key":"k","n":3},{"id":"o4","n":"four"},{"id":"o5","n":9.5}]`)
	dlq := func(want int, args ...string) string {
		t.Helper()
		status, stdout, stderr := command(t, s.dir, append(append([]string{"dlq"}, args...), "--url", s.URL)...)
		if status != want {
			t.Fatalf("dlq %v: status %d, %s%s", args, status, stdout, stderr)
		}
		return stdout
	}
	if got := s.sql("select id, n from orders order by id", ""); got != `[["o1",1],["o3",3]]` {
		t.Errorf("rows %s", got)
	}
	s.balanced("orders", `"accepted":5,"stored":2,"duplicates":0,"dead":3,"dropped":0,`)
	var list struct{ Letters []letterOut }
	if err := json.Unmarshal([]byte(dlq(exitDone, "ls", "-o", "json")), &list); err != nil || len(list.Letters) != 3 {
		t.Fatalf("%v, %+v", err, list)
	}
	byID := map[string]letterOut{}
	for _, l := range list.Letters {
		byID[l.ID] = l
		if l.Reason != "bad_type" || l.State != "open" || l.Detail == "" {
			t.Errorf("%+v", l)
		}
	}
	if shown := dlq(exitDone, "show", byID["o2"].Place, "-o", "json"); !strings.Contains(shown, `"body":{"id":"o2","key":"k","n":"two"}`) {
		t.Errorf("%s", shown)
	}
	const table = `select stream, id, reason, state, size from penstock.dlq where "offset" = %d and partition = %d`
	if got := s.sql(fmt.Sprintf(table, byID["o4"].Offset, byID["o4"].Partition), ""); got != `[["orders","o4","bad_type","open",22]]` {
		t.Errorf("penstock.dlq: %s", got)
	}
	if text := string(s.get("/metrics").body); !strings.Contains(text, `penstock_dead_events_total{reason="bad_type",stream="orders"} 3`) {
		t.Error("the metrics do not count dead letters")
	}
	dlq(exitPartly, "replay", "--id", "o2") // nothing was mended
	if receipt := s.accept("orders", `{"id":"o2","key":"k","n":2}`); s.sql("select count(*) from orders where id = 'o2'", receipt) != "[[0]]" {
		t.Error("a letter's id does not count as seen")
	}
	dlq(exitDone, "drop", "--id", "o5", "--yes")

	s.stop()
	configure(t, s.dir, "streams: {orders: {columns: {n: bigint, m: text}}}\n")
	s = serve(t, s.dir)
	dlq(exitPartly, "replay", "--stream", "orders", "--rate", "1000")
	if got := dlq(exitDone, "ls", "--state", "all", "-o", "ndjson"); strings.Count(got, "\n") != 3 || strings.Count(got, `"state":"dropped"`) != 1 {
		t.Errorf("%s", got)
	}
	dlq(exitNotFound, "show", "0-1-99999")
	dlq(exitNotFound, "replay", byID["o5"].Place)
	s.balanced("orders", `"accepted":6,"stored":2,"duplicates":1,"dead":2,"dropped":1,`)
}

// TestHaltedKey holds C-ORD under on_poison: halt_key.
func TestHaltedKey(t *testing.T) {
	s := behind(t, "streams: {orders: }\n", "streams: {orders: {columns: {n: bigint}, on_poison: halt_key}}\n", "orders",
		`[{"id":"1","key":"k","n":"x"},{"id":"2","key":"k","n":2},{"id":"3","key":"other","n":3},{"id":"4","key":"k","n":4}]`)
	if got := s.sql("select id from orders", ""); got != `[["3"]]` {
		t.Errorf("rows %s", got)
	}
	if status, stdout, _ := command(t, s.dir, "audit", "-o", "json", "--url", s.URL); status != exitPartly || !strings.Contains(stdout, `"parked":2`) {
		t.Errorf("audit: status %d, %s", status, stdout)
	}
	s.Kill()
	s = serve(t, s.dir)
	receipt := s.accept("orders", `{"id":"5","key":"k","n":5}`)
	if got := s.sql("select id from orders", receipt); got != `[["3"]]` {
		t.Errorf("rows %s", got)
	}
	if status, stdout, stderr := command(t, s.dir, "dlq", "drop", "--id", "1", "--yes", "--url", s.URL); status != exitDone || stdout != "dropped 1 letter\n" {
		t.Fatalf("status %d, %s%s", status, stdout, stderr)
	}
	if got := s.sql("select id from orders order by id", ""); got != `[["2"],["3"],["4"],["5"]]` {
		t.Errorf("rows %s", got)
	}
	var events struct{ Events []struct{ ID string } }
	if err := json.Unmarshal(s.get("/v1/streams/orders/events?key=k").body, &events); err != nil || fmt.Sprint(events) != "{[{2} {4} {5}]}" {
		t.Errorf("%v, %v", events, err)
	}
	s.balanced("orders", `"accepted":5,"stored":4,"duplicates":0,"dead":0,"dropped":1,"expired":0,"pending":0,`)
}

// TestNarrowWindowIsAWarning holds that a window which is shorter than configured is told.
func TestNarrowWindowIsAWarning(t *testing.T) {
	s := serve(t, configured(t, "partitions: 1\nstreams: {clicks: {dedup: {window: 24h, max_ids: 10}}}\n"))
	var body strings.Builder
	for i := range 100 {
		fmt.Fprintf(&body, "{\"id\":\"%d\"}\n", i)
	}
	s.sql("select 1", s.accept("clicks", body.String()))
	info := s.get("/v1/streams/clicks")
	if warning := fmt.Sprint(info.json["warning"]); !strings.Contains(warning, "instead of 24h0m0s") {
		t.Errorf("%s", info.body)
	}
	s.eventually("a line in the log", func() bool {
		return strings.Contains(s.log.String(), "repeats are recognised for a shorter time than configured")
	})
}

// TestOlderStoreCatchesUp holds C-RESTORE: shards that come from an older copy take what they lack from the log, and recognise what they had.
func TestOlderStoreCatchesUp(t *testing.T) {
	dir := configured(t, oneStream)
	s := serve(t, dir)
	s.sql("select 1", s.accept("clicks", `[{"id":"1","link":"a","ms":1},{"id":"2","link":"b","ms":2}]`))
	s.stop()
	shard, backup := filepath.Join(dir, "data", "shard-0"), filepath.Join(dir, "backup")
	if err := os.CopyFS(backup, os.DirFS(shard)); err != nil {
		t.Fatal(err)
	}
	s = serve(t, dir)
	s.sql("select 1", s.accept("clicks", `[{"id":"2","link":"b","ms":20},{"id":"3","link":"a","ms":4}]`))
	s.stop()
	if err := errors.Join(os.RemoveAll(shard), os.CopyFS(shard, os.DirFS(backup))); err != nil {
		t.Fatal(err)
	}
	s = serve(t, dir)
	if got := s.sql("select id, ms from clicks order by id", s.accept("clicks", `{"id":"3","link":"a","ms":40}`)); got != `[["1",1],["2",2],["3",4]]` {
		t.Errorf("rows %s", got)
	}
	s.balanced("clicks", `"accepted":5,"stored":3,"duplicates":2,"dead":0,"dropped":0,"expired":0,"pending":0,"missing":0,"checksum_ok":true`)
}

// TestMendedLettersBecomeRows holds C-REPLAY: once the configuration fits letters become rows, once, also when the process is killed then.
func TestMendedLettersBecomeRows(t *testing.T) {
	s := behind(t, "streams: {orders: }\n", "streams: {orders: {columns: {n: bigint}}}\n", "orders",
		`[{"id":"o1","key":"k","n":"one"},{"id":"o2","key":"k","n":"two"},{"id":"o3","n":"three"},{"id":"o4","n":4}]`)
	s.balanced("orders", `"accepted":4,"stored":1,"duplicates":0,"dead":3,`)
	configure(t, s.dir, "streams: {orders: {columns: {word: {type: json, path: n}}}}\n")
	if err := syscall.Kill(s.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.eventually("the file is applied", func() bool { return strings.Contains(s.log.String(), "configuration applied") })
	status, stdout, stderr := command(t, s.dir, "dlq", "replay", "--reason", "bad_type", "--url", s.URL)
	if status != exitDone || stdout != "replayed 3 letters, 3 became rows\n" {
		t.Fatalf("status %d, %s%s", status, stdout, stderr)
	}
	s.Kill()
	s = serve(t, s.dir)
	s.eventually("all is applied", s.caughtUp)
	const rows = "select id, word->>'$', _replay_of is not null from orders order by id"
	if got := s.sql(rows, ""); got != `[["o1","one",true],["o2","two",true],["o3","three",true],["o4",null,false]]` {
		t.Errorf("rows %s", got)
	}
	s.balanced("orders", `"accepted":4,"stored":4,"duplicates":0,"dead":0,`)
}
