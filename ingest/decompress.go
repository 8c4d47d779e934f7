package ingest

import (
	"errors"
	"io"
	"math"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"penstock"
)

// encoding is how a body is compressed.
type encoding uint8

const (
	identity encoding = iota
	gzipped
	zstandard
)

// maxWindow is how far back a zstd frame may refer, which is what its decoder has to keep in memory.
const maxWindow = 8 << 20

// encodingOf reads the header Content-Encoding. One that is not offered is refused, and answer says which are.
func encodingOf(answer http.Header, values []string) (encoding, error) {
	if len(values) == 0 {
		return identity, nil
	}
	if len(values) == 1 {
		switch strings.ToLower(strings.TrimSpace(values[0])) {
		case "", "identity":
			return identity, nil
		case "gzip", "x-gzip":
			return gzipped, nil
		case "zstd":
			return zstandard, nil
		}
	}
	answer.Set("Accept-Encoding", "gzip, zstd")
	return identity, penstock.Refusef("unsupported_encoding", "read headers",
		"Content-Encoding must be gzip or zstd, and only one of them")
}

// decompress reads the body and leaves what it unfolds to in v.body. Members and frames that follow one another count together.
func (v *visit) decompress(e encoding, size penstock.Bytes) error {
	var err error
	if e == gzipped {
		err = v.gunzip(min(4*size+1, firstBuffer))
	} else {
		err = v.unzstd(min(size+1, firstBuffer))
	}
	if err == nil || v.source.failed != nil {
		return firstError(v.source.failed, err)
	}
	var known *penstock.Error
	if errors.As(err, &known) {
		return err
	}
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		return errTooLarge
	}
	return errEncoding
}

var errEncoding = penstock.Refusef("bad_encoding", "decompress body", "the body is not what Content-Encoding says, or it is cut or damaged")

func (v *visit) gunzip(size penstock.Bytes) error {
	z, ok := v.door.gzips.Get().(*gzip.Reader)
	if !ok {
		z = new(gzip.Reader)
	}
	defer func() {
		_ = z.Reset(emptyReader{}) // keeps nothing of this request; the error is that there is no member
		v.door.gzips.Put(z)
	}()
	if err := z.Reset(&v.source); err != nil {
		if err == io.EOF {
			return errEncoding // nothing at all
		}
		return err
	}
	return v.fill(z, size)
}

// unzstd reads the whole body and then decodes it into one buffer. A decoder that streams would keep a window of up to maxWindow beside
// that buffer, and the buffer would grow by copies; here what was decoded is the window.
func (v *visit) unzstd(size penstock.Bytes) error {
	if err := v.fill(&v.source, size); err != nil {
		return err
	}
	packed, held := v.body, v.held
	v.body, v.held = nil, 0
	v.small, v.spare = v.spare, v.small // packed may lie in it
	defer func() {
		v.door.release(packed)
		v.door.gate.give(held)
	}()
	z, err := v.door.zstdDecoder()
	if err != nil {
		return err
	}
	defer func() {
		_, _ = z.DecodeAll(nil, nil) // keeps nothing of this request
		v.door.zstds.Put(z)
	}()
	limit := v.door.o.Limits.Body
	room := declared(packed)
	if room > limit {
		return errTooLarge
	}
	if room == 0 {
		room = max(usualRatio*penstock.Bytes(len(packed)), blockRoom)
	}
	for {
		room = min(room, limit)
		if err := v.unpack(z, packed, room); room == limit || !errors.Is(err, zstd.ErrDecoderSizeExceeded) {
			return err
		}
		if room *= 8; room > limit/4 {
			room = limit // rather than to try twice more
		}
	}
}

func (d *Door) zstdDecoder() (*zstd.Decoder, error) {
	if z, ok := d.zstds.Get().(*zstd.Decoder); ok {
		return z, nil
	}
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(uint64(max(d.o.Limits.Body, maxWindow))))
	return z, penstock.Wrap(penstock.Internal, "open decoder", err)
}

const (
	usualRatio = 16                // that JSON rarely exceeds
	overrun    = 64                // by which the decoder likes to write too far
	blockRoom  = 128<<10 + overrun // what a block may unfold to (RFC 8878, section 3.1.1.2.4)
)

// declared returns what the first frame says that it unfolds to, 0 if it does not say. It may be a lie.
func declared(packed []byte) penstock.Bytes {
	var h zstd.Header
	if h.Decode(packed) != nil || !h.HasFCS {
		return 0
	}
	return penstock.Bytes(min(h.FrameContentSize, math.MaxInt64))
}

// unpack decodes into v.body, which gets room for room bytes. It fails with zstd.ErrDecoderSizeExceeded if it needs more
// room. Beyond the limit there is some for the block that exceeds it, so that not all that comes before is moved to make it.
func (v *visit) unpack(z *zstd.Decoder, packed []byte, room penstock.Bytes) error {
	if len(packed) == 0 {
		return errEncoding // not even a frame
	}
	limit, more := v.door.o.Limits.Body, penstock.Bytes(overrun)
	if room == limit {
		more = blockRoom
	}
	v.releaseBody()
	if err := v.hold(room + more); err != nil {
		return err
	}
	body, err := z.DecodeAll(packed, v.body)
	size := penstock.Bytes(len(body))
	tight := room < limit && cap(v.body)-len(body) < blockRoom // the decoder has other errors, too, for a block that does not fit
	if size > limit || err != nil && tight {
		return zstd.ErrDecoderSizeExceeded
	}
	if err == nil {
		v.body = body
		v.door.gate.give(v.held - size)
		v.held = size
	}
	return err
}

type emptyReader struct{}

// Read implements io.Reader.
func (emptyReader) Read([]byte) (int, error) { return 0, io.EOF }

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
