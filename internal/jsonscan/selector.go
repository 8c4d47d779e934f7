package jsonscan

import (
	"bytes"
	"strings"

	"penstock"
)

// Path leads from an object to a value within it: a member's name for each level.
type Path []string

// ParsePath reads names joined by dots; a dot inside a name is written "\.", a backslash "\\". It fails with Invalid if a
// name is empty.
func ParsePath(text string) (Path, error) {
	const op = "parse path"
	var path Path
	var name strings.Builder
	for i := 0; i <= len(text); i++ {
		switch {
		case i == len(text) || text[i] == '.':
			if name.Len() == 0 {
				return nil, penstock.Errorf(penstock.Invalid, op, "%s has an empty name", Excerpt([]byte(text)))
			}
			path = append(path, name.String())
			name.Reset()
		case text[i] == '\\' && i+1 < len(text) && (text[i+1] == '.' || text[i+1] == '\\'):
			i++
			name.WriteByte(text[i])
		default:
			name.WriteByte(text[i])
		}
	}
	return path, nil
}

// String returns the text that ParsePath reads.
func (p Path) String() string {
	names := make([]string, len(p))
	for i, name := range p {
		names[i] = strings.NewReplacer(`\`, `\\`, `.`, `\.`).Replace(name)
	}
	return strings.Join(names, ".")
}

// Selector is a set of paths, compiled to a tree. It never changes and may be shared.
type Selector struct {
	nodes []node // the first is the outermost value
	paths int
}

type node struct {
	filter   uint64 // of the children's names: no other name leads on
	children []child
	outs     []int // the paths that end here
}

type child struct {
	name []byte
	mark uint64
	next int32
}

var nothing = NewSelector()

// NewSelector returns the selector of paths. A path may stand there more than once, and lead on from the end of another; an
// empty one is the whole value.
func NewSelector(paths ...Path) *Selector {
	sel := &Selector{nodes: make([]node, 1), paths: len(paths)}
	for i, path := range paths {
		at := int32(0)
		for _, name := range path {
			next := sel.child(at, mark([]byte(name)), []byte(name))
			if next == nowhere {
				next = int32(len(sel.nodes))
				sel.nodes = append(sel.nodes, node{})
				n := &sel.nodes[at]
				n.filter |= filterBit(mark([]byte(name)))
				n.children = append(n.children, child{[]byte(name), mark([]byte(name)), next})
			}
			at = next
		}
		sel.nodes[at].outs = append(sel.nodes[at].outs, i)
	}
	return sel
}

// Len returns the number of paths.
func (sel *Selector) Len() int { return sel.paths }

// child returns the node that a member leads to, or nowhere.
func (sel *Selector) child(node int32, mark uint64, name []byte) int32 {
	for _, c := range sel.nodes[node].children {
		if c.mark == mark && (mark&long == 0 || bytes.Equal(c.name, name)) {
			return c.next
		}
	}
	return nowhere
}
