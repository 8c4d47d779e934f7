package predicate

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// TestLikeAgainstExpressions compares patterns with regular expressions, on short words of few letters, where every case occurs.
func TestLikeAgainstExpressions(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	word := func(letters []string, most int) string {
		var b strings.Builder
		for range r.IntN(most) {
			b.WriteString(letters[r.IntN(len(letters))])
		}
		return b.String()
	}
	matched := 0
	for range 30_000 {
		text := word([]string{"a", "b", "é", "%", `\`}, 7)
		pattern := word([]string{"a", "b", "é", "%", "%", "_", `\%`, `\_`, `\\`, `\a`}, 7)
		pieces, ok := parsePattern(pattern)
		if !ok {
			t.Fatalf("%s is refused", pattern)
		}
		got := matches(pieces, []byte(text))
		if want := expression(pattern).MatchString(text); got != want {
			t.Fatalf("%s like %s is %v", text, pattern, got)
		}
		again, ok := parsePattern(patternText(pieces))
		if !ok || matches(again, []byte(text)) != got || patternText(again) != patternText(pieces) {
			t.Fatalf("%s is written %s, and matches %s otherwise", pattern, patternText(pieces), text)
		}
		if got {
			matched++
		}
	}
	if matched < 2000 {
		t.Errorf("only %d match", matched)
	}
}

func expression(pattern string) *regexp.Regexp {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '%':
			b.WriteString(".*")
		case '_':
			b.WriteString(".")
		case '\\':
			i++
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		default:
			if c < 0x80 {
				b.WriteString(regexp.QuoteMeta(string(rune(c))))
			} else {
				b.WriteByte(c)
			}
		}
	}
	return regexp.MustCompile(`(?s)^` + b.String() + `$`)
}

// TestLikeIsNotSlow would take an hour if every % tried every place for itself.
func TestLikeIsNotSlow(t *testing.T) {
	pieces, _ := parsePattern(strings.Repeat("%a", 1000) + "%b")
	if matches(pieces, []byte(strings.Repeat("a", 64<<10))) {
		t.Error("it matches")
	}
}

func TestFloor(t *testing.T) {
	for _, c := range []struct {
		number string
		scale  int
		want   string
	}{
		{"1.5", 0, "1"}, {"-1.5", 0, "-2"}, {"-0.5", 0, "-1"}, {"0.5", 0, "0"}, {"1.005", 2, "1.00"}, {"-1.005", 2, "-1.01"}, {"-0.001", 2, "-0.01"},
		{"0.001", 2, "0.00"}, {"12", 2, "12"}, {"12.3", 2, "12.3"}, {"-99.999", 2, "-100.00"}, {"0.0999", 3, "0.099"},
		{"9999999999999999999999999999999999999.9", 0, "9999999999999999999999999999999999999"},
	} {
		if got := floor(c.number, c.scale); got != c.want {
			t.Errorf("the floor of %s at %d is %s, want %s", c.number, c.scale, got, c.want)
		}
	}
}
