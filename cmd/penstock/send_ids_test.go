package main

import (
	"bytes"
	"strings"
	"testing"

	"penstock/internal/jsonscan"
)

func identifierOf(t testing.TB, id, key, salt string) *identifier {
	t.Helper()
	idPath, err := jsonscan.ParsePath(id)
	if err != nil {
		t.Fatal(err)
	}
	keyPath, err := jsonscan.ParsePath(key)
	if err != nil {
		t.Fatal(err)
	}
	return newIdentifier(idPath, keyPath, []byte(salt))
}

// TestSplice looks where an id, written ID here, goes into a line. No other byte may change.
func TestSplice(t *testing.T) {
	for _, c := range []struct{ path, line, want string }{
		{"id", `{}`, `{"id":"ID"}`},
		{"id", `{ }`, `{"id":"ID" }`},
		{"id", "{\t\r }", "{\"id\":\"ID\"\t\r }"},
		{"id", `{"n":1}`, `{"id":"ID","n":1}`},
		{"id", `{ "n" : 1.50 }`, `{"id":"ID", "n" : 1.50 }`},
		{"id", `{"id":null,"n":1}`, `{"id":"ID","n":1}`},
		{"id", `{"n":1, "id" :  null }`, `{"n":1, "id" :  "ID" }`},
		{"id", `{"\u0069d":null}`, `{"\u0069d":"ID"}`},
		{"id", `{"ID":1,"a":{"id":2}}`, `{"id":"ID","ID":1,"a":{"id":2}}`},
		{"id", `{"id":"x"}`, `{"id":"x"}`},
		{"id", `{"n":1,"id":5}`, `{"n":1,"id":5}`},
		{"id", `{"id":{}}`, `{"id":{}}`},
		{"meta.id", `{}`, `{"meta":{"id":"ID"}}`},
		{"meta.id", `{"n":1}`, `{"meta":{"id":"ID"},"n":1}`},
		{"meta.id", `{"meta":{}}`, `{"meta":{"id":"ID"}}`},
		{"meta.id", `{"n":1,"meta":{"a":2}}`, `{"n":1,"meta":{"id":"ID","a":2}}`},
		{"meta.id", `{"meta":null,"n":1}`, `{"meta":{"id":"ID"},"n":1}`},
		{"meta.id", `{"meta":{"id":null}}`, `{"meta":{"id":"ID"}}`},
		{"meta.id", `{"meta":[1]}`, `{"meta":[1]}`},
		{"meta.id", `{"meta":"text"}`, `{"meta":"text"}`},
		{"a.b.c", `{"a":{"x":1}}`, `{"a":{"b":{"c":"ID"},"x":1}}`},
		{"a.b.c", `{"a":{"b":null}}`, `{"a":{"b":{"c":"ID"}}}`},
		{`a\.b`, `{"a":{"b":1}}`, `{"a.b":"ID","a":{"b":1}}`},
		{`q"q`, `{"n":1}`, `{"q\"q":"ID","n":1}`},
		// What the server will reject goes to it as it is.
		{"id", `[1]`, `[1]`},
		{"id", `null`, `null`},
		{"id", `not json`, `not json`},
		{"id", `{"n":1}{"n":2}`, `{"n":1}{"n":2}`},
		{"id", `{"n":1`, `{"n":1`},
		{"id", `{"n":1,"n":2}`, `{"n":1,"n":2}`},
	} {
		g := identifierOf(t, c.path, "key", "")
		got, _ := g.appendLine(nil, 1, []byte(c.line))
		if want := strings.Replace(c.want, "ID", g.derive(1, []byte(c.line)), 1); c.want == c.line && string(got) != c.line || c.want != c.line && string(got) != want {
			t.Errorf("%s in %s: %s, want %s", c.path, c.line, got, want)
		}
	}
}

// TestDerivedIDsAreStable pins the derivation: another one would make other events of the files that were sent before.
func TestDerivedIDsAreStable(t *testing.T) {
	g := identifierOf(t, "id", "key", "")
	for _, c := range []struct {
		number     int64
		line, want string
	}{
		{1, `{"n":1}`, "0aa04e635a40cd013e1bb32e24b9ce6a"}, {2, `{"n":1}`, "023e3c5caee1756d1cd198e997040388"}, {1, `{"n":2}`, "3e2ed54db65848398d2b7e3a8b16e078"}, {1, `{"n": 1}`, "508a3e8580a312c2ab8bb0e53f1446cd"},
	} {
		if got := g.derive(c.number, []byte(c.line)); got != c.want {
			t.Errorf("line %d %s: %s, want %s", c.number, c.line, got, c.want)
		}
	}
	salted := identifierOf(t, "id", "key", "salt")
	if salted.derive(1, []byte(`{"n":1}`)) == g.derive(1, []byte(`{"n":1}`)) {
		t.Error("the salt does not count")
	}
}

func TestSpread(t *testing.T) {
	g := identifierOf(t, "id", "user.key", "")
	for line, want := range map[string]string{
		`{"user":{"key":"k"},"id":"i"}`: "k", `{"user":{"key":5}}`: "5", `{"user":{"key":"5"}}`: "5", `{"user":{"key":-0}}`: "0",
		`{"user":{"key":"\u006b"}}`: "k", `{"user":{"key":""},"id":"i"}`: "i", `{"user":{"key":null},"id":7}`: "7",
		`{"user":{"key":1.5}}`: "", `{"n":1}`: "", `[`: "",
	} {
		if _, got := g.appendLine(nil, 1, []byte(line)); string(got) != want {
			t.Errorf("%s is spread by %q, want %q", line, got, want)
		}
	}
}

// FuzzSplice checks that a line with a spliced id is what the server takes, and is the line it was with the id taken out.
func FuzzSplice(f *testing.F) {
	for _, line := range []string{`{}`, `{"a":{"b":null},"n":1}`, `{"a":{}}`, `{"a":1}`, ` {"a" : {"b":""}}`, `{"a":null}`} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		line = bytes.Trim(line, " \t\r\n")
		g := identifierOf(t, "a.b", "key", "")
		got, _ := g.appendLine(nil, 3, line)
		if bytes.Equal(got, line) {
			return
		}
		id := `"` + g.derive(3, line) + `"`
		var values [1]jsonscan.Value
		var scanner jsonscan.Scanner
		n, fault := scanner.Scan(got, jsonscan.NewSelector(jsonscan.Path{"a", "b"}), values[:])
		if fault != nil || n != len(got) || string(values[0].Raw) != id {
			t.Fatalf("%s became %s: %v", line, got, fault)
		}
		for _, member := range []string{`"a":{"b":` + id + `},`, `"a":{"b":` + id + `}`, `"b":` + id + `,`, `"b":` + id} {
			if bytes.Equal(bytes.Replace(got, []byte(member), nil, 1), line) {
				return
			}
		}
		for _, null := range []string{id, `{"b":` + id + `}`} {
			if bytes.Equal(bytes.Replace(got, []byte(null), []byte("null"), 1), line) {
				return
			}
		}
		t.Fatalf("%s became %s", line, got)
	})
}
