package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/client"
)

// effect is when a change takes effect.
type effect string

// The effects. A refused change keeps a server from applying the file, and from starting with it.
const (
	atOnce    effect = "at_once"
	nextStart effect = "next_start"
	refused   effect = "refused"
)

// change is what a file does to one setting.
type change struct {
	Setting string `json:"setting"`
	Effect  effect `json:"effect"`
	What    string `json:"what"`
}

// plan compares a file with what is there.
type plan struct {
	file     *Config
	compared []string // what it was compared with
	changes  []change
}

func (pl *plan) note(setting string, e effect, format string, args ...any) {
	c := change{setting, e, fmt.Sprintf(format, args...)}
	if !slices.Contains(pl.changes, c) {
		pl.changes = append(pl.changes, c)
	}
}

func newConfigPlanCommand(p *program) *cobra.Command {
	var old string
	var offline bool
	cmd := &cobra.Command{
		Use:   "plan [FILE]",
		Short: "Says what a changed file would do",
		Long: `Says what a changed file would do: which streams and columns come, change and go, what waits for the next start, and what
would be refused. It compares the file with the running server at --url, with the data directory that it names, and with
the file in force, if --old names that; views with that alone. Exit status 1 if something would be refused.`,
		Example: "  penstock config plan new.yaml --old penstock.yaml\n  penstock config plan --offline",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadConfig(settings{file: fileOf(args), env: p.env})
			if err != nil {
				return err
			}
			pl := &plan{file: c}
			if err := pl.withDirectory(c.Data); err != nil {
				return err
			}
			if old != "" {
				present, err := loadConfig(settings{file: old, env: p.env})
				if err != nil {
					return err
				}
				pl.withFile(old, present)
			}
			if !offline {
				if err := p.planWithServer(cmd, pl); err != nil {
					return err
				}
			}
			return p.printPlan(pl)
		},
	}
	cmd.Flags().StringVar(&old, "old", "", "the file in force, to name the settings that wait for the next start")
	cmd.Flags().BoolVar(&offline, "offline", false, "do not ask a server")
	return cmd
}

