package predicate

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"penstock/internal/jsonscan"
)

// TestString holds how conditions are written: two texts that have the same are the same definition.
func TestString(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"link='home'", "link = 'home'"},
		{"'home' == link", "link = 'home'"},
		{"5 < ms", "ms > 5"},
		{"5 <> ms", "ms <> 5"},
		{"5 <= ms", "ms >= 5"},
		{`"link"` + "\t!=\n'it''s'", "link <> 'it''s'"},
		{"((geo.ms = 007.50))", "geo.ms = 7.5"},
		{"geo.x = -0.0", "geo.x = 0"},
		{"geo.x = -0.50", "geo.x = -0.5"},
		{"ms > 12345678901234567.8901234567890123456", "ms > 12345678901234567.8901234567890123456"},
		{"(ms = 1 AND (link = 'a' AND bot = TRUE))", "ms = 1 and link = 'a' and bot = true"},
		{"(ms = 1 or ms = 2) and (ms = 3 or (ms = 4 or ms = 5))", "(ms = 1 or ms = 2) and (ms = 3 or ms = 4 or ms = 5)"},
		{"ms = 1 and ms = 2 or ms = 3", "(ms = 1 and ms = 2) or ms = 3"},
		{"not not not (ms = 1)", "not ms = 1"},
		{"not (ms = 1 or ms = 2)", "not (ms = 1 or ms = 2)"},
		{"not ms in (3, 1, 2, 2.0, null, NULL)", "ms not in (1, 2, 3, null)"},
		{"not ms not between 1 and 2", "ms between 1 and 2"},
		{"not (link like 'a%%b')", "link not like 'a%b'"},
		{`link like '\a\%_\_\\%'`, `link like 'a\%_\_\\%'`},
		{"not link is null", "link is not null"},
		{"bot is true", "bot is true"},
		{"(bot = true) is true", "bot is true"},
		{"not bot is false", "bot is not false"},
		{"(bot = false) is false", "bot = false is false"},
		{"ms = 1 is not true", "ms = 1 is not true"},
		{"(not ms = 1) is null", "(not ms = 1) is null"},
		{"(ms not in (1)) is null", "ms not in (1) is null"},
		{"(link is null) is false", "(link is null) is false"},
		{"TIMESTAMP '2026-01-01T02:00:00.500000+02:00' < Time2 or time>timestamp '2026-01-01t00:00:00z'", ""},
		{"time>TIMESTAMP '2026-01-01t02:00:00.500+02:00'", "time > timestamp '2026-01-01T00:00:00.5Z'"},
		{`Geo.Country = 'DE'`, "Geo.Country = 'DE'"},
		{`Other = 'DE'`, `"Other" = 'DE'`},
		{`"Link" = 'DE'`, `"Link" = 'DE'`},
		{`"geo"."in"."odd name"."say ""x""" = 1`, `geo.in."odd name"."say ""x""" = 1`},
		{`"in" = 1`, `"in" = 1`},
		{`a\.b\\c = 1`, `"a\.b\\c" = 1`},
		{`"a\.b" = "x\y"`, `"a\.b" = "x\\y"`},
		{`timestamp = 1`, `"timestamp" = 1`},
		{`über = 'x'`, `"über" = 'x'`},
		{"100 between ms and price", "100 between ms and price"},
	} {
		p, err := Parse(c.text, columns())
		if c.want == "" {
			if err == nil {
				t.Errorf("%s is %s", c.text, p)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if p.String() != c.want {
			t.Errorf("%s is written %s, want %s", c.text, p, c.want)
		}
		checkAgain(t, p)
	}
	for _, line := range strings.Split(verdicts, "\n") {
		if _, text, ok := strings.Cut(line, " "); ok && !strings.Contains(line, "esc = 'a") && !strings.HasPrefix(line, `"q"`) {
			checkAgain(t, must(t, text))
		}
	}
}

// checkAgain checks that what a predicate writes is read as the same predicate.
func checkAgain(t *testing.T, p *Predicate) {
	t.Helper()
	text := p.String()
	again, err := Parse(text, columns())
	if err != nil {
		t.Fatalf("%s is not read: %v", text, err)
	}
	if again.String() != text || shape(again) != shape(p) {
		t.Fatalf("%s is read as %s", text, again)
	}
	if a, b := names(p), names(again); !reflect.DeepEqual(a, b) {
		t.Fatalf("%s reads %v, before %v", text, b, a)
	}
}

// shape is the whole predicate but for where its parts stood in the text.
func shape(p *Predicate) string {
	return p.SQL(func(o Operand, as Reading) string { return fmt.Sprint("<", o.Source, o.Path, o.Name, as, ">") })
}

func names(p *Predicate) []string {
	var list []string
	for _, o := range p.Operands() {
		list = append(list, fmt.Sprint(o.Source, " ", o, " ", o.Path.String(), " ", o.Column.Type))
	}
	return list
}

func TestOperands(t *testing.T) {
	text := `received_at > time and geo.country = 'DE' and (title = 'x' or link = title or geo.country is null) and id <> key and "Link" = extra`
	p := must(t, text)
	want := []string{
		"0 geo.country geo.country ", "1 title page.title text", "1 link link text", `0 "Link" Link `, "1 extra extra json",
		"2 received_at  ", "2 time  ", "2 id  ", "2 key  ",
	}
	if got := names(p); !reflect.DeepEqual(got, want) {
		t.Errorf("operands are %q, want %q", got, want)
	}
	if o := p.Operands()[1]; o.At != strings.Index(text, "title") || o.Column.Path != "page.title" {
		t.Errorf("the title stands at %d, and is %+v", o.At, o.Column)
	}
}

// TestBind asks two predicates about one row that has the values of both.
func TestBind(t *testing.T) {
	paths := []jsonscan.Path{{"ms"}, {"geo", "country"}, {"link"}, {"price"}}
	r := Row{Values: make([]jsonscan.Value, len(paths))}
	jsonscan.NewSelector(paths...).Select([]byte(click.body), r.Values)
	for text, want := range map[string]bool{
		"time = received_at and link = 'home' and ms = 187": true, "price = 12.5 and geo.country = 'DE'": true, "price = 12.5 and geo.country = 'AT'": false,
	} {
		p := must(t, text)
		var at []int
		for _, o := range p.Operands() {
			for i, path := range paths {
				if o.Path != nil && path.String() == o.Path.String() {
					at = append(at, i)
				}
			}
		}
		if got := p.Bind(at).Match(&r); got != want {
			t.Errorf("%s is %v", text, got)
		}
	}
}
