package ingest

import (
	"bufio"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock"
)

// TestNextRequestFindsNothingOfTheLast: a visit that served one request, however that ended, gives the next one the answer and the block
// that a new visit gives it.
func TestNextRequestFindsNothingOfTheLast(t *testing.T) {
	const producer = "Penstock-Producer: p/7\r\n"
	gzipped := gzipOf(t, strings.NewReader("zipped\nbad\n"))
	raw := map[string]string{
		"plain":         request(path, "", "a\nb\n"),
		"single":        request(path, "", "single"),
		"numbered":      request(path, producer, "a\nbad\nc\n"),
		"of a key":      request(path, "Idempotency-Key: k\r\n", "a\nb\n"),
		"all refused":   request(path, "", "bad\nbad\nbad\n"),
		"broken":        request(path, producer, "a\nb\nbroken\n"),
		"panic":         request(path, producer, "a\nbad\npanic\n"),
		"not partial":   request(strings.Replace(path, "lines", "lines?partial=false", 1), producer, "a\nb\nbad\n"),
		"debug":         request(strings.Replace(path, "lines", "lines?debug=true", 1), producer, "a\nbad\n"),
		"bad producer":  request(path, "Penstock-Producer: p\r\n", "a\n"),
		"bad type":      request(path, "Content-Type: image/png\r\n", "a\n"),
		"compressed":    request(path, "Content-Encoding: gzip\r\n", gzipped),
		"cut":           request(path, "Content-Encoding: gzip\r\n", gzipped[:len(gzipped)-9]),
		"large":         request(path, "", strings.Repeat("x", 3*smallBuffer)),
		"not stored":    request(strings.Replace(path, "clicks", "full", 1), producer, "a\nbad\n"),
		"other headers": request(path, "Sec-Fetch-Site: none\r\nOrigin: x\r\n", "a\nb\n"),
	}
	for first, one := range raw {
		for second, two := range raw {
			want := newBench().serve(t, two)
			b := newBench()
			b.serve(t, one)
			if got := b.serve(t, two); got != want {
				t.Errorf("%q after %q:\n%s\nwithout:\n%s", second, first, got, want)
			}
			if held := b.door.InFlight(); held != 0 {
				t.Errorf("%q after %q: %d bytes are still in flight", second, first, held)
			}
		}
	}
}

// bench serves requests by one visit.
type bench struct {
	door  *Door
	log   *counter
	visit *visit
}

func newBench() *bench {
	b := &bench{log: &counter{}}
	b.door = New(Options{Cluster: testCluster(), Streams: anyStream{}, Log: b.log, Now: func() time.Time { return time.Unix(1, 0) }})
	b.visit = b.door.enter(&lines{})
	return b
}

// serve returns the answer, and what came into the log. Places in the log are left out: they go on from request to request.
func (b *bench) serve(t *testing.T, raw string) string {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	_, name, _ := strings.Cut(r.URL.Path, "/streams/")
	name, _, _ = strings.Cut(name, "/")
	r.SetPathValue("stream", name)
	b.log.keep, b.log.kept, b.log.fail = nil, true, nil
	b.log.next = [penstock.MaxPartitions]penstock.Offset{}
	if name == "full" {
		b.log.fail = penstock.Errorf(penstock.Full, "append", "disk")
	}
	w := httptest.NewRecorder()
	b.run(w, r)
	text := fmt.Sprintln(w.Code, w.Body)
	for _, key := range slices.Sorted(maps.Keys(w.Header())) {
		text += fmt.Sprintln(key, w.Header()[key])
	}
	for _, block := range b.log.keep {
		text += fmt.Sprintf("%q\n", block.AppendTo(nil))
	}
	return text
}

// run does what the handler does; a panic is the server's.
func (b *bench) run(w http.ResponseWriter, r *http.Request) {
	defer func() { _ = recover() }()
	defer b.door.leave(b.visit)
	if err := b.visit.serve(w, r); err != nil {
		b.visit.refuse(w, r, err)
	}
}
