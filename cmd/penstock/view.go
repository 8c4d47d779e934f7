package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/client"
)

func newViewCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "view ls|show|rank|rebuild",
		Short: "Shows read models: counters, rollups, leaderboards, latest values",
		Long: "Shows views, which count a stream's rows by group and window of time as they are stored. The configuration declares\n" +
			"them. Each is also a table of its name in \"penstock sql\".",
	}
	cmd.AddCommand(newViewListCommand(p), newViewShowCommand(p), newViewRankCommand(p), newViewRebuildCommand(p))
	return cmd
}

func newViewListCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "Lists the views and how far they are",
		Example: "  penstock view ls\n  penstock view ls -o json | jq '.views[] | select(.state != \"ready\")'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client(client.Options{})
			if err != nil {
				return err
			}
			defer c.Close()
			views, err := c.Views(cmd.Context())
			if err != nil {
				return err
			}
			return p.printViews(views)
		},
	}
}

func (p *program) printViews(views []penstock.ViewStatus) error {
	switch p.format {
	case "json":
		return p.printJSON(map[string]any{"views": append([]penstock.ViewStatus{}, views...)})
	case "ndjson":
		for _, v := range views {
			if err := p.printJSON(v); err != nil {
				return err
			}
		}
		return nil
	}
	t := &table{
		columns: []string{"view", "stream", "state", "version", "rows", "progress", "problem"},
		right:   []bool{false, false, false, true, true, false, false},
	}
	for _, v := range views {
		t.add(v.Name, v.Stream, stateText(v), v.Version, v.Rows, progressText(v), v.Problem)
	}
	return p.printTable(t)
}

// stateText says how far a view is, and whether another version is being built beside it.
func stateText(v penstock.ViewStatus) string {
	if v.Rebuilds && v.State == penstock.ViewReady {
		return "ready, rebuilding"
	}
	return string(v.State)
}

// progressText says how much of what was stored before a view is counted; "" if nothing is to be counted.
func progressText(v penstock.ViewStatus) string {
	if v.Total <= 0 {
		return ""
	}
	text := fmt.Sprintf("%d%% of %s", 100*min(v.Done, v.Total)/v.Total, grouped(v.Total))
	if v.Eta > 0 {
		text += fmt.Sprintf(", ETA %.0fs", v.Eta)
	}
	return text
}

func newViewRankCommand(p *program) *cobra.Command {
	q := client.RankQuery{}
	cmd := &cobra.Command{
		Use:     "rank VIEW MEMBER",
		Short:   "Shows a member's place on a leaderboard, and who is around it",
		Example: "  penstock view rank best_players ada\n  penstock view rank best_players ada --around 0 -o json | jq .rank",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if q.Around < 0 {
				return usagef("--around %d: want 0 or more", q.Around)
			}
			c, err := p.client(client.Options{})
			if err != nil {
				return err
			}
			defer c.Close()
			q.View, q.Member = args[0], args[1]
			r, err := c.Rank(cmd.Context(), q)
			if err != nil {
				return err
			}
			return p.printRanking(q.View, r)
		},
	}
	cmd.Flags().IntVar(&q.Around, "around", 5, "how many members to show on either side")
	waitFlags(cmd, &q.After, &q.Timeout)
	return cmd
}

func (p *program) printRanking(view string, r client.Ranking) error {
	switch p.format {
	case "json":
		return p.printJSON(struct {
			View string `json:"view"`
			client.Ranking
		}{view, r})
	case "ndjson":
		for _, s := range r.Rows {
			if err := p.printJSON(s); err != nil {
				return err
			}
		}
		return nil
	}
	t := &table{columns: []string{"rank", "member", "score"}, right: []bool{true, false, true}}
	for _, s := range r.Rows {
		t.add(s.Rank, s.Member, cellText(s.Score))
	}
	return p.printTable(t)
}
