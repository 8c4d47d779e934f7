package load

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// door is a server that keeps what it accepts and can be told to answer otherwise.
type door struct {
	answer func(request int) int // status; 0: cut the connection

	mu       sync.Mutex
	requests int
	ids      map[string]int
	sizes    map[int]int
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests++
	status := http.StatusAccepted
	if d.answer != nil {
		status = d.answer(d.requests)
	}
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	if status != http.StatusAccepted {
		w.WriteHeader(status)
		fmt.Fprint(w, `{"outcome":"not_stored"}`)
		return
	}
	n := 0
	for line := range bytes.Lines(body) {
		var e struct {
			ID, Key string
			Time    time.Time
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		if err := json.Unmarshal(line, &e); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		d.ids[e.ID]++
		d.sizes[len(line)]++
		n++
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"accepted":%d,"rejected_count":0}`, n)
}

func serve(t *testing.T, d *door) string {
	d.ids, d.sizes = map[string]int{}, map[int]int{}
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	return s.URL
}

func TestEveryAckedEventArrivedOnce(t *testing.T) {
	for _, batch := range []int{1, 7, 1000} {
		d := &door{}
		opts := Options{URL: serve(t, d), Batch: batch, Connections: 3, Events: 5003, Shape: Shape{Size: 311}}
		got, err := Run(t.Context(), opts)
		if err != nil || got.Events != 5003 || got.Sent != 5003 || got.Errors != 0 || got.Bytes != 5003*311 {
			t.Fatalf("batch %d: %+v, %v", batch, got, err)
		}
		if len(d.ids) != 5003 || d.sizes[311] != 5003 {
			t.Fatalf("batch %d: %d ids, sizes %v", batch, len(d.ids), d.sizes)
		}
		for _, a := range got.Acked {
			for _, r := range a.Ranges {
				for seq := r.From; seq < r.To; seq++ {
					if d.ids[EventID(a.Client, seq)] != 1 {
						t.Fatalf("batch %d: %s arrived %d times", batch, EventID(a.Client, seq), d.ids[EventID(a.Client, seq)])
					}
				}
			}
		}
		if got.Latency.Count() != got.Requests {
			t.Fatalf("batch %d: %d latencies of %d requests", batch, got.Latency.Count(), got.Requests)
		}
	}
}

func TestOpenLoopSendsAsManyAsAsked(t *testing.T) {
	d := &door{}
	got, err := Run(t.Context(), Options{URL: serve(t, d), Batch: 10, Connections: 4, Events: 995, Rate: 20_000})
	if err != nil || got.Events != 995 || len(d.ids) != 995 {
		t.Fatalf("%+v, %v: %d ids", got, err, len(d.ids))
	}
}

func TestRefusalsAreSentAgainWithTheSameIDs(t *testing.T) {
	d := &door{answer: func(request int) int {
		if request%2 == 1 {
			return http.StatusServiceUnavailable
		}
		return http.StatusAccepted
	}}
	got, err := Run(t.Context(), Options{URL: serve(t, d), Batch: 10, Connections: 1, Events: 50})
	if err != nil || got.Events != 50 || got.Refused != 5 || got.Errors != 0 || len(d.ids) != 50 {
		t.Fatalf("%+v, %v: %d ids", got, err, len(d.ids))
	}
}

func TestDroppedRefusalsAreNotSentAgain(t *testing.T) {
	d := &door{answer: func(request int) int {
		if request%2 == 1 {
			return http.StatusServiceUnavailable
		}
		return http.StatusAccepted
	}}
	got, err := Run(t.Context(), Options{URL: serve(t, d), Batch: 10, Connections: 1, Events: 50, Drop: true})
	if err != nil || got.Events+10*got.Refused != 50 || got.Refused < 2 || got.Sent != 50 || got.NoRetryAfter != got.Refused {
		t.Fatalf("%+v, %v: %d ids", got, err, len(d.ids))
	}
}

func TestUnknownOutcomesAreNeitherAckedNorRepeated(t *testing.T) {
	d := &door{answer: func(request int) int {
		switch request {
		case 2:
			return 0
		case 3:
			return http.StatusInternalServerError
		}
		return http.StatusAccepted
	}}
	got, err := Run(t.Context(), Options{URL: serve(t, d), Batch: 10, Connections: 1, Events: 50})
	if err != nil || got.Events != 30 || got.Sent != 50 || got.Errors != 2 || got.Problem == "" {
		t.Fatalf("%+v, %v", got, err)
	}
	want := Ranges{{0, 10}, {30, 50}}
	if fmt.Sprint(got.Acked[0].Ranges) != fmt.Sprint(want) {
		t.Fatalf("acked %v, want %v", got.Acked[0].Ranges, want)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for name, opts := range map[string]Options{
		"size":  {URL: "http://h:1", Shape: Shape{Size: 20}},
		"keys":  {URL: "http://h:1", Shape: Shape{Keys: -1}},
		"skew":  {URL: "http://h:1", Shape: Shape{Skew: "zipf:no"}},
		"hot":   {URL: "http://h:1", Shape: Shape{Skew: "hot:1.5"}},
		"https": {URL: "https://h:1"},
		"many":  {URL: "http://h:1", Connections: 10_001},
	} {
		if _, err := Run(t.Context(), opts); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestEventsHaveTheSizeAndTheirChecksum(t *testing.T) {
	for _, checksum := range []bool{false, true} {
		for size := 122; size < 400; size++ {
			tpl, err := newTemplate(Shape{Size: size, Checksum: checksum})
			if err != nil {
				t.Fatal(err)
			}
			s := newStamp(12)
			s.at(time.UnixMicro(1_700_000_000_123_456))
			line := tpl.appendBatch(nil, &s, 1, 345, func() uint32 { return 77 })
			event := line[:len(line)-1]
			var got struct{ ID, Key, Time, Sum string }
			if err := json.Unmarshal(event, &got); err != nil || len(event) != size {
				t.Fatalf("size %d: %d bytes, %v: %s", size, len(event), err, event)
			}
			if got.ID != EventID(12, 345) || got.Key != "k00000077" || got.Time != "2023-11-14T22:13:20.123456Z" {
				t.Fatalf("size %d: %s", size, event)
			}
			if want := fmt.Sprintf("%x", md5.Sum(event[:size-sumLen])); checksum && got.Sum != want {
				t.Fatalf("size %d: sum %s, want %s", size, got.Sum, want)
			}
		}
	}
}

func TestSkews(t *testing.T) {
	const draws = 200_000
	share := func(skew string, keys int) map[uint32]float64 {
		pick, err := newChooser(Shape{Keys: keys, Skew: skew})
		if err != nil {
			t.Fatal(err)
		}
		counts := map[uint32]float64{}
		random := splitmix(7)
		for range draws {
			counts[pick(random.next())] += 1.0 / draws
		}
		return counts
	}
	near := func(what string, got, want float64) {
		if got < want*0.95 || got > want*1.05 {
			t.Errorf("%s: %.4f, want about %.4f", what, got, want)
		}
	}
	uniform := share("uniform", 10)
	near("uniform", uniform[9], 0.1)
	hot := share("hot:0.5", 11)
	near("hot key", hot[0], 0.5)
	near("other key", hot[10], 0.05)
	// Harmonic number of 100 is 5.1874.
	zipf := share("zipf:1", 100)
	near("zipf first", zipf[0], 1/5.1874)
	near("zipf tenth", zipf[9], 0.1/5.1874)
	if len(zipf) != 100 || len(uniform) != 10 || len(hot) != 11 {
		t.Errorf("keys seen: %d, %d, %d", len(zipf), len(uniform), len(hot))
	}
}

func TestRangesMissing(t *testing.T) {
	for _, c := range []struct {
		want, have Ranges
		missing    string
	}{
		{nil, nil, "[]"},
		{Ranges{{0, 5}}, nil, "[{0 5}]"},
		{Ranges{{0, 5}}, Ranges{{0, 5}}, "[]"},
		{Ranges{{0, 5}, {8, 9}}, Ranges{{0, 20}}, "[]"},
		{Ranges{{0, 10}}, Ranges{{2, 3}, {5, 7}}, "[{0 2} {3 5} {7 10}]"},
		{Ranges{{3, 6}, {6, 8}}, Ranges{{0, 4}, {7, 30}}, "[{4 7}]"},
	} {
		if got := fmt.Sprint(c.want.Missing(c.have)); got != c.missing {
			t.Errorf("%v without %v: %s, want %s", c.want, c.have, got, c.missing)
		}
	}
	var rs Ranges
	for _, r := range [][2]int64{{0, 2}, {2, 4}, {6, 6}, {7, 9}} {
		rs = rs.Add(r[0], r[1])
	}
	if fmt.Sprint(rs) != "[{0 4} {7 9}]" || rs.Len() != 6 {
		t.Errorf("%v", rs)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 202 Accepted\r\nContent-Length: 14\r\n\r\n{\"accepted\":1}"))
	f.Add([]byte("HTTP/1.1 503 x\r\nRetry-After: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := readingConn(data)
		if a, err := c.read(); err == nil {
			acceptedIn(a.body)
		}
	})
}

func BenchmarkBatch(b *testing.B) {
	tpl, err := newTemplate(Shape{})
	if err != nil {
		b.Fatal(err)
	}
	pick, _ := newChooser(Shape{})
	random, s := splitmix(1), newStamp(1)
	var buf []byte
	b.SetBytes(1000 * 250)
	for i := 0; b.Loop(); i++ {
		s.at(time.Now())
		buf = tpl.appendBatch(buf[:0], &s, 1000, int64(i)*1000, func() uint32 { return pick(random.next()) })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/event")
}

func readingConn(data []byte) *conn {
	return &conn{reader: bufio.NewReaderSize(bytes.NewReader(data), 4096)}
}
