package jsonscan

import (
	"encoding/binary"
	"math/bits"
)

// member reads the name at or after data[i] and the colon, and returns the offset of what follows and the node of the
// member's value. The offset is -1 after a fault of the structure.
func (s *Scanner) member(data []byte, i int) (int, int32) {
	if i < len(data) && data[i] <= ' ' {
		i = skipSpace(data, i)
	}
	if i >= len(data) || data[i] != '"' {
		return s.breaks(data, i, "want a member's name in quotes"), nowhere
	}
	n, end := s.name(data, i)
	if end < 0 {
		return -1, nowhere
	}
	f := &s.frames[len(s.frames)-1]
	bit := filterBit(n.mark)
	switch own := len(s.names.stack) - f.names; {
	case f.seen&bit == 0 && own < few && len(s.names.stack) < cap(s.names.stack):
		s.names.stack = append(s.names.stack, n)
	case s.content == nil && !s.names.add(data, n, f, f.seen&bit == 0):
		s.fault(DuplicateMember, i, "the member "+Excerpt(s.names.text(data, n))+" a second time")
	}
	f.seen |= bit
	node := nowhere
	if f.leads&bit != 0 {
		node = s.selector.child(f.node, n.mark, s.names.text(data, n))
	}
	if end < len(data) && data[end] <= ' ' {
		end = skipSpace(data, end)
	}
	if end >= len(data) || data[end] != ':' {
		return s.breaks(data, end, "want a colon"), nowhere
	}
	return end + 1, node
}

// name reads the name whose opening quote is at data[i] and returns the offset after the closing one, or -1.
func (s *Scanner) name(data []byte, i int) (name, int) {
	j := i + 1
	if j+8 <= len(data) {
		w := binary.LittleEndian.Uint64(data[j:])
		if m := special(w); m != 0 {
			size := bits.TrailingZeros64(m) / 8
			if data[j+size] == '"' {
				w &= 1<<(8*size) - 1
				return name{mark: w | uint64(size)<<56, at: uint32(j), size: uint32(size)}, j + size + 1
			}
		}
	}
	end, saved := s.slowText(data, i, j, span{NameTooLong, nameTooLong, s.limits.Name})
	if end < 0 {
		return name{}, -1
	}
	if saved == 0 {
		text := data[j : end-1]
		return name{mark: mark(text), at: uint32(j), size: uint32(len(text))}, end
	}
	at := len(s.names.decoded)
	s.names.decoded = Unquote(s.names.decoded, data[i:end])
	text := s.names.decoded[at:]
	return name{mark: mark(text), at: uint32(at), size: uint32(len(text)) | decoded}, end
}
