package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"penstock/internal/edge/edgetest"
)

func authenticationRows() []row {
	return []row{
		{"row_32_wrong_keys", false, rowWrongKeys},
		{"row_33_other_scope", false, rowOtherScope},
		{"row_34_key_in_the_query", false, rowKeyInQuery},
		{"row_35_key_of_10_MiB", false, rowLongKey},
		{"row_36_many_wrong_keys", false, rowManyWrongKeys},
		{"row_37_two_keys", false, rowTwoKeys},
		{"row_38_foreign_tenant", false, rowForeignTenant},
		{"row_39_web_tokens", false, rowWebTokens},
	}
}

// rowWrongKeys sends keys from an address each, so that none is refused for being one of many.
func rowWrongKeys(r *raid) {
	revoked := "Authorization: Bearer revoked-0123456789abcdef\r\n"
	r.note("a key before it is revoked", r.sendFrom("127.0.0.40", request(toClicks, revoked, `{"a":1}`)))
	r.revoke()
	bodies := map[string]bool{}
	for i, c := range [][2]string{
		{"none", ""}, {"wrong", "Authorization: Bearer nothing-0123456789abcdef\r\n"}, {"revoked", revoked},
		{"wrong by its last letter", "Authorization: Bearer write-0123456789abcdeF\r\n"}, {"cut", "Authorization: Bearer write-0123456789abcde\r\n"},
		{"empty", "Authorization: Bearer \r\n"}, {"without a scheme", "Authorization: write-0123456789abcdef\r\n"},
		{"of another scheme", "Authorization: Basic d3JpdGU6d3JpdGU=\r\n"}, {"wrong in the other header", "X-Write-Key: nothing\r\n"}, {"not text", "X-Write-Key: \xff\xfe\r\n"},
	} {
		a := r.sendFrom(fmt.Sprintf("127.0.0.%d", 41+i), request(toNothing, c[1], "{}"))
		r.note(c[0], a)
		bodies[a.Body+a.Header.Get("WWW-Authenticate")] = true
	}
	if len(bodies) != 1 {
		r.t.Errorf("the answers differ: %v", bodies)
	}
}

// revoke takes the old token out of the configuration and waits until that is applied.
func (r *raid) revoke() {
	r.t.Helper()
	g := *r.siege.guarded.running
	g.t = r.t
	before := len(g.log.String())
	configure(r.t, g.dir, abuseTokens+abuseStreams)
	if err := syscall.Kill(g.PID(), syscall.SIGHUP); err != nil {
		r.t.Fatal(err)
	}
	g.eventually("the token is revoked", func() bool { return strings.Contains(g.log.String()[before:], "configuration applied") })
}

func rowOtherScope(r *raid) {
	r.note("a key to read sends events", r.guarded.Send(request(toNothing, keyRead, "{}")))
	for _, path := range []string{"/v1/streams", "/v1/streams/clicks", "/v1/streams/clicks/events?key=k", "/v1/streams/clicks/tail", "/v1/lag", "/metrics", "/version"} {
		r.note("a key to write asks "+path, r.guarded.Send(get(path, keyWrite)))
	}
	r.note("a key to write asks SQL", r.guarded.Send(request("POST /v1/sql", keyWrite, "select 1")))
	r.note("a key to read asks for the cluster's secret", r.guarded.Send(get("/v1/cluster", keyRead)))
}

func rowKeyInQuery(r *raid) {
	for _, name := range []string{"token", "access_token", "write_key", "api_key"} {
		a := r.guarded.Send(request(toNothing+"?"+name+"=write-0123456789abcdef", "", "{}"))
		r.note(name, a)
		if !strings.Contains(a.Header.Get("Warning"), "query string") {
			r.t.Errorf("%s: no warning: %v", name, a.Header)
		}
	}
	if strings.Contains(r.siege.guarded.log.String(), "0123456789abcdef") {
		r.t.Error("a key is in the log")
	}
}

