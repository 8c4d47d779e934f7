package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"penstock/client"
)

func newAuditCommand(p *program) *cobra.Command {
	var q client.AuditQuery
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Adds up what became of every event that was accepted",
		Long: "Adds up what became of every event that was accepted: accepted = stored + duplicates + dead + dropped + expired + pending,\n" +
			"with checksums, and names the first that is missing while the log still holds it. Exit status 0: all is accounted for,\n" +
			"1: something is missing, doubled or changed, 3: some events are pending. docs/audit.md tells more.",
		Example: "  penstock audit\n  penstock audit --partitions\n  penstock audit --deep -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client(client.Options{})
			if err != nil {
				return err
			}
			a, err := c.Audit(cmd.Context(), q)
			if err != nil {
				return err
			}
			if err := p.printAudit(a); err != nil {
				return err
			}
			if q.Deep && a.Deep == nil {
				fmt.Fprintln(p.stderr, "penstock: only added up: the store of this server cannot be compared one by one yet")
			}
			return auditVerdict(a, q.Deep)
		},
	}
	cmd.Flags().BoolVar(&q.Partitions, "partitions", false, "show what each stream has in each partition")
	cmd.Flags().BoolVar(&q.Deep, "deep", false, "compare all that the log holds with the store, one by one")
	return cmd
}

// auditVerdict is the exit status of an audit, which may have been asked for a deep check.
func auditVerdict(a client.Audit, deep bool) error {
	if !a.OK {
		return &exitError{exitFailed, errors.New("the audit does not balance")}
	}
	unknown := deep && (a.Deep == nil || !a.Deep.Complete)
	for _, s := range a.Streams {
		unknown = unknown || s.ChecksumOK == nil
	}
	if unknown || a.Pending() > 0 {
		return &exitError{status: exitPartly}
	}
	return nil
}

func (p *program) printAudit(a client.Audit) error {
	switch p.format {
	case "json":
		return p.printJSON(a)
	case "ndjson":
		for _, s := range a.Streams {
			if err := p.printJSON(s); err != nil {
				return err
			}
		}
		return nil
	}
	t := auditTable(a)
	if err := p.printTable(t); err != nil || p.format == "csv" {
		return err
	}
	for _, s := range a.Streams {
		for _, first := range []struct {
			what string
			at   *client.AuditPlace
		}{{"missing", s.FirstMissing}, {"changed", s.FirstChanged}, {"doubled", s.FirstDoubled}} {
			if first.at != nil {
				fmt.Fprintf(p.stdout, "%s: first %s event: partition %d, epoch %d, offset %d\n", shown(s.Stream), first.what, first.at.Partition, first.at.Epoch, first.at.Offset)
			}
		}
	}
	if d := a.Deep; d != nil {
		incomplete := ""
		if !d.Complete {
			incomplete = ", not to the end"
		}
		fmt.Fprintf(p.stdout, "one by one: %s events compared%s, %s missing, %s changed, %s doubled, %s unsure\n", grouped(d.Events), incomplete,
			grouped(d.Missing), grouped(d.Changed), grouped(d.Doubled), grouped(d.Unsure))
	}
	return nil
}

// auditTable has a row for each stream, and below it one for each of its partitions if they were asked for. A column that is
// rarely used is there only if it says something.
func auditTable(a client.Audit) *table {
	lanes, excess := false, false
	for _, s := range a.Streams {
		lanes, excess = lanes || len(s.Partitions) > 0, excess || s.Excess > 0
	}
	columns := []string{"stream"}
	if lanes {
		columns = append(columns, "partition")
	}
	columns = append(columns, "accepted", "stored", "duplicates", "dead", "dropped", "expired", "pending", "missing")
	if excess {
		columns = append(columns, "excess")
	}
	t := &table{columns: append(columns, "checksum"), right: make([]bool, len(columns)+1)}
	for i := 1; i < len(columns); i++ {
		t.right[i] = true
	}
	add := func(name, partition string, c client.AuditCounts) {
		row := []any{name}
		if lanes {
			row = append(row, partition)
		}
		row = append(row, c.Accepted, c.Stored, c.Duplicates, c.Dead, c.Dropped, c.Expired, c.Pending, c.Missing)
		if excess {
			row = append(row, c.Excess)
		}
		t.add(append(row, checksumText(c.ChecksumOK))...)
	}
	for _, s := range a.Streams {
		add(s.Stream, "all", s.AuditCounts)
		for _, l := range s.Partitions {
			add(s.Stream, fmt.Sprint(l.Partition), l.AuditCounts)
		}
	}
	return t
}

func checksumText(ok *bool) string {
	switch {
	case ok == nil:
		return "not checked"
	case *ok:
		return "ok"
	}
	return "WRONG"
}
