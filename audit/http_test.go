package audit

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"penstock"
	"penstock/client"
	"penstock/internal/edge"
)

// handler returns the audit behind a guard.
func (r *rig) handler() http.Handler {
	g := edge.NewGuard(edge.GuardOptions{})
	r.audit.Register(g)
	return g
}

func (r *rig) ask(method, target, body string) (status int, answer string) {
	r.t.Helper()
	w := httptest.NewRecorder()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request := httptest.NewRequestWithContext(r.t.Context(), method, "http://localhost"+target, reader)
	r.handler().ServeHTTP(w, request)
	return w.Code, w.Body.String()
}

func TestRoute(t *testing.T) {
	r := newRig(t)
	if status, body := r.ask("GET", "/v1/audit", ""); status != 200 || body != `{"ok":true,"streams":[]}`+"\n" {
		t.Errorf("%d %s", status, body)
	}
	b := r.send("clicks", event("a", "k"), event("b", "k"))
	r.apply(nil)
	const whole = `{"ok":true,"streams":[{"stream":"clicks","accepted":2,"stored":2,"duplicates":0,"dead":0,"dropped":0,"expired":0,"pending":0,` +
		`"missing":0,"checksum_ok":true,"excess":0,"parked":0,"replaying":0}]}` + "\n"
	for _, target := range []string{"/v1/audit", "/v1/audit?partitions=0&deep=0"} {
		if status, body := r.ask("GET", target, ""); status != 200 || body != whole {
			t.Errorf("%d %s", status, body)
		}
	}
	r.store.hidden = map[penstock.Place]bool{place(b, "b").vocabulary(): true}
	status, body := r.ask("GET", "/v1/audit?deep=1&partitions=1", "")
	var got struct {
		OK      bool
		Deep    Deep
		Streams []struct {
			FirstMissing map[string]uint64 `json:"first_missing"`
			Partitions   []Lane
		}
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 || got.OK || got.Deep.Missing != 1 || len(got.Streams[0].Partitions) != 1 {
		t.Fatalf("%v %d %s", err, status, body)
	}
	at := place(b, "b")
	if want := map[string]uint64{"partition": uint64(at.Partition), "epoch": 1, "offset": uint64(at.Offset)}; !reflect.DeepEqual(got.Streams[0].FirstMissing, want) {
		t.Errorf("first missing %v, want %v", got.Streams[0].FirstMissing, want)
	}
}

func TestRouteRefuses(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		method, target, body string
		status               int
		code                 string
	}{
		{"GET", "/v1/audit?depe=1", "", 400, "bad_parameter"},
		{"GET", "/v1/audit?deep=yes", "", 400, "bad_parameter"},
		{"GET", "/v1/audit?deep", "", 400, "bad_parameter"},
		{"GET", "/v1/audit?deep=1&deep=1", "", 400, "bad_parameter"},
		{"GET", "/v1/audit?deep=%zz", "", 400, "bad_parameter"},
		{"GET", "/v1/audit", "x", 400, "bad_body"},
		{"POST", "/v1/audit", "", 405, "method_not_allowed"},
	} {
		status, body := r.ask(c.method, c.target, c.body)
		if status != c.status || !strings.Contains(body, `"code":"`+c.code+`"`) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.target, status, body, c.status, c.code)
		}
	}
	r.audit.Close()
	if status, body := r.ask("GET", "/v1/audit", ""); status != 503 || !strings.Contains(body, "shutting_down") {
		t.Errorf("closed: %d %s", status, body)
	}
}

// TestClient joins the two sides: what the one says is what the other understands.
func TestClient(t *testing.T) {
	r := newRig(t)
	b := r.send("clicks", events(0, 20)...)
	r.apply(nil)
	r.store.hidden = map[penstock.Place]bool{place(b, "id3").vocabulary(): true}
	r.store.body = map[penstock.Place]string{place(b, "id4").vocabulary(): "{}"}
	r.store.extra = r.store.Records()[7:8]
	r.send("orders", events(0, 5)...)
	server := httptest.NewServer(r.handler())
	defer server.Close()
	c, err := client.New(client.Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, q := range []client.AuditQuery{{}, {Partitions: true}, {Deep: true}, {Partitions: true, Deep: true}} {
		got, err := c.Audit(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := json.Marshal(r.run(Ask{Partitions: q.Partitions, Deep: q.Deep}))
		if text, _ := json.Marshal(got); string(text) != string(want) {
			t.Errorf("the client understood\n%s\nof\n%s", text, want)
		}
		if got.Pending() != 5 || got.OK == q.Deep {
			t.Errorf("%+v", got)
		}
	}
}
