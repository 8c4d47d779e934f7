package jsonscan

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// click is an event of 250 bytes.
var click = []byte(`{"id":"01932f3e-7a41-7c3e-9a55-0d5f6c1b2a77","key":"user-48213","time":"2026-03-14T09:26:53.589793Z",` +
	`"url":"https://shop.example.com/products/1742?ref=mail","country":"DE","device":"mobile","ms":187,"price":12.50,"new":true,` +
	`"tags":["a","b"],"v":{"x":1}}`)

func BenchmarkScan(b *testing.B) {
	var s Scanner
	sel := NewSelector(Path{"id"}, Path{"key"}, Path{"time"})
	out := make([]Value, 3)
	b.SetBytes(int64(len(click)))
	b.ReportAllocs()
	for b.Loop() {
		if n, fault := s.Scan(click, sel, out); fault != nil || n != len(click) {
			b.Fatal(n, fault)
		}
	}
}

func BenchmarkSelect(b *testing.B) {
	for _, c := range []struct {
		name  string
		paths []Path
	}{
		{"first", []Path{{"id"}, {"key"}, {"time"}}},
		{"missing", []Path{{"id"}, {"none"}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			sel := NewSelector(c.paths...)
			out := make([]Value, len(c.paths))
			b.SetBytes(int64(len(click)))
			b.ReportAllocs()
			for b.Loop() {
				sel.Select(click, out)
			}
		})
	}
}

func BenchmarkJSONTextReadValue(b *testing.B) {
	r := bytes.NewBuffer(click) // the reader that the decoder does not copy from
	d := jsontext.NewDecoder(r)
	b.SetBytes(int64(len(click)))
	b.ReportAllocs()
	for b.Loop() {
		*r = *bytes.NewBuffer(click)
		d.Reset(r)
		if _, err := d.ReadValue(); err != nil {
			b.Fatal(err)
		}
	}
}

// A caller that reads tokens can select members and count nodes, which ReadValue leaves to do.
func BenchmarkJSONTextReadToken(b *testing.B) {
	r := bytes.NewBuffer(click) // the reader that the decoder does not copy from
	d := jsontext.NewDecoder(r)
	b.SetBytes(int64(len(click)))
	b.ReportAllocs()
	for b.Loop() {
		*r = *bytes.NewBuffer(click)
		d.Reset(r)
		for {
			if _, err := d.ReadToken(); err != nil {
				b.Fatal(err)
			}
			if d.StackDepth() == 0 {
				break
			}
		}
	}
}

func BenchmarkEncodingJSONValid(b *testing.B) {
	b.SetBytes(int64(len(click)))
	for b.Loop() {
		if !json.Valid(click) {
			b.Fatal("not valid")
		}
	}
}
