package query

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
	"penstock/eventlog/memory"
)

// startHTTP2 starts a server that speaks only HTTP/2, where deadlines belong to streams and end them when they pass.
func startHTTP2(t *testing.T, o Options) *world {
	t.Helper()
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	return startWith(t, o, protocols)
}

func TestHTTP2TailLivesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(memory.Options{})
		w := startHTTP2(t, Options{Log: j, Limits: Limits{Beat: 5 * time.Minute}}) // longer than any deadline
		r := w.tail("", "")
		for i := range 3 {
			time.Sleep(4 * time.Minute)
			j.write(t, "clicks", i, 1)
			if got := r.take(1); got[0].number != i || r.resp.ProtoMajor != 2 {
				t.Errorf("shown %v over %s", got, r.resp.Proto)
			}
		}
	})
}

// TestHTTP2LongStatements holds that the limit of a statement is its own, not the server's for an answer.
func TestHTTP2LongStatements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startHTTP2(t, Options{Limits: Limits{Timeout: 5 * time.Minute}})
		w.store.query = func(context.Context, penstock.Query) (penstock.Rows, error) {
			time.Sleep(4 * time.Minute)
			return &fakeRows{columns: column("BIGINT")}, nil
		}
		w.sql("select", "").expect(t, 200, "")
	})
}

func TestHTTP2SlowReaderIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startHTTP2(t, Options{})
		closed := make(chan time.Time, 1)
		w.store.query = endless(func() { closed <- time.Now() })
		began := time.Now()
		resp, err := w.client.Do(w.request(t.Context(), "POST", "/v1/sql", nil, "select 1"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if took := (<-closed).Sub(began); took != 20*time.Second {
			t.Errorf("it was cut off after %s", took)
		}
	})
}

func TestHTTP2ClientGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startHTTP2(t, Options{})
		ended := make(chan time.Time, 1)
		w.store.query = func(ctx context.Context, _ penstock.Query) (penstock.Rows, error) {
			<-ctx.Done()
			ended <- time.Now()
			return nil, ctx.Err()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := w.client.Do(w.request(ctx, "POST", "/v1/sql", nil, "select 1")); err == nil {
			t.Error("it was answered")
		}
		if took := (<-ended).Sub(began); took > 26*time.Second {
			t.Errorf("the statement ran on until %s", took)
		}
	})
}

func TestHTTP2ErrorsBreakTheAnswer(t *testing.T) {
	w := startHTTP2(t, Options{})
	left := 5000
	w.store.query = func(context.Context, penstock.Query) (penstock.Rows, error) {
		return &fakeRows{columns: column("VARCHAR"), next: func() ([]any, error) {
			if left--; left == 0 {
				return nil, penstock.Errorf(penstock.Internal, "read row", "a defect")
			}
			return []any{"many words to fill the buffer with"}, nil
		}}, nil
	}
	if a := w.sql("select", "text/csv"); a.broken == nil {
		t.Errorf("%d bytes look complete", len(a.body))
	}
}
