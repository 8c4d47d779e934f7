package jsonevents

import (
	"bytes"
	"fmt"
	"testing"

	"penstock"
)

// event returns the i-th event, of about 250 bytes.
func event(i int) []byte {
	return fmt.Appendf(nil, `{"id":"01932f3e-7a41-7c3e-9a55-%012x","key":"user-%05d","time":"2026-03-14T09:26:53.589793Z",`+
		`"url":"https://shop.example.com/products/1742?ref=mail","country":"DE","device":"mobile","ms":187,"price":12.50,"new":true,`+
		`"tags":["a","b"],"v":{"x":1}}`, i, i%100_000)
}

func ndjsonOf(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		b.Write(event(i))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func benchRequest(contentType string, body []byte) *penstock.Request {
	return &penstock.Request{Stream: &penstock.Stream{Name: "clicks"}, ContentType: contentType, Body: body,
		ReceivedAt: 1_800_000_000_000_000}
}

func BenchmarkDecodeLines(b *testing.B) {
	const events = 1000
	p, r := New(), benchRequest(ndjsonType, ndjsonOf(events))
	b.SetBytes(int64(len(r.Body)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if err := p.Decode(r, func(penstock.Event) { n++ }, nil); err != nil {
			b.Fatal(err)
		}
	}
	if n != events*b.N {
		b.Fatal(n)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
}

func BenchmarkDecodeSingle(b *testing.B) {
	p, r := New(), benchRequest(jsonType, event(1))
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Decode(r, func(penstock.Event) {}, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeSingleGivenID(b *testing.B) {
	p, r := New(), benchRequest("", []byte(`{"url":"https://shop.example.com/products/1742?ref=mail","country":"DE"}`))
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Decode(r, func(penstock.Event) {}, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReplySingle(b *testing.B) {
	p, r := New(), &penstock.Request{Single: true}
	o := &penstock.Outcome{Accepted: 1, Durability: penstock.DurabilityDisk, Receipt: "AQABABEiM0RVZneImaq7zN3u_wABBwEBAAAAAA",
		IDs: []string{"01932f3e-7a41-7c3e-9a55-0d5f6c1b2a77"}}
	b.ReportAllocs()
	for b.Loop() {
		p.Reply(r, o)
	}
}
