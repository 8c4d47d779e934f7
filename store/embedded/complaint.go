package embedded

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// complaint returns what DuckDB says about a user's statement, as answers may show it. Values of rows are left out: who asks
// may read them, but errors come to logs and reports that others read. What it quotes of the statement is cut. Its lines are
// counted from those of the wrapping statement, and what its conversion to Arrow says comes as JSON.
func complaint(text string) string {
	var structured struct {
		Type    string `json:"exception_type"`
		Message string `json:"exception_message"`
	}
	if json.Unmarshal([]byte(text), &structured) == nil {
		text = structured.Type + " Error: " + structured.Message
	}
	said, place := splitPlace(text)
	if kind, rest, _ := strings.Cut(said, ": "); aboutValues[kind] {
		said = kind + ": " + withoutValues(rest)
	}
	return cutQuotes(said) + place
}

// aboutValues are the kinds of complaints that rows cause.
var aboutValues = setOf("Conversion Error", "Out of Range Error", "Invalid Input Error", "Mismatch Type Error", "Invalid Type Error")

// valueBegins is where a message may begin to show a value; intoType is what may follow one that was to be converted.
var (
	valueBegins = regexp.MustCompile(`['"{]|:\s|(?:^|[\s(])[+-]?\.?\d`)
	intoType    = regexp.MustCompile(`['"] to ([A-Z][A-Z0-9_]*(?:\(\d+(?:,\d+)?\))?(?:\[\d*\])*)$`)
)

// withoutValues returns a message up to where a value may begin, and the type that a value was to be converted to.
func withoutValues(text string) string {
	at := valueBegins.FindStringIndex(text)
	if at == nil {
		return text
	}
	short := strings.TrimRight(text[:at[0]], " (") + " …"
	if to := intoType.FindStringSubmatch(text); to != nil {
		short += " to " + to[1]
	}
	return short
}

// maxQuoted is how many bytes of a statement a message shows at once.
const maxQuoted = 64

var quoted = regexp.MustCompile(`"[^"]*("|$)|'[^']*('|$)`)

// cutQuotes shortens what a message quotes.
func cutQuotes(text string) string {
	return quoted.ReplaceAllStringFunc(text, func(quote string) string {
		if len(quote) <= maxQuoted+2 {
			return quote
		}
		end := 1 + maxQuoted
		for !utf8.RuneStart(quote[end]) {
			end--
		}
		return quote[:end] + "…" + quote[:1]
	})
}

// splitPlace cuts the lines that show the place in the statement off a message, and shortens them.
func splitPlace(text string) (said, place string) {
	i := strings.LastIndex(text, "\nLINE ")
	if i < 0 {
		return text, ""
	}
	label, line, _ := strings.Cut(text[i+len("\nLINE "):], ": ")
	line, mark, marked := strings.Cut(line, "\n")
	n, err := strconv.Atoi(label)
	column := strings.IndexByte(mark, '^') - len("LINE "+label+": ")
	if err != nil || !marked || column < 0 {
		return text[:i], ""
	}
	line, column = around(line, column)
	head := fmt.Sprintf("LINE %d: ", n-1)
	return strings.TrimRight(text[:i], "\n"), "\n\n" + head + line + "\n" + strings.Repeat(" ", len(head)+column) + "^"
}

// around returns at most 64 bytes of a line around a column, and where the column is in them.
func around(line string, column int) (string, int) {
	from := max(0, min(column-maxQuoted/2, len(line)-maxQuoted))
	to := min(from+maxQuoted, len(line))
	for from > 0 && from < len(line) && !utf8.RuneStart(line[from]) {
		from++
	}
	for to > from && to < len(line) && !utf8.RuneStart(line[to]) {
		to--
	}
	return line[from:to], max(0, utf8.RuneCountInString(line[from:min(max(from, column), to)]))
}
