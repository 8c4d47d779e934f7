package jsonevents

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/google/uuid"

	"penstock"
	"penstock/protocol/prototest"
)

func TestProtocol(t *testing.T) {
	items := func(n int, item func(i int) string) [][]byte {
		all := make([][]byte, n)
		for i := range all {
			all[i] = []byte(item(i))
		}
		return all
	}
	good := func(i int) string { return fmt.Sprintf(`{"id":"%d","key":"k%d"}`, i, i) }
	noID := func(i int) string { return fmt.Sprintf(`{"n":%d}`, i) }
	mixed := func(i int) string { return [...]string{"{}", `{"id":""}`, "{}", `[]`, "{}"}[i] }
	array := func(items [][]byte) []byte {
		return append(append([]byte("["), bytes.Join(items, []byte(","))...), ']')
	}
	lines := func(items [][]byte) []byte { return append(bytes.Join(items, newline), '\n') }
	for name, c := range map[string]struct {
		contentType string
		join        func([][]byte) []byte
		broken      []byte
	}{
		"array": {jsonType, array, []byte(`[{"id":"0"},{`)},
		"lines": {ndjsonType, lines, []byte("\n\n")},
		"guess": {"", array, []byte(`{"a":`)},
	} {
		t.Run(name, func(t *testing.T) {
			prototest.Run(t, prototest.Format{
				New:         func() penstock.Protocol { return New() },
				ContentType: c.contentType,
				Good:        func(n int) []byte { return c.join(items(n, good)) },
				NoIDs:       func(n int) []byte { return c.join(items(n, noID)) },
				Mixed:       c.join(items(5, mixed)),
				Broken:      c.broken,
			})
		})
	}
}

func TestGivenIDIsUUIDv7(t *testing.T) {
	r := &penstock.Request{Stream: streams["clicks"], ContentType: jsonType, ReceivedAt: noon, Body: []byte("{}")}
	got := ""
	if err := New().Decode(r, func(e penstock.Event) { got = string(e.ID) }, nil); err != nil {
		t.Fatal(err)
	}
	id, err := uuid.Parse(got)
	if err != nil || id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		t.Fatalf("%s: version %d, variant %v, %v", got, id.Version(), id.Variant(), err)
	}
	seconds, nanos := id.Time().UnixTime()
	if millis := seconds*1000 + nanos/1e6; millis != int64(noon/1000) {
		t.Errorf("%s was made at %d ms, want %d", got, millis, noon/1000)
	}
}

func TestIsID(t *testing.T) {
	for c := range 256 {
		for place := range 20 {
			id := []byte("abcdefghijklmnopqrst")
			id[place] = byte(c)
			if want := c >= ' ' && c <= '~'; isID(id) != want {
				t.Fatalf("%q: %v", id, !want)
			}
		}
	}
}

