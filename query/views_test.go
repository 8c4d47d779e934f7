package query

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http/httptest"
	"strings"
	"testing"

	"penstock"
	"penstock/internal/edge"
)

// viewerOf gives every question the same rows.
type viewerOf struct{ rows penstock.Rows }

func (v viewerOf) View(context.Context, penstock.ViewQuery) (penstock.Rows, error) {
	return v.rows, nil
}

func (v viewerOf) Rank(context.Context, string, string, int) ([]penstock.Standing, error) {
	return nil, nil
}

func TestViews(t *testing.T) {
	var states []penstock.ViewStatus
	var fail error
	w := start(t, Options{Viewer: newViewer(0), ViewStates: func(context.Context) ([]penstock.ViewStatus, error) { return states, fail }})
	var out strings.Builder
	show := func(target string) {
		a := w.ask("GET", target, nil, "")
		fmt.Fprintf(&out, "%s\n----\n%d %s\n", target, a.status, a.body)
	}
	show("/v1/views")
	states = []penstock.ViewStatus{
		{Name: "hot_ads", Stream: "clicks", State: penstock.ViewBuilding, Version: 1, Rows: 5, Done: 1000, Total: 50_000, Eta: 4.5, Problem: "the disk is full"},
		{Name: "clicks_per_link", Stream: "clicks", State: penstock.ViewReady, Version: 3, Rows: 1_000_000, Rebuilds: true},
	}
	show("/v1/views")
	if states[0].Name != "hot_ads" {
		t.Error("the list is not the server's to order")
	}
	show("/v1/views?limit=1")
	fail = errors.New("away")
	show("/v1/views")
	golden(t, "views.txt", out.String())
	w.api.o.ViewStates = nil
	w.ask("GET", "/v1/views", nil, "").expect(t, 503, "unavailable")
}

func TestRank(t *testing.T) {
	v := newViewer(0)
	huge := bigInt("170141183460469231731687303715884105728")
	v.board = []penstock.Standing{
		{Rank: 1, Member: "zoë & co", Score: huge}, {Rank: 2, Member: "ada", Score: penstock.Number("12.30")}, {Rank: 2, Member: "", Score: penstock.Number("12.30")},
		{Rank: 4, Member: "bob", Score: 0.1}, {Rank: 5, Member: "eve", Score: int64(-9007199254740993)}, {Rank: 6, Member: "nan", Score: math.NaN()},
		{Rank: 7, Member: "new", Score: nil},
	}
	w := startViews(t, v, Limits{})
	var out strings.Builder
	for _, query := range []string{"member=ada&around=0", "member=ada&around=1", "member=zo%C3%AB+%26+co&around=1", "member=", "member=new", "member=nobody",
		"", "member=ada&member=bob", "member=%ff", "member=ada&around=-1", "member=ada&around=x", "member=ada&around=101", "member=ada&around=99999999999999999999",
		"member=ada&around=100", "member=ada&limit=5", "member=ada&after=garbage", "member=ada&timeout=1h"} {
		a := w.ask("GET", "/v1/views/best/rank?"+query, nil, "")
		fmt.Fprintf(&out, "%s\n----\n%d %s\n", query, a.status, a.body)
	}
	golden(t, "rank.txt", out.String())
	w.ask("GET", "/v1/views/nothing/rank?member=ada", nil, "").expect(t, 404, "unknown_view")
	v.fail = penstock.Refusef("no_leaderboard", "ask view", "the view is no leaderboard")
	w.ask("GET", "/v1/views/clicks_per_link/rank?member=ada", nil, "").expect(t, 400, "no_leaderboard")
	v.fail = penstock.Refusef("unknown_member", "ask view", "there is no such member")
	w.ask("GET", "/v1/views/best/rank?member=ada", nil, "").expect(t, 404, "unknown_member")
	w.api.o.Viewer = viewerOf{}
	w.ask("GET", "/v1/views/best/rank?member=ada", nil, "").expect(t, 500, "internal")
}

