package ingest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"penstock"
)

// FuzzBody sends any bytes under any encoding through the reading side of a door. What is read is within the limit, an
// error is one that a sender can act on, and nothing stays in flight.
func FuzzBody(f *testing.F) {
	f.Add(byte(identity), []byte("plain"))
	f.Add(byte(gzipped), []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add(byte(zstandard), []byte("\x28\xb5\x2f\xfd\x00\x98\x01\x00\x00"))
	f.Add(byte(zstandard), []byte("\x28\xb5\x2f\xfd\x00\x58\x22\x00\x00x\xff\xff\xff\x7f")) // one byte many times, and garbage
	f.Add(byte(zstandard), []byte("\x50\x2a\x4d\x18\x04\x00\x00\x00skip"))
	door := New(Options{Log: &counter{}, Streams: anyStream{}, Cluster: testCluster(), Limits: Limits{Body: 1 << 20}})
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		v := door.enter(&lines{})
		r := httptest.NewRequest(http.MethodPost, "/", io.NopCloser(bytes.NewReader(body)))
		r.ContentLength = -1
		err := v.readBody(httptest.NewRecorder(), r, encoding(kind%3))
		if err == nil && len(v.body) > 1<<20 {
			t.Errorf("%d bytes were read", len(v.body))
		}
		if err == nil && encoding(kind%3) == identity && !bytes.Equal(v.body, body) {
			t.Error("a plain body was changed")
		}
		if err != nil && !penstock.Is(err, penstock.Invalid) {
			t.Errorf("error %v", err)
		}
		door.leave(v)
		if door.InFlight() != 0 {
			t.Errorf("%d bytes are in flight", door.InFlight())
		}
	})
}

// FuzzQuery reads any query string.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{"", "wait=applied&timeout=5s", "partial=false&debug=1&verbose=1", "timeout=-1s", "wait=%zz", "timeout=9999999h&wait=applied"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		r := &http.Request{Header: http.Header{}, URL: httptest.NewRequest(http.MethodPost, "/", nil).URL}
		r.URL.RawQuery = strings.ToValidUTF8(q, "")
		door := New(Options{Log: &counter{}, Streams: anyStream{}, Cluster: testCluster()})
		v := door.enter(&lines{})
		err := v.readHeaders(r)
		if err != nil && !penstock.Is(err, penstock.Invalid) {
			t.Errorf("error %v", err)
		}
		if v.wishes.timeout < 0 || v.wishes.timeout > door.o.Limits.Wait {
			t.Errorf("timeout %v", v.wishes.timeout)
		}
	})
}