func TestReply(t *testing.T) {
	yes := true
	disk := penstock.DurabilityDisk
	for _, c := range []struct {
		name   string
		single bool
		o      penstock.Outcome
		want   string
	}{
		{"batch", false, penstock.Outcome{Accepted: 999, RejectedCount: 1, Durability: disk, Receipt: "Ab3",
			Rejected: []penstock.Rejection{{Index: 17, Code: "bad_time", Message: "time: <\"\\\u2028\U0001f600"}}},
			`{"accepted":999,"rejected_count":1,"rejected":[{"index":17,"code":"bad_time","message":"time: <\"\\\u2028😀"}],` +
				`"durability":"disk","receipt":"Ab3"}`},
		{"single", true, penstock.Outcome{Accepted: 1, Durability: disk, Receipt: "Ab3", IDs: []string{`a"b`}},
			`{"accepted":1,"rejected_count":0,"rejected":[],"durability":"disk","receipt":"Ab3","id":"a\"b"}`},
		{"memory", true, penstock.Outcome{Accepted: 1, Durability: penstock.DurabilityMemory, IDs: []string{"a"}},
			`{"accepted":1,"rejected_count":0,"rejected":[],"durability":"memory","durable":false,"id":"a"}`},
		{"applied", false, penstock.Outcome{Accepted: 2, Durability: disk, Receipt: "Ab3", Applied: &yes},
			`{"accepted":2,"rejected_count":0,"rejected":[],"durability":"disk","applied":true,"receipt":"Ab3"}`},
		{"verbose", true, penstock.Outcome{Accepted: 1, Durability: disk, Receipt: "Ab3", IDs: []string{"a"},
			Positions: []penstock.Placement{{Partition: 3, Epoch: 1, First: 1201, Next: 1202}, {Partition: 4, Epoch: 1, First: 0, Next: 9}}},
			`{"accepted":1,"rejected_count":0,"rejected":[],"durability":"disk","receipt":"Ab3","id":"a","ids":["a"],` +
				`"positions":[{"partition":3,"epoch":1,"first":1201,"next":1202},{"partition":4,"epoch":1,"first":0,"next":9}]}`},
		{"single refused", true, penstock.Outcome{RejectedCount: 1, Rejected: []penstock.Rejection{{Code: "bad_id", Message: "id: x"}}},
			`{"type":"urn:penstock:problem:bad_id","title":"Unprocessable Entity","status":422,"code":"bad_id","detail":"id: x",` +
				`"outcome":"not_stored","accepted":0,"rejected_count":1,"rejected":[{"index":0,"code":"bad_id","message":"id: x"}]}`},
		{"batch refused", false, penstock.Outcome{RejectedCount: 30, Rejected: []penstock.Rejection{{Code: "bad_id", Message: "id: x"}}},
			`{"type":"urn:penstock:problem:all_rejected","title":"Unprocessable Entity","status":422,"code":"all_rejected",` +
				`"detail":"no item was accepted; the first: bad_id: id: x","outcome":"not_stored","accepted":0,"rejected_count":30,` +
				`"rejected":[{"index":0,"code":"bad_id","message":"id: x"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, body := New().Reply(&penstock.Request{Single: c.single}, &c.o)
			if got, want := parse(t, string(body)), parse(t, c.want); !reflect.DeepEqual(got, want) {
				t.Errorf("got %s\nwant %s", body, c.want)
			}
		})
	}
}

func parse(t *testing.T, text string) (v map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// FuzzDecode checks what holds for all bodies: no panic, items numbered in order, and every event a JSON object of the body.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		`{"id":"a","key":"k","time":1780000000}`, `[{"id":5},{"id":"5"},{}]`, "{\"id\":\"a\"}\r\n\n{\"id\":\"b\"}", `[{"id":"\ud800"},1]`,
		"\ufeff{}", `{"a":{"b":[1e400]}}`, `{"name":"x","n":1,"price":1.25,"seen":"2026-01-01T00:00:00Z"}`, "[]", "{\n}\n{",
	} {
		f.Add([]byte(body), uint8(0))
		f.Add([]byte(body), uint8(5))
	}
	p := New()
	types := []string{jsonType, ndjsonType, ""}
	f.Fuzz(func(t *testing.T, body []byte, mode uint8) {
		r := &penstock.Request{Stream: streams["typed"], ContentType: types[mode%3], ReceivedAt: noon, Body: body}
		if mode&4 != 0 {
			r.IdempotencyKey = "once"
		}
		items := 0
		sent := bytes.Clone(body)
		err := p.Decode(r, func(e penstock.Event) {
			items++
			if !json.Valid(e.Body) || e.Body[0] != '{' || !bytes.Contains(body, e.Body) {
				t.Errorf("body %q", e.Body)
			}
			if !isID(e.ID) || len(e.Key) > int(penstock.MaxKeyLen) || e.Time < 0 {
				t.Errorf("event %q %q %d", e.ID, e.Key, e.Time)
			}
		}, func(x penstock.Rejection) {
			if x.Index != items || x.Code == "" || x.Message == "" {
				t.Errorf("item %d: %+v", items, x)
			}
			items++
		})
		if err == nil && items == 0 || err != nil && penstock.CodeOf(err) != penstock.Invalid {
			t.Errorf("%d items, error %v", items, err)
		}
		if !bytes.Equal(sent, body) {
			t.Error("the body was changed")
		}
	})
}
