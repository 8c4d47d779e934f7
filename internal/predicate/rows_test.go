package predicate

import (
	"testing"

	"penstock"
	"penstock/internal/jsonscan"
)

// columns are those of the stream that the tests ask about.
func columns() []penstock.Column {
	return []penstock.Column{
		{Name: "link", Type: penstock.Text, Path: "link"},
		{Name: "title", Type: penstock.Text, Path: "page.title"},
		{Name: "ms", Type: penstock.Bigint, Path: "ms"},
		{Name: "n", Type: penstock.Bigint, Path: "n"},
		{Name: "score", Type: penstock.Double, Path: "score"},
		{Name: "price", Type: penstock.Decimal, Precision: 12, Scale: 2, Path: "price"},
		{Name: "cost", Type: penstock.Decimal, Precision: 18, Scale: 4, Path: "cost"},
		{Name: "bot", Type: penstock.Boolean, Path: "bot"},
		{Name: "fresh", Type: penstock.Boolean, Path: "fresh"},
		{Name: "seen", Type: penstock.Timestamp, Path: "seen"},
		{Name: "extra", Type: penstock.JSON, Path: "extra"},
		{Name: "like", Type: penstock.Text, Path: "likes"},
	}
}

func must(t testing.TB, text string) *Predicate {
	t.Helper()
	p, err := Parse(text, columns())
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

// event is what the tests ask about.
type event struct {
	id, key        string
	time, received penstock.Micros
	body           string
}

// row returns the event as the predicate's operands need it.
func (e event) row(t testing.TB, p *Predicate) *Row {
	t.Helper()
	var s jsonscan.Scanner
	if n, fault := s.Scan([]byte(e.body), nil, nil); fault != nil || n != len(e.body) {
		t.Fatalf("%s: %v", e.body, fault)
	}
	var paths []jsonscan.Path
	for _, o := range p.Operands() {
		if o.Source != BuiltIn {
			paths = append(paths, o.Path)
		}
	}
	r := &Row{ID: []byte(e.id), Key: []byte(e.key), Time: e.time, ReceivedAt: e.received, Values: make([]jsonscan.Value, len(paths))}
	jsonscan.NewSelector(paths...).Select([]byte(e.body), r.Values)
	return r
}

// click has a value of each kind, and nothing in key, title, n, cost, fresh.
var click = event{
	id: "e-1", time: 1_767_225_600_000000, received: 1_767_225_601_500000, // 2026-01-01
	body: `{"link":"home","ms":187,"n":null,"score":0.1,"price":12.50,"bot":false,"seen":"2026-01-01T01:00:00.25+01:00",
		"extra":{"a":1},"likes":"50% of_all\\","geo":{"country":"DE","zip":"01067","lat":51.05,"in":"x"},"odd name":"o","a.b":"dot","back\\slash":"b",
		"Link":"HOME","big":9007199254740993,"less":9007199254740992,"tenth":0.1000000000000000055511151231257827,"exp":1.5e3,"neg":-7,"yes":true,"no":false,"none":null,
		"list":[1,2],"object":{"x":1},"text":"5","empty":"","esc":"a\u00e9\n\"q\"","uni":"grüße 😀","timestamp":7,"\u00fcber":"u","zero":-0.0,"other":"home"}`,
}

// bare has only an id, a key and times.
var bare = event{id: "e-2", key: "user-1", time: 1_767_225_600_000001, received: 1_767_225_600_000001, body: `{}`}
