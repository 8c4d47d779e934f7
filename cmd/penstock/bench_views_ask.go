package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/internal/load"
	"penstock/internal/load/child"
	"penstock/internal/load/probe"
)

// viewFlags are the flags of bench views alone.
type viewFlags struct {
	groups, members int64
	lookups, ranks  int
	prefix          string
	settle          time.Duration
}

func viewsFlags(c *cobra.Command, f *benchFlags) {
	fs := c.Flags()
	fs.Int64Var(&f.lookup.groups, "groups", 10_000_000, "groups of the view that is asked for one of them")
	fs.Int64Var(&f.lookup.members, "members", 1_000_000, "members of the leaderboard")
	fs.IntVar(&f.lookup.lookups, "lookups", 1000, "how often to ask for a group")
	fs.IntVar(&f.lookup.ranks, "ranks", 100, "how often to ask for a rank, and for the first hundred")
	fs.StringVar(&f.lookup.prefix, "prefix", "k", "what keys begin with, before eight digits: letters, digits and -")
	fs.DurationVar(&f.lookup.settle, "settle", 10*time.Second, "pause between the last event and the first question")
	serverFlags(c, f)
}

// lookupConfig is the file of the server that bench views asks.
const lookupConfig = `listen: 127.0.0.1:0
data: ./data
limits: {batch: 100000, body: 64MiB}
streams:
  visits: {}
  games: {columns: {score: bigint}}
views:
  visits_by_key: {stream: visits, group: [key], measures: {n: count}}
  best: {stream: games, leaderboard: {member: key, score: max(score)}}
`

// lookupReport is the outcome of bench views.
type lookupReport struct {
	Kind        string  `json:"kind"`
	Groups      int64   `json:"groups"`
	Members     int64   `json:"members"`
	Prefix      string  `json:"prefix"`
	FillSeconds float64 `json:"groups_fill_seconds"`  // until the last group can be asked for
	Before      int64   `json:"rss_before_bytes"`     // of the server, before the first event
	Filled      int64   `json:"rss_groups_bytes"`     // when all groups are there, and it has been left alone for a while
	Last        int64   `json:"rss_last_bytes"`       // after all questions
	Peak        int64   `json:"rss_max_bytes"`        // ever
	Disk        int64   `json:"data_bytes,omitempty"` // of the server's data directory when all groups are there
	Asked       []asked `json:"queries"`
}

// runViews fills a view and a leaderboard of a server of ours and asks for one of many, one question at a time.
func runViews(c *cobra.Command, f *benchFlags) error {
	if f.url != "" || f.lookup.groups < 1 || f.lookup.members < 1 {
		return usagef("this measurement fills a server of its own: it cannot be done with --url, or without groups and members")
	}
	dir, remove, err := f.workDir()
	if err != nil {
		return err
	}
	defer remove()
	f.ownConfig = lookupConfig
	p, err := f.serve(c, dir, everyRole)
	if err != nil {
		return err
	}
	report, err := f.askViews(c, p, dir)
	if stopped := p.Stop(stopPatience); err == nil {
		err = stopped
	}
	if err != nil {
		return err
	}
	if f.format == "json" || f.format == "ndjson" {
		return json.NewEncoder(c.OutOrStdout()).Encode(report)
	}
	return report.write(c.OutOrStdout())
}

func (f *benchFlags) askViews(c *cobra.Command, p *child.Process, dir string) (*lookupReport, error) {
	ctx, ask := c.Context(), f.probe(p.URL)
	r := &lookupReport{Kind: "views", Groups: f.lookup.groups, Members: f.lookup.members, Prefix: f.lookup.prefix}
	r.Before, _ = resident(p)
	began := time.Now()
	if err := f.fill(c, &filling{url: p.URL, stream: "visits", count: r.Groups}); err != nil {
		return nil, err
	}
	if err := ask.WaitDrained(ctx); err != nil {
		return nil, err
	}
	r.FillSeconds = time.Since(began).Seconds()
	if err := f.rest(ctx); err != nil {
		return nil, err
	}
	r.Filled, _ = resident(p)
	r.Disk = bytesBelow(filepath.Join(dir, "data"))
	f.say(c, "%d groups after %.1f s, memory %d MiB, data %d MiB", r.Groups, r.FillSeconds, r.Filled>>20, r.Disk>>20)
	lookups := []*question{f.lookup.oneGroup()}
	askAll(ctx, ask, lookups, f.lookup.lookups)
	if err := f.fill(c, &filling{url: p.URL, stream: "games", count: r.Members, scored: true}); err != nil {
		return nil, err
	}
	if err := ask.WaitDrained(ctx); err != nil {
		return nil, err
	}
	if err := f.rest(ctx); err != nil {
		return nil, err
	}
	ranks := []*question{f.lookup.oneRank(), firstHundred()}
	askAll(ctx, ask, ranks, f.lookup.ranks)
	for _, q := range append(lookups, ranks...) {
		r.Asked = append(r.Asked, asked{Name: q.name, Latency: *millisOf(q.latency), Errors: q.failed, Problem: q.first})
	}
	r.Last, r.Peak = resident(p)
	return r, context.Cause(ctx)
}

