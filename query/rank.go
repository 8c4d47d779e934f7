package query

import (
	"context"
	"net/http"
	"slices"

	"penstock"
	"penstock/internal/edge"
)

// How many members are shown on either side of the one that is asked for.
const (
	defaultAround = 5
	maxAround     = 100
)

// standing is a member's place as an answer shows it.
type standing struct {
	Rank   int64   `json:"rank"`
	Member string  `json:"member"`
	Score  rawJSON `json:"score"`
}

// ranking is the answer of GET /v1/views/{view}/rank.
type ranking struct {
	View   string     `json:"view"`
	AsOf   string     `json:"as_of"`
	Member string     `json:"member"`
	Rank   int64      `json:"rank"`
	Score  rawJSON    `json:"score"`
	Rows   []standing `json:"rows"` // the best first
}

func (a *API) serveRank(w http.ResponseWriter, r *http.Request) error {
	p := paramsOf(r, "member", "around", "after", "timeout")
	if !p.Values.Has("member") {
		p.Fail("bad_parameter", "member is needed")
	}
	around := p.number("around", defaultAround, maxAround)
	b, err := a.completeView(p, r.PathValue("view"))
	if err != nil {
		return err
	}
	answer := ranking{View: b.view.Name, Member: p.Values.Get("member")}
	err = a.askViewer(w, r, b, func(ctx context.Context, asOf string) error {
		answer.AsOf = asOf
		list, err := a.o.Viewer.Rank(ctx, answer.View, answer.Member, around)
		if penstock.Is(err, penstock.NotFound) && edge.Reason(err) == "not_found" {
			return &penstock.Error{Code: penstock.NotFound, Op: "ask view", Reason: "unknown_member", Err: err}
		}
		if err != nil {
			return err
		}
		return answer.fill(list)
	})
	if err != nil {
		return err
	}
	edge.WriteJSON(w, http.StatusOK, answer)
	return nil
}

// fill takes the standings of a member and its neighbours.
func (k *ranking) fill(list []penstock.Standing) error {
	for _, s := range list {
		score, err := appendJSON(nil, s.Score, "")
		if err != nil {
			return err
		}
		k.Rows = append(k.Rows, standing{s.Rank, s.Member, score})
	}
	i := slices.IndexFunc(k.Rows, func(s standing) bool { return s.Member == k.Member })
	if i < 0 {
		return penstock.Errorf(penstock.Internal, "ask view", "the standings lack the member they are of")
	}
	k.Rank, k.Score = k.Rows[i].Rank, k.Rows[i].Score
	return nil
}
