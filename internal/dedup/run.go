package dedup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sort"

	"penstock"
	"penstock/internal/vfs"
)

// run is a sorted file of identities that is in use.
type run struct {
	name  string // with its directory; of the temporary file until that was renamed
	file  vfs.File
	size  int64
	first uint64 // number of the first table in it
	last  uint64
	ids   int64
	parts [sections]part
}

// sections is how many parts of equal width a run has.
const sections = 256

// part says where a section lies.
type part struct {
	at      int64 // its first page
	entries int
	blocks  int // of its filter
}

// section is what is in memory of one.
type section struct {
	part
	run    *run
	firsts []uint32 // of each page
	filter filter
}

const (
	pageEntries = 127
	pageSize    = 4 + pageEntries*entrySize
)

// page is room for one page and its checksum.
type page [pageSize]byte

func (p part) pages() int { return (p.entries + pageEntries - 1) / pageEntries }

// summaryAt returns where firsts and filter lie.
func (p part) summaryAt() int64 { return p.at + int64(p.pages())*4 + int64(p.entries)*entrySize }

func (p part) summarySize() int { return p.pages()*4 + p.blocks*blockSize + 4 }

func (p part) end() int64 { return p.summaryAt() + int64(p.summarySize()) }

// memory returns the bytes of firsts and filter.
func (s *section) memory() int64 { return int64(len(s.firsts))*4 + int64(len(s.filter))*blockSize }

// checksum is that of bytes at a place.
func checksum(at int64, data []byte) uint32 {
	var place [8]byte
	binary.LittleEndian.PutUint64(place[:], uint64(at))
	return crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, data)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// damaged says that a run's bytes are wrong.
func (r *run) damaged(what string, at int64) error {
	return penstock.Errorf(penstock.Corrupt, "read identities", "%s: %s at %d is damaged", r.name, what, at)
}

// read fills p from a place.
func (r *run) read(p []byte, at int64) error {
	n, err := r.file.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return r.damaged("the end", at)
	}
	return penstock.Wrap(penstock.Unavailable, "read identities", fmt.Errorf("%s at %d: %w", r.name, at, err))
}

// readPages reads consecutive pages of a section from one on, as many as fit into buf, checks them, and returns the entries' bytes, one page after the other
// with its checksum before it.
func (s *section) readPages(from int, buf []byte) ([]byte, error) {
	n := min(len(buf)/pageSize, s.pages()-from)
	at := s.at + int64(from)*pageSize
	entries := min(n*pageEntries, s.entries-from*pageEntries)
	buf = buf[:n*4+entries*entrySize]
	if err := s.run.read(buf, at); err != nil {
		return nil, err
	}
	for i := 0; i < len(buf); i += pageSize {
		p := buf[i:min(i+pageSize, len(buf))]
		if checksum(at+int64(i), p[4:]) != binary.LittleEndian.Uint32(p) {
			return nil, s.run.damaged("a page", at+int64(i))
		}
	}
	return buf, nil
}

// find looks a key up; about one in a hundred that are not there costs a read.
func (s *section) find(k key, room *page) (e entry, found bool, err error) {
	if !s.filter.has(k.a, k.b) {
		return entry{}, false, nil
	}
	first := k.first()
	i := sort.Search(len(s.firsts), func(i int) bool { return s.firsts[i] > first }) - 1
	for ; i >= 0; i-- { // more than once only if a page begins with the same four bytes
		data, err := s.readPages(i, room[:])
		if err != nil {
			return entry{}, false, err
		}
		if e, found = search(data[4:], k); found || s.firsts[i] < first {
			return e, found, nil
		}
	}
	return entry{}, false, nil
}

// search finds a key among the entries of a page.
func search(data []byte, k key) (e entry, found bool) {
	n := len(data) / entrySize
	i := sort.Search(n, func(i int) bool {
		at := data[i*entrySize:]
		if a := binary.BigEndian.Uint64(at); a != k.a {
			return a > k.a
		}
		if b := binary.BigEndian.Uint64(at[8:]); b != k.b {
			return b > k.b
		}
		return binary.LittleEndian.Uint32(at[16:]) >= k.lane
	})
	if i == n {
		return entry{}, false
	}
	e.decode(data[i*entrySize:])
	return e, e.key == k
}

// load reads what a section has in memory; nil if it is empty.
func (r *run) load(number int) (*section, error) {
	p := r.parts[number]
	if p.entries == 0 {
		return nil, nil
	}
	data := make([]byte, p.summarySize())
	if err := r.read(data, p.summaryAt()); err != nil {
		return nil, err
	}
	body := data[:len(data)-4]
	if checksum(p.summaryAt(), body) != binary.LittleEndian.Uint32(data[len(body):]) {
		return nil, r.damaged("a filter", p.summaryAt())
	}
	s := &section{part: p, run: r, firsts: make([]uint32, p.pages()), filter: make(filter, p.blocks)}
	for i := range s.firsts {
		s.firsts[i] = binary.LittleEndian.Uint32(body[4*i:])
	}
	body = body[4*len(s.firsts):]
	for i := range s.filter {
		for w := range s.filter[i] {
			s.filter[i][w] = binary.LittleEndian.Uint64(body[i*blockSize+w*8:])
		}
	}
	return s, nil
}
