package predicate

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"penstock"
)

// refusals have a mark, ¶, where the mistake is, and a part of the message after =>.
const refusals = `
¶ => found the end: want a column
  ¶ => found the end: want a column
link¶ => found the end: want a comparison after "link"
link =¶ => found the end: want a column, a path or a literal
link = 'x' and¶ => found the end
link = 'x' and ¶and ms = 1 => found the keyword "and": want a column, a path or a literal; as a name it is in quotes: "and"
link = 'x' ¶ms = 1 => found "ms": want and, or, or the end
link = ¶'x => does not end: want '
¶"link = 'x' => does not end: want "
¶"" = 'x' => empty name
ms = ¶'x' => ms is a bigint: want a number such as 42, found "'x'"
¶'x' = ms => ms is a bigint: want a number such as 42, found "'x'"
ms = ¶true => ms is a bigint: want a number
ms is ¶true => ms is a bigint: want a number
ms = ¶timestamp '2026-01-01T00:00:00Z' => ms is a bigint: want a number
price > ¶'5' => price is a decimal(12,2): want a number
score in (1, ¶'x') => want literals of one type
score in (null, ¶'x') => score is a double: want a number
geo.zip in (1, ¶'x') => found "'x'" in a list that begins with "1"
link = ¶5 => link is a text: want a text such as 'DE', found "5"
link < ¶ms => link is a text, and ms is a bigint: they cannot be compared
bot = ¶link => bot is a boolean, and link is a text: they cannot be compared
bot = ¶'true' => bot is a boolean: want true or false
bot < ¶true => no order
bot between ¶false and true => no order
geo.new >= ¶true => no order
id = ¶5 => id is a text: want a text
key in (¶5) => key is a text: want a text
time > ¶'2026-01-01' => time is a timestamp: want a moment such as timestamp '
time > ¶1767225600 => time is a timestamp: want a moment
geo.at > ¶timestamp '2026-01-01T00:00:00Z' => a path has no moments, declare a column
time > ¶geo.at => a path has no moments
extra = ¶time => a path has no moments
time > timestamp ¶'2026-01-01' => want a moment with its zone
time > timestamp ¶'yesterday' => want a moment with its zone
time > timestamp ¶'2026-01-01T00:00:00' => want a moment with its zone
time > timestamp ¶'2026-13-01T00:00:00Z' => want a moment with its zone
time > timestamp ¶'0000-01-01T00:00:00Z' => want a moment with its zone
time > timestamp ¶'2026\u002d01-01T00:00:00Z' => want a moment with its zone
time > timestamp ¶'2026-01-01T00:00:00.1234567Z' => at most 6 digits
ms = ¶1.5 => ms is a bigint: it is never "1.5"
ms in (1, ¶1.5) => it is never
price <> ¶0.001 => price is a decimal(12,2): it is never "0.001"
ms < ¶9223372036854775808 => ms is a bigint: "9223372036854775808" is beyond what it holds
ms > ¶-9223372036854775808 => beyond what it holds
price < ¶10000000000 => beyond what it holds
ms = ¶123456789012345678901234567890123456789 => more than 38 digits
ms = 1¶e3 => without an exponent
ms = 1¶. => found a point: want a digit after it
ms = ¶.5 => found a point
ms = 5¶x => want a space after the number "5"
ms = ¶+5 => arithmetic
ms = 5 ¶+ 1 => arithmetic
ms ¶- 1 = 5 => arithmetic
ms ¶% 2 = 0 => arithmetic
link ¶|| 'x' = 'y' => arithmetic and joining
ms ¶-1 > 5 => found "-1": want a comparison
ms ¶-- comment => comments are refused
data¶->>'x' = 'y' => -> is refused: a path is written with dots
ms¶::text = '1' => casts are refused
link ¶~ 'x' => the comparisons are
steps¶[0] = 1 => elements of arrays
link = ¶$1 => no meaning here
link = ¶? => no meaning here
link = 'x'¶; => no meaning here
link = ¶{} => no meaning here
link = ¶’x’ => no meaning here
link = ¶` + "`x`" + ` => no meaning here
¶lower(link) = 'x' => found lower(: functions are refused
link = lower¶(link) => found "(": want and, or, or the end
¶exists (select 1) => found exists(: functions are refused
ms in (¶select 1) => found "select": a list has only literals
select ¶1 => found "1": want a comparison after "select"
case ¶when ms = 1 then true end => found "when"
link ¶ilike 'x' => found "ilike": want a comparison
link ¶similar to 'x' => found "similar"
link is ¶distinct from 'x' => found "distinct": want null, true or false after is
link is not ¶'x' => want null, true or false after is
link is ¶unknown => want null, true or false
link ¶isnull => found "isnull"
(ms = 1) is ¶5 => want null, true or false after is
link is null ¶is true => found "is": want and, or, or the end
¶5 is null => want a column or a path before is
¶null is null => want a column or a path before is
¶5 = 5 => two literals
¶5 between 1 and 6 => two literals
¶'x' like 'x' => only texts are like a pattern
¶ms like '1%' => ms is a bigint: only texts are like a pattern
¶time like '2026%' => time is a timestamp: only texts
link like ¶title => want a pattern such as 'a%' after like
link like ¶null => want a pattern
link like ¶'abc\' => ends with a \ that takes nothing
link like 'a' ¶escape '!' => escape is refused
¶5 in (1, 2) => want a column or a path before in
link in ¶'x' => want a list in parentheses
link in (¶) => want a column, a path or a literal
link in ('x',¶) => want a column, a path or a literal
link in ('x' ¶'y') => want a comma or the end of the list
link in ('x', ¶title) => found "title": a list has only literals
link in ('x'¶ => found the end: want a comma or the end of the list
link not ¶= 'x' => found "=": want in, like or between after not
link not ¶null => want in, like or between
ms between 1 ¶or 5 => want and, and the upper bound of between
ms between symmetric ¶1 and 5 => found "1": want and, and the upper bound
(link = 'x'¶ => parenthesis that closes the one at byte 0
(link¶) = 'x' => found ")": want a comparison after "link"
link = 'x'¶) => found ")": want and, or, or the end
bot¶ => found the end: want a comparison after "bot", such as
not¶ => found the end
not ¶and => found the keyword
¶Link = 'x' => the column is link; a member of the event that is spelled so is in quotes: "Link"
¶ID = 'x' => the column is id
¶Received_At > time => the column is received_at
geo.¶2nd = 1 => names that do not begin with a letter are quoted
geo.¶ = 1 => want a name after the point
link = a¶\b => found a backslash
ms = ¶— 5 => no meaning here
`

