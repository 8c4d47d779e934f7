package client

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"penstock"
)

// TestViewPagesAreNeverOlder holds that each page asks for what the one before it showed, and that each loop begins anew.
func TestViewPagesAreNeverOlder(t *testing.T) {
	var asked []string
	c := newDirect(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RequestURI())
		cursor := fmt.Sprintf(`"c%d"`, len(asked))
		if len(asked)%3 == 0 {
			cursor = "null"
		}
		fmt.Fprintf(w, `{"view":"v","as_of":"r%d","rows":[{"n":%d}],"cursor":%s}`, len(asked), len(asked), cursor)
	})
	pages := c.ViewPages(t.Context(), ViewQuery{View: "v", Limit: 1, After: []string{"mine"}, Timeout: time.Second, Where: map[string]string{"a b": "&"}})
	for range 2 {
		asked = nil
		n := 0
		for page, err := range pages {
			if n++; err != nil || len(page.Rows) != 1 || page.AsOf != fmt.Sprintf("r%d", n) {
				t.Fatalf("%+v, %v", page, err)
			}
		}
		want := []string{
			"/v1/views/v?after=mine&limit=1&timeout=1s&where.a+b=%26",
			"/v1/views/v?after=mine&after=r1&cursor=c1&limit=1&timeout=1s&where.a+b=%26",
			"/v1/views/v?after=mine&after=r2&cursor=c2&limit=1&timeout=1s&where.a+b=%26",
		}
		if !slices.Equal(asked, want) {
			t.Errorf("asked for %q", asked)
		}
	}
	asked = nil
	for range pages {
		break
	}
	if len(asked) != 1 {
		t.Errorf("a loop that ended asked %d times", len(asked))
	}
}

func TestViewPagesEndWithAnError(t *testing.T) {
	n := 0
	c := newDirect(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) {
		if n++; n == 2 {
			refuse(w, 503, "view_building", "not_stored")
			return
		}
		io.WriteString(w, `{"as_of":"r","rows":[],"cursor":"c"}`)
	})
	var last error
	for _, err := range c.ViewPages(t.Context(), ViewQuery{View: "v"}) {
		last = err
	}
	var e *penstock.Error
	if !errors.As(last, &e) || e.Code != penstock.Unavailable || e.Reason != "view_building" || n != 2 {
		t.Errorf("%v after %d requests", last, n)
	}
}

func TestViewsOfNoServer(t *testing.T) {
	c := newDirect(t, time.Minute, func(http.ResponseWriter, *http.Request) { panic("the connection breaks") })
	_, first := c.Views(t.Context())
	_, second := c.View(t.Context(), ViewQuery{View: "v"})
	_, third := c.Rank(t.Context(), RankQuery{View: "v", Member: "m"})
	for _, err := range []error{first, second, third} {
		if !IsUnreachable(err) {
			t.Error(err)
		}
	}
}
