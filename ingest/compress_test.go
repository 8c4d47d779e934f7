package ingest

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"penstock"
	"penstock/internal/edge/edgetest"
)

func gzipOf(t *testing.T, plain io.Reader) string {
	t.Helper()
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if _, err := io.Copy(z, plain); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstdOf(t *testing.T, plain io.Reader) string {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(z, plain); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func sendEncoded(s *edgetest.Server, encoding, body string) edgetest.Answer {
	return s.Send(request(path, "Content-Encoding: "+encoding+"\r\n", body))
}

// allocated returns how much memory f asked for.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestCompressedBodiesAreRead(t *testing.T) {
	s, _, log := start(t, Options{})
	plain := strings.Repeat("line\n", 4000)
	total := 0
	for range 3 { // the second time with the decoders of the first
		for encoding, body := range map[string]string{
			"gzip": gzipOf(t, strings.NewReader(plain)), "GZIP": gzipOf(t, strings.NewReader(plain)), "x-gzip": gzipOf(t, strings.NewReader(plain)),
			"zstd": zstdOf(t, strings.NewReader(plain)), "identity": plain,
		} {
			s.Expect(sendEncoded(s, encoding, body), 202, "")
			total += 4000
			expectStored(t, log, total)
		}
	}
}

func TestRow23GzipBomb(t *testing.T) {
	s, _, log := start(t, Options{})
	bomb := gzipOf(t, io.LimitReader(zeros{}, 256<<20))
	grown := allocated(func() {
		s.Expect(sendEncoded(s, "gzip", bomb), 413, "body_too_large")
	})
	if grown > 16<<20 {
		t.Errorf("the bomb took %d KiB", grown>>10)
	}
	expectStored(t, log, 0)
}

func TestRow24ZstdBomb(t *testing.T) {
	s, _, log := start(t, Options{})
	bomb := zstdOf(t, io.LimitReader(zeros{}, 256<<20))
	grown := allocated(func() { s.Expect(sendEncoded(s, "zstd", bomb), 413, "body_too_large") })
	if grown > 12<<20 {
		t.Errorf("the bomb took %d KiB", grown>>10)
	}
	one, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	declared := one.EncodeAll(make([]byte, 64<<20), nil) // a frame that says how large it is
	s.Expect(sendEncoded(s, "zstd", string(declared)), 413, "body_too_large")
	expectStored(t, log, 0)
}

// Frames that follow one another count together, and need not say how large they are.
func TestRow24ZstdBombOfManyFrames(t *testing.T) {
	s, _, log := start(t, Options{})
	small := zstdOf(t, io.LimitReader(zeros{}, 1<<20))
	for _, bomb := range []string{strings.Repeat(small, 100), strings.Repeat(small, 7) + zstdOf(t, io.LimitReader(zeros{}, 256<<20))} {
		grown := allocated(func() { s.Expect(sendEncoded(s, "zstd", bomb), 413, "body_too_large") })
		if grown > 24<<20 {
			t.Errorf("the bomb took %d KiB", grown>>10)
		}
	}
	expectStored(t, log, 0)
}

// Whatever a body unfolds to, and whether its frames say so or not, it is read to the byte, and holds no more than itself.
func TestZstdBodies(t *testing.T) {
	door := New(Options{Log: &counter{}, Streams: anyStream{}, Cluster: testCluster(), Limits: Limits{Body: 2 << 20}})
	whole, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1, 100, smallBuffer - overrun, smallBuffer, smallBuffer + 1, blockRoom, 600_000, 2<<20 - 1, 2 << 20, 2<<20 + 1} {
		noise := make([]byte, size)
		for i := range noise {
			noise[i] = 'A' + byte(random.Uint32()%16)
		}
		for _, plain := range [][]byte{noise, bytes.Repeat([]byte("{}"), size)[:size], bytes.Repeat(noise[:min(size, 1000)], size/1000+1)[:size]} {
			half := len(plain) / 2
			stream := func(b []byte) string { return zstdOf(t, bytes.NewReader(b)) }
			for kind, packed := range map[string]string{
				"declared": string(whole.EncodeAll(plain, nil)), "not declared": stream(plain), "two frames": stream(plain[:half]) + stream(plain[half:]),
				"one of two declared": string(whole.EncodeAll(plain[:half], nil)) + stream(plain[half:]),
			} {
				v := door.enter(&lines{})
				r := httptest.NewRequest("POST", "/", strings.NewReader(packed))
				err := v.readBody(httptest.NewRecorder(), r, zstandard)
				if large := size > 2<<20; large != (err == errTooLarge) || !large && (err != nil || !bytes.Equal(v.body, plain) || door.InFlight() != penstock.Bytes(size)) {
					t.Errorf("%d bytes, %s: %v, read %d, in flight %d", size, kind, err, len(v.body), door.InFlight())
				}
				door.leave(v)
				if door.InFlight() != 0 {
					t.Fatalf("%d bytes, %s: %d bytes are in flight", size, kind, door.InFlight())
				}
			}
		}
	}
}

