package predicate

import (
	"bytes"
	"strings"

	"penstock"
	"penstock/internal/jsonscan"
)

// Source says where an operand's value comes from.
type Source byte

// The sources.
const (
	Path    Source = iota // the event, without a declared type
	Column                // the event, in the type of a declared column
	BuiltIn               // id, key, time or received_at
)

// Operand is a name that a predicate reads.
type Operand struct {
	Source Source
	Name   string          // of a column or what is built in; of a path ""
	Column penstock.Column // of a column
	Path   jsonscan.Path   // where the event has the value; nil for what is built in
	At     int             // offset in the text of the first place that names it
}

// String returns the operand as the language writes it, in one way only.
func (o Operand) String() string {
	if o.Source != Path {
		return segment(o.Name, true)
	}
	names := make([]string, len(o.Path))
	for i, name := range o.Path {
		names[i] = segment(name, len(o.Path) == 1)
	}
	return strings.Join(names, ".")
}

// segment writes a name, in quotes if it needs them. Alone it also needs them if it is a keyword, or not in lower case and
// could therefore be taken for a column's.
func segment(name string, alone bool) string {
	plain := name != "" && (name[0] < '0' || name[0] > '9') && !(alone && isKeyword(name))
	for _, c := range []byte(name) {
		upper := 'A' <= c && c <= 'Z'
		plain = plain && (c == '_' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || upper && !alone)
	}
	if plain {
		return name
	}
	return `"` + strings.NewReplacer(`"`, `""`, `\`, `\\`, `.`, `\.`).Replace(name) + `"`
}

// isKeyword reports whether a name without quotes, in lower case, is a word of the language.
func isKeyword(word string) bool {
	switch word {
	case "and", "or", "not", "in", "like", "between", "is", "null", "true", "false", "timestamp":
		return true
	}
	return false
}

// builtIn returns the kind of term that a name stands for in every stream.
func builtIn(name string) (termKind, bool) {
	switch name {
	case "id":
		return idTerm, true
	case "key":
		return keyTerm, true
	case "time":
		return timeTerm, true
	case "received_at":
		return receivedTerm, true
	}
	return 0, false
}

// Row is what a predicate is asked about. It is used by one goroutine at a time; one that is used again and again saves allocations.
type Row struct {
	ID, Key          []byte // an empty key is NULL
	Time, ReceivedAt penstock.Micros
	Values           []jsonscan.Value // of the operands that lie in the event: see Predicate.Operands and Predicate.Bind

	at      []int  // of the predicate that is being asked
	scratch []byte // the decoded texts of one comparison
}

// text returns the text of a string, which is valid until the next comparison.
func (r *Row) text(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	at := len(r.scratch)
	r.scratch = jsonscan.Unquote(r.scratch, raw)
	return r.scratch[at:]
}
