package fold

import (
	"bytes"
	"cmp"
	"math"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"penstock"
	"penstock/internal/jsonscan"
)

// keyColumns have each shape, texts beside each other and at the end.
func keyColumns() []penstock.Column {
	var all []penstock.Column
	for _, name := range []string{"s", "j", "n", "d", "v", "b", "t", "s", "s"} {
		all = append(all, named(name).Column)
	}
	return all
}

// drawCell generates a cell of a type. Texts are short, of the bytes that a key gives a meaning, so that many are alike.
func drawCell(t *rapid.T, c penstock.Column) jsonscan.Cell {
	if rapid.IntRange(0, 3).Draw(t, "null") == 0 {
		return jsonscan.Cell{Null: true}
	}
	switch shapeOf(c.Type) {
	case textual:
		return jsonscan.Cell{Bytes: rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 'a', 0xfe, 0xff}), 0, 4).Draw(t, "text")}
	case integral:
		return jsonscan.Cell{Int: rapid.OneOf(rapid.Int64(), rapid.Int64Range(-2, 2)).Draw(t, "int")}
	case floating:
		f := rapid.OneOf(rapid.Float64(), rapid.Just(0.0), rapid.Just(math.SmallestNonzeroFloat64), rapid.Just(-math.MaxFloat64)).Draw(t, "double")
		return jsonscan.Cell{Float: f + 0} // -0 is never grouped by
	case fixed:
		return jsonscan.Cell{Hi: rapid.OneOf(rapid.Int64(), rapid.Int64Range(-1, 1)).Draw(t, "hi"), Lo: rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 2)).Draw(t, "lo")}
	}
	return jsonscan.Cell{Bool: rapid.Bool().Draw(t, "bool")}
}

// drawKey generates a group and its key.
func drawKey(t *rapid.T) (values []any, key []byte) {
	p := penstock.Partition(rapid.IntRange(0, 1).Draw(t, "partition"))
	window := penstock.Micros(rapid.Int64Range(-1, 1).Draw(t, "window"))
	values, key = []any{int64(p), int64(window)}, appendKeyHead(nil, p, window)
	for _, c := range keyColumns() {
		cell := drawCell(t, c)
		values, key = append(values, valueOf(c, cell)), appendCell(key, shapeOf(c.Type), &cell)
	}
	return values, key
}

func compareKeys(a, b []any) int {
	for i := range a {
		x, y := a[i], b[i]
		c := 0
		switch {
		case x == nil || y == nil:
			c = cmp.Compare(present(x), present(y))
		case x == true || x == false:
			c = cmp.Compare(truth(x), truth(y))
		default:
			c = compareValues(x, y)
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func present(v any) int {
	if v == nil {
		return 0
	}
	return 1
}

func truth(v any) int {
	if v == true {
		return 1
	}
	return 0
}

// TestKeys holds that keys compare as groups do, so no two groups have one key; that no key begins with another; and that a group can
// be read again.
func TestKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, keyA := drawKey(t)
		b, keyB := drawKey(t)
		if rapid.Bool().Draw(t, "alike") { // but for one cell
			columns := keyColumns()
			i := rapid.IntRange(0, len(columns)-1).Draw(t, "which")
			b = append([]any{}, a...)
			cell := drawCell(t, columns[i])
			b[2+i] = valueOf(columns[i], cell)
			keyB = rebuilt(keyA, i, cell)
		}
		if got, want := bytes.Compare(keyA, keyB), compareKeys(a, b); got != want {
			t.Fatalf("%v and %v: keys %x and %x compare as %d, want %d", a, b, keyA, keyB, got, want)
		}
		if !bytes.Equal(keyA, keyB) && (bytes.HasPrefix(keyA, keyB) || bytes.HasPrefix(keyB, keyA)) {
			t.Fatalf("of %x and %x one begins with the other", keyA, keyB)
		}
		rest, again := keyA[keyHead:], a[:2:2]
		for _, c := range keyColumns() {
			var cell jsonscan.Cell
			cell, rest = readCell(rest, shapeOf(c.Type))
			again = append(again, valueOf(c, cell))
		}
		if len(rest) != 0 || written(again) != written(a) {
			t.Fatalf("%v is read as %v, and %x is left", a, again, rest)
		}
	})
}

// rebuilt returns a key with another i-th cell.
func rebuilt(key []byte, i int, cell jsonscan.Cell) []byte {
	out, rest := append([]byte{}, key[:keyHead]...), key[keyHead:]
	for j, c := range keyColumns() {
		var old jsonscan.Cell
		old, rest = readCell(rest, shapeOf(c.Type))
		if j == i {
			old = cell
		}
		out = appendCell(out, shapeOf(c.Type), &old)
	}
	return out
}

// TestTextKeys tries all pairs of texts of up to three of the bytes that matter, one after the other: each split of the same bytes into
// two texts is another group.
func TestTextKeys(t *testing.T) {
	var texts [][]byte
	var grow func(text []byte)
	grow = func(text []byte) {
		texts = append(texts, text)
		if len(text) < 3 {
			for _, c := range []byte{0, 1, 0xff, 'a'} {
				grow(append(text[:len(text):len(text)], c))
			}
		}
	}
	grow(nil)
	seen := map[string]bool{}
	for _, a := range texts {
		for _, b := range texts {
			key := appendCell(appendCell(nil, textual, &jsonscan.Cell{Bytes: a}), textual, &jsonscan.Cell{Bytes: b})
			if seen[string(key)] {
				t.Fatalf("%q and %q have the key of another group: %x", a, b, key)
			}
			seen[string(key)] = true
		}
	}
	if len(seen) != 85*85 {
		t.Fatal(len(seen))
	}
}

// TestWindows looks at the edges of windows, and compares all with division in unbounded numbers.
func TestWindows(t *testing.T) {
	minute := penstock.MicrosOf(time.Unix(60, 0))
	for _, c := range []struct{ at, window, want penstock.Micros }{
		{0, minute, 0}, {1, minute, 0}, {minute - 1, minute, 0}, {minute, minute, minute},
		{-1, minute, -minute}, {-minute, minute, -minute}, {-minute - 1, minute, -2 * minute},
		{-5, 0, 0}, {7, 1, 7}, {-7, 1, -7},
		{penstock.MicrosOf(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)), 24 * 60 * minute, penstock.MicrosOf(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC))},
		{penstock.MicrosOf(time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC)), 60 * minute, penstock.MicrosOf(time.Date(1969, 12, 31, 23, 0, 0, 0, time.UTC))},
	} {
		if got := startOf(c.at, c.window); got != c.want {
			t.Errorf("%d in windows of %d begins at %d, want %d", c.at, c.window, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		at, window := rapid.Int64Range(-1<<60, 1<<60).Draw(t, "at"), rapid.Int64Range(1, 1<<50).Draw(t, "window")
		want := big.NewInt(at)
		want.Mul(want.Div(want, big.NewInt(window)), big.NewInt(window))
		if got := startOf(penstock.Micros(at), penstock.Micros(window)); int64(got) != want.Int64() {
			t.Fatalf("%d, want %v", got, want)
		}
	})
}
