package sketch

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/zeebo/xxh3"
)

// Unique counts different values: up to 3,072 of them by fingerprints of 32 bits, nearly always exactly, beyond that by a HyperLogLog of
// 16,384 registers (Flajolet et al. 2007) with the estimator of Ertl (2017), whose standard error is at most 0.81 %. A state has 4 bytes a
// value, at most 12,294. What is counted is hashes without a key: who chooses the values can make the count wrong.
type Unique struct {
	few  []uint32 // fingerprints, ascending; nil when there are registers
	many []uint8  // registers, when there were more than maxFew fingerprints
}

// A fingerprint is the hash's upper 26 bits, and in its lower 6 how many zeros lead the other 38, plus 1. Of these a register follows, so
// that the registers do not depend on when fingerprints gave way to them.
const (
	precision        = 14
	registers        = 1 << precision
	prefixBits       = 26
	maxRho           = 64 - prefixBits + 1 // of a fingerprint
	maxRegister      = 64 - precision + 1
	maxFew           = registers * 6 / 8 / 4 // as many as need the bytes of the registers
	fewLead     byte = 0
	manyLead    byte = 1
)

func fingerprint(hash uint64) uint32 {
	rho := bits.LeadingZeros64(hash<<prefixBits|1<<(prefixBits-1)) + 1
	return uint32(hash>>(64-prefixBits))<<6 | uint32(rho)
}

// register returns the register of a fingerprint, and the value that it asks for.
func register(f uint32) (at uint32, value uint8) {
	const between = prefixBits - precision // bits of the prefix that do not choose the register
	if rest := f << precision >> (32 - between); rest != 0 {
		return f >> (32 - precision), uint8(bits.LeadingZeros32(rest) - (32 - between) + 1)
	}
	return f >> (32 - precision), uint8(f&63) + between
}

// Add counts a value.
func (u *Unique) Add(value []byte) { u.add(fingerprint(xxh3.Hash(value))) }

func (u *Unique) add(f uint32) {
	if u.many != nil {
		at, value := register(f)
		u.many[at] = max(u.many[at], value)
		return
	}
	if at, found := slices.BinarySearch(u.few, f); !found {
		u.few = slices.Insert(u.few, at, f)
		u.spill()
	}
}

// spill changes over to registers if there are too many fingerprints.
func (u *Unique) spill() {
	if len(u.few) <= maxFew {
		return
	}
	few := u.few
	u.few, u.many = nil, make([]uint8, registers)
	for _, f := range few {
		u.add(f)
	}
}

// Merge counts the values of another Unique's state.
func (u *Unique) Merge(state []byte) error {
	few, many, err := openUnique(state)
	switch {
	case err != nil:
		return err
	case many != nil:
		if u.many == nil {
			given := u.few
			u.few, u.many = nil, make([]uint8, registers)
			for _, f := range given {
				u.add(f)
			}
		}
		mergeRegisters(u.many, many)
	case u.many != nil || len(few)/4 < len(u.few)/16: // a few places are found faster than all are walked
		for ; len(few) > 0; few = few[4:] {
			u.add(binary.LittleEndian.Uint32(few))
		}
	default:
		u.mergeFew(few)
	}
	return nil
}

// mergeFew merges two ascending lists from their ends, within the longer one's memory.
func (u *Unique) mergeFew(few []byte) {
	fresh, own := 0, 0
	for at := 0; at < len(few); at += 4 {
		f := binary.LittleEndian.Uint32(few[at:])
		for own < len(u.few) && u.few[own] < f {
			own++
		}
		if own == len(u.few) || u.few[own] != f {
			fresh++
		}
	}
	own = len(u.few) - 1
	u.few = slices.Grow(u.few, fresh)[:len(u.few)+fresh]
	for to := len(u.few) - 1; to > own; to-- {
		f := binary.LittleEndian.Uint32(few[len(few)-4:])
		if own >= 0 && u.few[own] >= f {
			if u.few[own] == f {
				few = few[:len(few)-4]
			}
			u.few[to] = u.few[own]
			own--
			continue
		}
		u.few[to], few = f, few[:len(few)-4]
	}
	u.spill()
}

// AppendTo appends the state to dst and returns the longer slice.
func (u *Unique) AppendTo(dst []byte) []byte {
	start := len(dst)
	if u.many != nil {
		dst = slices.Grow(dst, 2+registers*6/8+sumSize)
		return seal(appendRegisters(append(dst, byte(KindUnique), manyLead), u.many), start)
	}
	dst = append(slices.Grow(dst, 2+4*len(u.few)+sumSize), byte(KindUnique), fewLead)
	for _, f := range u.few {
		dst = binary.LittleEndian.AppendUint32(dst, f)
	}
	return seal(dst, start)
}

// Count returns how many different values there were, or an estimate.
func (u *Unique) Count() uint64 {
	if u.many == nil {
		return uint64(len(u.few))
	}
	var of [64]uint32
	for _, value := range u.many {
		of[value&63]++
	}
	return estimate(&of)
}

// UniqueCount returns what Count of a Unique of that state would, and allocates nothing.
func UniqueCount(state []byte) (uint64, error) {
	few, many, err := openUnique(state)
	if err != nil || many == nil {
		return uint64(len(few) / 4), err
	}
	var of [64]uint32
	countRegisters(&of, many)
	return estimate(&of), nil
}

// openUnique returns the fingerprints or the registers of a state that is whole; many is nil if there are none.
func openUnique(state []byte) (few, many []byte, err error) {
	body, err := open(state, KindUnique)
	switch {
	case err != nil:
		return nil, nil, err
	case len(body) == 1+registers*6/8 && body[0] == manyLead:
		if largest := largestRegister(body[1:]); largest > maxRegister {
			return nil, nil, corrupt("a register has %d", largest)
		}
		return nil, body[1:], nil
	case len(body)%4 != 1 || len(body) > 1+maxFew*4 || body[0] != fewLead:
		return nil, nil, corrupt("a unique of %d bytes is none", len(state))
	}
	last := uint32(0)
	for at := 1; at < len(body); at += 4 {
		f := binary.LittleEndian.Uint32(body[at:])
		if f <= last || f&63 == 0 || f&63 > maxRho {
			return nil, nil, corrupt("fingerprint %#x after %#x", f, last)
		}
		last = f
	}
	return body[1:], nil, nil
}