func rowLongKey(r *raid) {
	long := strings.Repeat("k", 10<<20)
	r.note("Authorization", r.guarded.Send(request(toNothing, "Authorization: Bearer "+long+"\r\n", "{}")))
	r.note("X-Write-Key", r.guarded.Send(request(toNothing, "X-Write-Key: "+long+"\r\n", "{}")))
}

func rowManyWrongKeys(r *raid) {
	const from = "127.0.0.36"
	first, refused := 0, 0
	for i := range 1000 {
		a := r.sendFrom(from, request(toNothing, fmt.Sprintf("Authorization: Bearer guess-%d\r\n", i), "{}"))
		r.checkAnswer("a guess", a)
		switch {
		case a.Status == http.StatusUnauthorized && refused == 0:
			first++
		case a.Status == http.StatusTooManyRequests && a.Code == "too_many_attempts":
			refused++
		case a.Status != http.StatusUnauthorized: // one a second is forgotten
			r.t.Fatalf("got %d %s", a.Status, a.Body)
		}
	}
	if first < 20 || first > 30 || refused < 900 {
		r.t.Errorf("of 1,000 wrong keys %d were refused, after the first %d", refused, first)
	}
	r.say("1,000: 401 unauthorized for 20, then 429 too_many_attempts")
	r.note("an honest key from that address", r.sendFrom(from, request(toClicks, keyWrite, `{"a":1}`)))
	r.note("a wrong key from another", r.sendFrom("127.0.0.37", request(toNothing, "Authorization: Bearer wrong\r\n", "{}")))
}

func rowTwoKeys(r *raid) {
	r.note("that differ, both right", r.guarded.Send(request(toNothing, keyWrite+"X-Write-Key: read-0123456789abcdef\r\n", "{}")))
	r.note("that differ, one wrong", r.guarded.Send(request(toNothing, keyWrite+"X-Write-Key: wrong\r\n", "{}")))
	r.note("two of one header", r.guarded.Send(request(toNothing, keyWrite+"Authorization: Bearer wrong\r\n", "{}")))
	r.note("the same twice", r.guarded.Send(request(toClicks, keyWrite+"X-Write-Key: write-0123456789abcdef\r\n", `{"a":1}`)))
}

// rowForeignTenant names another tenant in every way: nothing listens to it, and the event is stored as it was sent.
func rowForeignTenant(r *raid) {
	const event = `{"id":"of-a-tenant","tenant_id":"other","tenant":"other"}`
	a := r.Send(request(toClicks+"?tenant=other&tenant_id=other", "X-Tenant: other\r\nX-Tenant-Id: other\r\nX-Scope-OrgID: other\r\n", event))
	r.note("an event", a)
	r.await(a)
	if got := r.p.sql("select count(*), any_value(data->>'tenant_id') from clicks where id = 'of-a-tenant'", ""); got != `[[1,"other"]]` {
		r.t.Errorf("stored %s", got)
	}
	if _, err := os.Stat(filepath.Join(r.p.dir, "data", "other")); err == nil {
		r.t.Error("a directory was made for it")
	}
}

func rowWebTokens(r *raid) {
	for i, c := range [][2]string{
		{"alg none", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsImV4cCI6OTk5OTk5OTk5OTk5fQ."},
		{"HS256 with a path as kid", "eyJhbGciOiJIUzI1NiIsImtpZCI6Ii4uLy4uL2Rldi9udWxsIn0.eyJzdWIiOiJhZG1pbiJ9.AAAA"},
	} {
		r.note(c[0], r.sendFrom(fmt.Sprintf("127.0.0.%d", 60+i), request(toNothing, "Authorization: Bearer "+c[1]+"\r\n", "{}")))
	}
}

// await waits until what an answer's receipt names can be queried.
func (r *raid) await(a edgetest.Answer) {
	r.t.Helper()
	r.p.sql("select 1", receiptIn(r.t, a))
}
