package predicate

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse looks for texts that make Parse or a predicate panic, for mistakes that are not in the text, and for predicates that are written as
// something else.
func FuzzParse(f *testing.F) {
	for _, line := range strings.Split(verdicts+refusals, "\n") {
		text, _, _ := strings.Cut(strings.Replace(line, "¶", "", 1), " => ")
		f.Add(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(text, "t "), "f "), "n "))
	}
	f.Add(`("a\.b".x not in (1, -2.5, null) is not true) = 1`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text, columns())
		if err != nil {
			var m *Mistake
			if !errors.As(err, &m) || m.Offset < 0 || m.Offset > len(text) || !utf8.ValidString(m.Message) || len(m.Message) > 500 {
				t.Fatalf("%q is refused with %v", text, err)
			}
			return
		}
		checkAgain(t, p)
		q := must(t, p.String())
		for _, e := range []event{click, bare} {
			r := e.row(t, p)
			if got, want := q.Match(e.row(t, q)), p.Match(r); got != want {
				t.Fatalf("%q is %v, written as %q it is %v", text, want, p, got)
			}
			if verdict := p.root.test(r); verdict > yes {
				t.Fatalf("%q is %d", text, verdict)
			}
			if negate(p.root).test(r) != yes-p.root.test(r) {
				t.Fatalf("not %q is no opposite", text)
			}
		}
	})
}