// planWithServer compares with the running server. If nothing is known of one, a data directory or an old file is enough.
func (p *program) planWithServer(cmd *cobra.Command, pl *plan) error {
	_, named := p.env("PENSTOCK_URL")
	named = named || cmd.Flags().Changed("url")
	c, err := p.client(client.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	err = pl.withServer(cmd.Context(), c)
	if client.IsUnreachable(err) && !named && len(pl.compared) > 0 {
		fmt.Fprintf(p.stderr, "penstock: no server answers at %s: its streams are not compared\n", p.url)
		return nil
	}
	return err
}

// withDirectory compares with the identity that a data directory holds, if it holds one.
func (pl *plan) withDirectory(dir string) error {
	held, err := readCluster(filepath.Join(dir, clusterName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	pl.compared = append(pl.compared, "data directory "+dir)
	pl.identity(held.ID, held.PartitionKey, held.Partitions)
	return nil
}

// identity compares what is chosen once. What the file leaves out is taken from what is there.
func (pl *plan) identity(id, key string, partitions int) {
	want := pl.file.cluster()
	if want.Partitions != partitions {
		pl.note("partitions", refused, "%d is chosen once, and it is %d", want.Partitions, partitions)
	}
	if want.ID != "" && want.ID != id {
		pl.note("cluster.id", refused, "it is %s", id)
	}
	if want.PartitionKey != "" && want.PartitionKey != key {
		pl.note("cluster.partition_key", refused, "another key would spread the events of a key differently")
	}
}

// withFile compares the settings that no server tells.
func (pl *plan) withFile(name string, present *Config) {
	pl.compared = append(pl.compared, "file "+name)
	before, after := present.leaves(), pl.file.leaves()
	for _, path := range slices.Sorted(maps.Keys(after)) {
		was, is := valueText(before[path]), valueText(after[path])
		if was == is {
			continue
		}
		switch {
		case path == "partitions":
			pl.note(path, refused, "%s is chosen once, and it is %s", is, was)
		case path == "store":
			pl.note(path, refused, "shards are chosen once, and they are %s", was)
		case strings.HasPrefix(path, "cluster.") && was == "": // judged by the identity that is there
		case strings.HasPrefix(path, "cluster."):
			pl.note(path, refused, "it is chosen once")
		case strings.HasPrefix(path, "tls.") && was != "" && is != "":
			pl.note(path, atOnce, "%s (was %s), for connections from then on", is, was)
		case path == "data":
			pl.note(path, nextStart, "%s: another directory, with other events (was %s)", is, was)
		default:
			pl.note(path, nextStart, "%s (was %s)", quoteEmpty(is), quoteEmpty(was))
		}
	}
	if !reflect.DeepEqual(present.Tokens, pl.file.Tokens) {
		pl.note("tokens", atOnce, "%d tokens (were %d)", len(pl.file.Tokens), len(present.Tokens))
	}
	pl.streams(present.streams(), nil)
	pl.views(present)
}

// withServer compares with the streams of a server and, where it tells it, with its identity.
func (pl *plan) withServer(ctx context.Context, c *client.Client) error {
	infos, err := c.Streams(ctx)
	if err != nil {
		return err
	}
	pl.compared = append(pl.compared, "server "+c.URL())
	var streams []penstock.Stream
	empty := map[string]bool{}
	for _, info := range infos {
		s, err := described(info)
		if err != nil {
			return err
		}
		streams = append(streams, s)
		empty[info.Name] = info.Stored != nil && *info.Stored == 0
	}
	pl.streams(streams, empty)
	cluster, err := c.Cluster(ctx)
	if penstock.Is(err, penstock.Forbidden) || penstock.Is(err, penstock.NotFound) {
		return nil // only an admin may see it; the data directory's own holds in any case
	}
	if err == nil {
		pl.identity(cluster.ID, cluster.PartitionKey, cluster.Partitions)
	}
	return err
}

// printPlan writes the changes, those that are refused last. They make it an error.
func (p *program) printPlan(pl *plan) error {
	slices.SortStableFunc(pl.changes, func(a, b change) int { return rank(a.Effect) - rank(b.Effect) })
	refusals := 0
	for _, c := range pl.changes {
		if c.Effect == refused {
			refusals++
		}
	}
	if err := p.writePlan(pl, refusals == 0); err != nil {
		return err
	}
	if refusals > 0 {
		return &exitError{exitFailed, fmt.Errorf("refused changes: %d", refusals)}
	}
	return nil
}

func rank(e effect) int { return slices.Index([]effect{atOnce, nextStart, refused}, e) }

func (p *program) writePlan(pl *plan, ok bool) error {
	if p.wantsJSON() {
		return p.printJSON(struct {
			OK       bool     `json:"ok"`
			Compared []string `json:"compared"`
			Changes  []change `json:"changes"`
		}{ok, append([]string{}, pl.compared...), append([]change{}, pl.changes...)})
	}
	if !p.quiet {
		for _, what := range pl.compared {
			fmt.Fprintln(p.stderr, "penstock: compared with "+what)
		}
	}
	if len(pl.compared) == 0 {
		_, err := fmt.Fprintln(p.stdout, "there is nothing to compare with: everything in the file is new")
		return err
	}
	if len(pl.changes) == 0 {
		_, err := fmt.Fprintln(p.stdout, "nothing changes")
		return err
	}
	words := map[effect]string{atOnce: "at once", nextStart: "next start", refused: "refused"}
	t := &table{columns: []string{"effect", "setting", "what"}}
	for _, c := range pl.changes {
		t.add(words[c.Effect], c.Setting, c.What)
	}
	return p.printTable(t)
}
