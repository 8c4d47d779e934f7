package penstock

import (
	"encoding/binary"
	"math/bits"
)

// sipHash is SipHash-2-4 (Aumasson and Bernstein, https://www.aumasson.jp/siphash/siphash.pdf). It is written out
// here because the vocabulary imports nothing outside the standard library, which has no keyed hash with a stable
// result: hash/maphash seeds differ per process, HMAC costs ten times as much per event.
func sipHash(k0, k1 uint64, b []byte) uint64 {
	s := newSip(k0, k1)
	s.message(b)
	s.v2 ^= 0xff
	return s.finish()
}

// sipHash128 is its variant of 128 bits (https://github.com/veorq/SipHash, siphash.c).
func sipHash128(k0, k1 uint64, b []byte) (lo, hi uint64) {
	s := newSip(k0, k1)
	s.v1 ^= 0xee
	s.message(b)
	s.v2 ^= 0xee
	lo = s.finish()
	s.v1 ^= 0xdd
	return lo, s.finish()
}

type sipState struct{ v0, v1, v2, v3 uint64 }

func newSip(k0, k1 uint64) sipState {
	return sipState{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
}

func (s *sipState) message(b []byte) {
	last := uint64(len(b)) << 56
	for ; len(b) >= 8; b = b[8:] {
		s.absorb(binary.LittleEndian.Uint64(b))
	}
	for i, c := range b {
		last |= uint64(c) << (8 * i)
	}
	s.absorb(last)
}

func (s *sipState) finish() uint64 {
	s.round()
	s.round()
	s.round()
	s.round()
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3
}

func (s *sipState) absorb(m uint64) {
	s.v3 ^= m
	s.round()
	s.round()
	s.v0 ^= m
}

func (s *sipState) round() {
	s.v0 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 13) ^ s.v0
	s.v0 = bits.RotateLeft64(s.v0, 32)
	s.v2 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 16) ^ s.v2
	s.v0 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 21) ^ s.v0
	s.v2 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 17) ^ s.v2
	s.v2 = bits.RotateLeft64(s.v2, 32)
}
