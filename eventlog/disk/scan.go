package disk

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"syscall"

	"penstock"
)

// errBad says that there is no whole frame at the scanner's place.
var errBad = errors.New("no whole frame")

// scanner walks the frames of one segment. It reads in large pieces, each into memory of its own, so that blocks may
// alias it.
type scanner struct {
	file    io.ReaderAt
	segment SegmentID
	at      int64 // of the next frame
	limit   int64 // what lies beyond is not looked at; may be raised between calls

	buf  []byte
	base int64 // where buf begins
}

// window returns the n bytes at a place, fewer if the file or the limit ends there.
func (s *scanner) window(at int64, n int) ([]byte, error) {
	n = int(min(int64(n), s.limit-at))
	if n <= 0 {
		return nil, nil
	}
	if from := at - s.base; from >= 0 && from+int64(n) <= int64(len(s.buf)) {
		return s.buf[from : from+int64(n)], nil
	}
	buf := make([]byte, min(max(int64(n), readChunk), s.limit-at))
	read, err := s.file.ReadAt(buf, at)
	if errors.Is(err, syscall.EIO) {
		read, err = salvage(s.file, buf, at)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, penstock.Wrap(penstock.Unavailable, "read segment", err)
	}
	s.buf, s.base = buf[:read], at
	return s.buf[:min(n, read)], nil
}

// salvage reads what can be read of a range with bad sectors; the others become zeros, which no checksum fits.
func salvage(file io.ReaderAt, buf []byte, at int64) (int, error) {
	const page = 4096
	for from := 0; from < len(buf); from += page {
		piece := buf[from:min(from+page, len(buf))]
		n, err := file.ReadAt(piece, at+int64(from))
		if errors.Is(err, syscall.EIO) {
			clear(piece)
			continue
		}
		if err != nil {
			return from + n, err
		}
	}
	return len(buf), nil
}

// next returns the frame at the scanner's place and moves past it. It fails with io.EOF at the limit, with errBad if
// there is no whole frame, or with what reading failed with; then the scanner stays.
func (s *scanner) next() (frame, error) {
	if s.at >= s.limit {
		return frame{}, io.EOF
	}
	f, err := s.frameAt(s.at)
	if err == nil {
		s.at = f.end
	}
	return f, err
}

// nextBlock is next with the block of the frame, nil for a frame that holds none.
func (s *scanner) nextBlock() (frame, *penstock.Block, error) {
	from := s.at
	f, err := s.next()
	if err != nil || f.kind == kindCommit {
		return f, nil, err
	}
	if f.kind != kindBlock {
		return f, nil, penstock.Errorf(penstock.Conflict, "read segment", "frames of kind %d are not known: a newer version wrote this log", f.kind)
	}
	b, err := f.block()
	if penstock.Is(err, penstock.Corrupt) {
		s.at, err = from, errBad
	}
	return f, b, err
}

func (s *scanner) frameAt(at int64) (frame, error) {
	h, err := s.window(at, frameHeaderSize)
	if err != nil {
		return frame{}, err
	}
	if len(h) < frameHeaderSize {
		return frame{}, errBad
	}
	f, length, ok := parseHeader(h, s.segment, at)
	if !ok || at+int64(frameHeaderSize+length) > s.limit {
		return frame{}, errBad
	}
	whole, err := s.window(at, frameHeaderSize+length)
	if err != nil {
		return frame{}, err
	}
	if len(whole) < frameHeaderSize+length {
		return frame{}, errBad
	}
	f.payload = whole[frameHeaderSize:]
	if crc32.Checksum(f.payload, castagnoli) != le.Uint32(whole[12:]) {
		return frame{}, errBad
	}
	return f, nil
}

// skip moves to the next whole frame after the scanner's place, or to the limit.
func (s *scanner) skip() error {
	for at := s.at + frameAlign; at < s.limit; {
		w, err := s.window(at, readChunk)
		if err != nil {
			return err
		}
		i := nextMagic(w)
		if i < 0 {
			at += max(frameAlign, int64(len(w))&^(frameAlign-1)-frameAlign)
			continue
		}
		at += int64(i)
		_, err = s.frameAt(at)
		if err == nil {
			s.at = at
			return nil
		}
		if !errors.Is(err, errBad) {
			return err
		}
		at += frameAlign
	}
	s.at = s.limit
	return nil
}

// nextMagic returns the first index, a multiple of frameAlign, at which a frame may begin, or -1.
func nextMagic(w []byte) int {
	for i := 0; ; {
		n := bytes.IndexByte(w[i:], frameMagic&0xff)
		if n < 0 {
			return -1
		}
		i += n
		if i%frameAlign == 4 && i+1 < len(w) && w[i+1] == frameMagic>>8 {
			return i - 4
		}
		if i++; i >= len(w) {
			return -1
		}
	}
}