// rest leaves the server alone, so that it can merge what it has.
func (f *benchFlags) rest(ctx context.Context) error {
	if !pauseFor(ctx, f.lookup.settle) {
		return context.Cause(ctx)
	}
	return nil
}

// resident returns the memory of a process and its peak, 0 where nobody knows.
func resident(p *child.Process) (now, peak int64) {
	n, most, err := p.Resident()
	if err != nil {
		return 0, 0
	}
	return int64(n), int64(most)
}

// bytesBelow returns what the files of a directory have; those that go meanwhile count nothing.
func bytesBelow(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			n += info.Size()
		}
		return nil
	})
	return n
}

// askPatience bounds how long one kind of question is asked.
const askPatience = time.Minute

// askAll asks each question n times, one after the other, or until its minute is over. The first time is not measured: it opens the connection.
func askAll(ctx context.Context, ask *probe.Probe, all []*question, n int) {
	for _, q := range all {
		began := time.Now()
		for i := range n + 1 {
			start := time.Now()
			err := q.ask(ctx, ask)
			if i > 0 || err != nil {
				q.note(time.Since(start), err)
			}
			if ctx.Err() != nil || time.Since(began) > askPatience {
				break
			}
		}
	}
}

// oneGroup asks for a group at random and fails unless it says what it has to.
func (v *viewFlags) oneGroup() *question {
	return &question{name: "one group", latency: load.NewLatency(), ask: func(ctx context.Context, p *probe.Probe) error {
		var answer struct {
			Rows []struct {
				Key string
				N   int64
			}
		}
		key := v.key(rand.Int64N(v.groups))
		err := p.Ask(ctx, "/v1/views/visits_by_key?where.key="+key, nil, &answer)
		if err == nil && (len(answer.Rows) != 1 || answer.Rows[0].Key != key || answer.Rows[0].N != 1) {
			err = penstock.Errorf(penstock.Internal, "ask for a group", "%s: %v", key, answer.Rows)
		}
		return err
	}}
}

// oneRank asks for the rank of a member at random, with five neighbours on either side.
func (v *viewFlags) oneRank() *question {
	return &question{name: "one rank", latency: load.NewLatency(), ask: func(ctx context.Context, p *probe.Probe) error {
		var answer struct {
			Rank int64
			Rows []struct{ Member string }
		}
		key := v.key(rand.Int64N(v.members))
		err := p.Ask(ctx, "/v1/views/best/rank?around=5&member="+key, nil, &answer)
		if err == nil && (answer.Rank < 1 || answer.Rank > v.members || len(answer.Rows) > 11 || len(answer.Rows) < int(min(6, v.members))) {
			err = penstock.Errorf(penstock.Internal, "ask for a rank", "%s: %d, %d rows", key, answer.Rank, len(answer.Rows))
		}
		return err
	}}
}

// firstHundred asks for the best of a leaderboard.
func firstHundred() *question {
	return &question{name: "first hundred", latency: load.NewLatency(), ask: func(ctx context.Context, p *probe.Probe) error {
		return p.Get(ctx, "/v1/views/best?order=-score&limit=100")
	}}
}

func (r *lookupReport) write(out io.Writer) error {
	_, err := fmt.Fprintf(out, "%-14s %d groups, %d members; groups filled in %.1f s\n", r.Kind, r.Groups, r.Members, r.FillSeconds)
	for _, q := range r.Asked {
		fmt.Fprintf(out, "%-14s %s; %d failed %s\n", q.Name, &q.Latency, q.Errors, q.Problem)
	}
	fmt.Fprintf(out, "%-14s %d MiB before, %d MiB with all groups, %d MiB at most\n", "memory", r.Before>>20, r.Filled>>20, r.Peak>>20)
	return err
}
