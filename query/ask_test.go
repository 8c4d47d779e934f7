package query

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
)

func TestRequests(t *testing.T) {
	w := start(t, Options{})
	w.store.answers(column("BIGINT"))
	many := strings.Repeat(`"x",`, 65)
	for _, c := range []struct {
		kind, body string
		status     int
		code       string
	}{
		{"application/json", `{"query":"select 1"}`, 200, ""},
		{"application/json; charset=UTF-8", ` {"query":"select 1","params":null,"after":null,"timeout":null} `, 200, ""},
		{"application/json", `{"query":"select 1","params":[],"after":[],"timeout":"5s"}`, 200, ""},
		{"text/plain", "select 1", 200, ""},
		{"", "select 1", 200, ""},
		{"", "\n {\"query\":\"select 1\"}", 200, ""},
		{"application/x-www-form-urlencoded", "select 1", 200, ""},
		{"application/json", `{"query":"select 1","limit":1}`, 400, "bad_shape"},
		{"application/json", `{"Query":"select 1"}`, 400, "bad_shape"},
		{"application/json", `{"query":1}`, 400, "bad_shape"},
		{"application/json", `{"query":"select 1","params":{}}`, 400, "bad_shape"},
		{"application/json", `{"query":"select 1","params":[[1]]}`, 400, "bad_shape"},
		{"application/json", `{"query":"select 1","params":[{}]}`, 400, "bad_shape"},
		{"application/json", `{"query":"select 1","timeout":5}`, 400, "bad_shape"},
		{"application/json", `{"query":"select 1","after":5}`, 400, "bad_shape"},
		{"application/json", `["select 1"]`, 400, "bad_shape"},
		{"application/json", `null`, 400, "bad_shape"},
		{"application/json", `{}`, 400, "bad_shape"},
		{"application/json", `{"query":" "}`, 400, "bad_shape"},
		{"application/json", `{"query":"select 1","query":"select 2"}`, 400, "duplicate_member"},
		{"application/json", `{"query":"select 1"}{}`, 400, "bad_json"},
		{"application/json", `{"query":"select 1"`, 400, "bad_json"},
		{"application/json", `select 1`, 400, "bad_json"},
		{"application/json", "{\"query\":\"\xff\"}", 400, "bad_utf8"},
		{"application/json", `{"query":"\u0000"}`, 400, "nul_not_allowed"},
		{"application/json", `{"query":"x","params":[18446744073709551616]}`, 400, "number_range"},
		{"application/json", `{"query":"x","params":` + strings.Repeat("[", 50) + `}`, 400, "too_deep"},
		{"application/json", `{"query":"x","params":[` + strings.Repeat("1,", 5000) + `1]}`, 400, "too_many_members"},
		{"application/json", `{"query":"x","timeout":"5"}`, 400, "bad_parameter"},
		{"application/json", `{"query":"x","timeout":"-5s"}`, 400, "bad_parameter"},
		{"application/json", `{"query":"x","timeout":"1h"}`, 422, "query_too_large"},
		{"application/json", `{"query":"x","after":"forged"}`, 400, "bad_receipt"},
		{"application/json", `{"query":"x","after":[` + many[:len(many)-1] + `]}`, 422, "query_too_large"},
		{"text/plain", "select '\xff'", 400, "bad_utf8"},
		{"text/plain", "select '\x00'", 400, "nul_not_allowed"},
		{"text/plain", "", 400, "bad_shape"},
		{"text/plain; charset=latin1", "select 1", 415, "unsupported_media_type"},
		{"text/html", "select 1", 415, "unsupported_media_type"},
		{"multipart/form-data", "select 1", 415, "unsupported_media_type"},
		{"text/plain", strings.Repeat("x", 256<<10) + "x", 413, "body_too_large"},
		{"text/plain", strings.Repeat("x", 256<<10), 200, ""},
	} {
		a := w.ask("POST", "/v1/sql", fields{"Content-Type": c.kind}, c.body)
		if a.status != c.status || a.code != c.code {
			t.Errorf("%s %.80q got %d %q %.200s, want %d %q", c.kind, c.body, a.status, a.code, a.body, c.status, c.code)
		}
	}
}

