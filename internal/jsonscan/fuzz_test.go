package jsonscan

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// seeds are JSON and what is nearly JSON; the committed corpus adds what fuzzing found.
var seeds = []string{
	`{"id":"a","key":{"x":[1,2.5e3,-0,null,true]},"time":1780000000}`, `[[],{},"",0]`, ` { "a" : [ 1 , 2 ] } x`, `"\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t"`,
	`{"id":1,"\u0069d":2}`, `"\ud800"`, "\"\xc0\xaf\"", `1e400`, `5e-324`, `1e-400`, `01`, `-`, `9223372036854775808`, `{"a":1,}`, `tru`,
	`{"key":{"x":"` + "12345678" + `"},"id":[]}`, "\"\x7f\u2028\"", `{"":{"":0}}`, `{"12345678":1,"12345679":2,"12345678":3}`,
}

// limitCodes are the codes of what is JSON, even to a strict parser, but over a limit.
var limitCodes = map[string]bool{TooDeep: true, TooManyMembers: true, NameTooLong: true, StringTooLong: true, NumberRange: true, NULNotAllowed: true}

// FuzzScanAgainstJSONText checks that the scanner accepts and refuses what jsontext does, except for the limits.
func FuzzScanAgainstJSONText(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	var s Scanner
	f.Fuzz(func(t *testing.T, data []byte) {
		n, fault := s.Scan(data, nil, nil)
		accepts := fault == nil && skipSpace(data, n) == len(data)
		value, err := readAll(data)
		switch {
		case fault != nil && limitCodes[fault.Code]:
			// Some other fault may come later, so nothing can be said of the other parser.
		case accepts != (err == nil):
			t.Fatalf("%d bytes, fault %v, jsontext %v: %q", n, fault, err, data)
		case accepts && !bytes.HasSuffix(data[:n], value):
			t.Fatalf("value %q, jsontext %q", data[:n], value)
		}
		if fault != nil && (fault.Offset < 0 || fault.Offset > len(data) || fault.Message == "") {
			t.Fatalf("fault %+v of %d bytes", fault, len(data))
		}
		if whole := s.Broken() == nil; whole != (n > 0) || !whole && fault == nil {
			t.Fatalf("n %d, fault %v, broken %v", n, fault, s.Broken())
		}
	})
}

// readAll reads data as one value and nothing else with jsontext.
func readAll(data []byte) (jsontext.Value, error) {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	value, err := d.ReadValue()
	if err != nil {
		return nil, err
	}
	value = value.Clone()
	if _, err := d.ReadToken(); err != io.EOF {
		return nil, errors.New("something behind the value")
	}
	return value, nil
}

// FuzzSelectAgreesWithScan checks that both find the same values, and that encoding/json finds them too.
func FuzzSelectAgreesWithScan(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	paths := []Path{{"id"}, {"key"}, {"key", "x"}, {"time"}, {""}, {"", ""}, {"12345678"}, {}, {"id"}}
	sel := NewSelector(paths...)
	few := NewSelector(paths[2], paths[0])
	var s Scanner
	f.Fuzz(func(t *testing.T, data []byte) {
		scanned, selected, some := make([]Value, len(paths)), make([]Value, len(paths)), make([]Value, 2)
		n, fault := s.Scan(data, sel, scanned)
		if fault != nil {
			return
		}
		sel.Select(data[:n], selected)
		few.Select(data[:n], some)
		for i, v := range scanned {
			same(t, v, selected[i])
			if v.Kind != Missing && !bytes.Equal(data[v.At:int(v.At)+len(v.Raw)], v.Raw) {
				t.Fatalf("%q is not at %d of %q", v.Raw, v.At, data)
			}
			same(t, v, plainValue(t, data[:n], paths[i], v))
		}
		same(t, scanned[2], some[0])
		same(t, scanned[0], some[1])
	})
}

func same(t *testing.T, a, b Value) {
	t.Helper()
	if a.Kind != b.Kind || a.At != b.At || !bytes.Equal(a.Raw, b.Raw) {
		t.Fatalf("%+v %q and %+v %q", a, a.Raw, b, b.Raw)
	}
}

// plainValue finds a path with encoding/json; kind and place are those of v, which it cannot know.
func plainValue(t *testing.T, data []byte, path Path, v Value) Value {
	raw := json.RawMessage(bytes.TrimSpace(data))
	for _, name := range path {
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil || members[name] == nil {
			return Value{}
		}
		raw = members[name]
	}
	return Value{Raw: raw, Kind: v.Kind, At: v.At}
}

// FuzzUnquote checks decoded text against encoding/json.
func FuzzUnquote(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	var s Scanner
	out := make([]Value, 1)
	whole := NewSelector(Path{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, fault := s.Scan(data, whole, out); fault != nil || out[0].Kind != String {
			return
		}
		var want string
		if err := json.Unmarshal(out[0].Raw, &want); err != nil {
			t.Fatal(err)
		}
		if got := Unquote(nil, out[0].Raw); string(got) != want {
			t.Fatalf("%q, want %q", got, want)
		}
	})
}

// FuzzParseCell checks that values become cells without a panic, and that numbers keep their value.
func FuzzParseCell(f *testing.F) {
	for _, seed := range []string{`-1234.50`, `1e3`, `0.001`, `-0`, `"2026-01-01T00:00:00.5+02:00"`, `1780000000.25`, `123e-5`, `99999999999999999999999`} {
		f.Add([]byte(seed), uint8(18), uint8(3))
	}
	var s Scanner
	out := make([]Value, 1)
	whole := NewSelector(Path{})
	f.Fuzz(func(t *testing.T, data []byte, precision, scale uint8) {
		if _, fault := s.Scan(data, whole, out); fault != nil {
			return
		}
		checkCells(t, out[0], int(precision%38)+1, int(scale))
	})
}
