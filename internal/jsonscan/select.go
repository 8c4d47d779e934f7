package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Select takes the values at the selector's paths out of a value that a Scanner accepted: out[i] receives the i-th, or
// Missing. It checks nothing again, stops at the last value it looks for, and may be called concurrently. Data that no
// Scanner accepted gives values without meaning, or a panic.
func (sel *Selector) Select(data []byte, out []Value) {
	clear(out)
	p := picker{data, sel, out, sel.paths}
	p.value(skipSpace(data, 0), 0)
}

type picker struct {
	data []byte
	sel  *Selector
	out  []Value
	left int // paths not found yet
}

// value reads the value at p.data[i], which belongs to a node, and returns the offset of its end. It recurses no deeper than
// the paths are long. An object that is looked for itself is never left in its middle, since it still counts as left.
func (p *picker) value(i int, at int32) int {
	n := &p.sel.nodes[at]
	end, kind := 0, kindAt(p.data[i])
	if kind == Object && len(n.children) > 0 {
		end = p.object(i+1, at)
	} else {
		end = skip(p.data, i, kind)
	}
	for _, o := range n.outs {
		p.out[o] = Value{Raw: p.data[i:end:end], Kind: kind, At: uint32(i)}
	}
	p.left -= len(n.outs)
	return end
}

// object reads the members of an object from p.data[i].
func (p *picker) object(i int, at int32) int {
	data := p.data
	for {
		for data[i] != '"' {
			if data[i] == '}' {
				return i + 1
			}
			i++
		}
		end := skipText(data, i)
		next := p.sel.named(at, data[i:end])
		for i = end; data[i] <= ' ' || data[i] == ':'; i++ {
		}
		if next == nowhere {
			i = skip(data, i, kindAt(data[i]))
			continue
		}
		i = p.value(i, next)
		if p.left == 0 {
			return i
		}
	}
}

// named returns the node that the member with this name, in quotes, leads to.
func (sel *Selector) named(at int32, raw []byte) int32 {
	name := raw[1 : len(raw)-1]
	if bytes.IndexByte(name, '\\') < 0 {
		return sel.child(at, mark(name), name)
	}
	for _, c := range sel.nodes[at].children {
		if spells(name, c.name) {
			return c.next
		}
	}
	return nowhere
}

// spells reports whether escaped text, without its quotes, stands for name.
func spells(escaped, name []byte) bool {
	for len(escaped) > 0 {
		part, size := escaped[:1], 1
		var decoded [utf8.UTFMax]byte
		if escaped[0] == '\\' {
			var r rune
			r, size = unescape(escaped)
			part = decoded[:utf8.EncodeRune(decoded[:], r)]
		}
		if !bytes.HasPrefix(name, part) {
			return false
		}
		escaped, name = escaped[size:], name[len(part):]
	}
	return len(name) == 0
}

func kindAt(c byte) Kind {
	switch c {
	case '"':
		return String
	case '{':
		return Object
	case '[':
		return Array
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	}
	return Number
}

// skip returns the offset of the end of the value at data[i].
func skip(data []byte, i int, kind Kind) int {
	switch kind {
	case String:
		return skipText(data, i)
	case Object, Array:
		return skipNested(data, i)
	}
	for i < len(data) && data[i] != ',' && data[i] != '}' && data[i] != ']' && data[i] > ' ' {
		i++
	}
	return i
}

// skipNested counts brackets: that they match each other was checked before.
func skipNested(data []byte, i int) int {
	for depth := 0; ; {
		switch data[i] {
		case '"':
			i = skipText(data, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
}

// skipText returns the offset after the closing quote of the string at data[i].
func skipText(data []byte, i int) int {
	i++
	for {
		for i+8 <= len(data) {
			w := binary.LittleEndian.Uint64(data[i:])
			quote, escape := w^(ones*'"'), w^(ones*'\\')
			m := ((quote-ones)&^quote | (escape-ones)&^escape) & highs
			if m != 0 {
				i += bits.TrailingZeros64(m) / 8
				break
			}
			i += 8
		}
		for data[i] != '"' && data[i] != '\\' {
			i++
		}
		if data[i] == '"' {
			return i + 1
		}
		i += 2
	}
}