// TestViewsThatAreBeingBuilt holds that a view without an answer yet says so, and when to come again.
func TestViewsThatAreBeingBuilt(t *testing.T) {
	unavailable := penstock.Errorf(penstock.Unavailable, "ask view", "it is being built")
	named := &penstock.Error{Code: penstock.Unavailable, Op: "ask view", Reason: "view_building"}
	building := penstock.ViewStatus{Name: "clicks_per_link", State: penstock.ViewBuilding}
	eta := func(seconds float64) penstock.ViewStatus {
		s := building
		s.Eta = seconds
		return s
	}
	for _, c := range []struct {
		fail  error
		state penstock.ViewStatus
		code  string
		after string
	}{
		{unavailable, eta(0), "view_building", "1"},
		{unavailable, eta(4.5), "view_building", "5"},
		{named, eta(1e9), "view_building", "60"},
		{named, penstock.ViewStatus{Name: "clicks_per_link", State: penstock.ViewReady}, "view_building", "1"},
		{unavailable, penstock.ViewStatus{Name: "clicks_per_link", State: penstock.ViewReady}, "unavailable", "1"},
		{unavailable, penstock.ViewStatus{Name: "another", State: penstock.ViewBuilding}, "unavailable", "1"},
		{&penstock.Error{Code: penstock.Unavailable, Op: "ask view", Reason: "shutting_down"}, eta(9), "shutting_down", "1"},
	} {
		w := startViews(t, &fakeViewer{fail: c.fail}, Limits{})
		w.api.o.ViewStates = func(context.Context) ([]penstock.ViewStatus, error) { return []penstock.ViewStatus{c.state}, nil }
		for _, target := range []string{ofView, "/v1/views/clicks_per_link/rank?member=a"} {
			a := w.ask("GET", target, nil, "")
			a.expect(t, 503, c.code)
			if got := a.header.Get("Retry-After"); got != c.after {
				t.Errorf("%s: come again after %s, want %s", c.code, got, c.after)
			}
		}
	}
}

// TestViewsAskForTokens holds that who may read may see views, and who may only write may not.
func TestViewsAskForTokens(t *testing.T) {
	v := newViewer(1)
	v.board = []penstock.Standing{{Rank: 1, Member: "ada", Score: int64(7)}}
	w := startViews(t, v, Limits{})
	w.api.o.ViewStates = func(context.Context) ([]penstock.ViewStatus, error) { return nil, nil }
	guard := edge.NewGuard(edge.GuardOptions{Tokens: edge.NewTokens([]edge.Token{
		{Name: "r", Secret: "reads", Allow: edge.Read}, {Name: "w", Secret: "writes", Allow: edge.Write}, {Name: "a", Secret: "admin", Allow: edge.Admin},
	})})
	w.api.Register(guard)
	for _, target := range []string{"/v1/views", "/v1/views/clicks_per_link", "/v1/views/best/rank?member=ada"} {
		for secret, want := range map[string]int{"": 401, "wrong": 401, "writes": 403, "reads": 200, "admin": 200} {
			r := httptest.NewRequest("GET", target, nil)
			if secret != "" {
				r.Header.Set("Authorization", "Bearer "+secret)
			}
			got := httptest.NewRecorder()
			guard.ServeHTTP(got, r)
			if got.Code != want {
				t.Errorf("%s with %q: %d, want %d: %s", target, secret, got.Code, want, got.Body)
			}
		}
	}
}

// TestNoViews holds that a server without views has no routes of theirs.
func TestNoViews(t *testing.T) {
	w := start(t, Options{Views: func() []penstock.View { return []penstock.View{clicksPerLink()} }})
	for _, target := range []string{"/v1/views", ofView, "/v1/views/clicks_per_link/rank?member=a"} {
		w.ask("GET", target, nil, "").expect(t, 404, "not_found")
	}
}
