package ingest

import (
	"strings"
	"testing"

	"penstock"
	"penstock/internal/checksum"
)

// Every event carries the checksum of what was stored of it, whatever its request looked like: given ids, keys, compression, streams.
func TestChecksumOfEveryEvent(t *testing.T) {
	log := &counter{kept: true}
	s, _, _ := start(t, Options{Log: log, Memory: log})
	line := `{"id":"a","key":"k","n":1}`
	s.Expect(s.Send(request(jsonPath, "", line)), 202, "")
	s.Expect(s.Send(request(jsonPath, "", `[{"id":"a","key":"\u006b","n":1},{"id":5},{"n":2},{"id":[]}]`)), 202, "")
	s.Expect(s.Send(request(jsonPath, "Content-Encoding: gzip\r\n", gzipOf(t, strings.NewReader(line)))), 202, "")
	s.Expect(s.Send(request("POST /v1/streams/volatile/events", "", line)), 202, "")
	hasher := checksum.NewHasher(testCluster())
	seen := map[penstock.Checksum]int{}
	for _, b := range log.keep {
		for r := range b.Records() {
			if want := hasher.Stream(r.Tenant, r.Stream).Sum(r.Key, r.ID, r.Body); r.Sum != want || want == 0 {
				t.Errorf("%s %s: checksum %x, want %x", r.Stream, r.Body, r.Sum, want)
			}
			seen[r.Sum]++
		}
	}
	if len(seen) != 5 { // of six events two are the same to the byte
		t.Errorf("%d checksums: %v", len(seen), seen)
	}
}

// An event costs no memory but its place in the block.
func TestAddEventAllocatesNothing(t *testing.T) {
	door := New(Options{Log: &counter{}, Streams: anyStream{}, Cluster: testCluster()})
	v := door.enter(&lines{})
	e := penstock.Event{ID: []byte("id"), Key: []byte("key"), Body: []byte(`{"n":1}`)}
	const runs = 1000
	v.builder.Reset(penstock.DefaultTenant, "clicks", 1, 100*(runs+1))
	v.sums = door.sums.Stream(penstock.DefaultTenant, "clicks")
	v.addEvent(e) // its partition's group
	if n := testing.AllocsPerRun(runs-1, func() { v.addEvent(e) }); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}
