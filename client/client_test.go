package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
)

// direct hands requests to a handler without a network, so that time can be the test's own.
type direct struct{ handler http.HandlerFunc }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	if err := func() (err error) {
		defer func() {
			if recover() != nil {
				err = errors.New("connection reset")
			}
		}()
		d.handler(w, r)
		return nil
	}(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// newDirect returns a client of the handler.
func newDirect(t *testing.T, patience time.Duration, handler http.HandlerFunc) *Client {
	t.Helper()
	c, err := New(Options{URL: "http://penstock.test", Token: "secret", Patience: patience, HTTP: &http.Client{Transport: direct{handler}}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func refuse(w http.ResponseWriter, status int, code, outcome string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"type":"about:blank","title":"t","status":%d,"code":%q,"detail":"words about %s","outcome":%q}`, status, code, code, outcome)
}

func TestSendRepeatsUntilTheAnswerIsDefinite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bodies []string
		c := newDirect(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			bodies = append(bodies, string(body))
			if r.URL.String() != "http://penstock.test/v1/streams/clicks/events?id_field=a.b" || r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("Idempotency-Key") != "k1" {
				t.Errorf("request %s %v", r.URL, r.Header)
			}
			switch len(bodies) {
			case 1:
				w.Header().Set("Retry-After", "7")
				refuse(w, 429, "too_many_requests", "not_stored")
			case 2:
				refuse(w, 503, "stalled", "unknown")
			case 3:
				panic("the connection breaks")
			default:
				io.WriteString(w, `{"accepted":2,"rejected_count":1,"rejected":[{"index":1,"code":"bad_time","message":"m"}],"durability":"disk","receipt":"r"}`)
			}
		})
		began := time.Now()
		sent, err := c.Send(t.Context(), "clicks", Batch{Events: []byte("{}\n{}\n{}\n"), IDField: "a.b", IdempotencyKey: "k1"})
		if err != nil || sent.Accepted != 2 || sent.RejectedCount != 1 || sent.Rejected[0].Code != "bad_time" || sent.Receipt != "r" {
			t.Fatalf("%+v, %v", sent, err)
		}
		if len(bodies) != 4 || slices.ContainsFunc(bodies, func(b string) bool { return b != "{}\n{}\n{}\n" }) {
			t.Errorf("bodies %q", bodies)
		}
		if waited := time.Since(began); waited < 7*time.Second || waited > 15*time.Second {
			t.Errorf("waited %v although Retry-After asks for 7 s", waited)
		}
	})
}

func TestSendGivesUpWithTheDoubtItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c := newDirect(t, 10*time.Second, func(w http.ResponseWriter, r *http.Request) {
			if calls++; calls == 1 {
				panic("the connection breaks")
			}
			refuse(w, 503, "log_full", "not_stored")
		})
		_, err := c.Send(t.Context(), "clicks", Batch{Events: []byte("{}")})
		if !penstock.Is(err, penstock.Unknown) || IsUnreachable(err) || calls < 3 {
			t.Errorf("after a broken connection and refusals: %v (%d calls)", err, calls)
		}
		calls = 1
		if _, err = c.Send(t.Context(), "clicks", Batch{Events: []byte("{}")}); !penstock.Is(err, penstock.Full) {
			t.Errorf("after refusals alone: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err = c.Send(ctx, "clicks", Batch{Events: []byte("{}")}); err == nil || time.Since(began) > time.Second {
			t.Errorf("a context that ended: %v after %v", err, time.Since(began))
		}
	})
}

// TestSendNumbersARequestOnce lets an answer get lost: the repeat has the number of the first attempt.
func TestSendNumbersARequestOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var numbers []string
		c := newDirect(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
			numbers = append(numbers, strings.Join(r.Header["Penstock-Producer"], ","))
			if len(numbers) == 1 {
				panic("the connection breaks")
			}
			io.WriteString(w, `{"accepted":1}`)
		})
		for _, p := range []penstock.Producer{{Name: "agent 1", Seq: 5}, {}} {
			if _, err := c.Send(t.Context(), "clicks", Batch{Events: []byte("{}"), Producer: p}); err != nil {
				t.Error(err)
			}
		}
		for _, p := range []penstock.Producer{{Name: "a/b", Seq: 1}, {Name: "a", Seq: 0}, {Seq: 1}, {Name: "a\n", Seq: 1}} {
			if _, err := c.Send(t.Context(), "clicks", Batch{Producer: p}); !penstock.Is(err, penstock.Invalid) {
				t.Errorf("%+v: %v", p, err)
			}
		}
		if want := []string{"agent 1/5", "agent 1/5", ""}; !slices.Equal(numbers, want) {
			t.Errorf("numbers %q", numbers)
		}
	})
}

func TestRefusalsAreNotRepeated(t *testing.T) {
	for status, want := range map[int]penstock.Code{
		400: penstock.Invalid, 401: penstock.Forbidden, 403: penstock.Forbidden, 404: penstock.NotFound,
		409: penstock.Conflict, 413: penstock.Invalid, 415: penstock.Invalid, 422: penstock.Invalid, 504: penstock.Expired,
	} {
		calls := 0
		c := newDirect(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
			calls++
			refuse(w, status, "the_code", "not_stored")
		})
		_, err := c.Send(t.Context(), "clicks", Batch{Events: []byte("{}")})
		var e *penstock.Error
		if !errors.As(err, &e) || e.Code != want || e.Reason != "the_code" || e.Err.Error() != "words about the_code" || calls != 1 {
			t.Errorf("%d: %#v after %d calls", status, err, calls)
		}
	}
}

func TestAllRejectedIsNoError(t *testing.T) {
	c := newDirect(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(422)
		io.WriteString(w, `{"accepted":0,"rejected_count":1,"rejected":[{"index":0,"code":"bad_json","message":"m"}]}`)
	})
	sent, err := c.Send(t.Context(), "clicks", Batch{Events: []byte("x")})
	if err != nil || sent.Accepted != 0 || sent.RejectedCount != 1 {
		t.Errorf("%+v, %v", sent, err)
	}
}

func TestQueryStreamsRows(t *testing.T) {
	answer := `{"columns":[{"name":"n","type":"BIGINT"},{"name":"s","type":"VARCHAR"}],"rows":[[9007199254740993,"a"],[null,{"x":[1]}]],"row_count":2,"truncated":true,"extra":{"a":[1]},"elapsed_ms":1.5,"as_of":"r"}`
	c := newDirect(t, 0, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if want := `{"query":"select 1","params":["p",5],"after":["r1"],"timeout":"2s"}`; string(body) != want || r.Header.Get("Accept") != "application/json" {
			t.Errorf("body %s, accept %s", body, r.Header.Get("Accept"))
		}
		io.WriteString(w, answer)
	})
	q := Query{SQL: "select 1", Params: []any{"p", 5}, After: []string{"r1"}, Timeout: 2 * time.Second}
	rows, err := c.Query(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for {
		row, err := rows.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(row)
		got = append(got, string(text))
	}
	if want := []string{`[9007199254740993,"a"]`, `[null,{"x":[1]}]`}; !slices.Equal(got, want) {
		t.Errorf("rows %v", got)
	}
	if s := rows.Summary(); s.RowCount != 2 || !s.Truncated || string(s.ElapsedMS) != "1.5" || s.AsOf != "r" || rows.Columns()[1].Type != "VARCHAR" {
		t.Errorf("summary %+v", s)
	}
	for n := range answer {
		whole := answer
		answer = whole[:n]
		if err := drain(c, q); !IsUnreachable(err) {
			t.Fatalf("an answer cut to %q: %v", answer, err)
		}
		answer = whole
	}
}

func TestRawRowsAreTheServersOwnBytes(t *testing.T) {
	c := newDirect(t, 0, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"columns":[{"name":"d","type":"JSON"}],"rows":[[{"z":1.50,"a":9007199254740993}]],"row_count":1,"truncated":false}`)
	})
	rows, err := c.Query(t.Context(), Query{SQL: "select d"})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	row, err := rows.NextRaw()
	if err != nil || len(row) != 1 || string(row[0]) != `{"z":1.50,"a":9007199254740993}` {
		t.Errorf("%s, %v", row, err)
	}
	if _, err := rows.NextRaw(); err != io.EOF || rows.Summary().RowCount != 1 {
		t.Errorf("%v, %+v", err, rows.Summary())
	}
}

