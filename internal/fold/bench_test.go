package fold

import (
	"fmt"
	"testing"
	"time"

	"penstock"
)

// clicks is the stream of the benchmarks; an event of it has 250 bytes.
func clicks() penstock.Stream {
	return penstock.Stream{Name: "clicks", Columns: []penstock.Column{
		{Name: "url", Type: penstock.Text, Path: "url"},
		{Name: "country", Type: penstock.Text, Path: "country"},
		{Name: "device", Type: penstock.Text, Path: "device"},
		{Name: "ms", Type: penstock.Bigint, Path: "ms"},
		{Name: "price", Type: penstock.Decimal, Precision: 12, Scale: 2, Path: "price"},
		{Name: "new", Type: penstock.Boolean, Path: "new"},
	}}
}

func click(i, key int) *penstock.Record {
	country := []string{"DE", "FR", "PL", "US", "NL", "IT", "ES", "SE"}[i%8]
	device := []string{"mobile", "tablet", "laptop"}[i%3]
	body := fmt.Sprintf(`{"id":"01932f3e-7a41-7c3e-9a55-0d5f6c1b%04x","key":"user-%07d","time":"2026-03-14T09:26:53.589793Z",`+
		`"url":"https://shop.example.com/products/%04d?ref=mail","country":"%s","device":"%s","ms":%d,"price":12.50,"new":%v,"tags":["a","b"],"v":{"x":1}}`,
		i&0xffff, key, i%1742, country, device, 100+i%400, i%2 == 0)
	return &penstock.Record{
		Event:  penstock.Event{ID: fmt.Appendf(nil, "e-%d", i), Key: fmt.Appendf(nil, "user-%07d", key), Time: 1_773_480_413_589793 + penstock.Micros(i)*3000, Body: []byte(body)},
		Stream: "clicks", Partition: penstock.Partition(key * 31 % 64), Position: penstock.Position{Epoch: 1, Offset: penstock.Offset(i)},
		ReceivedAt: 1_773_480_413_589793, LogTime: 1_773_480_413_600000 + penstock.Micros(i),
	}
}

func (s streamOf) field(name string) penstock.Field {
	for _, c := range s.Columns {
		if c.Name == name {
			return penstock.Field{Column: c}
		}
	}
	return penstock.Field{Column: penstock.Column{Name: name, Type: penstock.Text}}
}

type streamOf struct{ penstock.Stream }

// plain are three views of which no state grows.
func plain() []penstock.View {
	s := streamOf{clicks()}
	return []penstock.View{
		{Name: "revenue", Stream: "clicks", Group: []penstock.Field{s.field("country")}, Window: time.Minute, Measures: []penstock.Measure{
			{Name: "clicks", Kind: penstock.MeasureCount}, {Name: "revenue", Kind: penstock.MeasureSum, Of: s.field("price")},
			{Name: "slowest", Kind: penstock.MeasureMax, Of: s.field("ms")},
		}},
		{Name: "devices", Stream: "clicks", Where: "new = true", Group: []penstock.Field{s.field("device")}, Measures: []penstock.Measure{
			{Name: "clicks", Kind: penstock.MeasureCount}, {Name: "ms", Kind: penstock.MeasureAvg, Of: s.field("ms")},
		}},
		{Name: "newest", Stream: "clicks", Group: []penstock.Field{s.field("device")}, Measures: []penstock.Measure{
			{Name: "url", Kind: penstock.MeasureLatest, Of: s.field("url")},
		}},
	}
}

// byKey are three views by the events' key.
func byKey() []penstock.View {
	views := plain()
	for i := range views {
		views[i].Group, views[i].Window = []penstock.Field{streamOf{clicks()}.field("key")}, 0
	}
	return views
}

// estimates are three views with sketches.
func estimates() []penstock.View {
	s := streamOf{clicks()}
	views := plain()
	views[0].Measures = []penstock.Measure{{Name: "visitors", Kind: penstock.MeasureUnique, Of: s.field("key")}}
	views[1].Measures = []penstock.Measure{{Name: "p95", Kind: penstock.MeasureQuantile, Of: s.field("ms"), Q: 0.95}}
	views[2].Measures = []penstock.Measure{{Name: "hot", Kind: penstock.MeasureTop, Of: s.field("url"), K: 100}}
	return views
}

// BenchmarkAdd takes in batches of 20,000 events, and forgets them.
func BenchmarkAdd(b *testing.B) {
	for _, c := range []struct {
		name  string
		views []penstock.View
		keys  func(i int) int
	}{
		{"few", plain(), func(i int) int { return i % 64 }},
		{"keys", byKey(), func(i int) int { return i * 7919 % 20000 }},
		{"hot", byKey(), func(i int) int { return i % 2 * i * 7919 % 20000 }},
		{"sketches", estimates(), func(i int) int { return i * 7919 % 20000 }},
	} {
		b.Run(c.name, func(b *testing.B) {
			plan, err := Compile(clicks(), c.views)
			if err != nil {
				b.Fatal(err)
			}
			records := make([]*penstock.Record, 20_000)
			for i := range records {
				records[i] = click(i, c.keys(i))
			}
			f := plan.Begin()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				f.Add(records[i])
				if i++; i == len(records) {
					f.Reset()
					i = 0
				}
			}
		})
	}
}

// BenchmarkMillion takes in a million groups and yields their deltas; its figures are of all of them.
func BenchmarkMillion(b *testing.B) {
	plan, err := Compile(clicks(), byKey())
	if err != nil {
		b.Fatal(err)
	}
	records := make([]*penstock.Record, 10_000)
	for i := range records {
		records[i] = click(i, i)
	}
	var key []byte
	b.ReportAllocs()
	for b.Loop() {
		f := plan.Begin()
		for i := range 1_000_000 {
			r := *records[i%len(records)]
			key = fmt.Appendf(key[:0], "user-%07d", i*7919%1_000_000)
			r.Key, r.Partition = key, penstock.Partition(i%64)
			f.Add(&r)
		}
		n := 0
		for view := range plan.views {
			for range f.Deltas(view) {
				n++
			}
		}
		if n < 2_000_000 {
			b.Fatal(n)
		}
	}
}

// BenchmarkDeltas yields 20,000 deltas of each of three views; its figures are of all of them.
func BenchmarkDeltas(b *testing.B) {
	plan, err := Compile(clicks(), byKey())
	if err != nil {
		b.Fatal(err)
	}
	f := plan.Begin()
	for i := range 40_000 {
		f.Add(click(i, i/2))
	}
	b.ReportAllocs()
	for b.Loop() {
		for view := range plan.views {
			for range f.Deltas(view) {
			}
		}
	}
}
