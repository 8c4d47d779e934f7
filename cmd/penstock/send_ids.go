package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strconv"

	"penstock/internal/jsonscan"
)

// identifier gives ids to events that have none, so that the same line of the same file is the same event however often
// it is sent. It is used by one goroutine at a time.
type identifier struct {
	salt     []byte   // makes the ids of this run its own; empty: they are the same in every run
	names    [][]byte // along the path of the id: quoted, with the colon
	selector *jsonscan.Selector
	values   []jsonscan.Value // the objects along the path of the id, from the outermost; the id; the key
	scanner  jsonscan.Scanner
	scratch  []byte
}

// newIdentifier returns an identifier of events whose id and key stand at these paths.
func newIdentifier(id, key jsonscan.Path, salt []byte) *identifier {
	g := &identifier{salt: salt}
	var paths []jsonscan.Path
	for i, name := range id {
		quoted, _ := json.Marshal(name) // text cannot fail
		g.names = append(g.names, append(quoted, ':'))
		paths = append(paths, id[:i])
	}
	paths = append(paths, id, key)
	g.selector, g.values = jsonscan.NewSelector(paths...), make([]jsonscan.Value, len(paths))
	return g
}

// appendLine appends a line, which has no line end, to dst: with an id spliced into its bytes if it has none. What is not an
// object, or not JSON that the server would take, or has something else where the id's object belongs, is appended as it is
// for the server to judge. spread is what the events that must keep their order have in common: the key, or without one
// the id. It is empty if there is neither; it aliases the line or scratch memory.
func (g *identifier) appendLine(dst []byte, number int64, line []byte) (out, spread []byte) {
	n, fault := g.scanner.Scan(line, g.selector, g.values)
	if fault != nil || n < len(line) {
		return append(dst, line...), nil
	}
	id, key := g.values[len(g.names)], g.values[len(g.names)+1]
	if spread = spreadOf(key); len(spread) == 0 {
		spread = spreadOf(id)
	}
	if !id.Absent() {
		return append(dst, line...), spread
	}
	return g.splice(dst, line, g.derive(number, line)), spread
}

// derive returns the id of a line: 32 hexadecimal digits of SHA-256 over the salt, the line's number and the line.
func (g *identifier) derive(number int64, line []byte) string {
	g.scratch = append(g.scratch[:0], g.salt...)
	g.scratch = binary.LittleEndian.AppendUint64(g.scratch, uint64(number))
	g.scratch = append(g.scratch, line...)
	sum := sha256.Sum256(g.scratch)
	return hex.EncodeToString(sum[:16])
}

// splice appends the line with the id in it. No other byte of the line changes: the id becomes the first member of the
// innermost object of its path that is there, or takes the place of a null.
func (g *identifier) splice(dst, line []byte, id string) []byte {
	depth := 0
	for depth+1 < len(g.names) && g.values[depth+1].Kind == jsonscan.Object {
		depth++
	}
	object, next := g.values[depth], g.values[depth+1]
	at := int(object.At)
	switch {
	case object.Kind != jsonscan.Object || !next.Absent():
		return append(dst, line...)
	case next.Kind == jsonscan.Null:
		at = int(next.At)
		dst = g.appendValue(append(dst, line[:at]...), depth+1, id)
		return append(dst, line[at+len(next.Raw):]...)
	}
	dst = append(append(dst, line[:at+1]...), g.names[depth]...)
	dst = g.appendValue(dst, depth+1, id)
	if !isEmptyObject(object.Raw) {
		dst = append(dst, ',')
	}
	return append(dst, line[at+1:]...)
}

// appendValue appends the id, within the objects that the path has from depth on.
func (g *identifier) appendValue(dst []byte, depth int, id string) []byte {
	for _, name := range g.names[depth:] {
		dst = append(append(dst, '{'), name...)
	}
	dst = append(append(append(dst, '"'), id...), '"')
	for range g.names[depth:] {
		dst = append(dst, '}')
	}
	return dst
}

// isEmptyObject reports whether an object, which was scanned, has no members.
func isEmptyObject(raw []byte) bool {
	for _, c := range raw[1:] {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c == '}'
		}
	}
	return false
}

// spreadOf returns the text by which the server compares a key or an id: 5 and "5" are the same.
func spreadOf(v jsonscan.Value) []byte {
	switch v.Kind {
	case jsonscan.String:
		return jsonscan.Text(v)
	case jsonscan.Number:
		if n, ok := jsonscan.Integer(v); ok {
			return strconv.AppendInt(nil, n, 10)
		}
	}
	return nil
}