func TestExportTellsWhatStandsBesideTheRows(t *testing.T) {
	c := newDirect(t, 0, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != CSV {
			t.Errorf("accept %s", r.Header.Get("Accept"))
		}
		w.Header().Set("Penstock-As-Of", "receipt")
		w.Header().Set("Trailer", "Penstock-Row-Count, Penstock-Truncated")
		io.WriteString(w, "n\r\n1\r\n")
		w.Header().Set("Penstock-Row-Count", "1")
		w.Header().Set("Penstock-Truncated", "true")
	})
	result, err := c.Export(t.Context(), Query{SQL: "select n"}, CSV)
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	text, err := io.ReadAll(result)
	if s := result.Summary(); err != nil || string(text) != "n\r\n1\r\n" || s.RowCount != 1 || !s.Truncated || s.AsOf != "receipt" {
		t.Errorf("%q, %v, %+v", text, err, s)
	}
}

func drain(c *Client, q Query) error {
	rows, err := c.Query(context.Background(), q)
	if err != nil {
		return err
	}
	defer rows.Close()
	for {
		if _, err := rows.Next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestTailResumesBehindTheLastEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		c := newDirect(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Header.Get("Last-Event-ID")+" "+r.URL.RawQuery)
			switch len(asked) {
			case 1:
				io.WriteString(w, "id: c0\n\n: hello\nid: c1\ndata: {\"n\":1}\n\nid: c2\ndata: {\"n\":\ndata: 2}\n\nid: c3\ndata: {\"n\":")
			case 2:
				panic("the connection breaks")
			case 3:
				io.WriteString(w, "id: c3\r\ndata: {\"n\":3}\r\n\r\nid: c4\ndata:{\"n\":4}\n\n")
			}
		})
		var got []string
		enough := errors.New("enough")
		err := c.Tail(t.Context(), TailQuery{Stream: "clicks", Key: "k", From: "start"}, func(e TailEvent) error {
			got = append(got, e.Cursor+string(e.Data))
			if len(got) == 4 {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Fatal(err)
		}
		if want := []string{`c1{"n":1}`, "c2{\"n\":\n2}", `c3{"n":3}`, `c4{"n":4}`}; !slices.Equal(got, want) {
			t.Errorf("events %q", got)
		}
		if want := []string{" from=start&key=k", "c2 from=start&key=k", "c2 from=start&key=k"}; !slices.Equal(asked, want) {
			t.Errorf("asked %q", asked)
		}
		c = newDirect(t, time.Minute, func(w http.ResponseWriter, r *http.Request) { refuse(w, 404, "unknown_stream", "not_stored") })
		if err := c.Tail(t.Context(), TailQuery{Stream: "none"}, nil); !penstock.Is(err, penstock.NotFound) {
			t.Errorf("unknown stream: %v", err)
		}
	})
}

