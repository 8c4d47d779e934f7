package jsonscan

import "strconv"

// The codes of faults. BadJSON and TooDeep leave the end of the value unknown; after the others it is known.
const (
	BadJSON         = "bad_json"
	TooDeep         = "too_deep"
	DuplicateMember = "duplicate_member"
	BadUTF8         = "bad_utf8"
	NULNotAllowed   = "nul_not_allowed"
	TooManyMembers  = "too_many_members"
	NameTooLong     = "name_too_long"
	StringTooLong   = "string_too_long"
	NumberRange     = "number_range"
)

// Fault says what is wrong with a value, and at which byte of the data.
type Fault struct {
	Code    string
	Offset  int
	Message string // for people; it holds at most 64 bytes of the data, escaped
}

// Error returns the message with its place.
func (f *Fault) Error() string { return f.Message + " at byte " + strconv.Itoa(f.Offset) }

// Excerpt returns at most the first 64 bytes of b, quoted and escaped to printable ASCII, for messages.
func Excerpt(b []byte) string {
	const most = 64
	if len(b) > most {
		return strconv.QuoteToASCII(string(b[:most])) + "…"
	}
	return strconv.QuoteToASCII(string(b))
}
