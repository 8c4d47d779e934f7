package letters

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"penstock"
	"penstock/client"
	"penstock/internal/edge"
)

func TestShapes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		w.write(
			event{"orders", "o1", "k", "{\n\"n\":\"<five>\", \"big\":9007199254740993}"},
			event{"orders", "o2", "", `{"n":5`},
			event{"clicks", "c1", "k", "{\"a\":\"\xff\"}"},
			event{"orders", "o3", "k", ``},
			event{"orders", "o4", "k", `{"n":5}`},
		)
		var out strings.Builder
		show := func(target string) {
			fmt.Fprintf(&out, "GET %s\n----\n%s\n", target, w.ask("GET", target, "").body)
		}
		show("/v1/dlq")
		show("/v1/dlq?state=dropped")
		for _, l := range w.letters("") {
			show("/v1/dlq/" + placeText(placeOf(l)))
		}
		golden(t, "shapes.txt", out.String())
	})
}

type listed struct {
	Letters []letter
	Next    *string
}

func TestListPages(t *testing.T) {
	w := start(t, Options{})
	w.broken(230)
	for _, limit := range []int{1, 7, 50, 100, 229, 230, 231, 10_000} {
		seen, last := 0, penstock.Place{}
		for next := ""; ; {
			var page listed
			w.ask("GET", fmt.Sprintf("/v1/dlq?limit=%d&cursor=%s", limit, next), "").into(t, &page)
			for _, l := range page.Letters {
				at, ok := parsePlace(l.Place, 4)
				if !ok || !last.Less(at) {
					t.Fatalf("%s comes after %v", l.Place, last)
				}
				last = at
				seen++
			}
			if page.Next == nil {
				break
			}
			if next = *page.Next; len(page.Letters) != limit {
				t.Fatalf("a page of %d that is not the last has %d", limit, len(page.Letters))
			}
		}
		if seen != 230 {
			t.Errorf("pages of %d show %d of 230", limit, seen)
		}
	}
}

func TestFilters(t *testing.T) {
	w := start(t, Options{})
	w.broken(20)
	w.write(event{"clicks", "id0003", "", "x"}, event{"clicks", "a b&=", "", "x"}, event{"orders", "good", "", `{"n":1}`})
	w.ask("POST", "/v1/dlq/drop", `{"id":"id0004"}`).expect(t, 200, "")
	for query, want := range map[string]int{
		"": 21, "state=open": 21, "state=dropped": 1, "state=all": 22, "state=parked": 0, "state=replayed": 0, "stream=orders": 19, "stream=nothing": 0,
		"stream=clicks": 2, "reason=bad_type": 19, "reason=bad_json": 2, "id=id0003": 2, "id=id0003&stream=clicks": 1, "id=id0003&reason=bad_type": 1,
		"id=id0004": 0, "id=id0004&state=all": 1, "id=" + url.QueryEscape("a b&="): 1, "id=" + url.QueryEscape("' or 1=1 --"): 0,
	} {
		var page listed
		if w.ask("GET", "/v1/dlq?"+query, "").into(t, &page); len(page.Letters) != want || page.Next != nil {
			t.Errorf("%s: %d letters, want %d", query, len(page.Letters), want)
		}
	}
}

func TestListRefusals(t *testing.T) {
	w := start(t, Options{})
	w.broken(3)
	for _, c := range []struct {
		target string
		status int
		code   string
	}{
		{"/v1/dlq?limit=0", 400, "bad_parameter"},
		{"/v1/dlq?limit=-1", 400, "bad_parameter"},
		{"/v1/dlq?limit=x", 400, "bad_parameter"},
		{"/v1/dlq?limit=10001", 422, "query_too_large"},
		{"/v1/dlq?limit=100000000000000000000000", 422, "query_too_large"},
		{"/v1/dlq?state=closed", 400, "bad_parameter"},
		{"/v1/dlq?stream=Orders", 400, "bad_stream"},
		{"/v1/dlq?stream=a%27--", 400, "bad_stream"},
		{"/v1/dlq?sream=orders", 400, "bad_parameter"},
		{"/v1/dlq?stream=orders&stream=clicks", 400, "bad_parameter"},
		{"/v1/dlq?id=%ff", 400, "bad_parameter"},
		{"/v1/dlq?id=" + strings.Repeat("x", 129), 400, "bad_parameter"},
		{"/v1/dlq?reason=" + strings.Repeat("x", 65), 400, "bad_parameter"},
		{"/v1/dlq?cursor=garbage", 400, "bad_cursor"},
		{"/v1/dlq?cursor=4-1-0", 400, "bad_cursor"},
		{"/v1/dlq?cursor=0-0-0", 400, "bad_cursor"},
		{"/v1/dlq?cursor=0-1-0%0A", 400, "bad_cursor"},
		{"/v1/dlq?cursor=0-01-0", 400, "bad_cursor"},
		{"/v1/dlq?cursor=0-1-9223372036854775808", 400, "bad_cursor"},
		{"/v1/dlq?cursor=3-2147483647-9223372036854775807", 200, ""},
		{"/v1/dlq?cursor=3-2147483648-0", 400, "bad_cursor"},
		{"/v1/dlq/replay", 400, "bad_place"},
		{"/v1/dlq/1-2", 400, "bad_place"},
		{"/v1/dlq/1-2-x", 400, "bad_place"},
		{"/v1/dlq/1-1-99999", 404, "not_found"},
		{"/v1/dlq/0-2-0", 404, "not_found"},
		{"/v1/dlq/" + placeText(placeOf(w.letters("")[0])) + "?x=1", 400, "bad_parameter"},
	} {
		a := w.ask("GET", c.target, "")
		if a.status != c.status || a.code != c.code {
			t.Errorf("%s got %d %q %s, want %d %q", c.target, a.status, a.code, a.body, c.status, c.code)
		}
	}
	w.ask("GET", "/v1/dlq", "{}").expect(t, 400, "bad_body")
	w.ask("DELETE", "/v1/dlq", "").expect(t, 405, "method_not_allowed")
}