func TestRequestsByHeader(t *testing.T) {
	w := start(t, Options{})
	w.store.answers(column("BIGINT"))
	for _, c := range []struct {
		target string
		header fields
		status int
		code   string
	}{
		{"/v1/sql", fields{"Content-Encoding": "gzip"}, 415, "unsupported_encoding"},
		{"/v1/sql", fields{"Accept": "text/html"}, 406, "not_acceptable"},
		{"/v1/sql", fields{"Sec-Fetch-Site": "cross-site"}, 403, "forbidden"},
		{"/v1/sql?timeout=1s&after=", nil, 400, "bad_receipt"},
		{"/v1/sql?timeout=1s", nil, 200, ""},
		{"/v1/sql?timeout=1s&timeout=2s", nil, 400, "bad_parameter"},
		{"/v1/sql?limit=1", nil, 400, "bad_parameter"},
		{"/v1/sql?timeout=1s;x=1", nil, 400, "bad_parameter"},
		{"/v1/sql?timeout=1s", fields{"Content-Type": "application/json"}, 400, "bad_parameter"},
	} {
		body := "select 1"
		if c.header["Content-Type"] != "" {
			body = `{"query":"select 1"}`
		}
		w.ask("POST", c.target, c.header, body).expect(t, c.status, c.code)
	}
}

func TestParamsStayExact(t *testing.T) {
	w := start(t, Options{})
	var got penstock.Query
	w.store.query = func(_ context.Context, q penstock.Query) (penstock.Rows, error) {
		got = q
		return &fakeRows{columns: column("BIGINT")}, nil
	}
	body := `{"query":"select $1","params":[9007199254740993,-1.10, 1e2,"1\u00e9",true,false,null,123456789012345678901234567890.5]}`
	w.ask("POST", "/v1/sql", fields{"Content-Type": "application/json"}, body).expect(t, 200, "")
	want := []any{json.Number("9007199254740993"), json.Number("-1.10"), json.Number("1e2"), "1é", true, false, nil, json.Number("123456789012345678901234567890.5")}
	if got.SQL != "select $1" || !reflect.DeepEqual(got.Params, want) {
		t.Errorf("asked %q with %#v", got.SQL, got.Params)
	}
}

func receiptOf(ps penstock.Positions) string {
	return penstock.Receipt{Cluster: testCluster().ID, Durability: penstock.DurabilityDisk, Positions: ps}.String()
}

// TestAfterWaits holds C-VIS.
func TestAfterWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		w.store.answers(column("BIGINT"))
		one := receiptOf(penstock.Positions{1: {Epoch: 1, Offset: 10}})
		two := receiptOf(penstock.Positions{1: {Epoch: 1, Offset: 12}, 2: {Epoch: 1, Offset: 1}})
		asks := []func() answer{
			func() answer { return w.ask("POST", "/v1/sql?after="+one+"&after="+two, nil, "select 1") },
			func() answer {
				return w.ask("POST", "/v1/sql", nil, fmt.Sprintf(`{"query":"x","after":[%q,%q]}`, one, two))
			},
		}
		for i, ask := range asks {
			began := time.Now()
			ask().expect(t, 504, "not_visible_yet")
			if took := time.Since(began); took != 10*time.Second {
				t.Errorf("%d: 504 after %s", i, took)
			}
		}
		got := make(chan answer)
		for _, ask := range asks {
			go func() { got <- ask() }()
		}
		time.Sleep(time.Second)
		w.store.raise(penstock.Positions{1: {Epoch: 1, Offset: 12}})
		synctest.Wait()
		select {
		case a := <-got:
			t.Errorf("answered with %d before the receipt was reached", a.status)
		default:
		}
		w.store.raise(penstock.Positions{2: {Epoch: 2, Offset: 0}})
		for range asks {
			(<-got).expect(t, 200, "")
		}
		for _, ask := range asks { // at once now
			ask().expect(t, 200, "")
		}
	})
}

func TestAfterWithItsOwnTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		receipt := receiptOf(penstock.Positions{1: {Epoch: 1, Offset: 10}})
		for _, timeout := range []time.Duration{0, 300 * time.Millisecond, 30 * time.Second} {
			began := time.Now()
			w.ask("POST", "/v1/sql?after="+receipt+"&timeout="+timeout.String(), nil, "x").expect(t, 504, "not_visible_yet")
			if took := time.Since(began); took != timeout {
				t.Errorf("%s took %s", timeout, took)
			}
		}
	})
}

func TestReceiptsThatCannotBe(t *testing.T) {
	w := start(t, Options{})
	other := penstock.Receipt{Cluster: strings.Repeat("ff", 16), Durability: penstock.DurabilityDisk}.String()
	beyond := receiptOf(penstock.Positions{8: {Epoch: 1, Offset: 1}})
	whole := receiptOf(penstock.Positions{1: {Epoch: 1, Offset: 10}})
	for _, receipt := range []string{other, beyond, whole[:len(whole)-1], "B" + whole[1:], "%F0%9F%92%A9", "'%20or%201=1--"} {
		w.ask("POST", "/v1/sql?after="+receipt, nil, "x").expect(t, 400, "bad_receipt")
		w.ask("GET", "/v1/streams/clicks/events?key=k&after="+receipt, nil, "").expect(t, 400, "bad_receipt")
	}
}

func TestAccept(t *testing.T) {
	for accept, want := range map[string]string{
		"":                                     formatJSON,
		"*/*":                                  formatJSON,
		"application/*":                        formatJSON,
		"text/*":                               formatCSV,
		"text/csv":                             formatCSV,
		"TEXT/CSV; charset=utf-8":              formatCSV,
		"text/csv, application/json":           formatCSV,
		"application/json, text/csv":           formatJSON,
		"text/csv;q=0.5, */*;q=0.1":            formatCSV,
		"text/csv;q=0.5, application/x-ndjson": formatNDJSON,
		"application/json;q=0, */*":            formatCSV,
		"text/html, */*":                       formatJSON,
		"text/html;q=x, text/csv":              formatCSV,
		formatArrow:                            formatArrow,
		"text/html":                            "",
		"text/csv;q=0":                         "",
		"garbage":                              "",
		";;,":                                  "",
	} {
		r := httptest.NewRequest("POST", "/v1/sql", nil)
		if accept != "" {
			r.Header.Set("Accept", accept)
		}
		got, err := accepted(r, formatJSON, formatCSV, formatNDJSON, formatArrow)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q chose %q, %v, want %q", accept, got, err, want)
		}
	}
}

func FuzzAskJSON(f *testing.F) {
	for _, body := range []string{
		`{"query":"select 1","params":[1,"a",null,true,1.5e3],"after":["x"],"timeout":"5s"}`, `{"query":1}`, `{"after":"x"}`,
		`{"query":"\ud800"}`, `{"query":"x","params":[{"a":[]}]}`, `[]`, `null`, `{"query":"x"} `, `{"query":"x","after":null,"params":null}`,
	} {
		f.Add([]byte(body))
	}
	a := New(Options{Cluster: testCluster()})
	f.Fuzz(func(t *testing.T, body []byte) {
		var q ask
		err := a.askOfJSON(&q, httptest.NewRequest("POST", "/v1/sql", bytes.NewReader(nil)), body)
		if err != nil {
			if !penstock.Is(err, penstock.Invalid) {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		var plain struct{ Params []any }
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if err := d.Decode(&plain); err != nil || strings.TrimSpace(q.query.SQL) == "" || strings.ContainsRune(q.query.SQL, 0) {
			t.Errorf("%q was accepted as %q, %v", body, q.query.SQL, err)
		}
		if len(plain.Params)+len(q.query.Params) > 0 && !reflect.DeepEqual(plain.Params, q.query.Params) {
			t.Errorf("%q has the parameters %#v", body, q.query.Params)
		}
	})
}
