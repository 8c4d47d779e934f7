package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"

	"penstock"
	"penstock/internal/edge/edgetest"
)

func compressionRows() []row {
	return []row{
		{"row_23_gzip_bomb", false, rowGzipBomb},
		{"row_24_zstd_bomb", false, rowZstdBomb},
		{"row_25_zstd_window", false, rowZstdWindow},
		{"row_26_snappy", false, rowSnappy},
		{"row_27_nested_encoding", false, rowNestedEncoding},
		{"row_28_unknown_encoding", false, rowUnknownEncoding},
		{"row_29_broken_gzip", false, rowBrokenGzip},
		{"row_30_zstd_frames", false, rowZstdFrames},
		{"row_31_not_gzip", false, rowNotGzip},
	}
}

func (r *raid) gzip(plain io.Reader) string {
	r.t.Helper()
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if _, err := io.Copy(z, plain); err != nil {
		r.t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		r.t.Fatal(err)
	}
	return b.String()
}

func (r *raid) zstd(plain io.Reader, o ...zstd.EOption) string {
	r.t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, append(o, zstd.WithEncoderConcurrency(1))...)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.Copy(z, plain); err != nil {
		r.t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		r.t.Fatal(err)
	}
	return b.String()
}

// spaces are what a bomb unfolds to: JSON that only goes on.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func (r *raid) encoded(to, encoding, body string) edgetest.Answer {
	r.t.Helper()
	return r.Send(request(to, "Content-Type: application/x-ndjson\r\nContent-Encoding: "+encoding+"\r\n", body))
}

// growth returns by how much the program's resident memory rose above where it was while f ran.
func (r *raid) growth(f func()) penstock.Bytes {
	r.t.Helper()
	r.siege.open.settle(r.t)
	before, _, err := r.p.Resident()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", r.p.PID()), []byte("5"), 0o600); err != nil { // forget the peak
		r.t.Fatal(err)
	}
	f()
	_, peak, err := r.p.Resident()
	if err != nil {
		r.t.Fatal(err)
	}
	return peak - before
}

// bombGrowth is what a body of 8 MiB may cost: gzip's grows by a copy, and zstd's is decoded in one piece, after a guess that was too small.
const bombGrowth = 16 << 20

func rowGzipBomb(r *raid) {
	bomb := r.gzip(io.LimitReader(spaces{}, 1<<30))
	grown := r.growth(func() { r.note("1 GiB of spaces", r.encoded(toNothing, "gzip", bomb)) })
	if grown > bombGrowth {
		r.t.Errorf("the bomb of %d KiB took %d KiB", len(bomb)>>10, grown>>10)
	}
}

func rowZstdBomb(r *raid) {
	bomb := r.zstd(io.LimitReader(spaces{}, 1<<30), zstd.WithWindowSize(8<<20))
	grown := r.growth(func() { r.note("1 GiB of spaces", r.encoded(toNothing, "zstd", bomb)) })
	r.t.Logf("the bomb of %d KiB took %d KiB", len(bomb)>>10, grown>>10)
	if grown > bombGrowth {
		r.t.Errorf("the bomb of %d KiB took %d KiB", len(bomb)>>10, grown>>10)
	}
	whole, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		r.t.Fatal(err)
	}
	declared := whole.EncodeAll(bytes.Repeat([]byte(" "), 64<<20), nil)
	r.note("a frame that declares 64 MiB", r.encoded(toNothing, "zstd", string(declared)))
}

func rowZstdWindow(r *raid) {
	// Magic, a descriptor without content size, a window of 2^(10+19) bytes, an empty last block (RFC 8878, section 3.1.1).
	frame := "\x28\xb5\x2f\xfd\x00" + string([]byte{19 << 3}) + "\x01\x00\x00"
	grown := r.growth(func() {
		for range 10 {
			r.checkAnswer("512 MiB", r.encoded(toNothing, "zstd", frame))
		}
		r.note("a window of 512 MiB", r.encoded(toNothing, "zstd", frame))
	})
	if grown > 8<<20 {
		r.t.Errorf("the frames took %d KiB", grown>>10)
	}
}

