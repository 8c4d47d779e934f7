package query

import (
	"bufio"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
	"penstock/eventlog/memory"
)

func TestTailShowsWhatTheLogHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(memory.Options{})
		w := start(t, Options{Log: j})
		j.append(t, "clicks", penstock.Event{ID: []byte("a"), Key: []byte("k"), Time: 1_700_000_000_000_000,
			Body: []byte("{\"n\":9007199254740993,\r\n \"price\":1.10}")})
		j.append(t, "clicks", penstock.Event{ID: []byte("a"), Key: []byte("k"), Time: 1_700_000_000_000_000, Body: []byte(`{"n":2}`)})
		j.append(t, "clicks", penstock.Event{ID: []byte("b"), Time: 1_700_000_000_500_000, Body: []byte(`{"n":3}`)})
		var out strings.Builder
		r := w.tail("?from=start", "")
		for _, e := range r.take(3) {
			fmt.Fprintln(&out, e.data)
		}
		fmt.Fprintln(&out, r.resp.Status, r.resp.Header.Get("Content-Type"), r.resp.Header.Get("Cache-Control"))
		golden(t, "tail.txt", out.String())
	})
}

func TestTailFromNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(memory.Options{})
		w := start(t, Options{Log: j})
		j.write(t, "clicks", 0, 30)
		r := w.tail("", "")
		synctest.Wait()
		j.write(t, "orders", 1000, 10)
		j.write(t, "clicks", 30, 30)
		first := r.take(30)
		j.write(t, "clicks", 60, 1)
		got := append(first, r.take(1)...)
		for i, e := range got {
			if e.number != 30+i {
				t.Fatalf("shown %v", numbers(got))
			}
		}
		r.stop()
		synctest.Wait()
		if j.open != 0 {
			t.Errorf("%d cursors are open", j.open)
		}
	})
}

// TestTailResumes holds, for each event in turn, that what comes behind its cursor is what came behind it before.
func TestTailResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(memory.Options{})
		w := start(t, Options{Log: j})
		const n = 200
		for i := 0; i < n; i += 50 {
			j.write(t, "orders", 1000+i, 7)
			j.write(t, "clicks", i, 50)
		}
		all := w.tail("?from=start", "").take(n)
		partitions := map[string]bool{}
		for i, e := range all {
			var place struct{ Partition int }
			if err := json.Unmarshal([]byte(e.data), &place); err != nil {
				t.Fatal(err)
			}
			partitions[fmt.Sprint(place.Partition)] = true
			if e.number != i {
				t.Fatalf("shown %v", numbers(all))
			}
		}
		if len(partitions) < 4 {
			t.Fatalf("the events lie in %v only", partitions)
		}
		for i, e := range all[:n-1] {
			r := w.tail("?from=start", e.cursor)
			if got, want := numbers(r.take(n-1-i)), numbers(all[i+1:]); !slices.Equal(got, want) {
				t.Fatalf("behind %d came %v", e.number, got)
			}
			r.stop()
		}
		last := w.tail("", all[n-1].cursor)
		j.write(t, "clicks", n, 1)
		if got := numbers(last.take(1)); got[0] != n {
			t.Errorf("behind the last came %v", got)
		}
	})
}

// TestTailResumesBeforeTheFirstEvent holds that a reader that was cut off early does not miss what came meanwhile.
func TestTailResumesBeforeTheFirstEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(memory.Options{})
		w := start(t, Options{Log: j})
		j.write(t, "clicks", 0, 10)
		r := w.tail("?from=now", "")
		if !r.lines.Scan() || !strings.HasPrefix(r.lines.Text(), "id: ") {
			t.Fatalf("the tail begins with %q, %v", r.lines.Text(), r.lines.Err())
		}
		r.cursor = r.lines.Text()[4:]
		r.stop()
		j.write(t, "clicks", 10, 10)
		if got := numbers(w.tail("?from=now", r.cursor).take(10)); got[0] != 10 {
			t.Errorf("shown %v", got)
		}
	})
}

func TestTailOfAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(memory.Options{})
		w := start(t, Options{Log: j})
		j.write(t, "clicks", 0, 100)
		r := w.tail("?key=k7&from=start", "")
		got := r.take(5)
		if !slices.Equal(numbers(got), []int{7, 27, 47, 67, 87}) {
			t.Errorf("shown %v", numbers(got))
		}
		if len(j.opened) != 1 || len(j.opened[0]) != 1 {
			t.Errorf("%v was read", j.opened)
		}
		r.stop()
		if got := numbers(w.tail("?key=k7", got[1].cursor).take(3)); !slices.Equal(got, []int{47, 67, 87}) {
			t.Errorf("behind 27 came %v", got)
		}
		w.tail("?key=k8", got[1].cursor).expect(400, "bad_cursor")
		w.tail("", got[1].cursor).expect(400, "bad_cursor")
	})
}

func TestTailBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(memory.Options{Keep: time.Second})
		w := start(t, Options{Log: j})
		r := w.tail("", "")
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.next()
		}()
		time.Sleep(15*time.Second - 1)
		synctest.Wait()
		first := r.cursor
		time.Sleep(46 * time.Second)
		synctest.Wait()
		if r.beats != 1+4 || r.cursor != first {
			t.Errorf("%d beats, and the cursor went from %s to %s", r.beats, first, r.cursor)
		}
		for i := range 10 { // other streams' records move the cursor
			j.write(t, "orders", i*10, 10)
			time.Sleep(10 * time.Second)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if r.beats < 10 || r.cursor == first {
			t.Errorf("%d beats, the cursor is %s", r.beats, r.cursor)
		}
		_, next, _ := j.Bounds(t.Context())
		if err := j.Retain(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		r.stop()
		<-done
		w.tail("", first).expect(410, "trimmed")
		j.write(t, "clicks", 1, 1)
		if got := numbers(w.tail("", r.cursor).take(1)); got[0] != 1 {
			t.Errorf("shown %v", got)
		}
	})
}

func TestTailOfATrimmedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(memory.Options{Keep: time.Minute})
		w := start(t, Options{Log: j})
		j.write(t, "clicks", 0, 50)
		r := w.tail("?from=start", "")
		events := r.take(50)
		r.stop()
		time.Sleep(time.Hour)
		j.write(t, "clicks", 50, 50)
		_, next, _ := j.Bounds(t.Context())
		if err := j.Retain(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		w.tail("?from=start", events[10].cursor).expect(410, "trimmed")
		if got := numbers(w.tail("?from=start", "").take(50)); got[0] != 50 {
			t.Errorf("shown %v", got)
		}
	})
}

func TestForgedCursors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(memory.Options{})
		w := start(t, Options{Log: j})
		j.write(t, "clicks", 0, 5)
		good := w.tail("?from=start", "").take(1)[0].cursor
		other := newSigner(penstock.Cluster{ID: testCluster().ID, Partitions: 8})
		all := penstock.All(8)
		at, err := w.api.tokens.open(`tail "clicks" ""`, good)
		if err != nil {
			t.Fatal(err)
		}
		for name, forged := range map[string]string{
			"text":             "garbage",
			"SQL":              "' or 1=1--",
			"cut":              good[:len(good)-1],
			"longer":           good + "A",
			"another cluster":  other.sign(`tail "clicks" ""`, at, all),
			"another stream":   w.api.tokens.sign(`tail "orders" ""`, at, all),
			"a key":            w.api.tokens.sign(`tail "clicks" "k"`, at, all),
			"of events":        w.api.tokens.sign(`events "clicks" "k" 0 0`, at, all),
			"fewer partitions": w.api.tokens.sign(`tail "clicks" ""`, at, all[:3]),
			"huge":             strings.Repeat("A", 12<<10+1),
		} {
			r := w.tail("", forged)
			if r.resp.StatusCode != 400 {
				t.Errorf("%s got %d", name, r.resp.StatusCode)
			}
			r.expect(400, "bad_cursor")
		}
		for i := range good {
			c := byte('A')
			if good[i] == c {
				c = 'B'
			}
			if _, err := w.api.tokens.open(`tail "clicks" ""`, good[:i]+string(c)+good[i+1:]); err == nil {
				t.Errorf("a change of character %d went unnoticed", i)
			}
		}
		at[3] = penstock.Position{Epoch: 9, Offset: 1} // signed, but of a log that was lost
		w.tail("", w.api.tokens.sign(`tail "clicks" ""`, at, all)).expect(409, "conflict")
	})
}

func TestTailRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(memory.Options{})
		w := start(t, Options{Log: j, Limits: Limits{Tails: 2}})
		get := func(target string, header fields) answer { return w.ask("GET", target, header, "") }
		get("/v1/streams/unknown/tail", nil).expect(t, 404, "unknown_stream")
		get("/v1/streams/a'b/tail", nil).expect(t, 400, "bad_stream")
		get("/v1/streams/clicks/tail?from=yesterday", nil).expect(t, 400, "bad_parameter")
		get("/v1/streams/clicks/tail?cursor=x", nil).expect(t, 400, "bad_parameter")
		get("/v1/streams/clicks/tail?key="+strings.Repeat("k", 257), nil).expect(t, 400, "bad_parameter")
		get("/v1/streams/clicks/tail", fields{"Accept": "application/json"}).expect(t, 406, "not_acceptable")
		w.ask("GET", "/v1/streams/clicks/tail", nil, "body").expect(t, 400, "bad_body")
		w.ask("HEAD", "/v1/streams/clicks/tail", nil, "").expect(t, 200, "")
		one, two := w.tail("", ""), w.tail("", "")
		w.tail("", "").expect(429, "too_many_queries")
		one.stop()
		synctest.Wait()
		three := w.tail("", "")
		if two.resp.StatusCode != 200 || three.resp.StatusCode != 200 {
			t.Errorf("got %d and %d", two.resp.StatusCode, three.resp.StatusCode)
		}
		without := start(t, Options{})
		without.ask("GET", "/v1/streams/clicks/tail", nil, "").expect(t, 503, "unavailable")
	})
}

// TestTailSlowReaderIsCutOff holds C-SLOW.
func TestTailSlowReaderIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(memory.Options{})
		w := start(t, Options{Log: j})
		conn := w.send("GET /v1/streams/clicks/tail HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			j.write(t, "clicks", 1000*i, 1000)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if w.api.tails.open() != 0 || j.open != 0 {
			t.Errorf("%d tails are open, and %d cursors", w.api.tails.open(), j.open)
		}
	})
}

func TestCloseEndsTails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(memory.Options{})
		w := start(t, Options{Log: j})
		j.write(t, "clicks", 0, 1)
		r := w.tail("?from=start", "")
		r.take(1)
		w.api.Close()
		if e, ok := r.next(); ok || r.lines.Err() != nil {
			t.Errorf("behind the end: %v %v", e, r.lines.Err())
		}
	})
}

func TestTailBreaksWithTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(memory.Options{})
		w := start(t, Options{Log: j})
		j.write(t, "clicks", 0, 1)
		r := w.tail("?from=start", "")
		r.take(1)
		_ = j.Close()
		if e, ok := r.next(); ok || r.lines.Err() == nil {
			t.Errorf("the tail ended as if it were whole: %v", e)
		}
	})
}
