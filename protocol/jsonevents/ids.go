package jsonevents

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"

	"github.com/zeebo/xxh3"

	"penstock"
)

// idSource makes ids for events that have none.
//
// With an Idempotency-Key the id follows from it, the index and the event's bytes, so that a repeat of the request is known
// as one. Without, it is a UUID of version 7 (RFC 9562, section 5.7): the millisecond of receipt, its 4,096th part, and 62
// random bits, which are read from the system for many ids at a time.
type idSource struct {
	derive string
	at     penstock.Micros
	random [512]byte
	left   int // random bytes not used yet, at the end
	hash   xxh3.Hasher
}

func (s *idSource) begin(r *penstock.Request) { s.derive, s.at = r.IdempotencyKey, r.ReceivedAt }

// next appends an id for the event at an index.
func (s *idSource) next(dst []byte, index int, body []byte) ([]byte, penstock.RecordFlags) {
	if s.derive != "" {
		return s.derived(dst, index, body), 0
	}
	return s.given(dst), penstock.ServerID
}

// derived appends the hash, in hexadecimal, of the index, the key's length, the key and the body.
func (s *idSource) derived(dst []byte, index int, body []byte) []byte {
	var head [16]byte
	binary.LittleEndian.PutUint64(head[:], uint64(index))
	binary.LittleEndian.PutUint64(head[8:], uint64(len(s.derive)))
	s.hash.Reset()
	_, _ = s.hash.Write(head[:]) // a hash takes all
	_, _ = s.hash.WriteString(s.derive)
	_, _ = s.hash.Write(body)
	sum := s.hash.Sum128().Bytes()
	return hex.AppendEncode(dst, sum[:])
}

func (s *idSource) given(dst []byte) []byte {
	if s.left < 8 {
		_, _ = rand.Read(s.random[:]) // it never fails
		s.left = len(s.random)
	}
	var u [16]byte
	copy(u[8:], s.random[len(s.random)-s.left:])
	s.left -= 8
	millis, part := uint64(s.at/1000), uint64(s.at%1000)*4096/1000
	binary.BigEndian.PutUint64(u[:8], millis<<16|7<<12|part)
	u[8] = u[8]&0x3f | 0x80
	for i, group := range [...][]byte{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, group)
	}
	return dst
}
