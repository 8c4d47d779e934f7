package ingest

import (
	"errors"
	"io"
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

// decompress reads the body through a decoder into v.body. Members and frames that follow one another count together.
func (v *visit) decompress(e encoding, size penstock.Bytes) error {
	var err error
	if e == gzipped {
		err = v.gunzip(size)
	} else {
		err = v.unzstd(size)
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

func (v *visit) unzstd(size penstock.Bytes) error {
	z, ok := v.door.zstds.Get().(*zstd.Decoder)
	if !ok {
		var err error
		z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(uint64(max(v.door.o.Limits.Body, maxWindow))))
		if err != nil {
			return penstock.Wrap(penstock.Internal, "open decoder", err)
		}
	}
	defer func() {
		_ = z.Reset(nil)
		v.door.zstds.Put(z)
	}()
	if err := z.Reset(&v.source); err != nil {
		return err
	}
	return v.fill(z, size)
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
