// Command leaderboard shows what a game asks: who is first by the best, the summed and the last score, where a player stands, and who is near.
package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"penstock"
	"penstock/client"
	"penstock/internal/exampletest"
)

func main() { exampletest.Main("leaderboard", play) }

// board is how a view ranks players.
type board struct {
	view  string
	score func(of []result) int64
}

func play(ctx context.Context, s *exampletest.Server) error {
	all := happened()
	sent := exampletest.Arrivals(exampletest.NewRand(16), all, func(r result) time.Time { return r.At })
	if err := exampletest.Send(ctx, s, "results", sent); err != nil {
		return err
	}
	valid := exampletest.Those(all, func(r result) bool { return r.Points > 0 })
	points := func(r result) int64 { return r.Points }
	for _, b := range []board{
		{"best_scores", func(of []result) int64 { return slices.Max(exampletest.Of(of, points)) }},
		{"season", func(of []result) int64 { return exampletest.Sum(of, points) }},
		{"form", func(of []result) int64 {
			return slices.MaxFunc(of, func(a, b result) int { return a.At.Compare(b.At) }).Points
		}},
	} {
		if err := b.top(ctx, s, valid); err != nil {
			return err
		}
		if err := b.ranks(ctx, s, b.standings(valid)); err != nil {
			return err
		}
	}
	return nil
}

// top asks for the first twenty, and for all, the best first.
func (b board) top(ctx context.Context, s *exampletest.Server, valid []result) error {
	rows := exampletest.Table[result]{
		Group: "player", Cell: func(r result) exampletest.Cell { return exampletest.Cell{Group: r.Player} },
		Row:   func(of []result) exampletest.Row { return exampletest.Row{"score": exampletest.Whole(b.score(of))} },
		Order: func(of []result) float64 { return float64(b.score(of)) },
	}.Rows(valid)
	return s.Ask(ctx,
		exampletest.Question{What: b.view + ": the first twenty", Want: rows, First: 20, View: client.ViewQuery{View: b.view, Order: "-score"}},
		exampletest.Question{What: b.view + ": all, the best first", Want: rows, View: client.ViewQuery{View: b.view, Order: "-score", Limit: 2500}},
	)
}

// standings returns where each player stands, the best first, of one score by name.
func (b board) standings(valid []result) []penstock.Standing {
	games := map[string][]result{}
	for _, r := range valid {
		games[r.Player] = append(games[r.Player], r)
	}
	scores := map[string]int64{}
	perScore := map[int64]int{}
	for player, of := range games {
		scores[player] = b.score(of)
		perScore[scores[player]]++
	}
	var all []penstock.Standing
	for player, score := range scores {
		rank := int64(1)
		for other, n := range perScore {
			if other > score {
				rank += int64(n)
			}
		}
		all = append(all, penstock.Standing{Rank: rank, Member: player, Score: score})
	}
	slices.SortFunc(all, func(a, b penstock.Standing) int {
		if a.Rank != b.Rank {
			return int(a.Rank - b.Rank)
		}
		if a.Member < b.Member {
			return -1
		}
		return 1
	})
	return all
}

// ranks asks for players from the first to the last, with many, few and no neighbours.
func (b board) ranks(ctx context.Context, s *exampletest.Server, all []penstock.Standing) error {
	after, err := s.After(ctx)
	if err != nil {
		return err
	}
	ties := 0
	around := []int{5, 0, 1, 100}
	for n, i := range places(len(all)) {
		near := around[n%len(around)]
		got, err := s.Client.Rank(ctx, client.RankQuery{View: b.view, Member: all[i].Member, Around: near, After: after})
		if err != nil {
			return fmt.Errorf("%s: ask for %s: %w", b.view, all[i].Member, err)
		}
		want := all[max(0, i-near):min(len(all), i+near+1)]
		if got.Rank != all[i].Rank || string(got.Score) != fmt.Sprint(all[i].Score) || !slices.EqualFunc(got.Rows, want, same) {
			return fmt.Errorf("%s: %+v instead of %+v among %v", b.view, got, all[i], want)
		}
		if i > 0 && all[i-1].Rank == all[i].Rank {
			ties++
		}
	}
	if ties == 0 {
		return fmt.Errorf("%s: nobody who was asked for shares a rank: this would not hold ties", b.view)
	}
	s.Step("%s: %d ranks of %d and their neighbours are right, %d of them shared", b.view, len(places(len(all))), len(all), ties)
	_, err = s.Client.Rank(ctx, client.RankQuery{View: b.view, Member: "nobody", After: after})
	if !penstock.Is(err, penstock.NotFound) {
		return fmt.Errorf("%s: the rank of nobody: %v", b.view, err)
	}
	return nil
}

// places returns some of n places: the first and the last few, and some between.
func places(n int) []int {
	var some []int
	for i := range n {
		if i < 8 || i >= n-8 || i%(n/32) == 0 {
			some = append(some, i)
		}
	}
	return some
}

func same(got client.Standing, want penstock.Standing) bool {
	return got.Rank == want.Rank && got.Member == want.Member && string(got.Score) == fmt.Sprint(want.Score)
}
