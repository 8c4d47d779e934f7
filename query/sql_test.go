package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
)

func TestErrorsBeforeTheFirstRow(t *testing.T) {
	w := start(t, Options{})
	secret := errors.New("secret path")
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{penstock.Wrap(penstock.Forbidden, "check", errors.New("attach")), 403, "forbidden"},
		{penstock.Wrap(penstock.Invalid, "parse", errors.New("near selekt")), 400, "invalid"},
		{penstock.Refusef("query_limit", "run", "memory"), 422, "query_limit"},
		{penstock.Wrap(penstock.Expired, "run", errors.New("interrupted")), 422, "query_limit"},
		{penstock.Wrap(penstock.Unavailable, "run", secret), 503, "unavailable"},
		{secret, 500, "internal"},
	} {
		w.store.query = func(context.Context, penstock.Query) (penstock.Rows, error) { return nil, c.err }
		a := w.sql("select", "text/csv")
		a.expect(t, c.status, c.code)
		if strings.Contains(a.body, "secret") {
			t.Errorf("it tells %s", a.body)
		}
	}
	for _, late := range []error{penstock.Refusef("query_limit", "read row", "memory"), penstock.Errorf(penstock.Expired, "read row", "interrupted")} {
		w.store.query = func(context.Context, penstock.Query) (penstock.Rows, error) {
			return &fakeRows{columns: column("BIGINT"), rows: [][]any{{int64(1)}}, next: func() ([]any, error) { return nil, late }}, nil
		}
		w.sql("select", "").expect(t, 422, "query_limit")
	}
}

// TestErrorsAfterBytesBreakTheAnswer holds that no format makes a short result look like a complete one.
func TestErrorsAfterBytesBreakTheAnswer(t *testing.T) {
	w := start(t, Options{})
	for _, format := range []string{formatJSON, formatCSV, formatNDJSON, formatArrow} {
		left := 5000
		w.store.query = func(context.Context, penstock.Query) (penstock.Rows, error) {
			return &fakeRows{columns: column("VARCHAR"), next: func() ([]any, error) {
				if left--; left == 0 {
					return nil, penstock.Errorf(penstock.Internal, "read row", "a defect")
				}
				return []any{strings.Repeat("x", 1000)}, nil
			}}, nil
		}
		if a := w.sql("select", format); a.broken == nil || len(a.trailer) > 0 && a.trailer.Get(trailerRows) != "" {
			t.Errorf("%s: %d with %d bytes looks complete", format, a.status, len(a.body))
		}
	}
}

func TestAsOfPromisesNoMoreThanWasSeen(t *testing.T) {
	w := start(t, Options{Durability: penstock.DurabilityMemory})
	before := penstock.Positions{2: {Epoch: 1, Offset: 7}}
	w.store.raise(before)
	w.store.query = func(context.Context, penstock.Query) (penstock.Rows, error) {
		w.store.raise(penstock.Positions{2: {Epoch: 1, Offset: 100}, 3: {Epoch: 1, Offset: 1}})
		return &fakeRows{columns: column("BIGINT")}, nil
	}
	var body struct {
		AsOf string `json:"as_of"`
	}
	a := w.sql("select", "")
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatal(err)
	}
	r, err := penstock.ParseReceipt(body.AsOf, testCluster().ID)
	if err != nil || fmt.Sprint(r.Positions) != fmt.Sprint(before) || r.Durability != penstock.DurabilityMemory {
		t.Errorf("as_of is %v, %v", r, err)
	}
	if a := w.sql("select", "text/csv"); a.header.Get(headerAsOf) == "" {
		t.Error("CSV lacks as_of")
	}
}

func TestLongStatementsAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		w.store.query = func(ctx context.Context, _ penstock.Query) (penstock.Rows, error) {
			select {
			case <-ctx.Done():
				return nil, penstock.Wrap(penstock.Expired, "run", ctx.Err())
			case <-time.After(25 * time.Second): // longer than the server waits for a request
				return &fakeRows{columns: column("BIGINT")}, nil
			}
		}
		w.sql("select", "").expect(t, 200, "")
	})
}

func TestTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		began := time.Now()
		w.store.query = func(ctx context.Context, _ penstock.Query) (penstock.Rows, error) {
			<-ctx.Done()
			return nil, ctx.Err() // not even an error of ours
		}
		w.sql("select", "").expect(t, 422, "query_limit")
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("after %s", took)
		}
	})
}

func TestManyAtOnceQueueAndAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		release := make(chan struct{})
		running, most := make(chan struct{}, 100), 0
		w.store.query = func(context.Context, penstock.Query) (penstock.Rows, error) {
			running <- struct{}{}
			defer func() { <-running }()
			<-release
			return &fakeRows{columns: column("BIGINT")}, nil
		}
		const n = 1000
		answers := make(chan answer)
		for range n {
			go func() { answers <- w.sql("select", "") }()
		}
		counts := map[int]int{}
		for range n - 4 - 64 {
			a := <-answers
			counts[a.status]++
			if a.code != "too_many_queries" || a.header.Get("Retry-After") == "" {
				t.Fatalf("got %d %s", a.status, a.body)
			}
		}
		synctest.Wait()
		most = len(running)
		close(release)
		for range 4 + 64 {
			counts[(<-answers).status]++
		}
		if most != 4 || counts[200] != 68 || counts[429] != n-68 {
			t.Errorf("%d ran at once, %v", most, counts)
		}
	})
}

func TestWaitingForATurnEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Limits: Limits{Running: 1}})
		release := make(chan struct{})
		w.store.query = func(context.Context, penstock.Query) (penstock.Rows, error) {
			<-release
			return &fakeRows{columns: column("BIGINT")}, nil
		}
		first := make(chan answer)
		go func() { first <- w.sql("select", "") }()
		synctest.Wait()
		w.sql("select", "").expect(t, 429, "too_many_queries") // after the time of a statement
		close(release)
		<-first
	})
}

// TestClientGoesAway holds that a statement ends with its reader.
func TestClientGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		ended := make(chan time.Time, 1)
		w.store.query = func(ctx context.Context, _ penstock.Query) (penstock.Rows, error) {
			<-ctx.Done()
			ended <- time.Now()
			return nil, ctx.Err()
		}
		conn := w.send(rawSQL("select 1"))
		time.Sleep(10 * time.Second)
		left := time.Now()
		conn.Close()
		if took := (<-ended).Sub(left); took > time.Second {
			t.Errorf("the statement ran on for %s", took)
		}
		synctest.Wait()
		if s := w.statements(); len(s) != 1 || s[0].Err != nil {
			t.Errorf("heard %+v", s)
		}
	})
}

// endless is a result that has always more.
func endless(closed func()) func(context.Context, penstock.Query) (penstock.Rows, error) {
	return func(ctx context.Context, _ penstock.Query) (penstock.Rows, error) {
		return &fakeRows{columns: column("VARCHAR"), closed: closed, next: func() ([]any, error) {
			if ctx.Err() != nil {
				return nil, penstock.Wrap(penstock.Expired, "read row", ctx.Err())
			}
			return []any{strings.Repeat("x", 1000)}, nil
		}}, nil
	}
}

// TestSlowReaderIsCutOff holds C-SLOW.
func TestSlowReaderIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		closed := make(chan time.Time, 1)
		w.store.query = endless(func() { closed <- time.Now() })
		began := time.Now()
		conn := w.send(rawSQL("select 1"))
		if took := (<-closed).Sub(began); took != 20*time.Second {
			t.Errorf("it was cut off after %s", took)
		}
		if _, err := io.ReadAll(conn); err != nil {
			t.Error(err)
		}
	})
}

func TestSteadyReaderIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		w.store.query = endless(func() {})
		conn := w.send(rawSQL("select 1"))
		if got := status(t, conn); got != 200 {
			t.Fatalf("status %d", got)
		}
		began := time.Now()
		for time.Since(began) < 25*time.Second {
			if _, err := io.ReadFull(conn, make([]byte, 40<<10)); err != nil {
				t.Fatalf("it was cut off after %s: %v", time.Since(began), err)
			}
			time.Sleep(5 * time.Second)
		}
	})
}

func TestCloseEndsStatements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		w.store.query = func(ctx context.Context, _ penstock.Query) (penstock.Rows, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		got := make(chan answer)
		go func() { got <- w.sql("select", "") }()
		synctest.Wait()
		w.api.Close()
		(<-got).expect(t, 503, "shutting_down")
		w.sql("select", "").expect(t, 503, "shutting_down")
	})
}

func TestStatementsAreHeard(t *testing.T) {
	w := start(t, Options{})
	w.store.answers(column("BIGINT"), []any{int64(1)}, []any{int64(2)})
	w.sql("select", "").expect(t, 200, "")
	w.store.query = func(context.Context, penstock.Query) (penstock.Rows, error) {
		return nil, penstock.Errorf(penstock.Forbidden, "check", "no")
	}
	w.sql("select", "").expect(t, 403, "forbidden")
	s := w.statements()
	if len(s) != 2 || s[0].Rows != 2 || s[0].Err != nil || !penstock.Is(s[1].Err, penstock.Forbidden) {
		t.Errorf("heard %+v", s)
	}
}

func TestHTTP10GetsOnlyJSON(t *testing.T) {
	w := start(t, Options{})
	w.store.answers(column("BIGINT"))
	for accept, want := range map[string]int{"text/csv": 406, "*/*": 200} {
		conn := w.send("POST /v1/sql HTTP/1.0\r\nHost: localhost\r\nAccept: " + accept + "\r\nContent-Length: 8\r\n\r\nselect 1")
		if got := status(t, conn); got != want {
			t.Errorf("%s: %d, want %d", accept, got, want)
		}
	}
}
