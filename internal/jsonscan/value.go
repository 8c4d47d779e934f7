package jsonscan

// Kind is the kind of a JSON value.
type Kind byte

// The kinds. The zero Kind is Missing.
const (
	Missing Kind = iota
	Null
	Bool
	Number
	String
	Object
	Array
)

// String returns the kind's name, as messages write it.
func (k Kind) String() string {
	return [...]string{"nothing", "null", "a boolean", "a number", "a string", "an object", "an array"}[k]
}

// Value is a JSON value within the data that was read.
type Value struct {
	Raw  []byte // aliases the data; a string's includes its quotes
	Kind Kind
	At   uint32 // offset of Raw within the data
}

// Absent reports whether there is no value, or null.
func (v Value) Absent() bool { return v.Kind <= Null }
