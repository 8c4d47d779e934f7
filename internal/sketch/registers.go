package sketch

import "math"

// Registers are packed by four: 24 bits, of which the first register has the lowest 6. quad reads four, and b has three bytes.
func quad(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

func appendRegisters(dst []byte, many []uint8) []byte {
	for ; len(many) >= 4; many = many[4:] {
		q := uint32(many[0]) | uint32(many[1])<<6 | uint32(many[2])<<12 | uint32(many[3])<<18
		dst = append(dst, byte(q), byte(q>>8), byte(q>>16))
	}
	return dst
}

// mergeRegisters raises the registers to those that are packed.
func mergeRegisters(many []uint8, packed []byte) {
	for ; len(packed) >= 3 && len(many) >= 4; packed, many = packed[3:], many[4:] {
		q := quad(packed)
		many[0] = max(many[0], uint8(q&63))
		many[1] = max(many[1], uint8(q>>6&63))
		many[2] = max(many[2], uint8(q>>12&63))
		many[3] = max(many[3], uint8(q>>18&63))
	}
}

// countRegisters counts how many of the packed registers have each value.
func countRegisters(of *[64]uint32, packed []byte) {
	for ; len(packed) >= 3; packed = packed[3:] {
		q := quad(packed)
		of[q&63]++
		of[q>>6&63]++
		of[q>>12&63]++
		of[q>>18&63]++
	}
}

func largestRegister(packed []byte) uint8 {
	largest := uint32(0)
	for ; len(packed) >= 3; packed = packed[3:] {
		q := quad(packed)
		largest = max(largest, q&63, q>>6&63, q>>12&63, q>>18&63)
	}
	return uint8(largest)
}

// estimate returns how many values the registers saw, of which so many have each value: algorithm 6 of O. Ertl, New cardinality
// estimation algorithms for HyperLogLog sketches, 2017 (arXiv:1702.01284). It has no bias that would need a table, and no seam between ranges.
func estimate(of *[64]uint32) uint64 {
	const m = registers
	z := m * tau(1-float64(of[maxRegister])/m)
	for k := maxRegister - 1; k >= 1; k-- {
		z = 0.5 * (z + float64(of[k]))
	}
	z += m * sigma(float64(of[0])/m)
	return uint64(math.Round(min(m/(2*math.Ln2)*m/z, 1<<63)))
}

// sigma is x + Σ x^(2^k)·2^(k-1): the share of registers that are still zero.
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		before := z
		x *= x
		z += x * y
		y += y
		if z == before {
			return z
		}
	}
}

// tau is (1 - x - Σ (1 - x^(2^-k))²·2^-k) / 3: the share of registers that are full.
func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		before := z
		x = math.Sqrt(x)
		y *= 0.5
		z -= (1 - x) * (1 - x) * y
		if z == before {
			return z / 3
		}
	}
}
