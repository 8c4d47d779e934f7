package jsonscan

import (
	"slices"
	"strings"
	"testing"

	"penstock"
)

func TestParsePath(t *testing.T) {
	for _, c := range []struct {
		text string
		want Path
	}{
		{"id", Path{"id"}}, {"user.id", Path{"user", "id"}}, {`a\.b.c`, Path{"a.b", "c"}}, {`a\\.b`, Path{`a\`, "b"}}, {`a\b`, Path{`a\b`}},
		{"ä.$x", Path{"ä", "$x"}},
	} {
		got, err := ParsePath(c.text)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s is %q, %v", c.text, got, err)
		}
		if again, err := ParsePath(got.String()); err != nil || !slices.Equal(again, got) {
			t.Errorf("%s is written %s, which is %q, %v", c.text, got, again, err)
		}
	}
	for _, text := range []string{"", ".", "a.", ".a", "a..b"} {
		if got, err := ParsePath(text); !penstock.Is(err, penstock.Invalid) {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
}

func TestSelect(t *testing.T) {
	const data = ` { "a" : {"b": [1, {"b":2}], "c.d":"x\"}" }, "\u0061b": -1.5 , "n":null, "longer name":{}, "e":"\\" } `
	paths := []string{"a.b", `a.c\.d`, "ab", "n", "longer name", "missing", "a", "a.b.b", "e", "n.x"}
	want := []string{`[1, {"b":2}]`, `"x\"}"`, "-1.5", "null", "{}", "", `{"b": [1, {"b":2}], "c.d":"x\"}" }`, "", `"\\"`, ""}
	kinds := []Kind{Array, String, Number, Null, Object, Missing, Object, Missing, String, Missing}
	parsed := make([]Path, len(paths))
	for i, text := range paths {
		parsed[i], _ = ParsePath(text)
	}
	sel := NewSelector(parsed...)
	scanned, selected := make([]Value, len(paths)), make([]Value, len(paths))
	var s Scanner
	if _, fault := s.Scan([]byte(data), sel, scanned); fault != nil {
		t.Fatal(fault)
	}
	sel.Select([]byte(data), selected)
	for i, out := range [][]Value{scanned, selected} {
		for j, v := range out {
			if string(v.Raw) != want[j] || v.Kind != kinds[j] {
				t.Errorf("way %d: %s is %s (%v), want %s (%v)", i, paths[j], v.Raw, v.Kind, want[j], kinds[j])
			}
			if v.Kind != Missing && !strings.HasPrefix(data[v.At:], want[j]) {
				t.Errorf("way %d: %s is not at %d", i, paths[j], v.At)
			}
		}
	}
}

// Hot paths allocate nothing once their scratch has grown.
func TestScanDoesNotAllocate(t *testing.T) {
	var s Scanner
	sel := NewSelector(Path{"id"}, Path{"key"}, Path{"v", "x"})
	out := make([]Value, 3)
	wide := []byte(`{"\u0069":1`)
	for i := range 100 {
		wide = append(wide, `,"member`+strings.Repeat("x", i)+`":{"a\n":[1]}`...)
	}
	wide = append(wide, '}')
	for _, data := range [][]byte{click, wide} {
		if n := testing.AllocsPerRun(100, func() {
			if _, fault := s.Scan(data, sel, out); fault != nil {
				t.Fatal(fault)
			}
			sel.Select(data, out)
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}