// misplaced are refusals whose text could not be written above, or whose mark would be wrong there.
var misplaced = []struct {
	text   string
	offset int
	part   string
}{
	{"()", 1, `found ")": want a column, a path or a literal`},
	{"true", 4, "want a comparison"},
	{"/* no */ ms = 1", 0, "comments are refused"},
	{"ms ! = 1", 3, "the comparisons are"},
	{"ms => 5", 4, `found ">": want a column`},
	{"geo..x = 1", 4, "want a name after the point"},
	{`"geo.country" = 'DE'`, 0, `write \. if it belongs to the name, and geo."odd name"`},
	{"count(*) = 1", 0, "found count(: functions are refused"},
	{"cast(ms as text) = '1'", 0, "found cast(: functions are refused"},
	{"link = 'a\xff'", 9, "not text: want UTF-8 without NUL"},
	{"link = 'a\x00'", 9, "not text"},
	{"link = 'a\n", 7, "does not end"},
	{"link\u00a0= 'x'", 4, "no meaning here"},
	{"link = '" + strings.Repeat("x", MaxText) + "'", MaxText, "the condition has 4105 bytes, more than 4096"},
	{strings.Repeat("a=1 or ", 584) + "a=1", MaxText, "written out in full the condition has 5261 bytes, more than 4096"},
	{strings.Repeat("(", 33) + "ms = 1" + strings.Repeat(")", 33), 32, "more than 32 parentheses"},
	{"link like '" + strings.Repeat("%", MaxPattern+1) + "'", 10, "a pattern of 257 bytes, more than 256"},
	{strings.Repeat("(", 4000), 32, "more than 32 parentheses"},
	{strings.Repeat("not ", 1000), 4000, "found the end"},
}

func TestRefusals(t *testing.T) {
	for _, line := range strings.Split(strings.Trim(refusals, "\n"), "\n") {
		marked, part, _ := strings.Cut(line, " => ")
		checkRefused(t, strings.Replace(marked, "¶", "", 1), strings.Index(marked, "¶"), part)
	}
	for _, c := range misplaced {
		checkRefused(t, c.text, c.offset, c.part)
	}
}

func checkRefused(t *testing.T, text string, offset int, part string) {
	t.Helper()
	p, err := Parse(text, columns())
	if err == nil {
		t.Errorf("%.100s is read as %.100s", text, p)
		return
	}
	var m *Mistake
	var e *penstock.Error
	if !errors.As(err, &m) || !errors.As(err, &e) || e.Code != penstock.Invalid || e.Reason != "bad_where" {
		t.Fatalf("%.100s: %#v", text, err)
	}
	if m.Offset != offset || !strings.Contains(m.Message, part) || !strings.Contains(err.Error(), "at byte "+strconv.Itoa(offset)+": ") {
		t.Errorf("%.100s is refused with %q, want byte %d and %q", text, err, offset, part)
	}
}
