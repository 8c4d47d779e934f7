package predicate

import (
	"strings"
	"testing"
)

// verdicts are expressions over click: t is true, f false, n NULL.
const verdicts = `
t link = 'home'
t link == 'home'
f link = 'Home'
f link <> 'home'
f link != 'home'
t 'home' = link
t link < 'homf'
t link > 'hom'
t link >= 'home'
t link <= 'home'
f link < 'home'
t link > 'Home'
n title = 'x'
n title <> 'x'
n link = null
n link <> null
n null = link
n null > ms
t other = link
f other <> link
t id = 'e-1'
f id > 'e-1'
n key = 'user-1'
t key is null
f key is not null
t id is not null
t ms = 187
t ms = 187.00
t ms = 0187
t 187 = ms
t ms > 186
t ms > 186.5
f ms > 187.5
t ms >= -1
t 5 < ms
f 5 >= ms
t ms < 1000000000000000000.5
n n = 1
n n > 1 or n < 1
t n is null
f ms is null
t score = 0.1
f score > 0.1
t score = 0.10000000000000000001
t score < ms
t ms > score
t price > score
t price = 12.5
t price = 12.50
t price < 12.505
t price > 12.495
f price >= 12.505
t price between 12.499 and 12.501
t price < ms
f ms < price
n cost = price
n price < n
t bot = false
t bot <> true
f bot = true
n fresh = true
n fresh = bot
t bot is false
f bot is true
t bot is not true
f bot is not false
f fresh is true
f fresh is false
t fresh is not true
t fresh is not false
t fresh is null
t seen = timestamp '2026-01-01T00:00:00.25Z'
t seen > time
f seen < time
t seen < received_at
t time = timestamp '2026-01-01T00:00:00Z'
t time = TIMESTAMP '2026-01-01T03:00:00+03:00'
t time < received_at
t time < timestamp '2026-01-01T00:00:00.000001Z'
f timestamp '2026-01-01T00:00:00Z' < time
t time between timestamp '2026-01-01T00:00:00Z' and timestamp '2026-01-01T00:00:00Z'
t timestamp '2026-01-01T00:00:01Z' between time and received_at
t timestamp = 7
t geo.country = 'DE'
t geo."country" = 'DE'
t "geo".country in ('AT', 'DE', 'CH')
f geo.Country is not null
t geo.zip = '01067'
n geo.zip = 1067
n geo.zip > 5
t geo.lat > 51
t geo.lat = 51.050
t geo.in = 'x'
n geo.country.name = 'x'
t geo.country.name is null
n geo = 'x'
t geo is not null
n geo = geo
t "odd name" = 'o'
t "a\.b" = 'dot'
t a\.b = 'dot'
n a.b = 'dot'
t "back\\slash" = 'b'
t back\\slash = 'b'
t "Link" = 'HOME'
t über = 'u'
t "über" = 'u'
t "like" like '50%'
t big = 9007199254740993
f big = 9007199254740992
t big > 9007199254740992
t big > 9007199254740992.9
f big >= 9007199254740993.1
t big <> 9007199254740992.0
t big <> less
t big > less
f big = less
f big in (9007199254740992, 9007199254740994)
t big in (9007199254740994, 9007199254740993)
t tenth > 0.1
t tenth <> 0.1
f tenth = 0.1
t tenth > score or tenth = score
t exp = 1500
t exp > ms
t exp > 1499.99
t neg = -7
t neg < 0
t neg > -7.5
t neg between -8 and -6
t zero = 0
f zero < 0
t zero = -0
t yes = true
t yes is true
f no is true
t no is false
n yes = 'true'
n yes = 1
f yes <> true
n none = 1
n none = 'null'
t none is null
f none is not null
t none is not true
t missing is null
t list is not null
n list = 1
n list = true or list = 'x'
f list is true
t list is not false
n object = object
t object is not null
n text = 5
t text = '5'
n text = ms
t text is not true
t empty = ''
f empty is null
t empty < 'a'
t esc = 'aé
"q"'
t esc like 'a_%"q"'
t esc > 'a'
t esc = esc
t uni like 'gr__e 😀'
t uni like '%e _'
f uni like '%e __'
t uni like '%ü%ß%'
t uni <> esc
n text = big
n big = text
t exp > big or big > exp
t yes <> no
f yes = no
n yes < no
n yes = text
t other = link
n missing = other
t extra is not null
n extra = 1
f extra is true
t "like" like '50\% of\_all\\'
f "like" like '50_ of\_al'
t "like" like '50_ of_all_'
t "like" like '%'
t "like" like '%%%'
t "like" like '%\\'
t "like" like '%\%%\_%'
f link like 'hom'
t link like 'home'
t link like 'h%'
t link like '%e'
t link like 'h%e'
t link like '%om%'
t link like 'h__e'
f link like 'h_e'
f link like 'home_'
t link like 'home%'
f link like ''
t empty like ''
t empty like '%'
f empty like '_'
f link like '%h%h%'
t link like '\h\o%'
n title like '%'
n ms2 like '%'
n title not like '%'
f link not like 'h%'
t link not like 'x%'
n key like '%'
t id like 'e-_'
n big like '9%'
t link in ('home')
t link in ('a', 'home', 'b')
f link in ('a', 'b')
t link not in ('a', 'b')
n link in ('a', null)
t link in ('home', null)
n link not in ('a', null)
f link not in ('home', null)
n link in (null)
n link not in (null, null)
n title in ('a')
n title not in ('a')
t ms in (1, 187, 2)
t ms in (187.0)
f ms not in (187)
f ms in (1, 2, 3)
t price in (12.5, 1)
t score in (0.1, 5)
t bot in (false)
t bot in (true, false)
n fresh in (true, false)
t time in (timestamp '2026-01-01T00:00:00Z')
f time not in (timestamp '2026-01-01T00:00:00Z')
n text in (5, 6)
t exp in (7, 1500.0)
n list in (1)
t ms between 187 and 187
f ms between 188 and 190
t ms not between 188 and 190
n ms between null and 200
f ms between null and 100
t ms not between null and 100
n ms not between 1 and null
n n between 1 and 2
t ms between score and exp
t 100 between price and ms
t link between 'a' and 'i'
t link = 'home' and ms = 187
f link = 'home' and ms = 1
t link = 'x' or ms = 187
n title = 'x' and ms = 187
f title = 'x' and ms = 1
t title = 'x' or ms = 187
n title = 'x' or ms = 1
n not title = 'x'
n not (title = 'x' and ms = 187)
t not (title = 'x' and ms = 1)
f not link = 'home'
t not not link = 'home'
f not not not link = 'home'
f not (not (not (link = 'home')))
t link = 'x' and ms = 1 or link = 'home'
f link = 'home' and (ms = 1 or ms = 2)
t link = 'home' or link = 'x' and ms = 1
t not link = 'x' and ms = 187
f not (link = 'home' or title = 'x')
t NOT Link2 = 'x' OR link LIKE 'h%' AND ms BETWEEN 1 AND 1000 AND title IS NULL
t link = 'home' is true
f link = 'home' is false
f title = 'x' is true
t title = 'x' is null
t (title = 'x') is null
t title = 'x' is not true
t title = 'x' is not false
f title = 'x' is not null
t not title = 'x' is true
f (not title = 'x') is true
t (title is null) is true
t (title = 'x' or ms = 187) is true
t link in ('home') is true
t link like 'h%' is not false
t ms not between 188 and 190 is true
t (link = 'home')
t ((link = 'home') and ((ms = 187)))
`

func TestVerdicts(t *testing.T) {
	count := 0
	for _, line := range strings.Split(strings.TrimSpace(strings.ReplaceAll(verdicts, "é\n", "é\r")), "\n") {
		want, text, _ := strings.Cut(strings.ReplaceAll(line, "é\r", "é\n"), " ")
		p := must(t, text)
		r := click.row(t, p)
		r.at = p.at
		if got := p.root.test(r); "fnt"[got:got+1] != want {
			t.Errorf("%s is %c, want %s", text, "fnt"[got], want)
		}
		if p.Match(r) != (want == "t") {
			t.Errorf("%s matches: %v", text, p.Match(r))
		}
		count++
	}
	t.Logf("%d expressions", count)
}
