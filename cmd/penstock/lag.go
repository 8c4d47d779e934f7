package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"penstock/client"
)

func newLagCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "lag",
		Short: "Says how far the stores are behind the log",
		Long: "Says for each store how many events, and how many seconds, it is behind the log, and how long it takes until\n" +
			"everything is stored if the present rates last.",
		Example: "  penstock lag\n  penstock lag -o json | jq .seconds",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client(client.Options{})
			if err != nil {
				return err
			}
			lag, err := c.Lag(cmd.Context())
			if err != nil {
				return err
			}
			return p.printLag(lag)
		},
	}
}

func (p *program) printLag(lag client.Lag) error {
	switch p.format {
	case "json":
		return p.printJSON(lag)
	case "ndjson":
		for _, s := range lag.Stores {
			if err := p.printJSON(s); err != nil {
				return err
			}
		}
		return nil
	}
	t := &table{columns: []string{"store", "events", "seconds", "drained in"}, right: []bool{false, true, true, true}}
	for _, s := range lag.Stores {
		t.add(s.Store, s.Events, fmt.Sprintf("%.1f", s.Seconds), "")
	}
	t.add("all", lag.Events, fmt.Sprintf("%.1f", lag.Seconds), drainText(lag.DrainSeconds))
	return p.printTable(t)
}

// drainText says how long it takes to catch up.
func drainText(seconds *float64) string {
	if seconds == nil {
		return "not at this rate"
	}
	return fmt.Sprintf("%.1fs", *seconds)
}
