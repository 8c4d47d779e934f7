package fold

import (
	"testing"

	"penstock"
	"penstock/internal/jsonscan"
)

// FuzzAdd folds any body, twice in one batch and once each in two. If a scanner accepts it the merged deltas of the two must be those of the
// one; whatever it is, all rows are counted that a condition on the body does not leave out.
func FuzzAdd(f *testing.F) {
	for _, body := range []string{
		`{}`, `{"s":"a\n","in":{"n":5},"d":-0.0,"p":12.50,"w":1e3,"v":99999999999999999999999999999999999999,"b":true,"t":"2026-01-01T00:00:00Z","j":{"a":[1]},"x":{"l":1}}`,
		`{"s":5,"in":5,"d":1e308,"t":1e11,"x":{"l":{}}}`, `{"d":`, `{"\u0073":"\ud83d\ude00"}`, `[]`, `{"w":-0.0000000001,"j":null}`,
	} {
		f.Add([]byte(body), int64(-1), []byte("k\x00"))
	}
	views, _ := models()
	plan := compile(f, things(), views...)
	f.Fuzz(func(t *testing.T, body []byte, at int64, key []byte) {
		var s jsonscan.Scanner
		n, fault := s.Scan(body, nil, nil)
		accepted := fault == nil && n == len(body)
		at %= 1 << 58
		a := &penstock.Record{Event: penstock.Event{ID: []byte("1"), Key: key, Time: penstock.Micros(at), Body: body}, LogTime: 1}
		b := *a
		b.Position.Offset = 1
		fold := plan.Begin()
		fold.Add(a)
		fold.Add(&b)
		for i := range views {
			whole, parts := map[place]merged{}, map[place]merged{}
			collect(t, &views[i], fold, i, whole)
			for _, r := range []*penstock.Record{&b, a} {
				one := plan.Begin()
				one.Add(r)
				collect(t, &views[i], one, i, parts)
			}
			rows := int64(0)
			for _, m := range whole {
				rows += m.state[0].(int64)
			}
			if rows != 2 && (rows != 0 || views[i].Where == "") {
				t.Fatalf("view %s counts %d rows of %q", views[i].Name, rows, body)
			}
			if accepted {
				differ(t, &views[i], parts, whole)
			}
		}
	})
}