func TestState(t *testing.T) {
	answers := map[string]string{
		"/v1/lag":            `{"events":5,"seconds":0.5,"drain_seconds":null,"stores":[{"store":"shard-0","events":5,"seconds":0.5,"partitions":[{"partition":3,"position":7,"next":12}]}]}`,
		"/v1/streams":        `{"streams":[{"name":"clicks","id_field":"x","columns":[{"name":"c","type":"decimal","Precision":12,"Scale":2,"path":"c"}]}]}`,
		"/v1/cluster":        `{"id":"i","partition_key":"k","partitions":64}`,
		"/v1/receipts/r%2F1": `{"durability":"disk","applied":true,"positions":[{"partition":1,"epoch":1,"next":5,"applied":true}]}`,
		"/v1/streams/clicks/events?key=a+b&limit=5": `{"events":[{"id":"1"}],"cursor":"next"}`,
		"/readyz": `{"ready":true}`,
	}
	c := newDirect(t, 0, func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.RequestURI()]
		if !ok {
			refuse(w, 404, "not_found", "not_stored")
			return
		}
		io.WriteString(w, answer)
	})
	ctx := t.Context()
	if lag, err := c.Lag(ctx); err != nil || lag.Events != 5 || lag.DrainSeconds != nil || lag.Stores[0].Partitions[0].Next != 12 {
		t.Errorf("lag %+v, %v", lag, err)
	}
	if streams, err := c.Streams(ctx); err != nil || streams[0].Columns[0].Precision != 12 || streams[0].IDField != "x" {
		t.Errorf("streams %+v, %v", streams, err)
	}
	if info, err := c.Cluster(ctx); err != nil || info.Partitions != 64 {
		t.Errorf("cluster %+v, %v", info, err)
	}
	if state, err := c.Receipt(ctx, "r/1"); err != nil || !state.Applied || state.Positions[0].Next != 5 {
		t.Errorf("receipt %+v, %v", state, err)
	}
	if page, err := c.KeyEvents(ctx, KeyQuery{Stream: "clicks", Key: "a b", Limit: 5}); err != nil || page.Cursor != "next" || len(page.Events) != 1 {
		t.Errorf("page %+v, %v", page, err)
	}
	if err := c.Ready(ctx); err != nil {
		t.Error(err)
	}
}

// TestOverTheNetwork sends to a real server that stops.
func TestOverTheNetwork(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"accepted":1,"durability":"disk"}`)
	}))
	c, err := New(Options{URL: strings.TrimPrefix(server.URL, "http://") + "/", Patience: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if sent, err := c.Send(t.Context(), "clicks", Batch{Events: []byte("{}")}); err != nil || sent.Accepted != 1 {
		t.Errorf("%+v, %v", sent, err)
	}
	server.Close()
	if _, err := c.Send(t.Context(), "clicks", Batch{Events: []byte("{}")}); !IsUnreachable(err) {
		t.Errorf("a server that stopped: %v", err)
	}
	for _, bad := range []string{"ftp://x", "http://", "::"} {
		if _, err := New(Options{URL: bad}); !penstock.Is(err, penstock.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
