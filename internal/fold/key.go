package fold

import (
	"bytes"
	"encoding/binary"
	"math"

	"penstock"
	"penstock/internal/jsonscan"
)

// A group's key is its partition, its window and its cells, in bytes that compare as those do: NULL first, then numbers by their value,
// text byte by byte. Keys of one view are equal only if all of that is, and none begins with another. Numbers are big-endian, with the
// sign turned around; a text ends with 00 01, and a 00 within it is 00 FF.
const (
	nullTag  = 0
	valueTag = 1
	textEnd  = 1
	textZero = 0xff
)

const keyHead = 2 + 8 // bytes of partition and window

// startOf returns when the window of a time begins; 0 if there are no windows. Times are such as an event can have, in the years 0 to 9999.
func startOf(at, window penstock.Micros) penstock.Micros {
	if window == 0 {
		return 0
	}
	start := at - at%window
	if start > at { // before 1970 the remainder is below zero
		start -= window
	}
	return start
}

func appendKeyHead(dst []byte, p penstock.Partition, window penstock.Micros) []byte {
	return appendSigned(binary.BigEndian.AppendUint16(dst, uint16(p)), int64(window))
}

func appendSigned(dst []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(n)^1<<63)
}

func appendCell(dst []byte, of shape, c *jsonscan.Cell) []byte {
	if c.Null {
		return append(dst, nullTag)
	}
	dst = append(dst, valueTag)
	switch of {
	case textual:
		return appendKeyText(dst, c.Bytes)
	case integral:
		return appendSigned(dst, c.Int)
	case floating:
		n := int64(math.Float64bits(c.Float)) // below zero: the greater the bits the less
		return appendSigned(dst, n^int64(uint64(n>>63)>>1))
	case fixed:
		return binary.BigEndian.AppendUint64(appendSigned(dst, c.Hi), c.Lo)
	}
	if c.Bool {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendKeyText(dst, text []byte) []byte {
	for {
		zero := bytes.IndexByte(text, 0)
		if zero < 0 {
			return append(append(dst, text...), 0, textEnd)
		}
		dst = append(append(dst, text[:zero]...), 0, textZero)
		text = text[zero+1:]
	}
}

// readCell returns the cell that a key goes on with, and what follows it. A text aliases the key unless it has a 00.
func readCell(key []byte, of shape) (c jsonscan.Cell, rest []byte) {
	if key[0] == nullTag {
		return jsonscan.Cell{Null: true}, key[1:]
	}
	key = key[1:]
	switch of {
	case textual:
		c.Bytes, rest = readKeyText(key)
		return c, rest
	case logical:
		return jsonscan.Cell{Bool: key[0] == 1}, key[1:]
	}
	n := int64(binary.BigEndian.Uint64(key) ^ 1<<63)
	key = key[8:]
	switch of {
	case floating:
		return jsonscan.Cell{Float: math.Float64frombits(uint64(n ^ int64(uint64(n>>63)>>1)))}, key
	case fixed:
		return jsonscan.Cell{Hi: n, Lo: binary.BigEndian.Uint64(key)}, key[8:]
	}
	return jsonscan.Cell{Int: n}, key
}

func readKeyText(key []byte) (text, rest []byte) {
	zero := bytes.IndexByte(key, 0)
	if key[zero+1] == textEnd {
		return key[:zero:zero], key[zero+2:]
	}
	for ; key[zero+1] == textZero; zero = bytes.IndexByte(key, 0) {
		text = append(append(text, key[:zero]...), 0)
		key = key[zero+2:]
	}
	return append(text, key[:zero]...), key[zero+2:]
}