func TestScopes(t *testing.T) {
	w := start(t, Options{})
	w.broken(1)
	w.guard.SetTokens(edge.NewTokens([]edge.Token{
		{Name: "w", Secret: "write", Allow: edge.Write}, {Name: "r", Secret: "read", Allow: edge.Read}, {Name: "a", Secret: "admin", Allow: edge.Admin},
	}))
	one := "/v1/dlq/" + placeText(placeOf(w.letters("")[0]))
	for _, c := range []struct {
		method, target, body     string
		none, write, read, admin int
	}{
		{"GET", "/v1/dlq", "", 401, 403, 200, 200},
		{"GET", one, "", 401, 403, 200, 200},
		{"POST", "/v1/dlq/replay", `{}`, 401, 403, 403, 200},
		{"POST", "/v1/dlq/replay", `{"dry_run":true}`, 401, 403, 403, 200},
		{"POST", "/v1/dlq/drop", `{"dry_run":true}`, 401, 403, 403, 200},
		{"POST", "/v1/dlq/drop", `{}`, 401, 403, 403, 200},
	} {
		for token, want := range map[string]int{"": c.none, "write": c.write, "read": c.read, "admin": c.admin} {
			r := newRequest(t, c.method, c.target, c.body)
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			if a := w.send(r); a.status != want {
				t.Errorf("%s %s with %q: %d, want %d", c.method, c.target, token, a.status, want)
			}
		}
	}
}

func TestCrossSite(t *testing.T) {
	w := start(t, Options{})
	w.broken(1)
	for _, target := range []string{"/v1/dlq/replay", "/v1/dlq/drop"} {
		r := newRequest(t, "POST", target, "{}")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		w.send(r).expect(t, 403, "forbidden")
	}
	if len(w.letters(penstock.LetterOpen)) != 1 || w.log.calls != 0 {
		t.Error("it took effect")
	}
}

func TestClientLists(t *testing.T) {
	w := start(t, Options{})
	w.broken(10)
	w.write(event{"clicks", "c", "", "no JSON"})
	c := w.client(w)
	var all []client.Letter
	for q := (client.LetterQuery{Limit: 4}); ; {
		page, err := c.Letters(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Letters...)
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if len(all) != 11 {
		t.Fatalf("%d letters", len(all))
	}
	for _, l := range all {
		one, err := c.Letter(t.Context(), l.Place)
		if err != nil {
			t.Fatal(err)
		}
		body := string(one.Body)
		if l.Stream == "clicks" {
			body = string(one.BodyBase64)
		}
		if len(body) != l.Size || one.ID != l.ID || one.Key != l.Key || l.Body != nil {
			t.Errorf("%+v became %+v", l, one)
		}
	}
	if _, err := c.Letter(t.Context(), "0-1-777"); !penstock.Is(err, penstock.NotFound) {
		t.Error(err)
	}
	if page, err := c.Letters(t.Context(), client.LetterQuery{Reason: "bad_type", State: "all", ID: "id0007", Stream: "orders"}); err != nil || len(page.Letters) != 1 {
		t.Error(page, err)
	}
	if _, err := c.Letters(t.Context(), client.LetterQuery{State: "gone"}); !penstock.Is(err, penstock.Invalid) {
		t.Error(err)
	}
}
