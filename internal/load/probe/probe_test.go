package probe

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAnswers(t *testing.T) {
	lags := []string{`{"events":5,"seconds":1.5}`, `{"events":0,"seconds":0}`}
	ready := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.Header.Get("Authorization") != "Bearer secret":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/readyz":
			if ready++; ready < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		case r.URL.Path == "/v1/lag":
			fmt.Fprint(w, lags[0])
			lags = lags[min(1, len(lags)-1):]
		case r.URL.Path == "/v1/receipts/abc":
			fmt.Fprint(w, `{"applied":true}`)
		case strings.Contains(string(body), "cut"):
			fmt.Fprint(w, `{"rows":[[1]],"truncated":true}`)
		case r.URL.Path == "/v1/sql":
			fmt.Fprint(w, `{"columns":[{"name":"n","type":"BIGINT"}],"rows":[[9007199254740993]],"row_count":1}`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer s.Close()
	p := &Probe{URL: s.URL, Token: "secret"}
	ctx := t.Context()
	if err := p.WaitReady(ctx); err != nil || ready != 3 {
		t.Errorf("ready after %d questions, %v", ready, err)
	}
	if n, err := p.Number(ctx, "select 1"); err != nil || n != 9007199254740993 {
		t.Errorf("number: %d, %v", n, err)
	}
	if _, err := p.SQL(ctx, "cut"); err == nil {
		t.Error("a cut answer passes")
	}
	if applied, err := p.Applied(ctx, "abc"); err != nil || !applied {
		t.Errorf("receipt: %t, %v", applied, err)
	}
	if l, err := p.Lag(ctx); err != nil || l.Events != 5 || l.Seconds != 1.5 {
		t.Errorf("lag: %+v, %v", l, err)
	}
	if err := p.WaitDrained(ctx); err != nil {
		t.Errorf("drained: %v", err)
	}
	if err := (&Probe{URL: s.URL}).Get(ctx, "/v1/lag"); err == nil {
		t.Error("without a token: no error")
	}
}