func rowSnappy(r *raid) {
	r.note("a length of 4 GiB", r.encoded(toNothing, "snappy", "\xff\xff\xff\xff\x0f\x00"))
	r.note("x-snappy-framed", r.encoded(toNothing, "x-snappy-framed", "\xff\x06\x00\x00sNaPpY"))
}

func rowNestedEncoding(r *raid) {
	nested := r.gzip(strings.NewReader(r.gzip(strings.NewReader("{}"))))
	r.note("gzip, gzip", r.encoded(toNothing, "gzip, gzip", nested))
	r.note("twice the header", r.encoded(toNothing, "gzip\r\nContent-Encoding: gzip", nested))
	r.note("gzip, identity", r.encoded(toNothing, "gzip, identity", nested))
	r.note("said once", r.encoded(toNothing, "gzip", nested))
}

func rowUnknownEncoding(r *raid) {
	for _, encoding := range []string{"br", "deflate", "compress", "*"} {
		a := r.encoded(toNothing, encoding, "{}")
		r.note(encoding+", Accept-Encoding: "+a.Header.Get("Accept-Encoding"), a)
	}
}

func rowBrokenGzip(r *raid) {
	whole := r.gzip(strings.NewReader(strings.Repeat("{\"a\":1}\n", 100)))
	badSum := []byte(whole)
	badSum[len(badSum)-6] ^= 1
	badLength := []byte(whole)
	badLength[len(badLength)-1] ^= 1
	for _, c := range [][2]string{
		{"empty", ""}, {"half", whole[:len(whole)/2]}, {"a byte short", whole[:len(whole)-1]}, {"only a header", whole[:10]}, {"bad sum", string(badSum)},
		{"bad length", string(badLength)}, {"garbage behind", whole + "garbage"}, {"half a member behind", whole + whole[:len(whole)-4]},
	} {
		r.note(c[0], r.encoded(toNothing, "gzip", c[1]))
	}
	member := r.gzip(io.LimitReader(spaces{}, 10<<10))
	r.note("1,000 members of 10 KiB", r.encoded(toNothing, "gzip", strings.Repeat(member, 1000)))
	r.note("1,000 members of a line", r.encoded(toClicks, "gzip", strings.Repeat(r.gzip(strings.NewReader("{\"a\":1}\n")), 1000)))
	r.note("10,000 empty members", r.encoded(toNothing, "gzip", strings.Repeat(r.gzip(strings.NewReader("")), 10_000)))
}

func rowZstdFrames(r *raid) {
	whole := r.zstd(strings.NewReader(strings.Repeat("{\"a\":1}\n", 100)))
	for _, c := range [][2]string{
		{"a dictionary", "\x28\xb5\x2f\xfd\x21\x07\x05\x29\x00\x00hello"}, {"a byte short", whole[:len(whole)-1]}, {"garbage behind", whole + "garbage"},
		{"empty", ""}, {"not zstd", "{\"a\":1}"}, {"a reserved block", "\x28\xb5\x2f\xfd\x00\x00\xff\xff\xff"},
	} {
		r.note(c[0], r.encoded(toNothing, "zstd", c[1]))
	}
	const skippable = "\x50\x2a\x4d\x18\x00\x00\x40\x06" // 100 MiB follow that mean nothing
	head := toNothing + local + "Content-Encoding: zstd\r\n" + chunked + "6400000\r\n" + skippable
	r.note("a skippable frame of 100 MiB", r.Stream(io.MultiReader(strings.NewReader(head), io.LimitReader(spaces{}, 100<<20))))
	r.note("a skippable frame that says 100 MiB", r.encoded(toNothing, "zstd", skippable+"that is all"))
	r.note("a small one before events", r.encoded(toClicks, "zstd", "\x50\x2a\x4d\x18\x04\x00\x00\x00skip"+whole))
}

func rowNotGzip(r *raid) {
	r.note("plain JSON", r.encoded(toNothing, "gzip", `{"plain":"json"}`))
	r.note("zstd", r.encoded(toNothing, "gzip", r.zstd(strings.NewReader("{}"))))
	r.note("gzip that says zstd", r.encoded(toNothing, "zstd", r.gzip(strings.NewReader("{}"))))
}
