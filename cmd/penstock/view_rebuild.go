package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/client"
)

func newViewRebuildCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "rebuild VIEW",
		Short: "Counts a view anew from the stored rows, beside the version that answers",
		Long: "Counts a view anew from the stored rows. The version that there is answers until the new one has everything, and goes on counting\n" +
			"meanwhile. Groups and windows that reach back before the oldest stored row are taken over as they are. It needs a token with the\n" +
			"scope admin. Interrupted, the command ends and the server goes on.",
		Example: "  penstock view rebuild clicks_per_link",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client(client.Options{})
			if err != nil {
				return err
			}
			defer c.Close()
			if err := c.Rebuild(cmd.Context(), args[0]); err != nil {
				return err
			}
			return p.watchRebuild(cmd.Context(), c, args[0])
		},
	}
}

// watchRebuild waits until a view is rebuilt, and says how far it is.
func (p *program) watchRebuild(ctx context.Context, c *client.Client, name string) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		views, err := c.Views(ctx)
		if err != nil {
			return err
		}
		for _, v := range views {
			switch {
			case v.Name != name:
			case !v.Rebuilds:
				return p.printViews([]penstock.ViewStatus{v})
			case v.Problem != "":
				return fmt.Errorf("version %d goes on answering: %s", v.Version, v.Problem)
			case !p.quiet:
				fmt.Fprintf(p.stderr, "%d of %d rows counted%s\n", v.Done, v.Total, left(v.Eta))
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// left says how long something will take, if that is known.
func left(seconds float64) string {
	if seconds <= 0 {
		return ""
	}
	return ", " + time.Duration(seconds*float64(time.Second)).Round(time.Second).String() + " left"
}
