package check

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func TestEventsSayWhatTheyAre(t *testing.T) {
	m := NewMaker(7, 12)
	for i, c := range []struct {
		key, rest string
		n         uint64
	}{
		{"a", "", 1}, {"", "", 1}, {"a", `,"amount":12,"sum":"x"`, 2}, {`q"\é<&>`, `,"nonce":"0"`, 1}, {"", `,"bad":1e999`, 2}, {"a", "", 3},
	} {
		body := m.Append([]byte("x"), c.key, c.rest)[1:]
		var fields struct{ ID, Key string }
		if err := json.Unmarshal(body, &fields); err != nil || fields.ID != EventID(12, uint64(i)) || fields.Key != c.key {
			t.Fatalf("%s: %+v, %v", body, fields, err)
		}
		e, err := ParseEvent(body)
		want := Event{Client: 12, Seq: uint64(i), Key: c.key, N: c.n, Nonce: NonceOf(7, 12, uint64(i)), Sum: e.Sum}
		if err != nil || e != want || e.Sum == 0 {
			t.Fatalf("%s: %+v, want %+v, %v", body, e, want, err)
		}
	}
	if m.Next() != 6 {
		t.Errorf("next is %d", m.Next())
	}
}

// TestEveryByteCounts changes, removes and doubles each byte of a body.
func TestEveryByteCounts(t *testing.T) {
	body := NewMaker(1, 1).Append(nil, "key", `,"amount":12`)
	for i := range body {
		for what, damaged := range map[string][]byte{
			"changed": append(append(bytes.Clone(body[:i]), body[i]^1), body[i+1:]...),
			"removed": append(bytes.Clone(body[:i]), body[i+1:]...),
			"doubled": append(bytes.Clone(body[:i+1]), body[i:]...),
			"cut":     body[:i],
		} {
			if e, err := ParseEvent(damaged); err == nil {
				t.Errorf("byte %d %s: %s passes as %+v", i, what, damaged, e)
			}
		}
	}
}

func TestEventIDs(t *testing.T) {
	for _, id := range []string{"c0001-0000000002", "c4294967295-0000000000", "c0000-18446744073709551615"} {
		client, seq, ok := ParseEventID(id)
		if !ok || EventID(client, seq) != id {
			t.Errorf("%s: %d %d %v", id, client, seq, ok)
		}
	}
	for _, id := range []string{"", "c1-2", "c0001-", "x0001-0000000002", "c0001-00000000002", "c+001-0000000002", "c0001-000000000a", "c4294967296-0000000000"} {
		if _, _, ok := ParseEventID(id); ok {
			t.Errorf("%s is taken for an id", id)
		}
	}
}

func TestNoncesDiffer(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(10) {
		for client := range uint32(10) {
			for seq := range uint64(100) {
				seen[NonceOf(seed, client, seq)] = true
			}
		}
	}
	if len(seen) != 10_000 {
		t.Errorf("%d nonces of 10,000 events", len(seen))
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add(NewMaker(1, 1).Append(nil, `k"`, `,"a":1`))
	f.Add(AppendEvent(nil, Event{}, ""))
	f.Add([]byte(`{"id":"c0001-0000000002","key":"\`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := ParseEvent(body)
		if err != nil {
			return
		}
		if again, err := ParseEvent(bytes.Clone(body)); err != nil || again != e {
			t.Fatalf("%+v and then %+v, %v", e, again, err)
		}
	})
}

func FuzzHead(f *testing.F) {
	f.Add(`{"id":"c0001-0000000002","key":"a\"","n":1,"nonce":"00"`)
	f.Add(`{"id":"c0001-0000000002","key":"`)
	f.Fuzz(func(t *testing.T, head string) {
		var e, again Event
		if e.parseHead(head) != nil || !utf8.ValidString(e.Key) {
			return
		}
		body := AppendEvent(nil, e, "")
		if err := again.parseHead(string(body[:len(body)-sumTail])); err != nil || again != e {
			t.Fatalf("%+v is written as %s and read as %+v, %v", e, body, again, err)
		}
	})
}
