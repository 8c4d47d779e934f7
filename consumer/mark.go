package consumer

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"penstock"
)

// Mark is what a consumer has in hand, and how often in a row the process ended over it.
type Mark struct {
	Hand       bool               // the store was applying the range; false: the consumer waited before it tried
	From, Next penstock.Positions // the range. Partitions where it is empty may be left out; none at all: nothing is in hand
	Records    int                // in the range
	Crashes    int                // that led to the range, before this attempt
	Vain       int                // trials since the last of these crashes that showed nothing
	Wait       time.Duration      // the attempt came after a wait of random length up to this; 0: after none
	Took       time.Duration      // in hand since that wait, as far as it was noted
}

// Marker remembers a Mark when the process ends in whatever way. It need not outlive the machine.
type Marker interface {
	// Load returns the mark saved last, and the zero Mark if there is none. An error, with the zero Mark, says that it cannot be known.
	Load() (Mark, error)
	// Save replaces the mark. It is called once or twice for each batch, from one goroutine at a time.
	Save(m Mark) error
}

// The sizes of the format, docs/format/marker.md.
const (
	markMagic                = "PSMK"
	markVersion              = 1
	markHeaderSize           = 48
	markEntrySize            = 26
	maxMark                  = markHeaderSize + penstock.MaxPartitions*markEntrySize
	markHand          uint32 = 1 << 0
	markChecksumStart        = 12 // the checksum covers what follows it
)

// appendTo appends the encoded mark.
func (m Mark) appendTo(dst []byte) []byte {
	le := binary.LittleEndian
	begins := len(dst)
	dst = append(dst, markMagic...)
	dst = le.AppendUint16(dst, markVersion)
	dst = le.AppendUint16(dst, 0) // required features
	dst = le.AppendUint32(dst, 0) // checksum
	flags := uint32(0)
	if m.Hand {
		flags = markHand
	}
	dst = le.AppendUint32(dst, flags)
	dst = le.AppendUint32(dst, uint32(m.Records))
	dst = le.AppendUint32(dst, uint32(m.Crashes))
	dst = le.AppendUint32(dst, uint32(m.Vain))
	dst = le.AppendUint64(dst, uint64(m.Wait.Microseconds()))
	dst = le.AppendUint64(dst, uint64(m.Took.Microseconds()))
	counted := len(dst)
	dst = le.AppendUint32(dst, 0) // entries
	entries := uint32(0)
	for _, p := range m.From.Partitions() {
		from, next := m.From[p], m.Next[p]
		if from == next {
			continue
		}
		entries++
		dst = le.AppendUint16(dst, uint16(p))
		dst = le.AppendUint64(le.AppendUint32(dst, uint32(from.Epoch)), uint64(from.Offset))
		dst = le.AppendUint64(le.AppendUint32(dst, uint32(next.Epoch)), uint64(next.Offset))
	}
	le.PutUint32(dst[counted:], entries)
	mark := dst[begins:]
	le.PutUint32(mark[8:], crc32.Checksum(mark[markChecksumStart:], crc32.MakeTable(crc32.Castagnoli)))
	return dst
}

// decodeMark reads a mark from the front of data: what follows it is left from longer ones. Nothing, or zeros, is the zero Mark. It
// fails with Corrupt, or with Conflict if a newer version wrote it.
func decodeMark(data []byte) (Mark, error) {
	const op = "read marker"
	le := binary.LittleEndian
	if len(data) < 4 || le.Uint32(data) == 0 {
		return Mark{}, nil
	}
	if len(data) < markHeaderSize || string(data[:4]) != markMagic {
		return Mark{}, penstock.Errorf(penstock.Corrupt, op, "this is no marker")
	}
	if version, features := le.Uint16(data[4:]), le.Uint16(data[6:]); version != markVersion || features != 0 {
		return Mark{}, penstock.Errorf(penstock.Conflict, op, "version %d with features %#x is not known", version, features)
	}
	entries := int64(le.Uint32(data[44:]))
	size := markHeaderSize + entries*markEntrySize
	if entries > penstock.MaxPartitions || size > int64(len(data)) {
		return Mark{}, penstock.Errorf(penstock.Corrupt, op, "the marker is cut")
	}
	if crc32.Checksum(data[markChecksumStart:size], crc32.MakeTable(crc32.Castagnoli)) != le.Uint32(data[8:]) {
		return Mark{}, penstock.Errorf(penstock.Corrupt, op, "the checksum is wrong")
	}
	if entries == 0 {
		return Mark{}, nil
	}
	m := Mark{
		Hand: le.Uint32(data[12:])&markHand != 0, From: penstock.Positions{}, Next: penstock.Positions{},
		Records: int(le.Uint32(data[16:])), Crashes: int(le.Uint32(data[20:])), Vain: int(le.Uint32(data[24:])),
		Wait: time.Duration(le.Uint64(data[28:])) * time.Microsecond, Took: time.Duration(le.Uint64(data[36:])) * time.Microsecond,
	}
	for e := data[markHeaderSize:size]; len(e) > 0; e = e[markEntrySize:] {
		p := penstock.Partition(le.Uint16(e))
		m.From[p] = penstock.Position{Epoch: penstock.Epoch(le.Uint32(e[2:])), Offset: penstock.Offset(le.Uint64(e[6:]))}
		m.Next[p] = penstock.Position{Epoch: penstock.Epoch(le.Uint32(e[14:])), Offset: penstock.Offset(le.Uint64(e[18:]))}
	}
	return m, nil
}
