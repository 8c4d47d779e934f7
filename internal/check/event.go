package check

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Event is what a body says about itself.
type Event struct {
	Client uint32
	Seq    uint64 // counts the client's events, from 0 on
	Key    string // "": none
	N      uint64 // counts the client's events of that key, from 1 on
	Nonce  uint64 // NonceOf the run's seed
	Sum    uint64 // the first bytes of the hash of everything before it: two bodies with the same one are the same
}

// EventID returns the id of a client's event: those of internal/load look the same.
func EventID(client uint32, seq uint64) string { return fmt.Sprintf("c%04d-%010d", client, seq) }

// ParseEventID reads an id.
func ParseEventID(id string) (client uint32, seq uint64, ok bool) {
	left, right, ok := strings.Cut(id, "-")
	if !ok || !strings.HasPrefix(left, "c") {
		return 0, 0, false
	}
	c, err := strconv.ParseUint(left[1:], 10, 32)
	if err != nil {
		return 0, 0, false
	}
	seq, err = strconv.ParseUint(right, 10, 64)
	client = uint32(c)
	return client, seq, err == nil && EventID(client, seq) == id
}

// NonceOf returns the nonce of an event in the run with that seed, so that what an earlier run left behind does not pass for
// this one's. It mixes as splitmix64 does (Steele, Lea and Flood, 2014).
func NonceOf(seed uint64, client uint32, seq uint64) uint64 {
	z := seed
	for _, part := range [...]uint64{uint64(client), seq} {
		z += 0x9e3779b97f4a7c15 * (part + 1)
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
	}
	return z
}

// Maker makes the events of one client. It is used by one goroutine.
type Maker struct {
	seed   uint64
	client uint32
	next   uint64
	keys   map[string]uint64
}

// NewMaker returns the maker of a client's events in the run with that seed.
func NewMaker(seed uint64, client uint32) *Maker {
	return &Maker{seed: seed, client: client, keys: map[string]uint64{}}
}

// Next returns the sequence of the next event.
func (m *Maker) Next() uint64 { return m.next }

// Append appends the body of the next event, a JSON object. The rest is more members, as text that begins with a comma, or "".
func (m *Maker) Append(dst []byte, key, rest string) []byte {
	e := Event{Client: m.client, Seq: m.next, Key: key, Nonce: NonceOf(m.seed, m.client, m.next)}
	m.next++
	m.keys[key]++
	e.N = m.keys[key]
	return AppendEvent(dst, e, rest)
}

const (
	sumLead = `,"sum":"`
	sumTail = len(sumLead) + 2*sha256.Size + len(`"}`)
)

// AppendEvent appends the body of an event, whose Sum it takes itself.
func AppendEvent(dst []byte, e Event, rest string) []byte {
	begin := len(dst)
	dst = fmt.Appendf(dst, `{"id":"c%04d-%010d"`, e.Client, e.Seq)
	if e.Key != "" {
		dst = append(dst, `,"key":`...)
		quoted, _ := json.Marshal(e.Key) // a string always can be
		dst = append(dst, quoted...)
	}
	dst = fmt.Appendf(dst, `,"n":%d,"nonce":"%016x"%s`, e.N, e.Nonce, rest)
	sum := sha256.Sum256(dst[begin:])
	dst = append(dst, sumLead...)
	dst = hex.AppendEncode(dst, sum[:])
	return append(dst, '"', '}')
}

// ParseEvent reads a body and checks that it is whole, to the byte.
func ParseEvent(body []byte) (Event, error) {
	var e Event
	at := len(body) - sumTail
	if at < 0 || !bytes.HasPrefix(body[at:], []byte(sumLead)) || !bytes.HasSuffix(body, []byte(`"}`)) {
		return e, fmt.Errorf("it does not end with its hash")
	}
	sum := sha256.Sum256(body[:at])
	var digits [2 * sha256.Size]byte
	hex.Encode(digits[:], sum[:])
	if !bytes.Equal(digits[:], body[at+len(sumLead):len(body)-2]) {
		return e, fmt.Errorf("its hash differs")
	}
	e.Sum = binary.BigEndian.Uint64(sum[:])
	return e, e.parseHead(string(body[:at]))
}

// parseHead reads what stands before the rest, in the order in which AppendEvent writes it.
func (e *Event) parseHead(head string) error {
	id, head, ok := cutBetween(head, `{"id":"`, `"`)
	if ok {
		e.Client, e.Seq, ok = ParseEventID(id)
	}
	if !ok {
		return fmt.Errorf("it has no id of ours")
	}
	if strings.HasPrefix(head, `,"key":`) {
		quoted := head[len(`,"key":`):]
		end := endOfString(quoted)
		if err := json.Unmarshal([]byte(quoted[:end]), &e.Key); err != nil {
			return fmt.Errorf("it has no key of ours: %w", err)
		}
		head = quoted[end:]
	}
	n, head, ok := cutBetween(head, `,"n":`, `,`)
	nonce, _, ok2 := cutBetween(head, `"nonce":"`, `"`)
	var err, err2 error
	e.N, err = strconv.ParseUint(n, 10, 64)
	e.Nonce, err2 = strconv.ParseUint(nonce, 16, 64)
	if !ok || !ok2 || err != nil || err2 != nil {
		return fmt.Errorf("it has no number and nonce of ours")
	}
	return nil
}

// cutBetween returns what stands between lead, with which s begins, and the next end, and what follows that.
func cutBetween(s, lead, end string) (between, after string, ok bool) {
	if !strings.HasPrefix(s, lead) {
		return "", s, false
	}
	return strings.Cut(s[len(lead):], end)
}

// endOfString returns where the JSON string ends with which s begins.
func endOfString(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

// SumOf returns what a history keeps of a body: the first half of its hash's digits. "" if it has none.
func SumOf(body []byte) string {
	at := len(body) - sumTail
	if at < 0 {
		return ""
	}
	return string(body[at+len(sumLead) : at+len(sumLead)+16])
}
