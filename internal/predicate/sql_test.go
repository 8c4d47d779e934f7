package predicate

import (
	"strings"
	"testing"

	"penstock/internal/jsonscan"
)

// TestSQL holds what SQL looks like, where DuckDB's agreement (internal/predicate/recount) would not show a difference.
func TestSQL(t *testing.T) {
	read := func(o Operand, as Reading) string {
		return [...]string{"", "any:", "text:", "int:", "double:", "bool:"}[as] + o.String()
	}
	for _, c := range []struct{ text, want string }{
		{"link = 'it''s'", "(link = 'it''s')"},
		{`link like 'a\\%'`, `(link like 'a\\%' escape '\')`},
		{`title like 'a%_b'`, `(title like 'a%_b')`},
		{"ms > 1.5", "(ms > 1)"},
		{"ms <= -1.5", "(ms <= -2)"},
		{"ms < 1.5 and price >= 1.005", "((ms <= 1) and (price > 1.00))"},
		{"price = cost", "(price = cost)"},
		{"score > ms", "(score > cast(ms as double precision))"},
		{"score = 0.1", "(score = cast('0.1' as double precision))"},
		{"key is not null or geo.x is null", "((not (key is null)) or (any:geo.x is null))"},
		{"bot is true", "((bot = true) is true)"},
		{"time > timestamp '2026-01-01T00:00:00Z'", "(time > cast('2026-01-01T00:00:00Z' as timestamptz))"},
		{"link = null", "cast(null as boolean)"},
		{"link in (null)", "cast(null as boolean)"},
		{"link in ('b', null, 'a')", "(link in ('a', 'b', null))"},
		{"x.y = 'a'", "(text:x.y = 'a')"},
		{"x.y = true", "(bool:x.y = true)"},
		{"x.y > 1.5", "(case when int:x.y is not null and 1.5 is not null then int:x.y > 1" +
			" when double:x.y is not null and cast('1.5' as double precision) is not null then double:x.y > cast('1.5' as double precision) end)"},
		{"x.y in (1, 2.5)", "(case when int:x.y is not null then int:x.y in (1)" +
			" else double:x.y in (cast('1' as double precision), cast('2.5' as double precision)) end)"},
		{"x.y in (2.5)", "(case when int:x.y is not null then int:x.y <> int:x.y else double:x.y in (cast('2.5' as double precision)) end)"},
	} {
		if got := must(t, c.text).SQL(read); got != c.want {
			t.Errorf("%s is\n%s, want\n%s", c.text, got, c.want)
		}
	}
	long := must(t, "geo.x = geo.y").SQL(read)
	for _, part := range []string{"int:geo.x = int:geo.y", "double:geo.x = double:geo.y", "text:geo.x = text:geo.y", "bool:geo.x = bool:geo.y"} {
		if !strings.Contains(long, part) {
			t.Errorf("%s has no %s", long, part)
		}
	}
}

func TestDuckPath(t *testing.T) {
	for want, path := range map[string]jsonscan.Path{
		`$."geo"."a.b"`: {"geo", "a.b"}, `/a~1b~0/say "x"`: {"a/b~", `say "x"`}, `$."*"`: {"*"},
	} {
		if got := duckPath(path); got != want {
			t.Errorf("%q is %s, want %s", path, got, want)
		}
	}
}
