package check

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"penstock"
)

// TestRecorderWritesEveryAttemptOnce lets clients record at the same time, with retries and attempts that never end.
func TestRecorderWritesEveryAttemptOnce(t *testing.T) {
	const clients, posts = 8, 50
	r, err := Create(t.TempDir(), Config{Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	var working sync.WaitGroup
	for client := range uint32(clients) {
		working.Go(func() {
			for i := range uint64(posts) {
				c := r.Begin(Record{Kind: Post, Client: client, Stream: "s", Seq: i, Count: 1, Poison: []int{0}})
				if i%5 == 0 {
					c.End()
					c = c.Again()
				}
				if i == posts-1 {
					return // it never ends
				}
				c.Answered(202, "", []byte(`{"accepted":1,"receipt":"r"}`))
				c.End()
			}
			r.Note(Record{Kind: Sample, Usage: &Usage{Memory: 1}})
		})
	}
	healed := r.Fault("kill")
	healed()
	healed()
	r.Fault("disk_full")
	working.Wait()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	checkHistory(t, r.Dir(), clients, posts)
	faults, _, err := readAll[Fault](r.Dir().path(nemesisFile))
	if err != nil || len(faults) != 2 || faults[0].To < faults[0].From || faults[1].Kind != "disk_full" || faults[1].To != 0 {
		t.Errorf("%+v, %v", faults, err)
	}
}

func checkHistory(t *testing.T, d Dir, clients, posts int) {
	t.Helper()
	ends := map[Outcome]int{}
	attempts := map[string]bool{}
	last := int64(0)
	ops := map[int64]string{}
	for rec, err := range readLines[Record](d.path(historyFile)) {
		if err == nil {
			err = rec.check()
		}
		if err != nil {
			t.Fatal(err)
		}
		event := fmt.Sprint(rec.Client, rec.Seq)
		name := fmt.Sprint(event, rec.Attempt)
		if attempts[name] || rec.Call == 0 || ops[rec.Op] != "" && ops[rec.Op] != event || len(rec.Poison) != 1 {
			t.Errorf("%+v", rec)
		}
		attempts[name], ops[rec.Op] = true, event
		if ends[rec.Outcome]++; rec.Ret != 0 {
			last = max(last, rec.Ret)
		}
	}
	again := posts / 5
	if len(ops) != clients*posts || ends[Ok] != clients*(posts-1) || ends[Unknown] != clients*(again+1) || last == 0 {
		t.Errorf("%d operations, %v", len(ops), ends)
	}
}

func TestRunIsNotWrittenOverAnother(t *testing.T) {
	dir := t.TempDir()
	r, err := Create(dir, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir, Config{}); err == nil {
		t.Error("a second run took the first one's place")
	}
	if _, err := Verify(dir); !penstock.Is(err, penstock.NotFound) {
		t.Errorf("a run without rows: %v", err)
	}
	if _, err := Verify(t.TempDir()); !penstock.Is(err, penstock.NotFound) {
		t.Errorf("no run at all: %v", err)
	}
}

// TestLinesThatAreNotWhole reads files whose writer died, and files that are wrong.
func TestLinesThatAreNotWhole(t *testing.T) {
	long := `{"kind":"` + fmt.Sprintf("%0200000d", 1) + `"}` + "\n"
	for _, c := range []struct {
		text string
		n    int
		bad  bool
	}{
		{"", 0, false},
		{"{\"kind\":\"a\"}\n", 1, false},
		{"{\"kind\":\"a\"}\n{\"kind\":\"b\"", 1, false},
		{"{\"kind\":\"a\"}\n{\"kind\":\n", 1, true},
		{long + long, 2, false},
	} {
		path := filepath.Join(t.TempDir(), "lines")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		n, bad := 0, false
		for _, err := range readLines[Fault](path) {
			if err != nil {
				bad = penstock.Is(err, penstock.Corrupt)
			} else {
				n++
			}
		}
		if n != c.n || bad != c.bad {
			t.Errorf("%.40q: %d lines, wrong %v", c.text, n, bad)
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   Outcome
	}{
		{202, `{"accepted":2,"receipt":"r","positions":[{"partition":1,"epoch":1,"first":2,"next":4}]}`, Ok},
		{200, `{"accepted":1,"durable":false}`, Unknown},
		{200, `{"accepted":1,"applied":true}`, Ok},
		{202, `{"accepted":1,`, Unknown},
		{400, `{"code":"bad_json","outcome":"not_stored"}`, Fail},
		{422, ``, Fail},
		{429, `{"outcome":"not_stored"}`, Fail},
		{503, `{"outcome":"not_stored"}`, Fail},
		{503, `{"outcome":"unknown"}`, Unknown},
		{503, `<html>`, Unknown},
		{500, `{"outcome":"unknown"}`, Unknown},
		{0, ``, Unknown},
	} {
		var r Record
		if r.Answered(c.status, "1", []byte(c.body)); r.Outcome != c.want || r.Status != c.status {
			t.Errorf("%d %s: %s, want %s", c.status, c.body, r.Outcome, c.want)
		}
	}
	r := Record{Count: 3}
	r.Answered(202, "", []byte(`{"accepted":2,"rejected":[{"index":1}]}`))
	if got := fmt.Sprint(r.outcomes()); got != "[ok fail ok]" {
		t.Errorf("outcomes %s", got)
	}
}

func TestBodiesKeepEveryByte(t *testing.T) {
	for _, body := range []string{"", `{"a":"é"}`, "\xff\x00\"", "<&>\u2028"} {
		text, err := json.Marshal(Entry{Body: Text(body)})
		var e Entry
		if err == nil {
			err = json.Unmarshal(text, &e)
		}
		if err != nil || string(e.Body) != body {
			t.Errorf("%q came back as %q: %v", body, e.Body, err)
		}
	}
}
