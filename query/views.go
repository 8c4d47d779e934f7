package query

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"

	"penstock"
	"penstock/internal/edge"
)

func (a *API) serveViews(w http.ResponseWriter, r *http.Request) error {
	if p := paramsOf(r); p.Err != nil {
		return p.Err
	}
	if a.o.ViewStates == nil {
		return missing("store")
	}
	states, err := a.o.ViewStates(r.Context())
	if err != nil {
		return err
	}
	states = append([]penstock.ViewStatus{}, states...)
	slices.SortFunc(states, func(a, b penstock.ViewStatus) int { return cmp.Compare(a.Name, b.Name) })
	edge.WriteJSON(w, http.StatusOK, struct {
		Views []penstock.ViewStatus `json:"views"`
	}{states})
	return nil
}

// serveRebuild begins to count a view anew. The answer does not wait for it: the list of views says how far it is.
func (a *API) serveRebuild(w http.ResponseWriter, r *http.Request) error {
	if p := paramsOf(r); p.Err != nil {
		return p.Err
	}
	if a.o.Rebuild == nil {
		return missing("store")
	}
	name := r.PathValue("view")
	if err := a.o.Rebuild(r.Context(), name); err != nil {
		return err
	}
	edge.WriteJSON(w, http.StatusAccepted, struct {
		View     string `json:"view"`
		Rebuilds bool   `json:"rebuilds"`
	}{name, true})
	return nil
}

// findView fails with NotFound, reason unknown_view, if there is no such view.
func (a *API) findView(name string) (penstock.View, error) {
	views := a.o.Views()
	i := slices.IndexFunc(views, func(v penstock.View) bool { return v.Name == name })
	if i < 0 {
		return penstock.View{}, &penstock.Error{Code: penstock.NotFound, Op: "find view", Reason: "unknown_view", Err: fmt.Errorf("there is no view %.60q", name)}
	}
	return views[i], nil
}

// askViewer calls ask when it is the request's turn, with the receipt of what its answer holds. Of an error it says what clients have to know.
func (a *API) askViewer(w http.ResponseWriter, r *http.Request, b viewBase, ask func(ctx context.Context, asOf string) error) error {
	ctx, cancel := a.lifetime(r)
	defer cancel()
	unhurried(w)
	err := a.await(ctx, b.want, b.patience)
	if err == nil {
		err = a.inTurn(ctx, ask)
	}
	a.hurry(w)
	if err == nil {
		return nil
	}
	if penstock.Is(err, penstock.Unavailable) {
		err = a.whileBuilding(ctx, w, b.view.Name, err)
	}
	return goneOr(ctx, err)
}

func (a *API) inTurn(ctx context.Context, ask func(ctx context.Context, asOf string) error) error {
	if a.o.Position == nil {
		return missing("store")
	}
	ctx, cancel := context.WithTimeout(ctx, a.o.Limits.Timeout)
	defer cancel()
	if err := a.views.enter(ctx); err != nil {
		return err
	}
	defer a.views.leave()
	asOf, err := a.asOf(ctx) // before the question: its answer holds at least that
	if err != nil {
		return err
	}
	return a.limitReached(ctx, ask(ctx, asOf))
}

// The bounds of Retry-After, in seconds, while a view is being built.
const (
	soonBuilt = 1
	lateBuilt = 60
)

// whileBuilding gives an error the reason view_building if that is why the view does not answer, and says when to come again.
func (a *API) whileBuilding(ctx context.Context, w http.ResponseWriter, view string, err error) error {
	reason := edge.Reason(err)
	if reason != "view_building" && reason != "unavailable" || a.o.ViewStates == nil {
		return err
	}
	states, stateErr := a.o.ViewStates(ctx)
	i := slices.IndexFunc(states, func(s penstock.ViewStatus) bool { return s.Name == view && s.State == penstock.ViewBuilding })
	if stateErr != nil || i < 0 {
		return err
	}
	seconds := min(max(math.Ceil(states[i].Eta), soonBuilt), lateBuilt)
	w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
	return &penstock.Error{Code: penstock.Unavailable, Op: "ask view", Reason: "view_building", Err: err}
}
