package jsonscan

// Limits bounds what a Scanner accepts. Zero fields have the defaults.
type Limits struct {
	Depth  int // of nested objects and arrays: 32
	Nodes  int // values, the outermost included: 4096
	Name   int // bytes of a member's name, decoded: 128
	String int // bytes of a string, decoded: 65536
}

func (l Limits) orDefault() Limits {
	or := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	or(&l.Depth, 32)
	or(&l.Nodes, 4096)
	or(&l.Name, 128)
	or(&l.String, 64<<10)
	return l
}

// Scanner checks JSON. It keeps scratch memory from value to value and is used by one goroutine at a time.
type Scanner struct {
	Limits Limits // set before the first Scan

	limits   Limits // Limits with defaults
	selector *Selector
	out      []Value
	nodes    int
	content  *Fault // the first fault that leaves the value's structure whole
	broken   *Fault // the fault that ended the scan
	frames   []frame
	names    names
}

// frame is an object or array that is open.
type frame struct {
	start  int
	node   int32  // where it stands among the selector's paths, or nowhere
	object uint32 // the object's number, unique for this scanner; 0: an array
	names  int    // how many names its ancestors had when it began
	seen   uint64 // the filter bits of its names
	leads  uint64 // the filter bits of the names that lead on from its node
}

// Scan checks one JSON value at the start of data, after white space, and returns the offset of its end; out[i] receives
// the value at the selector's i-th path, or Missing. It returns the first fault in byte order. A fault of the content
// (a duplicate member, a number out of range) leaves n and out as they are without it; when the structure is broken (codes
// BadJSON and TooDeep) n is 0, out holds what was found before, and Broken returns the fault of the structure, which may
// be a later one than the fault returned. len(out) is the number of paths; a nil selector selects nothing.
func (s *Scanner) Scan(data []byte, sel *Selector, out []Value) (n int, fault *Fault) {
	clear(out)
	s.begin(sel, out)
	n = s.scan(data)
	if s.content != nil {
		return n, s.content
	}
	return n, s.broken
}

// Broken returns the fault that kept the last Scan from finding the end of its value, or nil.
func (s *Scanner) Broken() *Fault { return s.broken }

func (s *Scanner) begin(sel *Selector, out []Value) {
	if s.frames == nil {
		s.limits = s.Limits.orDefault()
		s.frames = make([]frame, 0, s.limits.Depth)
		s.names.most = s.limits.Nodes
	}
	if sel == nil {
		sel = nothing
	}
	s.selector, s.out = sel, out
	s.nodes, s.content, s.broken = 0, nil, nil
	s.frames = s.frames[:0]
	s.names.begin()
}

// scan is the outer loop: each turn reads the beginning of one value. Scalars end at once, and with them perhaps some
// of the containers around them; a container that is not empty leaves its first value to the next turn.
func (s *Scanner) scan(data []byte) int {
	i, node := 0, int32(0)
	for {
		i = skipSpace(data, i)
		if i >= len(data) {
			return s.ended(data)
		}
		s.nodes++
		if s.nodes > s.limits.Nodes {
			s.fault(TooManyMembers, i, "more values than allowed")
		}
		start, kind := i, String
		switch c := data[i]; {
		case c == '"':
			i = s.text(data, i)
		case c == '{' || c == '[':
			open := false
			if i, open = s.open(data, i, node); open {
				if node = nowhere; c == '{' {
					i, node = s.member(data, i)
				}
				if i < 0 {
					return 0
				}
				continue
			}
			if kind = Object; c == '[' {
				kind = Array
			}
		case c == '-' || c-'0' <= 9:
			kind = Number
			i = s.number(data, i)
		default:
			i, kind = s.literal(data, i)
		}
		if i < 0 {
			return 0
		}
		if node >= 0 {
			s.found(node, kind, data, start, i)
		}
		if i, node = s.after(data, i); node == done || i < 0 {
			return max(i, 0)
		}
	}
}

// What stands for a node where there is none.
const (
	nowhere int32 = -1
	done    int32 = -2
)

// after reads what follows a value: the ends of containers, and the comma and name before the next value, whose node it
// returns; done when the outermost value has ended.
func (s *Scanner) after(data []byte, i int) (int, int32) {
	for {
		if len(s.frames) == 0 {
			return i, done
		}
		f := &s.frames[len(s.frames)-1]
		if i < len(data) && data[i] <= ' ' {
			i = skipSpace(data, i)
		}
		if i >= len(data) {
			s.ended(data)
			return -1, done
		}
		end, kind := byte(']'), Array
		if f.object != 0 {
			end, kind = '}', Object
		}
		switch data[i] {
		case ',':
			if f.object == 0 {
				return i + 1, nowhere
			}
			return s.member(data, i+1)
		case end:
			i++
			if f.node >= 0 {
				s.found(f.node, kind, data, f.start, i)
			}
			s.names.truncate(f.names)
			s.frames = s.frames[:len(s.frames)-1]
		default:
			return s.breaks(data, i, "want a comma or the end of "+kind.String()), done
		}
	}
}

// open begins the container at data[i]. It reports false when the container is empty and has thereby ended.
func (s *Scanner) open(data []byte, i int, node int32) (int, bool) {
	start, object, end := i, uint32(0), byte(']')
	if data[i] == '{' {
		object, end = s.names.object(), '}'
	}
	if len(s.frames) == s.limits.Depth {
		s.broken = &Fault{TooDeep, i, "nested deeper than allowed"}
		return -1, false
	}
	i = skipSpace(data, i+1)
	if i < len(data) && data[i] == end {
		return i + 1, false
	}
	s.frames = s.frames[:len(s.frames)+1]
	f := &s.frames[len(s.frames)-1]
	f.start, f.node, f.object, f.names, f.seen, f.leads = start, node, object, s.names.len(), 0, 0
	if node >= 0 {
		f.leads = s.selector.nodes[node].filter
	}
	return i, true
}

// found stores a value that ends one or more of the selected paths. Where a member stands twice, the first one stays.
func (s *Scanner) found(node int32, kind Kind, data []byte, start, end int) {
	for _, o := range s.selector.nodes[node].outs {
		if s.out[o].Kind == Missing {
			s.out[o] = Value{Raw: data[start:end:end], Kind: kind, At: uint32(start)}
		}
	}
}

// fault notes a fault of the content, if it is the first, and lets the scan go on to the end of the value.
func (s *Scanner) fault(code string, at int, message string) {
	if s.content == nil {
		s.content = &Fault{code, at, message}
	}
}

// breaks notes a fault of the structure and returns -1, which ends the scan.
func (s *Scanner) breaks(data []byte, at int, message string) int {
	if at >= len(data) {
		s.ended(data)
		return -1
	}
	s.broken = &Fault{BadJSON, at, message}
	return -1
}

// ended notes that the data ends before the value does.
func (s *Scanner) ended(data []byte) int {
	s.broken = &Fault{BadJSON, len(data), "the data ends before the value does"}
	return 0
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// literal reads true, false or null.
func (s *Scanner) literal(data []byte, i int) (int, Kind) {
	word, kind := "null", Null
	switch data[i] {
	case 't':
		word, kind = "true", Bool
	case 'f':
		word, kind = "false", Bool
	}
	for k := range len(word) {
		if i+k >= len(data) || data[i+k] != word[k] {
			return s.breaks(data, i+k, "want a value"), kind
		}
	}
	return i + len(word), kind
}
