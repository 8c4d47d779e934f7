package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"penstock"
	"penstock/internal/check"
)

// keptRun makes a run in dir in which two events were answered, and which has the rows of those that are stored.
func keptRun(t *testing.T, dir string, stored ...uint64) {
	t.Helper()
	r, err := check.Create(dir, check.Config{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	var bodies [][]byte
	maker := check.NewMaker(5, 1)
	for seq := range uint64(2) {
		bodies = append(bodies, maker.Append(nil, "k", ""))
		c := r.Begin(check.Record{Kind: check.Post, Client: 1, Stream: "s", Seq: seq, Count: 1, Keys: []string{"k"}})
		c.Answered(202, "", []byte(`{"accepted":1}`))
		c.End()
	}
	r.Note(check.Record{Kind: check.Drained, Outcome: check.Ok})
	e, err := r.Dir().Export(check.RowsExport)
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range stored {
		row := check.Entry{Epoch: 1, Offset: penstock.Offset(seq), Stream: "s", ID: check.EventID(1, seq), Key: "k", Body: bodies[seq]}
		if err := e.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestKeptRunsAreJudgedAgain(t *testing.T) {
	for _, c := range []struct {
		stored []uint64
		status int
		text   string
	}{
		{[]uint64{0, 1}, holds, "2 events in 2 attempts: 2 answered"},
		{[]uint64{0}, broken, "lost: c0001-0000000001 was answered"},
	} {
		for _, inside := range []string{".", "run"} {
			dir := t.TempDir()
			run := filepath.Join(dir, inside)
			keptRun(t, run, c.stored...)
			for range 2 { // a verdict that is there already is written anew
				var out, errs bytes.Buffer
				status := verify([]string{dir}, &out, &errs)
				if status != c.status || !strings.Contains(out.String(), c.text) || errs.Len() > 0 {
					t.Errorf("stored %v: status %d, %s%s", c.stored, status, out.String(), errs.String())
				}
				verdict, err := os.ReadFile(filepath.Join(run, "verdict.json"))
				if want := fmt.Sprintf(`"ok": %t`, c.status == holds); err != nil || !bytes.Contains(verdict, []byte(want)) {
					t.Errorf("want %s, have %s, %v", want, verdict, err)
				}
			}
		}
	}
}

func TestWhatIsNoRunIsNotJudged(t *testing.T) {
	short := t.TempDir()
	keptRun(t, short)
	if err := os.Remove(filepath.Join(short, "final", "rows.ndjson")); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{"nothing": nil, "two": {short, short}, "an empty directory": {t.TempDir()}, "no rows": {short}} {
		var out, errs bytes.Buffer
		if status := verify(args, &out, &errs); status != unjudged || out.Len() > 0 || errs.Len() == 0 {
			t.Errorf("%s: status %d, %s%s", name, status, out.String(), errs.String())
		}
	}
}
