package query

import (
	"context"
	"testing"

	"penstock"
)

// TestRebuild holds that a rebuild is begun once and answered at once, by who may.
func TestRebuild(t *testing.T) {
	var asked []string
	running := false
	w := start(t, Options{Viewer: newViewer(1), Rebuild: func(_ context.Context, view string) error {
		asked = append(asked, view)
		switch {
		case view != "clicks_per_link":
			return &penstock.Error{Code: penstock.NotFound, Op: "find view", Reason: "unknown_view"}
		case running:
			return &penstock.Error{Code: penstock.Conflict, Op: "rebuild view", Reason: "view_building"}
		}
		running = true
		return nil
	}})
	const of = "/v1/views/clicks_per_link/rebuild"
	w.ask("GET", of, nil, "").expect(t, 405, "method_not_allowed")
	w.ask("POST", of, nil, "").expect(t, 202, "")
	w.ask("POST", of, nil, "").expect(t, 409, "view_building")
	w.ask("POST", "/v1/views/other/rebuild", nil, "").expect(t, 404, "unknown_view")
	w.ask("POST", of+"?from=start", nil, "").expect(t, 400, "bad_parameter")
	if len(asked) != 3 {
		t.Fatalf("%q", asked)
	}
	start(t, Options{Viewer: newViewer(1)}).ask("POST", of, nil, "").expect(t, 503, "unavailable")
}
