package predicate

import (
	"strings"
	"sync"
	"testing"

	"penstock"
)

// TestBareEvent asks about an event that has nothing but what is built in.
func TestBareEvent(t *testing.T) {
	for text, want := range map[string]bool{
		"key = 'user-1' and id = 'e-2'": true, "time = received_at": true, "link is null and geo.country is null and extra is null": true,
		"link = link": false, "geo.x = geo.x": false, "geo.x <> geo.y or ms = ms": false, "link like '%' or link not like '%'": false,
		"ms in (1) or ms not in (1)": false, "(ms = 1) is null and bot is not true and bot is not false": true,
		"time > timestamp '2026-01-01T00:00:00Z' and time < timestamp '2026-01-01T00:00:00.000002Z'": true,
	} {
		p := must(t, text)
		if got := p.Match(bare.row(t, p)); got != want {
			t.Errorf("%s is %v", text, got)
		}
	}
}

// TestIllFitting asks about values that their columns cannot have: they are NULL.
func TestIllFitting(t *testing.T) {
	for body, texts := range map[string][]string{
		`{"ms":1.0}`:             {"ms = 1", "ms > 0", "ms in (1)", "ms < score2", "ms is not null"},
		`{"ms":"5"}`:             {"ms = 5", "ms is not null"},
		`{"ms":1e0,"score":0.5}`: {"ms > score", "score < ms"},
		`{"link":5}`:             {"link = '5'", "link like '5'", "link is not null"},
		`{"price":0.125}`:        {"price > 0", "price is not null", "price in (0.12, 0.13)"},
		`{"price":10000000000}`:  {"price > 0", "price is not null"},
		`{"score":"1"}`:          {"score = 1", "score is not null"},
		`{"bot":1}`:              {"bot = true", "bot is not null", "bot is true"},
		`{"seen":"yesterday"}`:   {"seen < time", "seen is not null"},
	} {
		for _, text := range texts {
			p := must(t, text)
			if p.Match((event{body: body}).row(t, p)) {
				t.Errorf("%s is true of %s", text, body)
			}
		}
	}
	p := must(t, "ms is null and link is null")
	if !p.Match((event{body: `{"ms":1.5,"link":{}}`}).row(t, p)) {
		t.Error("what does not fit is not NULL")
	}
}

// whole uses every kind of condition.
const whole = `link in ('a', 'home', null) and (ms between 100 and 200 or price > 12.49) and esc like '%q"' and esc <> uni and not geo.lat < 51.05
	and score = 0.1 and tenth > 0.1 and bot is false and time < received_at and other = link and (none = 1) is null and seen > time and id like 'e%'`

func TestMatchDoesNotAllocate(t *testing.T) {
	p := must(t, whole)
	r := click.row(t, p)
	if !p.Match(r) {
		t.Fatal("no match")
	}
	if n := testing.AllocsPerRun(100, func() { p.Match(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for _, text := range []string{"esc <> uni", "esc like '%a'", "esc in ('a')"} {
		p, r = must(t, text), click.row(t, must(t, text))
		for range 1000 {
			p.Match(r)
		}
		if n := cap(r.scratch); n == 0 || n > 1<<10 {
			t.Errorf("%s: the row has grown to %d bytes", text, n)
		}
	}
}

func TestMatchConcurrently(t *testing.T) {
	p := must(t, whole)
	var group sync.WaitGroup
	for range 8 {
		r, none := click.row(t, p), bare.row(t, p)
		group.Go(func() {
			for range 200 {
				if !p.Match(r) || p.Match(none) {
					t.Error("another verdict")
				}
			}
		})
	}
	group.Wait()
}

// TestColumnsOfNoType checks that a column whose type or path nobody knows is refused instead of being read as something else.
func TestColumnsOfNoType(t *testing.T) {
	for _, c := range []penstock.Column{{Name: "x", Type: "uuid", Path: "x"}, {Name: "x", Type: penstock.Text, Path: "a..b"}} {
		if p, err := Parse("x = 'a'", []penstock.Column{c}); !penstock.Is(err, penstock.Invalid) || !strings.Contains(err.Error(), `the column "x" has no type`) {
			t.Errorf("%+v is %v, %v", c, p, err)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"text", "geo.country = 'DE'"},
		{"bigint", "ms > 186"},
		{"decimal", "price > 12.49"},
		{"path decimal", "geo.lat > 51.04"},
		{"double", "score < 0.5"},
		{"moment", "time < timestamp '2026-02-01T00:00:00Z'"},
		{"timestamp", "seen > time"},
		{"in of 4", "geo.country in ('AT', 'CH', 'DE', 'LI')"},
		{"like", "link like '%om%'"},
		{"five", "geo.country = 'DE' and ms between 100 and 200 and bot = false and link <> 'x'"},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := must(b, c.text)
			r := click.row(b, p)
			b.ReportAllocs()
			for b.Loop() {
				if !p.Match(r) {
					b.Fatal("no match")
				}
			}
		})
	}
}