func TestRow25ZstdWindow(t *testing.T) {
	s, _, _ := start(t, Options{})
	// Magic, a descriptor without content size, a window of 2^(10+19) bytes, an empty last block (RFC 8878, section 3.1.1).
	frame := "\x28\xb5\x2f\xfd\x00" + string([]byte{19 << 3}) + "\x01\x00\x00"
	grown := allocated(func() { s.Expect(sendEncoded(s, "zstd", frame), 400, "bad_encoding") })
	if grown > 1<<20 {
		t.Errorf("the frame took %d KiB", grown>>10)
	}
}

func TestRow27NestedEncoding(t *testing.T) {
	s, _, _ := start(t, Options{})
	nested := gzipOf(t, strings.NewReader(gzipOf(t, strings.NewReader("x"))))
	s.Expect(sendEncoded(s, "gzip, gzip", nested), 415, "unsupported_encoding")
	s.Expect(sendEncoded(s, "gzip\r\nContent-Encoding: gzip", nested), 415, "unsupported_encoding")
}

func TestRow28UnknownEncoding(t *testing.T) {
	s, _, _ := start(t, Options{})
	for _, encoding := range []string{"br", "deflate", "snappy", "compress", "*"} {
		a := sendEncoded(s, encoding, "x")
		s.Expect(a, 415, "unsupported_encoding")
		if got := a.Header.Get("Accept-Encoding"); got != "gzip, zstd" {
			t.Errorf("%s: Accept-Encoding %q", encoding, got)
		}
	}
}

func TestRow29BrokenGzip(t *testing.T) {
	s, _, log := start(t, Options{})
	whole := gzipOf(t, strings.NewReader(strings.Repeat("some line\n", 100)))
	badSum := []byte(whole)
	badSum[len(badSum)-6] ^= 1
	for name, body := range map[string]string{
		"empty": "", "cut": whole[:len(whole)/2], "cut by a byte": whole[:len(whole)-1], "header only": whole[:10], "bad sum": string(badSum),
		"garbage behind": whole + "garbage", "half a member behind": whole + whole[:len(whole)-4],
	} {
		if a := sendEncoded(s, "gzip", body); a.Status != 400 || a.Code != "bad_encoding" {
			t.Errorf("%s: got %d %s", name, a.Status, a.Body)
		}
	}
	expectStored(t, log, 0)
	member := gzipOf(t, io.LimitReader(zeros{}, 10<<10))
	s.Expect(sendEncoded(s, "gzip", strings.Repeat(member, 1000)), 413, "body_too_large")
	expectStored(t, log, 0)
	s.Expect(sendEncoded(s, "gzip", strings.Repeat(gzipOf(t, strings.NewReader("x\n")), 1000)), 202, "")
	expectStored(t, log, 1000)
}

func TestRow30ZstdOddFrames(t *testing.T) {
	s, _, log := start(t, Options{})
	whole := zstdOf(t, strings.NewReader(strings.Repeat("some line\n", 100)))
	dictionary := "\x28\xb5\x2f\xfd\x21\x07\x05\x29\x00\x00hello"
	for name, body := range map[string]string{
		"dictionary": dictionary, "cut": whole[:len(whole)-1], "garbage behind": whole + "garbage", "empty": "",
		"not zstd": "plain text", "block too large": "\x28\xb5\x2f\xfd\x00\x00\xff\xff\xff",
	} {
		a := sendEncoded(s, "zstd", body)
		if a.Status != 400 {
			t.Errorf("%s: got %d %s", name, a.Status, a.Body)
		}
	}
	expectStored(t, log, 0)
	skippable := "\x50\x2a\x4d\x18\x00\x00\x40\x06" // 100 MiB follow that mean nothing
	head := path + " HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: zstd\r\nTransfer-Encoding: chunked\r\n\r\n6400000\r\n"
	s.Expect(s.Stream(io.MultiReader(strings.NewReader(head+skippable), io.LimitReader(zeros{}, 100<<20))), 413, "body_too_large")
	s.Expect(sendEncoded(s, "zstd", "\x50\x2a\x4d\x18\x04\x00\x00\x00skip"+whole), 202, "")
}

func TestRow31NotGzip(t *testing.T) {
	s, _, log := start(t, Options{})
	s.Expect(sendEncoded(s, "gzip", `{"plain":"json"}`), 400, "bad_encoding")
	expectStored(t, log, 0)
}
